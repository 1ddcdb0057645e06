"""Asks whether the deployer may make, change or delete what MiniStack makes inside its process, before it does.

Our own types call the public API in the deployer's name; MiniStack's do not, so this says which operation of the API stands for each.
It is the one that the type's handlers in CloudFormation's registry begin with; what else they call (reading, waiting) is not asked
here. Used by `completions.py`. Next: `deployer.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local_account.api.reading import input_shape
from local_account.cloudformation import deployer
from local_account.cloudformation.resource_type import Properties
from local_account.context import Context


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

    def parameters(self, operation: str, properties: Properties, name: str) -> dict[str, Any]:
        """The properties that the operation knows, and the name; it may begin with a small letter there."""
        shape = input_shape(self.service, operation)
        members = {} if shape is None else {member.lower(): member for member in shape.members}
        given = {members[key.lower()]: value for key, value in properties.items() if key.lower() in members}
        usual = self.member or members.get(self.name.lower(), self.name)
        return {**given, (self.deleted_member or usual) if operation == self.delete else usual: name}


_TYPES: Mapping[str, Made] = {
    "AWS::CloudWatch::Alarm": Made("cloudwatch", "PutMetricAlarm", "DeleteAlarms", "AlarmName", deleted_member="AlarmNames"),
    "AWS::CloudWatch::CompositeAlarm": Made("cloudwatch", "PutCompositeAlarm", "DeleteAlarms", "AlarmName", deleted_member="AlarmNames"),
    "AWS::CloudWatch::Dashboard": Made("cloudwatch", "PutDashboard", "DeleteDashboards", "DashboardName", deleted_member="DashboardNames"),
    "AWS::CodeBuild::Project": Made("codebuild", "CreateProject", "DeleteProject", "Name", update="UpdateProject"),
    "AWS::Events::Rule": Made("events", "PutRule", "DeleteRule", "Name"),
    "AWS::IAM::ManagedPolicy": Made("iam", "CreatePolicy", "DeletePolicy", "ManagedPolicyName", "PolicyName", update="CreatePolicyVersion"),
    "AWS::IAM::Role": Made("iam", "CreateRole", "DeleteRole", "RoleName", update="UpdateRole"),
    "AWS::KMS::Alias": Made("kms", "CreateAlias", "DeleteAlias", "AliasName", update="UpdateAlias"),
    "AWS::KMS::Key": Made("kms", "CreateKey", "ScheduleKeyDeletion", "KeyId", update="PutKeyPolicy"),
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
    """Raises ServiceError for a deployer that may not make it. A name that CloudFormation makes up ends in what nobody knows yet."""
    made = _TYPES.get(resource_type)
    if made is not None:
        name = str(properties.get(made.name) or f"{stack_name}-{logical_id}-*")
        deployer.require(context, made.service, made.create, made.parameters(made.create, properties, name))


def require_update(context: Context, resource_type: str, physical_id: str, properties: Properties) -> None:
    made = _TYPES.get(resource_type)
    if made is not None:
        operation = made.update or made.create
        deployer.require(context, made.service, operation, made.parameters(operation, properties, _name(made, physical_id, properties)))


def require_delete(context: Context, resource_type: str, physical_id: str, properties: Properties) -> None:
    made = _TYPES.get(resource_type)
    if made is not None:
        name = _name(made, physical_id, properties)
        deployer.require(context, made.service, made.delete, made.parameters(made.delete, {}, name))


def _name(made: Made, physical_id: str, properties: Properties) -> str:
    """A permission's physical id is not the name of its function; all others are names, ARNs or addresses of what they identify."""
    return str(properties[made.name]) if made.name == "FunctionName" and made.create == "AddPermission" else physical_id
