"""Lets `aws:kms` without a key mean the account's own S3 key, as in AWS (MiniStack refuses it); keeps whether an object has a bucket key.

The CDK's bootstrap bucket is encrypted this way, and the CLI uploads assets the way the bucket is encrypted.
Sources: S3 API reference, PutObject, x-amz-server-side-encryption-aws-kms-key-id ("uses the AWS managed key (aws/s3)"); S3 user guide,
"Reducing the cost of SSE-KMS with Amazon S3 Bucket Keys": with one, the encryption context is the bucket. Read by `key_use.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from local_account import hooks

if TYPE_CHECKING:
    from local_account.context import Context

_KEY_HEADER = "x-amz-server-side-encryption-aws-kms-key-id"
BUCKET_KEY_HEADER = "x-amz-server-side-encryption-bucket-key-enabled"
_OF_BUCKET = re.compile(r"<BucketKeyEnabled>\s*true\s*</BucketKeyEnabled>", re.IGNORECASE)


def install(context: Context) -> None:
    from ministack.services import s3

    def resolve(original: Callable[..., Any], headers: Mapping[str, str], bucket_name: str) -> Any:
        kept, refused = original(with_key(headers, context.here.arn("kms", "alias/aws/s3")), bucket_name)
        if kept and _KEY_HEADER in kept and has_bucket_key(bucket_name, headers.get(BUCKET_KEY_HEADER)):
            kept[BUCKET_KEY_HEADER] = "true"
        return kept, refused

    s3._resolve_sse_write_headers = hooks.around(s3._resolve_sse_write_headers, resolve)
    s3._SSE_STORED_HEADERS = tuple(dict.fromkeys((*s3._SSE_STORED_HEADERS, BUCKET_KEY_HEADER)))


def has_bucket_key(bucket: str, asked: Any) -> bool:
    """Whether what is written to a bucket is encrypted by a key of the bucket: as is `asked` (None: nothing), else as the bucket says."""
    from ministack.services import s3

    if asked is not None:
        return str(asked).lower() == "true"
    return bool(_OF_BUCKET.search(str(s3._bucket_encryption.get(bucket) or "")))


def with_key(headers: Mapping[str, str], key_arn: str) -> dict[str, str]:
    """The headers of a write, with the account's own key where `aws:kms` names none."""
    needs_key = headers.get("x-amz-server-side-encryption") == "aws:kms" and not headers.get(_KEY_HEADER)
    return {**headers, _KEY_HEADER: key_arn} if needs_key else dict(headers)
