"""Tells people what they have to know, through the alert topic: once, however often the function is woken while nothing changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import boto3
from botocore.exceptions import ClientError


def tell(lines: Sequence[str], topic: str, bucket: str, key: str) -> None:
    """`bucket` and `key`: where it is remembered what was told last, and that nothing is to be told any more."""
    s3, text = boto3.client("s3"), "\n".join(lines)
    if text == _last(s3, bucket, key):
        return
    if text:
        boto3.client("sns").publish(TopicArn=topic, Subject=lines[0].encode("ascii", "replace").decode()[:99], Message=text)
    s3.put_object(Bucket=bucket, Key=key, Body=text.encode())


def _last(s3: Any, bucket: str, key: str) -> str:
    try:
        return str(s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode())
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return ""
