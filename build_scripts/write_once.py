"""Writes an object unless there is one of that name: what was built and tested once is not replaced.

A build may write code and templates in no other way (infra/build/build_pipeline.py). Another build could have taken the name before,
so what is there has to be the same. Next: publish.py, kept_templates.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from build_scripts.command_line import ProblemError

#: 412: there is an object. 409: another writer was faster. Source: "Conditional writes" of the S3 user guide.
_THERE = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")


def put_once(
    s3: Any, bucket: str, key: str, body: bytes, encryption: Mapping[str, str], same: Callable[[bytes, bytes], bool] = bytes.__eq__
) -> bool:
    """False if there is such an object already; it stays as it is. Raises ProblemError if it is another one, as `same` says."""
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=body, IfNoneMatch="*", **encryption)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _THERE:
            raise
        require_same(s3, bucket, key, body, same)
        return False
    return True


def require_same(s3: Any, bucket: str, key: str, body: bytes, same: Callable[[bytes, bytes], bool] = bytes.__eq__) -> None:
    """Raises ProblemError if the object is not what this commit makes under its name."""
    if not same(s3.get_object(Bucket=bucket, Key=key)["Body"].read(), body):
        raise ProblemError(
            f"s3://{bucket}/{key} is there with other content than this commit's; whoever wrote it was not this commit's build: "
            "find out who did, delete it, and build again"
        )
