"""IAM: policy documents within the grammar and the quotas, and policies that are there.

Errors: https://docs.aws.amazon.com/IAM/latest/APIReference/API_AttachRolePolicy.html and API_CreateRole.html.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_account.api.rules import policy_documents
from local_account.api.rules.rule import is_there, rule
from local_account.authorization.existing import identity
from local_account.context import Context
from local_account.errors import NotEmulatedError, ServiceError


@rule("iam", "CreateRole", "UpdateAssumeRolePolicy")
def _trust(context: Context, request: Mapping[str, Any]) -> None:
    document = request.get("AssumeRolePolicyDocument") or request.get("PolicyDocument") or ""
    policy_documents.require_trust_policy(context, document)
    if policy_documents.length(document) > policy_documents.LONGEST_TRUST:
        raise _exceeded(f"Cannot exceed quota for ACLSizePerRole: {policy_documents.LONGEST_TRUST}")


@rule("iam", "PutRolePolicy", "PutUserPolicy")
def _inline(context: Context, request: Mapping[str, Any]) -> None:
    """What all inline policies of a role or a user have together is limited."""
    policy_documents.require_identity_policy(request["PolicyDocument"])
    kind, longest = ("role", policy_documents.LONGEST_OF_ROLE) if "RoleName" in request else ("user", policy_documents.LONGEST_OF_USER)
    name = request.get("RoleName") or request.get("UserName") or ""
    others = dict(identity(context.settings.account_id, kind, name).get("InlinePolicies", {}))
    others.pop(request["PolicyName"], None)
    if sum(map(policy_documents.length, [*others.values(), request["PolicyDocument"]])) > longest:
        raise _exceeded(f"Maximum policy size of {longest} bytes exceeded for {kind} {name}")


@rule("iam", "CreatePolicy", "CreatePolicyVersion")
def _managed(context: Context, request: Mapping[str, Any]) -> None:
    policy_documents.require_identity_policy(request["PolicyDocument"], is_managed=True)
    if policy_documents.length(request["PolicyDocument"]) > policy_documents.LONGEST_MANAGED:
        raise _exceeded(f"Cannot exceed quota for PolicySize: {policy_documents.LONGEST_MANAGED}")


@rule("iam", "AttachRolePolicy", "AttachUserPolicy")
def _attached(context: Context, request: Mapping[str, Any]) -> None:
    require_managed_policy(context, request.get("PolicyArn", ""))


@rule("iam", "CreateRole", "CreateUser", "PutRolePermissionsBoundary")
def _boundary(context: Context, request: Mapping[str, Any]) -> None:
    if request.get("PermissionsBoundary"):
        require_managed_policy(context, request["PermissionsBoundary"])


@rule("sts", "AssumeRole")
def _of_session(context: Context, request: Mapping[str, Any]) -> None:
    for policy in request.get("PolicyArns") or []:
        require_managed_policy(context, policy["arn"])


def require_managed_policy(context: Context, arn: str) -> None:
    """A policy that is there. One of AWS (`arn:aws:iam::aws:`) whose statements this account does not have would allow nothing."""
    if not arn.startswith("arn:aws:iam::"):
        raise ServiceError("InvalidInput", f"ARN {arn} is not valid.")
    if is_there(context.client("iam").get_policy, PolicyArn=arn):
        return
    if arn.startswith("arn:aws:iam::aws:policy/"):
        raise NotEmulatedError("iam", f"the managed policy {arn}, whose statements it does not have; give the role a policy of your own")
    raise ServiceError("NoSuchEntity", f"Policy {arn} does not exist or is not attachable.", 404)


@rule("iam", "AttachRolePolicy")
def _number(context: Context, request: Mapping[str, Any]) -> None:
    role = identity(context.settings.account_id, "role", request["RoleName"])
    attached = {*map(str, role.get("AttachedPolicies", ())), request["PolicyArn"]}
    if len(attached) > policy_documents.MOST_ATTACHED:
        raise _exceeded(f"Cannot exceed quota for PoliciesPerRole: {policy_documents.MOST_ATTACHED}")


@rule("iam", "DeleteUser")
def _no_policies_left(context: Context, request: Mapping[str, Any]) -> None:
    """MiniStack looks for attached policies only; a role's inline ones it finds itself."""
    from ministack.services import iam

    if context.keyring.here(lambda: iam._user_inline_policies.get(request["UserName"])):
        raise ServiceError("DeleteConflict", "Cannot delete entity, must delete policies first.", 409)


@rule("iam", "DeleteAccessKey")
def _own_key(context: Context, request: Mapping[str, Any]) -> None:
    """A key is deleted of the user who has it: MiniStack asks whether there is such a key, whoever has it."""
    user, key = request.get("UserName"), request.get("AccessKeyId")
    if user and key not in [each["AccessKeyId"] for each in context.client("iam").list_access_keys(UserName=user)["AccessKeyMetadata"]]:
        raise ServiceError("NoSuchEntity", f"The Access Key with id {key} cannot be found.", 404)


def _exceeded(message: str) -> ServiceError:
    return ServiceError("LimitExceeded", message, 409)
