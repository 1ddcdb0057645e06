"""S3: whose bucket it is, policies that a bucket can have, parts that are large enough, keys that are there.

Errors: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html and API_CompleteMultipartUpload.html ("EntityTooSmall").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_account.api.reading import model
from local_account.api.rules import policy_documents
from local_account.api.rules.rule import is_there, json_of, rule
from local_account.context import Context
from local_account.errors import ServiceError

_SMALLEST_PART_BYTES = 5 * 1024**2
#: Bytes of a bucket's policy.
LONGEST_POLICY = 20_480
#: Member -> the member that names the bucket whose owner it expects.
_OWNERS = {"ExpectedBucketOwner": "Bucket", "ExpectedSourceBucketOwner": "CopySource"}


def _owner(context: Context, request: Mapping[str, Any]) -> None:
    for expected, named in _OWNERS.items():
        bucket = str(request.get(named) or "").lstrip("/").partition("/")[0]
        if request.get(expected) and request[expected] != context.existing.account_of(f"arn:aws:s3:::{bucket}"):
            raise ServiceError("AccessDenied", "Access Denied", 403)


def _register() -> None:
    for operation in model("s3").operation_names:
        shape = model("s3").operation_model(operation).input_shape
        if shape is not None and set(_OWNERS) & set(shape.members):
            rule("s3", operation)(_owner)


def _require_own(statement: Mapping[str, Any], bucket: str) -> None:
    """A bucket's policy speaks of S3 and of that bucket."""
    actions, resources = _listed(statement, "Action", "NotAction"), _listed(statement, "Resource", "NotResource")
    if not all(action == "*" or action.lower().startswith("s3:") for action in actions):
        raise ServiceError("MalformedPolicy", "Policy has invalid action")
    own = f"arn:aws:s3:::{bucket}"
    if not all(resource == "*" or resource == own or resource.startswith((f"{own}/", f"{own}*")) for resource in resources):
        raise ServiceError("MalformedPolicy", "Policy has invalid resource")


def _listed(statement: Mapping[str, Any], *names: str) -> list[str]:
    found: Any = next((statement[name] for name in names if name in statement), [])
    return [found] if isinstance(found, str) else list(found)


@rule("s3", "PutBucketPolicy")
def _policy(context: Context, request: Mapping[str, Any]) -> None:
    malformed = ServiceError("MalformedPolicy", "Policies must be valid JSON and the first byte must be '{'")
    if not json_of(request.get("Policy"), malformed).get("Statement"):
        raise ServiceError("MalformedPolicy", "Missing required field Statement")
    policy_documents.require_resource_policy(context, request["Policy"], "MalformedPolicy", LONGEST_POLICY)
    for statement in policy_documents.statements_of(request["Policy"]):
        _require_own(statement, request["Bucket"])


@rule("s3", "PutObject", "CopyObject", "CreateMultipartUpload")
def _key(context: Context, request: Mapping[str, Any]) -> None:
    key = request.get("SSEKMSKeyId")
    if key and context.existing.key_arn(str(key)) is None:
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


_register()
