"""Moves a job's data between S3 and its container.

Objects that were fetched before are taken from a cache on disk, by bucket, key and ETag: a code prefix of twenty files then costs
one List request.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_account.roles import Role
from local_account.sagemaker.jobs.record import JobFailedError


@dataclass(frozen=True)
class S3Object:
    bucket: str
    key: str
    etag: str
    size: int


_caching = threading.Lock()  # all roles share the cache


class S3Data:
    """S3 as a job sees it, in the name of its role."""

    def __init__(self, role: Role) -> None:
        self.role = role
        self._cache = role.context.settings.state_directory / "cache" / "s3"

    @property
    def client(self) -> Any:
        return self.role.client("s3")

    def read(self, uri: str, version: str | None = None) -> bytes:
        bucket, key = split(uri)
        return bytes(self.client.get_object(Bucket=bucket, Key=key, **({"VersionId": version} if version else {}))["Body"].read())

    def read_json(self, uri: str, most_bytes: int | None = None) -> Any:
        """Raises OSError if there is no such object, or a larger one than `most_bytes`, and ValueError for what is no JSON."""
        try:
            content = self.read(uri)
        except self.client.exceptions.NoSuchKey as error:
            raise OSError(f"{uri} does not exist") from error
        if most_bytes is not None and len(content) > most_bytes:
            raise OSError(f"the file has {len(content)} bytes, and the maximum size is {most_bytes}")
        return json.loads(content)

    def write(self, uri: str, body: bytes) -> None:
        bucket, key = split(uri)
        self.client.put_object(Bucket=bucket, Key=key, Body=body)

    def exists(self, uri: str) -> bool:
        bucket, key = split(uri)
        return any(item.key == key for item in self._list(bucket, key))

    def find(self, uri: str) -> list[tuple[S3Object, str]]:
        """Objects behind a data source with the relative path each gets in the container.

        Raises JobFailedError with SageMaker's own words if there is none.
        """
        bucket, prefix = split(uri)
        found = [(item, relative_path(item.key, prefix)) for item in self._list(bucket, prefix) if not item.key.endswith("/")]
        if not found:
            raise JobFailedError(
                f'ClientError: No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the bucket '
                f"exists in the selected region ({self.role.context.settings.region}) and that objects exist under that S3 prefix."
            )
        return found

    def fetch(self, objects: Sequence[tuple[S3Object, str]], directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        for item, relative in objects:
            target = (directory / relative).resolve()
            if not target.is_relative_to(directory.resolve()):
                raise JobFailedError(f"ClientError: S3 object {item.key!r} would be written outside the container's directory.")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self._cached(item), target)

    def upload(self, directory: Path, uri: str, key_id: str | None = None) -> None:
        """Put every file below `directory` under `uri`."""
        for path in sorted(directory.rglob("*")):
            if path.is_file():
                self.upload_file(path, f"{uri.rstrip('/')}/{path.relative_to(directory).as_posix()}", key_id)

    def upload_file(self, path: Path, uri: str, key_id: str | None = None) -> None:
        """Put one file, encrypted with the KMS key that a job's output names, or as the bucket says."""
        bucket, key = split(uri)
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_id} if key_id else {}
        self.client.upload_file(str(path), bucket, key, ExtraArgs=encryption)

    def _list(self, bucket: str, prefix: str) -> list[S3Object]:
        try:
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            return [S3Object(bucket, item["Key"], item["ETag"], item["Size"]) for page in pages for item in page.get("Contents", [])]
        except self.client.exceptions.NoSuchBucket:
            return []

    def _cached(self, item: S3Object) -> Path:
        # Who may not read an object may not have it from the cache either.
        self.role.require("s3", "GetObject", {"Bucket": item.bucket, "Key": item.key})
        path = self._cache / hashlib.sha256(f"{item.bucket}/{item.key}/{item.etag}".encode()).hexdigest()
        with _caching:
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                partial = path.with_suffix(".partial")
                self.client.download_file(item.bucket, item.key, str(partial))
                partial.rename(path)
        return path


def split(uri: str) -> tuple[str, str]:
    """Bucket and key of `s3://bucket/key`. Raises JobFailedError for anything else."""
    if not uri.startswith("s3://") or not uri[5:]:
        raise JobFailedError(f"ClientError: {uri!r} is not an S3 URI; allowed: s3://bucket/key")
    bucket, _, key = uri[5:].partition("/")
    return bucket, key


def relative_path(key: str, prefix: str) -> str:
    """Path of an object in the container's directory: below the prefix if it is a folder, else below its parent."""
    rest = key[len(prefix) :]
    if rest and (prefix.endswith("/") or not prefix):
        return rest
    return rest[1:] if rest.startswith("/") else key[prefix.rfind("/") + 1 :]


def pack(directory: Path, target: Path) -> bool:
    """Write `target` as a tar.gz of a folder's content; False if it holds nothing.

    Same content gives the same bytes: no times, no owners, sorted names.
    """
    import gzip

    files = {path.relative_to(directory).as_posix(): path for path in directory.rglob("*") if path.is_file() and not path.is_symlink()}
    if not files:
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as archive:
        for name, path in sorted(files.items()):
            member = archive.gettarinfo(str(path), arcname=name)
            member.mtime, member.uid, member.gid, member.uname, member.gname = 0, 0, 0, "", ""
            member.mode = 0o755 if member.mode & 0o100 else 0o644
            with path.open("rb") as content:
                archive.addfile(member, content)
    return True
