"""IAM: policy documents that are JSON, and policies that are there.

Errors: https://docs.aws.amazon.com/IAM/latest/APIReference/API_AttachRolePolicy.html and API_CreateRole.html.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_account.api.rules.rule import is_there, json_of, rule
from local_account.context import Context
from local_account.errors import ServiceError

_DOCUMENTS = ("AssumeRolePolicyDocument", "PolicyDocument")


@rule("iam", "CreateRole", "UpdateAssumeRolePolicy", "PutRolePolicy", "PutUserPolicy", "CreatePolicy", "CreatePolicyVersion")
def _document(context: Context, request: Mapping[str, Any]) -> None:
    for member in _DOCUMENTS:
        if member in request:
            malformed = ServiceError("MalformedPolicyDocument", "This policy contains invalid Json")
            if not json_of(request[member], malformed).get("Statement"):
                raise ServiceError("MalformedPolicyDocument", "Missing required field Statement")


@rule("iam", "AttachRolePolicy", "AttachUserPolicy")
def _attached(context: Context, request: Mapping[str, Any]) -> None:
    """A policy of this account must be there. Those of AWS itself (`arn:aws:iam::aws:`) are not listed here: each may be attached."""
    arn = request.get("PolicyArn", "")
    if not arn.startswith("arn:aws:iam::"):
        raise ServiceError("InvalidInput", f"ARN {arn} is not valid.")
    if not arn.startswith("arn:aws:iam::aws:policy/") and not is_there(context.client("iam").get_policy, PolicyArn=arn):
        raise ServiceError("NoSuchEntity", f"Policy {arn} does not exist or is not attachable.", 404)


@rule("iam", "DeleteAccessKey")
def _own_key(context: Context, request: Mapping[str, Any]) -> None:
    """A key is deleted of the user who has it."""
    user, key = request.get("UserName"), request.get("AccessKeyId")
    if not user:
        return
    keys = context.client("iam").list_access_keys(UserName=user)["AccessKeyMetadata"]
    if key not in [each["AccessKeyId"] for each in keys]:
        raise ServiceError("NoSuchEntity", f"The Access Key with id {key} cannot be found.", 404)
