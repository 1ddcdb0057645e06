"""Fetches the code and the data that a version was made from, exactly as they were then.

Input: a `Lineage`. Output: two folders. The code is checked against the hash in its address before anything of it
runs; of the data, the S3 versions that the lineage names. Next: reproduce.py runs the steps on them.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from build_scripts.command_line import ProblemError, VerdictError
from build_scripts.missing import found, is_missing
from build_scripts.objects import bucket_and_key
from build_scripts.recorded_lineage import Lineage
from build_scripts.step_modules import load
from pipelines.published_code import code_hash

#: `name@version`, as pipelines/tabular/steps/data_versions.py joins them; a name may hold spaces and @, a version holds neither.
_NAMED_VERSION = re.compile(r"(\S.*?@[^\s@]+)(?= |$)")


@dataclass(frozen=True)
class _Version:
    """One entry in the history of a key. A deletion has no content."""

    key: str
    id: str
    since: datetime
    deleted: bool = False
    identity: str = ""  # as the lineage names it

    @property
    def name(self) -> str:
        return f"{_file_name(self.key)}@{self.identity}"


def read(s3: Any, url: str, version: str | None = None) -> bytes | None:
    """None if there is no such object or version."""
    bucket, key = bucket_and_key(url)
    answer = found(s3.get_object, Bucket=bucket, Key=key, **({"VersionId": version} if version else {}))
    return None if answer is None else bytes(answer["Body"].read())


def fetch_code(s3: Any, lineage: Lineage, folder: Path) -> int:
    """Number of files. Raises ProblemError if the code is gone, VerdictError if it is not what the version was made from."""
    address = f"{lineage.code_uri}/sourcedir.tar.gz"
    packed = read(s3, address)
    if packed is None:
        raise ProblemError(f"{address} does not exist: the code of {lineage.package} was deleted, so it cannot be rebuilt")
    try:
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(folder, filter="data")
    except (tarfile.TarError, OSError, EOFError) as error:
        raise VerdictError(f"differs: the code at {address} is no longer the archive that was published ({error})") from error
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    digest = code_hash(files)
    if digest != lineage.code_hash:
        raise VerdictError(f"differs: the code at {address} has hash {digest}, recorded {lineage.code_hash}; it was changed and is not run")
    return len(files)


def fetch_data(s3: Any, lineage: Lineage, folder: Path) -> list[str]:
    """Names of the files with their versions. Raises ProblemError naming a version that no longer exists."""
    bucket, prefix = bucket_and_key(lineage.data_url)
    versions = _recorded(list(_history(s3, bucket, prefix)), lineage)
    for version in versions:
        content = read(s3, f"s3://{bucket}/{version.key}", version.id or None)
        if content is None:
            raise ProblemError(f"s3://{bucket}/{version.key} has no version {version.id} any more; {lineage.package} cannot be rebuilt")
        target = folder / _relative(version.key, prefix)
        if not target.resolve().is_relative_to(folder.resolve()):
            raise ProblemError(f"s3://{bucket}/{version.key} would be written outside its folder; rename it")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return [version.name if version.id else _file_name(version.key) for version in versions]


def _recorded(history: list[_Version], lineage: Lineage) -> list[_Version]:
    """The versions that the lineage names; those of now where it names none (the data's hash decides then)."""
    recorded = lineage.data_versions
    if recorded == "unversioned":
        current = _at(history, max((version.since for version in history), default=None))
        if not current:
            raise ProblemError(f"{lineage.data_url} has no data any more; {lineage.package} cannot be rebuilt")
        return [_Version(version.key, "", version.since) for version in current]
    wanted = set(_NAMED_VERSION.findall(recorded))
    named = [version for version in history if not version.deleted and version.name in wanted]
    if " ".join(version.name for version in named) == recorded:
        return named
    if " sha256:" in recorded:  # too many to name: the moment at which the prefix held exactly these
        for moment in sorted({version.since for version in history}, reverse=True):
            current = _at(history, moment)
            if load("data_versions").digest([version.name for version in current]) == recorded:
                return current
        raise ProblemError(
            f"{lineage.data_url} never held the recorded {recorded}, as far as S3 remembers; {lineage.package} cannot be rebuilt"
        )
    gone = sorted(wanted - {version.name for version in named})
    raise ProblemError(f"{lineage.data_url} no longer has {', '.join(gone) or recorded}; {lineage.package} cannot be rebuilt")


def _at(history: list[_Version], moment: datetime | None) -> list[_Version]:
    """What a listing showed at that moment."""
    newest: dict[str, _Version] = {}
    for version in history:
        known = newest.get(version.key)
        if moment is not None and version.since <= moment and (known is None or version.since > known.since):
            newest[version.key] = version
    return [newest[key] for key in sorted(newest) if not newest[key].deleted]


def _history(s3: Any, bucket: str, prefix: str) -> Iterator[_Version]:
    """Every version of every data file below the prefix, by key and newest first, as S3 lists them."""
    try:
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
            for item in filter(_is_data, page.get("Versions", [])):
                identity = load("data_versions").identity(item)
                yield _Version(item["Key"], item["VersionId"], item["LastModified"], identity=identity)
            for item in filter(_is_data, page.get("DeleteMarkers", [])):
                yield _Version(item["Key"], item["VersionId"], item["LastModified"], deleted=True)
    except ClientError as error:
        if not is_missing(error):
            raise
        raise ProblemError(f"bucket {bucket} does not exist any more; its data cannot be fetched") from error


def _is_data(item: Mapping[str, Any]) -> bool:
    return bool(load("data_versions").is_data(item["Key"]))


def _file_name(key: str) -> str:
    return key.rsplit("/", 1)[-1]


def _relative(key: str, prefix: str) -> str:
    """Where SageMaker puts an object of an S3Prefix input: below the prefix if that is a folder, else below its parent."""
    rest = key.removeprefix(prefix)
    if prefix.endswith("/") or not prefix:
        return rest
    return rest[1:] if rest.startswith("/") else key[prefix.rfind("/") + 1 :]
