"""Tells people what they have to know, through the alert topic: each line once, however often the function is woken while it is so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import boto3


def tell(lines: Sequence[str], topic: str, bucket: str, key: str) -> None:
    """`bucket` and `key`: where it is remembered what was told last, and that nothing is to be told any more."""
    s3, text = boto3.client("s3"), "\n".join(lines)
    last = _last(s3, bucket, key)
    if text == last:
        return
    if fresh := [line for line in lines if line not in last.splitlines()]:
        subject = fresh[0].encode("ascii", "replace").decode()[:99]
        boto3.client("sns").publish(TopicArn=topic, Subject=subject, Message="\n".join(fresh))
    s3.put_object(Bucket=bucket, Key=key, Body=text.encode())


def _last(s3: Any, bucket: str, key: str) -> str:
    """Empty before the first time. Listed first: whoever may list only some prefixes is refused an object that is not there (GetObject)."""
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=key).get("Contents", [])
    if all(item["Key"] != key for item in listed):
        return ""
    return str(s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode())
