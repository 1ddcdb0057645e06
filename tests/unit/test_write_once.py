"""What was published once stays: a second writer of the same name changes nothing, and is told."""

from __future__ import annotations

import gzip
import io
from typing import Any

import pytest
from botocore.exceptions import ClientError

from build_scripts.command_line import ProblemError
from build_scripts.kept_templates import keep, key
from build_scripts.publish import publish
from build_scripts.write_once import put_once
from pipelines.published_code import code_prefix


class Bucket:
    """S3's conditional write: `If-None-Match: *` refuses to write over an object."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, IfNoneMatch: str | None = None, **_: str) -> None:  # noqa: N803
        if IfNoneMatch == "*" and Key in self.objects:
            raise ClientError({"Error": {"Code": "PreconditionFailed", "Message": "At least one did not hold"}}, "PutObject")
        self.objects[Key] = Body

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        return {"Body": io.BytesIO(self.objects[Key])}

    def get_paginator(self, _: str) -> Bucket:
        return self

    def paginate(self, *, Bucket: str, Prefix: str) -> list[dict[str, Any]]:  # noqa: N803
        return [{"Contents": [{"Key": key} for key in self.objects if key.startswith(Prefix)]}]


def test_the_first_writer_s_object_stays():
    bucket = Bucket()
    assert put_once(bucket, "b", "k", b"first", {})
    assert not put_once(bucket, "b", "k", b"first", {})
    with pytest.raises(ProblemError, match="s3://b/k is there with other content than this commit's"):
        put_once(bucket, "b", "k", b"second", {})
    assert bucket.objects == {"k": b"first"}


def test_another_refusal_is_an_error():
    bucket = Bucket()

    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "PutObject")

    bucket.put_object = refuse
    with pytest.raises(ClientError):
        put_once(bucket, "b", "k", b"x", {})


def test_code_is_published_once():
    bucket, files = Bucket(), {"train.py": b"1"}
    address, uploaded = publish(bucket, "b", files)
    before = dict(bucket.objects)
    assert uploaded
    assert publish(bucket, "b", files) == (address, False)
    assert bucket.objects == before


@pytest.mark.parametrize("name", ["steps/train.py", "sourcedir.tar.gz", "steps/json.py"])
def test_another_build_s_objects_at_the_address_of_this_code_are_named(name: str):
    """Whoever sees the code can compute its address before it is built; a module of that name would be imported by every job."""
    bucket, files = Bucket(), {"train.py": b"1"}
    prefix = code_prefix(files)
    bucket.objects[f"{prefix}/{name}"] = b"forged"
    with pytest.raises(ProblemError, match=f"s3://b/{prefix}/{name} is "):
        publish(bucket, "b", files)


def test_an_archive_that_another_zlib_compressed_is_the_same():
    bucket, files = Bucket(), {"train.py": b"1" * 1000}
    address, _ = publish(bucket, "b", files)
    archive = f"{address.removeprefix('s3://b/')}/sourcedir.tar.gz"
    bucket.objects[archive] = gzip.compress(gzip.decompress(bucket.objects[archive]), compresslevel=1)
    assert publish(bucket, "b", files) == (address, False)


def test_templates_that_another_build_kept_for_a_commit_are_named(tmp_path):
    bucket = Bucket()
    bucket.objects[key("abc", "stack")] = b"forged"
    (tmp_path / "stack.template.json").write_text("of the commit")
    with pytest.raises(ProblemError, match=key("abc", "stack")):
        keep(bucket, "b", "abc", tmp_path, ["stack"], None)
    assert bucket.objects == {key("abc", "stack"): b"forged"}
