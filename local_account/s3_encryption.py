"""Lets `aws:kms` without a key mean the account's own S3 key, as in AWS; MiniStack refuses it.

The CDK's bootstrap bucket is encrypted this way, and the CLI uploads assets the way the bucket is encrypted.
Source: S3 API reference, PutObject, x-amz-server-side-encryption-aws-kms-key-id ("uses the AWS managed key (aws/s3)").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_account.context import Context

_KEY_HEADER = "x-amz-server-side-encryption-aws-kms-key-id"


def install(context: Context) -> None:
    from ministack.services import s3

    original = getattr(s3._resolve_sse_write_headers, "original", s3._resolve_sse_write_headers)

    def resolve(headers: Mapping[str, str], bucket_name: str) -> Any:
        return original(with_key(headers, context.arn("kms", "alias/aws/s3")), bucket_name)

    resolve.original = original  # type: ignore[attr-defined]  # so that the next account wraps MiniStack's own
    s3._resolve_sse_write_headers = resolve


def with_key(headers: Mapping[str, str], key_arn: str) -> dict[str, str]:
    """The headers of a write, with the account's own key where `aws:kms` names none."""
    needs_key = headers.get("x-amz-server-side-encryption") == "aws:kms" and not headers.get(_KEY_HEADER)
    return {**headers, _KEY_HEADER: key_arn} if needs_key else dict(headers)
