"""Writes an object unless there is one of that name: what was built and tested once is not replaced.

A build may write code and templates in no other way (infra/model_build/build_pipeline.py). Next: publish.py, kept_templates.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

#: 412: there is an object. 409: another writer was faster. Source: "Conditional writes" of the S3 user guide.
_THERE = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")


def put_once(s3: Any, bucket: str, key: str, body: bytes, encryption: Mapping[str, str]) -> bool:
    """False if there is such an object already; it stays as it is."""
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=body, IfNoneMatch="*", **encryption)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _THERE:
            raise
        return False
    return True
