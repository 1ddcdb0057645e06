"""Objects in S3 by their addresses, as the registry, the lineage and the definitions name them: s3://bucket/key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from build_scripts.command_line import ProblemError
from build_scripts.missing import found_object


def bucket_and_key(url: str) -> tuple[str, str]:
    """Raises ProblemError for anything but s3://bucket/key."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    if not url.startswith("s3://") or not bucket:
        raise ProblemError(f"{url!r} is not an address in S3; allowed: s3://bucket/key")
    return bucket, key


def content(s3: Any, url: str) -> bytes | None:
    """None for an object that is not there, or that whoever asks may not read."""
    bucket, key = bucket_and_key(url)
    answer = found_object(s3.get_object, Bucket=bucket, Key=key)
    return None if answer is None else bytes(answer["Body"].read())


def keys(s3: Any, bucket: str, prefix: str) -> Iterator[str]:
    """Of the objects below it, page by page: whoever wants one asks for one page."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        yield from (item["Key"] for item in page.get("Contents", []))


def encryption(key_arn: str | None) -> dict[str, str]:
    """Arguments of PutObject; none where no key is given, and the bucket's own encryption holds."""
    return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_arn} if key_arn else {}
