"""Where the monitor reads and writes: a bucket, or a folder for tests and for work without a network.

A key has the same meaning in both. Used by every module here that reads or writes; the other stores are for them alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

#: Bytes that are read at once.
BLOCK_BYTES = 1 << 20
#: Another writer was faster: 412, 409 while it still writes, 404 if the object was deleted ("Conditional writes" of the S3 user guide).
_NOT_WRITTEN = ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey")


class GoneError(Exception):
    """An object was listed, or expected, and is not there: it expired in between, or was never written."""


@dataclass(frozen=True)
class Item:
    """One object. `etag` changes with its content; `modified` is when it was written."""

    key: str
    etag: str
    bytes_count: int
    modified: datetime


class Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


class Store(Protocol):
    def list(self, prefix: str) -> Sequence[Item]:
        """All objects whose keys begin so, in the order of their keys."""

    def folders(self, prefix: str) -> Sequence[str]:
        """What is directly below a prefix that ends with a slash, as prefixes that end with one, in order."""

    def read(self, key: str) -> Readable:
        """A stream of the content. Raises GoneError."""

    def write(self, key: str, content: bytes, content_type: str) -> None: ...

    def write_if_unchanged(self, key: str, content: bytes, content_type: str, etag: str | None) -> bool:
        """Writes if the object is still the one with this ETag (None: if there is none); whether it did."""


#: A longer line is cut, so that a file without lines is not held as a whole. A captured request is shorter: it and its answer have 6 MiB
#: each (BodyBlob in the service model of sagemaker-runtime), every byte of which may be six in JSON.
LONGEST_LINE_BYTES = 128 << 20


def lines(stream: Readable) -> Iterator[bytes]:
    """The lines of a stream without their ends, a block at a time. The last one need not end."""
    parts: list[bytes] = []
    held = 0
    while block := stream.read(BLOCK_BYTES):
        first, *others = block.split(b"\n")
        if held < LONGEST_LINE_BYTES:
            parts.append(first)
            held += len(first)
        if others:
            *whole, last = others
            yield b"".join(parts)
            yield from whole
            parts, held = [last], len(last)
    if held:
        yield b"".join(parts)


def document(store: Store, key: str, *needed: str) -> dict[str, Any]:
    """A JSON object that the watch has kept. Raises GoneError for one that is not there, and for one that is damaged: neither can be read.

    `needed`: names that it has.
    """
    content = store.read(key).read()
    try:
        found = json.loads(content)
        if not isinstance(found, dict) or any(name not in found for name in needed):
            raise ValueError(f"no object with {', '.join(needed)}")
    except (ValueError, RecursionError) as error:
        print(f"{key} is damaged ({error}) and counts as gone", flush=True)
        raise GoneError(key) from None
    return found


class S3Store:
    """Objects of one bucket, written with its key."""

    def __init__(self, client: Any, bucket: str, kms_key: str | None = None) -> None:
        self._client, self._bucket = client, bucket
        self._encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}

    def list(self, prefix: str) -> Sequence[Item]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        return [
            Item(found["Key"], found["ETag"].strip('"'), found["Size"], found["LastModified"])
            for page in pages
            for found in page.get("Contents", ())
        ]

    def folders(self, prefix: str) -> Sequence[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix, Delimiter="/")
        return [found["Prefix"] for page in pages for found in page.get("CommonPrefixes", ())]

    def read(self, key: str) -> Readable:
        """S3 tells only those who may list the bucket that an object is not there, and this job may list its own prefixes, of which the
        reference says nothing: so a refusal is looked into. Source: "GetObject" of the S3 API reference, Permissions.
        """
        try:
            body: Readable = self._client.get_object(Bucket=self._bucket, Key=key)["Body"]
        except self._client.exceptions.ClientError as error:
            code = error.response["Error"]["Code"]
            is_refused = code in ("AccessDenied", "403")
            if code == "NoSuchKey" or (is_refused and all(item.key != key for item in self.list(key))):
                raise GoneError(f"s3://{self._bucket}/{key}") from None
            raise
        return body

    def write(self, key: str, content: bytes, content_type: str) -> None:
        self._put(key, content, content_type)

    def _put(self, key: str, content: bytes, content_type: str, **condition: str) -> None:
        self._client.put_object(Bucket=self._bucket, Key=key, Body=content, ContentType=content_type, **self._encryption, **condition)

    def write_if_unchanged(self, key: str, content: bytes, content_type: str, etag: str | None) -> bool:
        """S3 takes `s3:PutObject` for it, and `s3:GetObject` where an ETag is compared."""
        condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": f'"{etag}"'}
        try:
            self._put(key, content, content_type, **condition)
        except self._client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in _NOT_WRITTEN:
                return False
            raise
        return True


class FolderStore:
    """Files below a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def list(self, prefix: str) -> Sequence[Item]:
        below = self._folder / prefix.rpartition("/")[0]
        found = {path.relative_to(self._folder).as_posix(): path for path in below.rglob("*") if path.is_file()}
        return [self._item(key, path) for key, path in sorted(found.items()) if key.startswith(prefix)]

    def folders(self, prefix: str) -> Sequence[str]:
        folder = self._folder / prefix
        return sorted(f"{prefix}{path.name}/" for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []

    @staticmethod
    def _item(key: str, path: Path) -> Item:
        with path.open("rb") as stream:
            etag = hashlib.file_digest(stream, "sha256").hexdigest()
        about = path.stat()
        return Item(key, etag, about.st_size, datetime.fromtimestamp(about.st_mtime, UTC))

    def read(self, key: str) -> Readable:
        try:
            return (self._folder / key).open("rb")
        except FileNotFoundError:
            raise GoneError(key) from None

    def write(self, key: str, content: bytes, content_type: str) -> None:
        path = self._folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def write_if_unchanged(self, key: str, content: bytes, content_type: str, etag: str | None) -> bool:
        """Of one process: between looking and writing nothing keeps others away."""
        if etag != next((item.etag for item in self.list(key) if item.key == key), None):
            return False
        self.write(key, content, content_type)
        return True
