"""What was published once stays: a second writer of the same name changes nothing, and is told."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from build_scripts.kept_templates import NEWEST, keep, key
from build_scripts.publish import publish
from build_scripts.write_once import put_once


class Bucket:
    """S3's conditional write: `If-None-Match: *` refuses to write over an object."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, IfNoneMatch: str | None = None, **_: str) -> None:  # noqa: N803
        if IfNoneMatch == "*" and Key in self.objects:
            raise ClientError({"Error": {"Code": "PreconditionFailed", "Message": "At least one did not hold"}}, "PutObject")
        self.objects[Key] = Body

    def head_object(self, *, Bucket: str, Key: str) -> None:  # noqa: N803
        """As for a caller who may not list the bucket: what is not there is forbidden."""
        if Key not in self.objects:
            raise ClientError({"Error": {"Code": "403", "Message": "Forbidden"}}, "HeadObject")


def test_the_first_writer_s_object_stays():
    bucket = Bucket()
    assert put_once(bucket, "b", "k", b"first", {})
    assert not put_once(bucket, "b", "k", b"second", {})
    assert bucket.objects == {"k": b"first"}


def test_another_refusal_is_an_error():
    bucket = Bucket()

    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "PutObject")

    bucket.put_object = refuse
    with pytest.raises(ClientError):
        put_once(bucket, "b", "k", b"x", {})


def test_code_is_published_once_also_without_the_permission_to_list():
    bucket, files = Bucket(), {"train.py": b"1"}
    address, uploaded = publish(bucket, "b", files)
    assert uploaded
    bucket.objects[f"{address.removeprefix('s3://b/')}/steps/train.py"] = b"as it was"
    assert publish(bucket, "b", files) == (address, False)
    assert b"as it was" in bucket.objects.values()


def test_templates_of_a_commit_are_the_first_that_were_built_of_it(monkeypatch, tmp_path):
    monkeypatch.setattr("build_scripts.kept_templates.STACKS", ("stack",))
    bucket = Bucket()
    for content in ("first", "second"):
        (tmp_path / "stack.template.json").write_text(content)
        keep(bucket, "b", "abc", tmp_path, None)
    assert bucket.objects == {key("abc", "stack"): b"first", NEWEST: b"abc"}
