"""`iam:PassRole` and `PassConnection`: who hands a role or a connection to a service needs permission for it and for that service.

By rule: every member of the request's model that is called after a role, whether it holds an ARN or, as CodeBuild's may, a name. Source:
IAM user guide, "Grant a user permissions to pass a role to an AWS service". Connections are passed to CodePipeline, in the configuration of
source actions (Developer Tools console user guide, "AWS CodeConnections permissions reference", "Passing a connection to a service"); the
permission has the name that the service has in the connection's ARN. Input: a `Call`. Output: `Check`s.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from local_account.api.reading import Call, input_shape, model
from local_account.authorization.actions import actions_of, prefix_of
from local_account.authorization.context_keys import Keys
from local_account.authorization.existing import Existing
from local_account.authorization.requests import Check, resources_of

#: `RoleArn`, `serviceRole`, `serviceRoleOverride`, `ExecutionRoleArns`; not `approverRoles`, who decide, or `RoleSessionName`.
_ROLE_MEMBER = re.compile(r".*role(?:_?arns?|override)?", re.IGNORECASE)
_ROLE = re.compile(r"arn:aws[\w-]*:iam::\d{12}:role/.+|(?!arn:).+")
_CONNECTION = re.compile(r"arn:aws[\w-]*:(codeconnections|codestar-connections):[\w-]+:\d{12}:connection/.+")
#: They speak about roles instead of handing them to a service.
_SPEAK_OF_ROLES = ("iam", "sts", "kms")
#: Application Auto Scaling takes a role for old clients and uses its service-linked one: its API reference, RegisterScalableTarget.
_IGNORED = ("application-autoscaling",)


def checks_of(existing: Existing, call: Call, given: Mapping[str, Any]) -> list[Check]:
    """A check for every role and every connection that the request hands over."""
    if call.service in _SPEAK_OF_ROLES or call.service in _IGNORED or call.operation not in model(call.service).operation_names:
        return []
    return [*_passed_roles(existing, call, given), *_passed_connections(existing, call, given)]


def _passed_roles(existing: Existing, call: Call, given: Mapping[str, Any]) -> list[Check]:
    given_roles = _roles(input_shape(call.service, call.operation), call.parameters)
    roles = dict.fromkeys(existing.role_arn(role) for role in given_roles)
    if call.service == "codepipeline":
        roles = {role: None for role in roles if not _is_of_an_action(existing, call, role)}
    if not roles:
        return []
    receiver = f"{prefix_of(call.service)}.amazonaws.com"
    resource = resources_of(existing, call, actions_of(call.service, call.operation)[0])[0]
    keys = {**given, "iam:passedtoservice": receiver, "iam:associatedresourcearn": resource}
    return [Check("iam:PassRole", role, Keys(call, existing, role, keys)) for role in roles]


def _passed_connections(existing: Existing, call: Call, given: Mapping[str, Any]) -> list[Check]:
    if call.service != "codepipeline":
        return []
    found: dict[str, str] = {}  # ARN -> the service's name in it, which is that of the permission
    for stage in (call.parameters.get("pipeline") or {}).get("stages") or ():
        for action in stage.get("actions") or ():
            arn = str((action.get("configuration") or {}).get("ConnectionArn", ""))
            if match := _CONNECTION.fullmatch(arn):
                found[arn] = match[1]
    return [
        Check(f"{name}:PassConnection", arn, Keys(call, existing, arn, {**given, f"{name}:passedtoservice": "codepipeline.amazonaws.com"}))
        for arn, name in found.items()
    ]


def _is_of_an_action(existing: Existing, call: Call, role: str) -> bool:
    """Of an action in another account: the pipeline's role assumes it, and nobody passes it.

    CodePipeline user guide, "Create a pipeline in CodePipeline that uses resources from another AWS account".
    """
    return role != (call.parameters.get("pipeline") or {}).get("roleArn") and existing.account_of(role) != existing.account_id


def _roles(shape: Any, value: Any, name: str = "") -> Iterator[str]:
    if shape is None or value is None:
        return
    if shape.type_name == "structure" and isinstance(value, Mapping):
        for member, item in value.items():
            yield from _roles(shape.members.get(member), item, member)
    elif shape.type_name == "list" and isinstance(value, list):
        for item in value:
            yield from _roles(shape.member, item, name)
    elif isinstance(value, str) and _ROLE_MEMBER.fullmatch(name) and _ROLE.fullmatch(value):
        yield value
