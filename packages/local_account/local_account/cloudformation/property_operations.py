"""Which operations a change of a resource needs besides the one that makes it: what has an operation of its own, by property.

CloudFormation's handlers of a role attach its policies with `iam:AttachRolePolicy`, those of a log group set its retention with
`logs:PutRetentionPolicy`. In: a `Change`. Out: operations of the type's service with their parameters, as the `create`, `update` and
`delete` handlers in CloudFormation's registry list them (https://github.com/aws-cloudformation/resource-provider-enhanced-schemas); a test
holds them to it. Tags are set as the schema's `tagging` says. Used by `made_by_ministack.py`, which asks for them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local_account.api.reading import input_shape
from local_account.cloudformation import schemas
from local_account.cloudformation.resource_type import Properties, tag_changes

Operations = Iterator[tuple[str, dict[str, Any]]]


@dataclass(frozen=True)
class Change:
    """`name` is what the service's operations call it, `arn` what policies do. Without `old` it is made, without `new` it goes."""

    name: str
    arn: str
    old: Properties
    new: Properties

    @property
    def is_update(self) -> bool:
        return bool(self.old) and bool(self.new)

    def has_changed(self, *names: str) -> bool:
        return any(self.old.get(name) != self.new.get(name) for name in names)

    def added(self, name: str) -> list[Any]:
        return [item for item in self.new.get(name) or [] if item not in (self.old.get(name) or [])]

    def removed(self, name: str) -> list[Any]:
        return [item for item in self.old.get(name) or [] if item not in (self.new.get(name) or [])]

    def put_again(self, name: str, *by: str) -> list[Any]:
        """The items that are new, or all of them if what is put on them has changed."""
        return list(self.new.get(name) or []) if self.has_changed(*by) else self.added(name)

    def one(self, name: str, put: str, remove: str, **parameters: Any) -> Operations:
        """A property that is put whole by one operation and taken away by another (none: it stays with the resource)."""
        if self.has_changed(name) and self.new.get(name) is not None:
            yield put, parameters
        elif self.has_changed(name) and self.new and remove:
            yield remove, parameters


def text_of(document: Any) -> str:
    return document if isinstance(document, str) else json.dumps(document)


def is_on(value: Any) -> bool:
    return str(value).lower() == "true"


def _role(change: Change) -> Operations:
    role = {"RoleName": change.name}
    for policy in change.added("Policies"):
        yield "PutRolePolicy", {**role, "PolicyName": policy["PolicyName"], "PolicyDocument": text_of(policy["PolicyDocument"])}
    for arn in change.added("ManagedPolicyArns"):
        yield "AttachRolePolicy", {**role, "PolicyArn": arn}
    inline, attached = _taken_from_role(change)
    for name in inline:
        yield "DeleteRolePolicy", {**role, "PolicyName": name}
    for arn in attached:
        yield "DetachRolePolicy", {**role, "PolicyArn": arn}
    if change.is_update:
        if change.has_changed("AssumeRolePolicyDocument"):
            yield "UpdateAssumeRolePolicy", {**role, "PolicyDocument": text_of(change.new["AssumeRolePolicyDocument"])}
        boundary = {**role, "PermissionsBoundary": change.new.get("PermissionsBoundary")}
        yield from change.one("PermissionsBoundary", "PutRolePermissionsBoundary", "DeleteRolePermissionsBoundary", **boundary)


def _taken_from_role(change: Change) -> tuple[list[str], list[str]]:
    """Names of inline policies and ARNs of attached ones: of a role that goes, all that it has, whoever gave them to it."""
    from ministack.services import iam

    if not change.new:
        record = iam._roles.get(change.name) or {}
        return list(record.get("InlinePolicies") or ()), list(record.get("AttachedPolicies") or ())
    kept = {policy["PolicyName"] for policy in change.new.get("Policies") or []}
    names = {policy["PolicyName"]: None for policy in change.removed("Policies") if policy["PolicyName"] not in kept}
    return list(names), change.removed("ManagedPolicyArns")


_ENTITIES = (("Roles", "Role"), ("Users", "User"), ("Groups", "Group"))


def _inline_policy(change: Change) -> Operations:
    for entities, kind in _ENTITIES:
        for name in change.put_again(entities, "PolicyDocument", "PolicyName"):
            policy = {"PolicyName": change.new["PolicyName"], "PolicyDocument": text_of(change.new["PolicyDocument"])}
            yield f"Put{kind}Policy", {f"{kind}Name": name, **policy}
        for name in (change.old.get(entities) or []) if change.has_changed("PolicyName") else change.removed(entities):
            yield f"Delete{kind}Policy", {f"{kind}Name": name, "PolicyName": change.old["PolicyName"]}


#: Managed policies have as many at most: IAM user guide, "IAM and AWS STS quotas".
_MOST_VERSIONS = 5


def _managed_policy(change: Change) -> Operations:
    from ministack.services import iam

    for entities, kind in _ENTITIES:
        for name in change.added(entities):
            yield f"Attach{kind}Policy", {f"{kind}Name": name, "PolicyArn": change.arn}
        for name in change.removed(entities):
            yield f"Detach{kind}Policy", {f"{kind}Name": name, "PolicyArn": change.arn}
    versions = len((iam._policies.get(change.arn) or {}).get("Versions") or ())
    if change.old and versions >= (_MOST_VERSIONS if change.new else 2):
        yield "DeletePolicyVersion", {"PolicyArn": change.arn}


def _key(change: Change) -> Operations:
    key = {"KeyId": change.name}
    if not change.new:
        return
    on, before = is_on(change.new.get("Enabled", True)), is_on(change.old.get("Enabled", True))
    if on != before:
        yield "EnableKey" if on else "DisableKey", key
    rotates, did = is_on(change.new.get("EnableKeyRotation")), is_on(change.old.get("EnableKeyRotation"))
    if rotates != did or (rotates and change.has_changed("RotationPeriodInDays")):
        yield "EnableKeyRotation" if rotates else "DisableKeyRotation", key
    if change.is_update and change.has_changed("Description"):
        yield "UpdateKeyDescription", {**key, "Description": change.new.get("Description", "")}


def _function(change: Change) -> Operations:
    if change.is_update and change.has_changed("Code"):
        yield "UpdateFunctionCode", {"FunctionName": change.name, **change.new["Code"]}


def _log_group(change: Change) -> Operations:
    group = {"logGroupName": change.name}
    retention = {**group, "retentionInDays": change.new.get("RetentionInDays")}
    yield from change.one("RetentionInDays", "PutRetentionPolicy", "DeleteRetentionPolicy", **retention)
    yield from change.one("ResourcePolicyDocument", "PutResourcePolicy", "DeleteResourcePolicy")
    if change.is_update:
        yield from change.one("KmsKeyId", "AssociateKmsKey", "DisassociateKmsKey", **group, kmsKeyId=change.new.get("KmsKeyId"))


def _rule(change: Change) -> Operations:
    bus = {"EventBusName": bus} if (bus := (change.new or change.old).get("EventBusName")) else {}
    kept = {target["Id"] for target in change.new.get("Targets") or []}
    if added := change.added("Targets"):
        yield "PutTargets", {"Rule": change.name, **bus, "Targets": added}
    if gone := [target["Id"] for target in change.removed("Targets") if target["Id"] not in kept]:
        yield "RemoveTargets", {"Rule": change.name, **bus, "Ids": gone}


def _topic(change: Change) -> Operations:
    for item in change.added("Subscription"):
        yield "Subscribe", {"TopicArn": change.arn, **item}
    for _ in change.removed("Subscription") if change.new else ():
        yield "Unsubscribe", {"SubscriptionArn": change.arn}


def _bucket_policy(change: Change) -> Operations:
    if change.new and change.has_changed("Bucket", "PolicyDocument"):
        yield "PutBucketPolicy", {"Bucket": change.new["Bucket"], "Policy": text_of(change.new["PolicyDocument"])}
    if change.old and change.has_changed("Bucket"):
        yield "DeleteBucketPolicy", {"Bucket": change.old["Bucket"]}


def _topic_policy(change: Change) -> Operations:
    for topic in change.put_again("Topics", "PolicyDocument"):
        policy = text_of(change.new["PolicyDocument"])
        yield "SetTopicAttributes", {"TopicArn": topic, "AttributeName": "Policy", "AttributeValue": policy}
    for topic in change.removed("Topics"):
        yield "SetTopicAttributes", {"TopicArn": topic}


def _queue_policy(change: Change) -> Operations:
    for queue in change.put_again("Queues", "PolicyDocument"):
        yield "SetQueueAttributes", {"QueueUrl": queue, "Attributes": {"Policy": text_of(change.new["PolicyDocument"])}}
    for queue in change.removed("Queues"):
        yield "SetQueueAttributes", {"QueueUrl": queue}


def _image_repository(change: Change) -> Operations:
    repository = {"repositoryName": change.name}
    yield from change.one("LifecyclePolicy", "PutLifecyclePolicy", "DeleteLifecyclePolicy", **repository)
    yield from change.one("RepositoryPolicyText", "SetRepositoryPolicy", "DeleteRepositoryPolicy", **repository)
    if change.is_update:
        yield from change.one("ImageScanningConfiguration", "PutImageScanningConfiguration", "PutImageScanningConfiguration", **repository)
        yield from change.one("ImageTagMutability", "PutImageTagMutability", "PutImageTagMutability", **repository)


@dataclass(frozen=True)
class Own:
    """The properties of a type that have operations of their own, and these."""

    service: str
    properties: frozenset[str]
    operations: Callable[[Change], Operations]


def _own(service: str, properties: str, operations: Callable[[Change], Operations]) -> Own:
    return Own(service, frozenset(properties.split()), operations)


BY_TYPE: Mapping[str, Own] = {
    "AWS::ECR::Repository": _own(
        "ecr", "EmptyOnDelete ImageScanningConfiguration ImageTagMutability LifecyclePolicy RepositoryPolicyText", _image_repository
    ),
    "AWS::Events::Rule": _own("events", "Targets", _rule),
    "AWS::IAM::ManagedPolicy": _own("iam", "Groups Roles Users", _managed_policy),
    "AWS::IAM::Policy": _own("iam", "Groups PolicyDocument PolicyName Roles Users", _inline_policy),
    "AWS::IAM::Role": _own("iam", "AssumeRolePolicyDocument ManagedPolicyArns PermissionsBoundary Policies", _role),
    "AWS::KMS::Key": _own("kms", "Description EnableKeyRotation Enabled PendingWindowInDays RotationPeriodInDays", _key),
    "AWS::Lambda::Function": _own("lambda", "Code", _function),
    "AWS::Logs::LogGroup": _own("logs", "KmsKeyId LogGroupClass ResourcePolicyDocument RetentionInDays", _log_group),
    "AWS::S3::BucketPolicy": _own("s3", "Bucket PolicyDocument", _bucket_policy),
    "AWS::SNS::Topic": _own("sns", "Subscription", _topic),
    "AWS::SNS::TopicPolicy": _own("sns", "PolicyDocument Topics", _topic_policy),
    "AWS::SQS::QueuePolicy": _own("sqs", "PolicyDocument Queues", _queue_policy),
}


# ------------------------------------------------------------------------------------------------------------ tags

_TAGS = "Tags"
#: The members that say whose tags an operation changes, by what they want to know of it.
_BY_ARN = ("ResourceARN", "ResourceArn", "resourceArn", "Resource", "PolicyArn")
_BY_NAME = ("KeyId", "QueueUrl", "RoleName", "ResourceId", "SecretId")


def of_tags(resource_type: str, service: str, change: Change) -> Operations:
    """What an update of the tags needs; those that a resource is made with go along with the operation that makes it."""
    before, after = (tags_as_list(properties) for properties in (change.old, change.new))
    put, removed = tag_changes({_TAGS: before}, {_TAGS: after})
    actions = ((schemas.schema_of(resource_type) or {}).get("tagging") or {}).get("permissions") or ()
    for operation in (str(action).partition(":")[2] for action in actions if change.is_update):
        members = input_shape(service, operation).members
        whose = {name: change.arn for name in _BY_ARN if name in members} | {name: change.name for name in _BY_NAME if name in members}
        if put and operation.startswith(("Tag", "Add")):
            yield operation, {**whose, _TAGS: [{"Key": key, "Value": value} for key, value in put.items()]}
        if removed and operation.startswith(("Untag", "Remove")):
            yield operation, {**whose, "TagKeys": removed}


def tags_as_list(properties: Properties) -> list[dict[str, str]]:
    """The tags of a resource; an SSM parameter's are a map."""
    given = properties.get(_TAGS) or []
    return [{"Key": key, "Value": value} for key, value in given.items()] if isinstance(given, Mapping) else list(given)


def without_tags_of_no_api(resource_type: str, properties: Properties) -> Properties:
    """The properties without the tags that CloudFormation adds by itself, of a type whose handlers do not set them."""
    tagging = (schemas.schema_of(resource_type) or {}).get("tagging") or {}
    if _TAGS not in properties or tagging.get("cloudFormationSystemTags", False):
        return properties
    own = [tag for tag in tags_as_list(properties) if not tag["Key"].startswith("aws:")]
    return {**{name: value for name, value in properties.items() if name != _TAGS}, **({_TAGS: own} if own else {})}
