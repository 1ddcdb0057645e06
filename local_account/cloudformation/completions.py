"""Finishes MiniStack's own resource types that drop properties: what the template says is put through the public API afterwards.

A bucket without its encryption or a topic without its key would look like a success and be another resource. Used by `__init__.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from local_account.cloudformation.resource_type import Properties, api_request
from local_account.context import Context

Completion = Callable[[Context, str, Properties], None]


def completed(context: Context, entry: Mapping[str, Any], completion: Completion) -> dict[str, Any]:
    """MiniStack's entry for a type, with `completion(context, physical_id, properties)` after each create and update."""
    original: Mapping[str, Any] = entry.get("completes", entry)  # an earlier account of this process has completed it

    def create(logical_id: str, properties: Properties, stack_name: str) -> Any:
        physical_id, attributes = original["create"](logical_id, properties, stack_name)
        try:
            completion(context, physical_id, properties)
        except Exception:
            original["delete"](physical_id, properties)  # the engine does not know of it yet
            raise
        return physical_id, attributes

    def update(physical_id: str, old: Properties, new: Properties, *names: str) -> Any:
        updated_id, attributes = original["update"](physical_id, old, new, *names)
        completion(context, updated_id, new)
        return updated_id, attributes

    return {**original, "create": create, "update": update, "completes": original}


def _bucket(context: Context, name: str, properties: Properties) -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-s3-bucket.html"""
    client = context.client("s3")
    if "BucketEncryption" in properties:
        rules = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        renamed = [{_ENCRYPTION_NAMES.get(key, key): value for key, value in rule.items()} for rule in rules]
        configuration = {"Bucket": name, "ServerSideEncryptionConfiguration": {"Rules": renamed}}
        client.put_bucket_encryption(**api_request(client, "PutBucketEncryption", configuration))
    if "LifecycleConfiguration" in properties:
        rules = [_lifecycle_rule(rule) for rule in properties["LifecycleConfiguration"]["Rules"]]
        configuration = {"Bucket": name, "LifecycleConfiguration": {"Rules": rules}}
        client.put_bucket_lifecycle_configuration(**api_request(client, "PutBucketLifecycleConfiguration", configuration))
    if "LoggingConfiguration" in properties:
        logging = properties["LoggingConfiguration"]
        enabled = {"TargetBucket": logging.get("DestinationBucketName", name), "TargetPrefix": logging.get("LogFilePrefix", "")}
        client.put_bucket_logging(Bucket=name, BucketLoggingStatus={"LoggingEnabled": enabled})


_ENCRYPTION_NAMES = {"ServerSideEncryptionByDefault": "ApplyServerSideEncryptionByDefault"}
_LIFECYCLE_NAMES = {"Id": "ID", "Transition": "Transitions", "NoncurrentVersionTransition": "NoncurrentVersionTransitions"}
_OUTSIDE_FILTER = {"ObjectSizeGreaterThan", "ObjectSizeLessThan", "TagFilters", "ExpirationDate", "NoncurrentVersionExpirationInDays"}


def _lifecycle_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A rule of a template as the API writes it."""
    unsupported = sorted(_OUTSIDE_FILTER & rule.keys())
    if unsupported:
        raise ValueError(f"LifecycleConfiguration.Rules.{unsupported[0]} is not supported by the local account")
    converted: dict[str, Any] = {"Filter": {"Prefix": rule.get("Prefix", "")}}
    expiration = {"ExpirationInDays": "Days", "ExpiredObjectDeleteMarker": "ExpiredObjectDeleteMarker"}
    if wanted := {expiration[key]: rule[key] for key in expiration if key in rule}:
        converted["Expiration"] = wanted
    for key, value in rule.items():
        if key != "Prefix" and key not in expiration:
            converted[_LIFECYCLE_NAMES.get(key, key)] = [value] if key in ("Transition", "NoncurrentVersionTransition") else _days(value)
    return converted


def _days(value: Any) -> Any:
    """Transitions name their days differently in a template."""
    if not isinstance(value, list):
        return value
    return [{{"TransitionInDays": "Days", "TransitionDate": "Date"}.get(key, key): part for key, part in item.items()} for item in value]


def _topic(context: Context, arn: str, properties: Properties) -> None:
    if "KmsMasterKeyId" in properties:
        context.client("sns").set_topic_attributes(
            TopicArn=arn, AttributeName="KmsMasterKeyId", AttributeValue=str(properties["KmsMasterKeyId"])
        )


COMPLETIONS: Mapping[str, Completion] = {"AWS::S3::Bucket": _bucket, "AWS::SNS::Topic": _topic}
