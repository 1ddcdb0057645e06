"""The settings of an AWS::S3::Bucket as requests of S3's API, whose names differ here and there from those of a template.

Property -> how it is put, and what its removal from the template means: S3's state of a bucket that never had it. Used by `s3.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local_account.cloudformation.resource_type import api_request


@dataclass(frozen=True)
class Setting:
    """`operation` sets `member` to `written(value of the property, bucket)`; when the property goes, `removal` is called."""

    operation: str
    member: str
    written: Callable[[Any, str], Any]
    removal: str
    #: What is put instead, where S3 has no operation for the removal.
    without: Any = None

    def put(self, client: Any, bucket: str, value: Any) -> None:
        _call(client, self.operation, {"Bucket": bucket, self.member: self.written(value, bucket)})

    def remove(self, client: Any, bucket: str) -> None:
        _call(client, self.removal, {"Bucket": bucket} | ({self.member: self.without} if self.without is not None else {}))


def _call(client: Any, operation: str, request: Mapping[str, Any]) -> None:
    from botocore import xform_name

    getattr(client, xform_name(operation))(**api_request(client, operation, request))


def _as_it_is(value: Any, _: str) -> Any:
    return value


def _renamed(names: Mapping[str, str]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    return lambda structure: {names.get(name, name): value for name, value in structure.items()}


_encryption_rule = _renamed({"ServerSideEncryptionByDefault": "ApplyServerSideEncryptionByDefault"})
_cors_rule = _renamed({"Id": "ID", "ExposedHeaders": "ExposeHeaders", "MaxAge": "MaxAgeSeconds"})
_TRANSITIONS = {
    "Transitions": _renamed({"TransitionInDays": "Days", "TransitionDate": "Date"}),
    "NoncurrentVersionTransitions": _renamed({"TransitionInDays": "NoncurrentDays"}),
}
_EXPIRATION = {"ExpirationInDays": "Days", "ExpiredObjectDeleteMarker": "ExpiredObjectDeleteMarker"}
_OUTSIDE_FILTER = {
    *("ObjectSizeGreaterThan", "ObjectSizeLessThan", "TagFilters", "ExpirationDate"),
    *("NoncurrentVersionExpirationInDays", "NoncurrentVersionTransition", "Transition"),  # older forms
}


def _lifecycle_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A rule of a template as the API writes it."""
    unsupported = sorted(_OUTSIDE_FILTER & rule.keys())
    if unsupported:
        raise ValueError(f"LifecycleConfiguration.Rules.{unsupported[0]} is not supported by the local account")
    converted: dict[str, Any] = {"Filter": {"Prefix": rule.get("Prefix", "")}}
    if wanted := {_EXPIRATION[key]: rule[key] for key in _EXPIRATION if key in rule}:
        converted["Expiration"] = wanted
    for key, value in rule.items():
        if rename := _TRANSITIONS.get(key):
            converted[key] = [rename(item) for item in value]
        elif key != "Prefix" and key not in _EXPIRATION:
            converted["ID" if key == "Id" else key] = value
    return converted


def _logging(value: Mapping[str, Any], bucket: str) -> dict[str, Any]:
    target = value.get("DestinationBucketName", bucket)
    return {"LoggingEnabled": {"TargetBucket": target, "TargetPrefix": value.get("LogFilePrefix", "")}}


def _notification(value: Mapping[str, Any], _: str) -> dict[str, Any]:
    bridge = value.get("EventBridgeConfiguration")
    is_on = bridge is not None and str(bridge.get("EventBridgeEnabled", True)).lower() == "true"
    return {"EventBridgeConfiguration": {}} if is_on else {}


_ALL_BLOCKED = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)

SETTINGS: Mapping[str, Setting] = {
    "VersioningConfiguration": Setting(
        "PutBucketVersioning", "VersioningConfiguration", _as_it_is, "PutBucketVersioning", without={"Status": "Suspended"}
    ),
    "BucketEncryption": Setting(
        "PutBucketEncryption",
        "ServerSideEncryptionConfiguration",
        lambda value, _: {"Rules": [_encryption_rule(rule) for rule in value["ServerSideEncryptionConfiguration"]]},
        "DeleteBucketEncryption",
    ),
    "PublicAccessBlockConfiguration": Setting(
        "PutPublicAccessBlock", "PublicAccessBlockConfiguration", _as_it_is, "PutPublicAccessBlock", without=_ALL_BLOCKED
    ),
    "OwnershipControls": Setting("PutBucketOwnershipControls", "OwnershipControls", _as_it_is, "DeleteBucketOwnershipControls"),
    "LifecycleConfiguration": Setting(
        "PutBucketLifecycleConfiguration",
        "LifecycleConfiguration",
        lambda value, _: {"Rules": [_lifecycle_rule(rule) for rule in value["Rules"]]},
        "DeleteBucketLifecycle",
    ),
    "CorsConfiguration": Setting(
        "PutBucketCors",
        "CORSConfiguration",
        lambda value, _: {"CORSRules": [_cors_rule(rule) for rule in value["CorsRules"]]},
        "DeleteBucketCors",
    ),
    "LoggingConfiguration": Setting("PutBucketLogging", "BucketLoggingStatus", _logging, "PutBucketLogging", without={}),
    "NotificationConfiguration": Setting(
        "PutBucketNotificationConfiguration",
        "NotificationConfiguration",
        _notification,
        "PutBucketNotificationConfiguration",
        without={},
    ),
    "Tags": Setting("PutBucketTagging", "Tagging", lambda tags, _: {"TagSet": tags}, "DeleteBucketTagging"),
}
