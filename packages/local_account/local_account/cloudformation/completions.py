"""MiniStack's own resource types, held to AWS where they are not: what they drop is put through the public API afterwards.

A topic without its key, or a policy on a bucket that is not there, would look like a success and be another resource. MiniStack also
makes a resource over one of the same name, and so takes its content; AWS fails. All that the deployer must be allowed to do is asked
before anything is done (`made_by_ministack.py`), so what comes afterwards is the emulator's own. Used by `__init__.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from local_account.api.reading import Call
from local_account.api.rules import identity, rule
from local_account.api.rules.rule import is_there
from local_account.cloudformation import made_by_ministack
from local_account.cloudformation.property_operations import text_of
from local_account.cloudformation.resource_type import Properties, api_request
from local_account.context import Context

#: (account, physical id, properties before, properties now). Raises for what AWS refuses.
Completion = Callable[[Context, str, Properties, Properties], None]
#: (account, properties before, properties now). Raises if what the properties name is not there.
Requirement = Callable[[Context, Properties, Properties], None]


def completed(context: Context, name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """MiniStack's entry for the type `name`: what it refers to is looked for before, what it would drop is put after each change."""
    original: Mapping[str, Any] = entry.get("completes", entry)  # an earlier account of this process has completed it
    completion: Completion = COMPLETIONS.get(name, lambda context, physical_id, old, new: None)
    require: Requirement = REQUIREMENTS.get(name, lambda context, old, new: None)

    def create(logical_id: str, properties: Properties, stack_name: str) -> Any:
        here = context.here
        made_by_ministack.require_create(here, name, properties, stack_name, logical_id)
        _require_free(here, name, properties)
        require(here, {}, properties)
        physical_id, attributes = original["create"](logical_id, properties, stack_name)
        try:
            completion(here, physical_id, {}, properties)
        except Exception:
            which = [logical_id] if original.get("delete_with_logical_id") else []
            original["delete"](physical_id, properties, *which)  # the engine does not know of it yet
            raise
        return physical_id, attributes

    def update(physical_id: str, old: Properties, new: Properties, *names: str) -> Any:
        here = context.here
        made_by_ministack.require_update(here, name, physical_id, old, new)
        require(here, old, new)
        updated_id, attributes = original["update"](physical_id, old, new, *names)
        completion(here, updated_id, old, new)
        return updated_id, attributes

    def delete(physical_id: str, properties: Properties, *names: str) -> Any:
        made_by_ministack.require_delete(context.here, name, physical_id, properties)
        return original["delete"](physical_id, properties, *names)

    updates = {"update": update} if "update" in original else {}
    deletes = {"delete": delete} if "delete" in original else {}
    return {**original, "create": create, **updates, **deletes, "completes": original}


# -------------------------------------------------------------------------------------------- names that are taken


def _require_free(context: Context, resource_type: str, properties: Properties) -> None:
    """Raises ValueError if the template gives a name that something has already."""
    if resource_type not in _NAMED:
        return
    name_property, service, operation, member, form = _NAMED[resource_type]
    name, settings = properties.get(name_property), context.settings
    place = {"account": settings.account_id, "region": settings.region, "path": properties.get("Path", "/")}
    if name and is_there(getattr(context.client(service), operation), **{member: form.format(name=name, **place)}):
        raise ValueError(f"Resource of type '{resource_type}' with identifier '{name}' already exists.")


#: Type -> the property with its name, and what finds one of that name: a service, its operation, and the operation's member with its value.
_NAMED: Mapping[str, tuple[str, str, str, str, str]] = {
    "AWS::CloudWatch::Alarm": (
        *("AlarmName", "cloudwatch", "list_tags_for_resource", "ResourceARN"),
        "arn:aws:cloudwatch:{region}:{account}:alarm:{name}",
    ),
    "AWS::CloudWatch::Dashboard": ("DashboardName", "cloudwatch", "get_dashboard", "DashboardName", "{name}"),
    "AWS::Events::Rule": ("Name", "events", "describe_rule", "Name", "{name}"),
    "AWS::IAM::ManagedPolicy": ("ManagedPolicyName", "iam", "get_policy", "PolicyArn", "arn:aws:iam::{account}:policy{path}{name}"),
    "AWS::IAM::Role": ("RoleName", "iam", "get_role", "RoleName", "{name}"),
    "AWS::KMS::Alias": ("AliasName", "kms", "describe_key", "KeyId", "{name}"),
    "AWS::Lambda::Function": ("FunctionName", "lambda", "get_function", "FunctionName", "{name}"),
    "AWS::Logs::LogGroup": ("LogGroupName", "logs", "describe_log_streams", "logGroupName", "{name}"),
    "AWS::SNS::Topic": ("TopicName", "sns", "get_topic_attributes", "TopicArn", "arn:aws:sns:{region}:{account}:{name}"),
    "AWS::SQS::Queue": ("QueueName", "sqs", "get_queue_url", "QueueName", "{name}"),
}


# ------------------------------------------------------------------------------------- what must be there before


def _require_policies(context: Context, old: Properties, new: Properties) -> None:
    """Also the boundary, of which the role is made with none that is not there."""
    for arn in [*_added("ManagedPolicyArns", old, new), *([new["PermissionsBoundary"]] if new.get("PermissionsBoundary") else [])]:
        identity.require_managed_policy(context, arn)


def _require_bucket(context: Context, old: Properties, new: Properties) -> None:
    """MiniStack sets a policy on a bucket that is not there, and over one that somebody else has set."""
    bucket = new["Bucket"]
    context.client("s3").head_bucket(Bucket=bucket)
    if bucket != old.get("Bucket") and is_there(context.client("s3").get_bucket_policy, Bucket=bucket):
        raise ValueError(f"The bucket policy already exists on bucket {bucket}.")


def _require_topics(context: Context, old: Properties, new: Properties) -> None:
    for topic in new["Topics"]:
        context.client("sns").get_topic_attributes(TopicArn=topic)


def _require_queues(context: Context, old: Properties, new: Properties) -> None:
    for queue in new["Queues"]:
        context.client("sqs").get_queue_attributes(QueueUrl=queue)


def _require_log_key(context: Context, old: Properties, new: Properties) -> None:
    if old and new.get("KmsKeyId") != old.get("KmsKeyId") and new.get("KmsKeyId"):
        request = {"logGroupName": new.get("LogGroupName", "a-log-group"), "kmsKeyId": new["KmsKeyId"]}
        rule.require(context, Call("logs", "AssociateKmsKey", request))


def _require_entities(context: Context, old: Properties, new: Properties) -> None:
    """MiniStack attaches a managed policy to those of its roles, users and groups that there are."""
    client = context.client("iam")
    for role in _added("Roles", old, new):
        client.get_role(RoleName=role)
    for user in _added("Users", old, new):
        client.get_user(UserName=user)
    for group in _added("Groups", old, new):
        raise ValueError(f"The group with name {group} cannot be found: the local account has no groups of users.")


def _added(name: str, old: Properties, new: Properties) -> list[str]:
    return [item for item in new.get(name) or [] if item not in (old.get(name) or [])]


REQUIREMENTS: Mapping[str, Requirement] = {
    "AWS::IAM::ManagedPolicy": _require_entities,
    "AWS::IAM::Role": _require_policies,
    "AWS::Logs::LogGroup": _require_log_key,
    "AWS::S3::BucketPolicy": _require_bucket,
    "AWS::SNS::TopicPolicy": _require_topics,
    "AWS::SQS::QueuePolicy": _require_queues,
}


# ------------------------------------------------------------------------------------------- what would be dropped


def _topic(context: Context, arn: str, old: Properties, new: Properties) -> None:
    if old.get("KmsMasterKeyId") != new.get("KmsMasterKeyId"):
        key = str(new.get("KmsMasterKeyId", ""))
        context.client("sns").set_topic_attributes(TopicArn=arn, AttributeName="KmsMasterKeyId", AttributeValue=key)


def _subscription(context: Context, arn: str, old: Properties, new: Properties) -> None:
    context.client("sns").get_subscription_attributes(SubscriptionArn=arn)  # MiniStack subscribes to topics that are not there


def _function(context: Context, name: str, old: Properties, new: Properties) -> None:
    if old.get("DeadLetterConfig") != new.get("DeadLetterConfig"):
        configuration = new.get("DeadLetterConfig") or {"TargetArn": ""}
        context.client("lambda").update_function_configuration(FunctionName=name, DeadLetterConfig=configuration)


def _permission(context: Context, physical_id: str, old: Properties, new: Properties) -> None:
    context.client("lambda").get_function_configuration(FunctionName=new["FunctionName"])  # of a function that is not there


def _role(context: Context, name: str, old: Properties, new: Properties) -> None:
    """Its policies are put once more, so that all of them together are held to IAM's quotas."""
    client, boundary = context.client("iam"), new.get("PermissionsBoundary")
    for policy in new.get("Policies") or []:
        client.put_role_policy(RoleName=name, PolicyName=policy["PolicyName"], PolicyDocument=text_of(policy["PolicyDocument"]))
    if boundary and boundary != old.get("PermissionsBoundary"):
        client.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=boundary)
    elif not boundary and old.get("PermissionsBoundary"):
        client.delete_role_permissions_boundary(RoleName=name)


def _rule(context: Context, name: str, old: Properties, new: Properties) -> None:
    """Put once more, so that a pattern, a schedule, a bus and the targets are held to what PutRule and PutTargets allow."""
    client = context.client("events")
    bus = {"EventBusName": new["EventBusName"]} if "EventBusName" in new else {}
    given: Properties = {key: new[key] for key in ("ScheduleExpression", "State", "Description", "RoleArn") if key in new}
    if "EventPattern" in new:
        given["EventPattern"] = text_of(new["EventPattern"])
    client.put_rule(Name=name, **given, **bus)
    if targets := new.get("Targets"):
        client.put_targets(**api_request(client, "PutTargets", {"Rule": name, "Targets": targets, **bus}))


def _log_group(context: Context, name: str, old: Properties, new: Properties) -> None:
    if "RetentionInDays" in new:  # once more, because only the API asks whether it is one of the periods that there are
        context.client("logs").put_retention_policy(logGroupName=name, retentionInDays=int(new["RetentionInDays"]))


def _alias_target(context: Context, name: str, old: Properties, new: Properties) -> None:
    context.client("kms").describe_key(KeyId=new["TargetKeyId"])  # MiniStack takes an alias for a key that is not there


COMPLETIONS: Mapping[str, Completion] = {
    "AWS::Events::Rule": _rule,
    "AWS::IAM::Role": _role,
    "AWS::KMS::Alias": _alias_target,
    "AWS::Lambda::Function": _function,
    "AWS::Lambda::Permission": _permission,
    "AWS::Logs::LogGroup": _log_group,
    "AWS::SNS::Subscription": _subscription,
    "AWS::SNS::Topic": _topic,
}
