"""S3: whose bucket it is, policies that are JSON, parts that are large enough, keys that are there.

Errors: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html and API_CompleteMultipartUpload.html ("EntityTooSmall").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_account.api.reading import model
from local_account.api.rules.rule import is_there, json_of, rule
from local_account.context import Context
from local_account.errors import ServiceError

_SMALLEST_PART_BYTES = 5 * 1024**2
_OWNERS = ("ExpectedBucketOwner", "ExpectedSourceBucketOwner")


def _owner(context: Context, request: Mapping[str, Any]) -> None:
    if any(request[name] != context.settings.account_id for name in _OWNERS if request.get(name)):
        raise ServiceError("AccessDenied", "Access Denied", 403)


def _register() -> None:
    for operation in model("s3").operation_names:
        shape = model("s3").operation_model(operation).input_shape
        if shape is not None and set(_OWNERS) & set(shape.members):
            rule("s3", operation)(_owner)


@rule("s3", "PutBucketPolicy")
def _policy(context: Context, request: Mapping[str, Any]) -> None:
    malformed = ServiceError("MalformedPolicy", "Policies must be valid JSON and the first byte must be '{'")
    if not json_of(request.get("Policy"), malformed).get("Statement"):
        raise ServiceError("MalformedPolicy", "Missing required field Statement")


@rule("s3", "PutObject", "CopyObject", "CreateMultipartUpload")
def _key(context: Context, request: Mapping[str, Any]) -> None:
    key = request.get("SSEKMSKeyId")
    if key and not is_there(context.client("kms").describe_key, KeyId=key):
        raise ServiceError("KMS.NotFoundException", f"Key '{key}' does not exist")


@rule("s3", "CompleteMultipartUpload")
def _parts(context: Context, request: Mapping[str, Any]) -> None:
    """Each part but the last has 5 MiB at least."""
    numbers = sorted(int(part["PartNumber"]) for part in (request.get("MultipartUpload") or {}).get("Parts") or [])
    place = {name: request[name] for name in ("Bucket", "Key", "UploadId")}
    if len(numbers) < 2 or not is_there(context.client("s3").list_parts, **place):
        return
    pages = context.client("s3").get_paginator("list_parts").paginate(**place)
    sizes = {part["PartNumber"]: part["Size"] for page in pages for part in page.get("Parts", [])}
    if any(sizes.get(number, _SMALLEST_PART_BYTES) < _SMALLEST_PART_BYTES for number in numbers[:-1]):
        raise ServiceError("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")


@rule("s3", "GetObject")
def _part(context: Context, request: Mapping[str, Any]) -> None:
    """Of an object that was put as a whole, which its ETag without a `-` tells, the one part is number 1."""
    if int(request.get("PartNumber") or 1) == 1:
        return
    version = {"VersionId": request["VersionId"]} if request.get("VersionId") else {}
    place = {"Bucket": request["Bucket"], "Key": request["Key"], **version}
    client = context.client("s3")
    if is_there(client.head_object, **place) and "-" not in client.head_object(**place)["ETag"]:
        raise ServiceError("InvalidPartNumber", "The requested partnumber is not satisfiable", 416)


_register()
