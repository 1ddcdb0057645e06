"""Asks whether the deployer may make, change or delete what MiniStack makes inside its process, and whether the service would.

Our own types call the public API in the deployer's name; MiniStack's do not, so this says which operation of the API stands for each.
It is the one that the type's handlers in CloudFormation's registry begin with; what else they call (reading, waiting) is not asked
here. Used by `completions.py`. Next: `deployer.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from local_account.api.reading import Call, input_shape
from local_account.api.rules import rule
from local_account.cloudformation import deployer
from local_account.cloudformation.resource_type import Properties
from local_account.context import Context

#: In place of the twelve characters that CloudFormation ends a name with; nobody knows them yet.
_UNKNOWN = "XXXXXXXXXXXX"
#: No service's names are shorter: IAM's roles and Lambda's functions.
_LONGEST_NAME = 64


@dataclass(frozen=True)
class Made:
    """`name` is the property that names the resource, `member` the one of the operations, where it has another name."""

    service: str
    create: str
    delete: str
    name: str
    member: str = ""
    update: str = ""
    deleted_member: str = ""
    #: Property -> member of the operations, where it has another name.
    renamed: Mapping[str, str] = field(default_factory=dict)

    def parameters(self, operation: str, properties: Properties, name: str) -> dict[str, Any]:
        """The properties that the operation knows, and the name; it may begin with a small letter there."""
        shape = input_shape(self.service, operation)
        members = {} if shape is None else {member.lower(): member for member in shape.members}
        properties = {self.renamed.get(key, key): value for key, value in properties.items()}
        given = {members[key.lower()]: value for key, value in properties.items() if key.lower() in members}
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
    "AWS::CloudWatch::CompositeAlarm": Made("cloudwatch", "PutCompositeAlarm", "DeleteAlarms", "AlarmName", deleted_member="AlarmNames"),
    "AWS::CloudWatch::Dashboard": Made("cloudwatch", "PutDashboard", "DeleteDashboards", "DashboardName", deleted_member="DashboardNames"),
    "AWS::CodeBuild::Project": Made("codebuild", "CreateProject", "DeleteProject", "Name", update="UpdateProject"),
    "AWS::ECR::Repository": Made("ecr", "CreateRepository", "DeleteRepository", "RepositoryName"),
    "AWS::Events::Rule": Made("events", "PutRule", "DeleteRule", "Name"),
    "AWS::IAM::ManagedPolicy": Made("iam", "CreatePolicy", "DeletePolicy", "ManagedPolicyName", "PolicyName", update="CreatePolicyVersion"),
    "AWS::IAM::Role": Made("iam", "CreateRole", "DeleteRole", "RoleName", update="UpdateRole"),
    "AWS::KMS::Alias": Made("kms", "CreateAlias", "DeleteAlias", "AliasName", update="UpdateAlias"),
    "AWS::KMS::Key": Made("kms", "CreateKey", "ScheduleKeyDeletion", "KeyId", update="PutKeyPolicy", renamed={"KeyPolicy": "Policy"}),
    "AWS::Lambda::EventInvokeConfig": Made("lambda", "PutFunctionEventInvokeConfig", "DeleteFunctionEventInvokeConfig", "FunctionName"),
    "AWS::Lambda::Function": Made("lambda", "CreateFunction", "DeleteFunction", "FunctionName", update="UpdateFunctionConfiguration"),
    "AWS::Lambda::Permission": Made("lambda", "AddPermission", "RemovePermission", "FunctionName"),
    "AWS::Logs::LogGroup": Made("logs", "CreateLogGroup", "DeleteLogGroup", "LogGroupName", update="PutRetentionPolicy"),
    "AWS::SNS::Subscription": Made("sns", "Subscribe", "Unsubscribe", "TopicArn"),
    "AWS::SNS::Topic": Made("sns", "CreateTopic", "DeleteTopic", "TopicName", "Name", update="SetTopicAttributes"),
    "AWS::SQS::Queue": Made("sqs", "CreateQueue", "DeleteQueue", "QueueName", update="SetQueueAttributes"),
    "AWS::SSM::Parameter": Made("ssm", "PutParameter", "DeleteParameter", "Name"),
    "AWS::SecretsManager::Secret": Made("secretsmanager", "CreateSecret", "DeleteSecret", "Name", update="UpdateSecret"),
}


def require_create(context: Context, resource_type: str, properties: Properties, stack_name: str, logical_id: str) -> None:
    """Raises ServiceError for a deployer that may not make it."""
    made = _TYPES.get(resource_type)
    if made is not None:
        name = str(properties.get(made.name) or _name_made_up(stack_name, logical_id, properties))
        _require(context, made.service, made.create, made.parameters(made.create, properties, name))


def _name_made_up(stack_name: str, logical_id: str, properties: Properties) -> str:
    ending = ".fifo" if str(properties.get("FifoQueue") or properties.get("FifoTopic")).lower() == "true" else ""
    return f"{f'{stack_name}-{logical_id}'[: _LONGEST_NAME - len(_UNKNOWN) - len(ending) - 1]}-{_UNKNOWN}{ending}"


def require_update(context: Context, resource_type: str, physical_id: str, properties: Properties) -> None:
    made = _TYPES.get(resource_type)
    if made is not None:
        operation = made.update or made.create
        _require(context, made.service, operation, made.parameters(operation, properties, _name(made, physical_id, properties)))


def require_delete(context: Context, resource_type: str, physical_id: str, properties: Properties) -> None:
    made = _TYPES.get(resource_type)
    if made is not None:
        name = _name(made, physical_id, properties)
        deployer.require(context, made.service, made.delete, made.parameters(made.delete, {}, name))


def _require(context: Context, service: str, operation: str, parameters: dict[str, Any]) -> None:
    deployer.require(context, service, operation, parameters)
    rule.require(context, Call(service, operation, parameters))


def _name(made: Made, physical_id: str, properties: Properties) -> str:
    """A permission's physical id is not the name of its function; all others are names, ARNs or addresses of what they identify."""
    return str(properties[made.name]) if made.name == "FunctionName" and made.create == "AddPermission" else physical_id
