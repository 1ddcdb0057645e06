"""Asks whether the deployer may make, change or delete what MiniStack makes inside its process, and whether the service would.

Our own types call the public API in the deployer's name; MiniStack's do not, so this says which operation of the API makes, changes and
deletes each, and `property_operations.py` which ones its properties need besides. All are asked before anything is done. What the handlers
in CloudFormation's registry only read or wait for is not asked. Used by `completions.py`. Next: `property_operations.py`, `deployer.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from local_account.api.reading import Call, input_shape
from local_account.api.rules import rule
from local_account.authorization.actions import actions_of
from local_account.authorization.requests import resources_of
from local_account.cloudformation import deployer, property_operations, schemas
from local_account.cloudformation.property_operations import Change
from local_account.cloudformation.resource_type import Properties
from local_account.context import Context

#: In place of the twelve characters that CloudFormation ends a name with; nobody knows them yet.
_UNKNOWN = "XXXXXXXXXXXX"
#: No service's names are shorter: IAM's roles and Lambda's functions.
_LONGEST_NAME = 64


@dataclass(frozen=True)
class Made:
    """`name` is the property that names the resource, `member` the one of the operations, where it has another name.

    Without `update`, the operation that makes it changes it as well.
    """

    service: str
    create: str
    delete: str
    name: str
    member: str = ""
    update: str = ""
    deleted_member: str = ""
    #: Property -> the operations' member, where the names differ by more than the case of their letters.
    others: Mapping[str, str] = field(default_factory=dict)

    def parameters(self, operation: str, properties: Properties, name: str) -> dict[str, Any]:
        """The properties that the operation knows, and the name; it may begin with a small letter there."""
        shape = input_shape(self.service, operation)
        members = {} if shape is None else {member.lower(): member for member in shape.members}
        named = {self.others.get(key, key).lower(): value for key, value in properties.items()}
        given = {members[key]: value for key, value in named.items() if key in members}
        given = {member: _as_sent(shape.members[member], value) for member, value in given.items()}
        if members.get("attributes") == "Attributes":
            given["Attributes"] = self._attributes(properties, members)
        usual = self.member or members.get(self.name.lower(), self.name)
        return {**given, (self.deleted_member or usual) if operation == self.delete else usual: name}

    def _attributes(self, properties: Properties, members: Mapping[str, str]) -> dict[str, str]:
        """What the operation has no member for, in its `Attributes`. `Region` says where a topic is."""
        others = {key: value for key, value in properties.items() if key.lower() not in members and key not in (self.name, "Region")}
        return {key: _as_text(value) for key, value in others.items() if not isinstance(value, list)}


def _as_text(value: Any) -> str:
    """An attribute of a queue, topic or subscription, which its operation takes as text."""
    return str(value).lower() if isinstance(value, bool) else json.dumps(value) if isinstance(value, Mapping) else str(value)


def _as_sent(shape: Any, value: Any) -> Any:
    """A document of a template is text in a request."""
    return json.dumps(value) if shape.type_name == "string" and isinstance(value, Mapping) else value


_TYPES: Mapping[str, Made] = {
    "AWS::CloudWatch::Alarm": Made("cloudwatch", "PutMetricAlarm", "DeleteAlarms", "AlarmName", deleted_member="AlarmNames"),
    "AWS::CloudWatch::Dashboard": Made("cloudwatch", "PutDashboard", "DeleteDashboards", "DashboardName", deleted_member="DashboardNames"),
    "AWS::CodeBuild::Project": Made("codebuild", "CreateProject", "DeleteProject", "Name", update="UpdateProject"),
    "AWS::ECR::Repository": Made("ecr", "CreateRepository", "DeleteRepository", "RepositoryName"),
    "AWS::Events::Rule": Made("events", "PutRule", "DeleteRule", "Name"),
    "AWS::IAM::ManagedPolicy": Made("iam", "CreatePolicy", "DeletePolicy", "ManagedPolicyName", "PolicyName", update="CreatePolicyVersion"),
    "AWS::IAM::Role": Made("iam", "CreateRole", "DeleteRole", "RoleName", update="UpdateRole"),
    "AWS::KMS::Alias": Made("kms", "CreateAlias", "DeleteAlias", "AliasName", update="UpdateAlias"),
    "AWS::KMS::Key": Made("kms", "CreateKey", "ScheduleKeyDeletion", "KeyId", update="PutKeyPolicy", others={"KeyPolicy": "Policy"}),
    "AWS::Lambda::EventInvokeConfig": Made(
        *("lambda", "PutFunctionEventInvokeConfig", "DeleteFunctionEventInvokeConfig", "FunctionName"),
        update="UpdateFunctionEventInvokeConfig",
    ),
    "AWS::Lambda::Function": Made("lambda", "CreateFunction", "DeleteFunction", "FunctionName", update="UpdateFunctionConfiguration"),
    "AWS::Lambda::Permission": Made("lambda", "AddPermission", "RemovePermission", "FunctionName"),
    "AWS::Logs::LogGroup": Made("logs", "CreateLogGroup", "DeleteLogGroup", "LogGroupName"),
    "AWS::SNS::Subscription": Made("sns", "Subscribe", "Unsubscribe", "TopicArn", update="SetSubscriptionAttributes"),
    "AWS::SNS::Topic": Made("sns", "CreateTopic", "DeleteTopic", "TopicName", "Name", update="SetTopicAttributes"),
    "AWS::SQS::Queue": Made("sqs", "CreateQueue", "DeleteQueue", "QueueName", update="SetQueueAttributes"),
    "AWS::SSM::Parameter": Made("ssm", "PutParameter", "DeleteParameter", "Name"),
}


def require_create(context: Context, resource_type: str, properties: Properties, stack_name: str, logical_id: str) -> None:
    """Raises ServiceError for a deployer that may not make it, with all that it has."""
    made = _TYPES.get(resource_type)
    name = str((made and properties.get(made.name)) or _name_made_up(stack_name, logical_id, properties))
    _require(context, resource_type, made.create if made else "", Change(name, "", {}, properties))


def _name_made_up(stack_name: str, logical_id: str, properties: Properties) -> str:
    ending = ".fifo" if str(properties.get("FifoQueue") or properties.get("FifoTopic")).lower() == "true" else ""
    return f"{f'{stack_name}-{logical_id}'[: _LONGEST_NAME - len(_UNKNOWN) - len(ending) - 1]}-{_UNKNOWN}{ending}"


def require_update(context: Context, resource_type: str, physical_id: str, old: Properties, new: Properties) -> None:
    """Raises ServiceError for a deployer that may not change what differs; what has to be replaced is made and deleted."""
    made, own = _TYPES.get(resource_type), property_operations.BY_TYPE.get(resource_type)
    changed = {name for name in {*old, *new} if old.get(name) != new.get(name)} - {"Tags"}
    if made and changed & schemas.create_only(resource_type):
        _require(context, resource_type, made.create, Change(str(new.get(made.name) or physical_id), "", {}, new))
        require_delete(context, resource_type, physical_id, old)
        return
    rest = changed - (own.properties if own else frozenset())
    change = Change(_name(made, physical_id, new), "", old, new)
    _require(context, resource_type, (made.update or made.create) if made and rest else "", change)


def require_delete(context: Context, resource_type: str, physical_id: str, properties: Properties) -> None:
    made = _TYPES.get(resource_type)
    _require(context, resource_type, made.delete if made else "", Change(_name(made, physical_id, properties), "", properties, {}))


def _require(context: Context, resource_type: str, operation: str, change: Change) -> None:
    """Ask for the operation (none: only for those of properties), with the properties that it knows, and for all others of the change."""
    for service, name, parameters in operations_of(context, resource_type, operation, change):
        deployer.require(context, service, name, parameters)
        shape = input_shape(service, name)
        is_there = bool(change.old) or resource_type not in _TYPES or name == operation  # nobody finds what is only about to be made
        if change.new and is_there and (shape is None or {*shape.required_members} <= {*parameters}):
            rule.require(context, Call(service, name, parameters))


def operations_of(context: Context, resource_type: str, operation: str, change: Change) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Service, name and parameters of every operation that a change of a resource stands for; `operation` is the one on the whole of it."""
    made, own = _TYPES.get(resource_type), property_operations.BY_TYPE.get(resource_type)
    new = property_operations.without_tags_of_no_api(resource_type, change.new)
    old = property_operations.without_tags_of_no_api(resource_type, change.old)
    change = replace(change, old=old, new=new)
    if made:
        change = replace(change, arn=_arn(context, made, change))
        if operation:
            yield made.service, operation, made.parameters(operation, change.new, change.name)
        for name, parameters in property_operations.of_tags(resource_type, made.service, change):
            yield made.service, name, parameters
    if own:
        for name, parameters in own.operations(change):
            yield own.service, name, parameters


def _arn(context: Context, made: Made, change: Change) -> str:
    """What policies call the resource, by the operation that deletes it: each is on one."""
    if change.name.startswith("arn:"):
        return change.name
    call = Call(made.service, made.delete, made.parameters(made.delete, {}, change.name))
    action = actions_of(made.service, made.delete)[0]
    return context.keyring.here(lambda: resources_of(context.existing, call, action))[0]


def _name(made: Made | None, physical_id: str, properties: Properties) -> str:
    """A permission's physical id is not the name of its function; all others are names, ARNs or addresses of what they identify."""
    return str(properties[made.name]) if made and made.name == "FunctionName" and made.create == "AddPermission" else physical_id
