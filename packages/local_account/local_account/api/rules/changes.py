"""What CloudFormation refuses of a request for a change set: one that does not say of which stack, or says two.

Source: CloudFormation API reference, ExecuteChangeSet: a change set's name or ARN; "if you specified the name of a change set, specify the
stack name (or ID) that's associated with it".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from local_account.api.rules.rule import rule
from local_account.context import Context
from local_account.errors import ServiceError


@rule("cloudformation", "DescribeChangeSet", "ExecuteChangeSet", "DeleteChangeSet")
def change_set_is_of_one_stack(context: Context, parameters: Mapping[str, Any]) -> None:
    named, stack = str(parameters.get("ChangeSetName", "")), parameters.get("StackName")
    if not named.startswith("arn:"):
        if not stack:
            raise ServiceError("ValidationError", "StackName must be specified if ChangeSetName is not specified as an ARN.")
    elif stack:
        try:
            found = context.client("cloudformation").describe_change_set(ChangeSetName=named)
        except ClientError:
            return  # the service says that there is none
        if stack not in (found["StackName"], found["StackId"]):
            raise ServiceError("ChangeSetNotFound", f"ChangeSet [{named}] does not exist")
