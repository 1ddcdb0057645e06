"""Which data there is at an address now: the S3 versions of its files, as one short text.

Two ask this file. The Lambda function `<project>-data-version` (infra/model/data_version.py) is made of it: every run asks that
first, so that SageMaker's step cache, which compares arguments and addresses, learns of new data. as_recorded.py asks again when the
files are there. Input: an address. Output: text, also for the lineage, where build_scripts/recorded_inputs.py reads it; and what
infra/model/start_retraining/handler.py, which asks the function too, tells new data by.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sources
from failure import BadInput
from registry_text import LONGEST_METADATA, is_metadata, metadata

#: Said where there was no S3: on a laptop and in a test the data's hash is its only identity.
UNVERSIONED = "unversioned"


def handler(event: Mapping[str, Any], context: object) -> dict[str, str]:
    """The Lambda function. Input: `{"url": "s3://bucket/prefix", "commit": ..., "trigger": ...}`.

    Output: `{"version": ..., "uploaded": ..., "learned": ..., "commit": ..., "trigger": ...}`, output parameters of the step, as the
    registry can record them and as a job's argument takes them. Whoever starts a run may write anything, and Register would refuse it
    when all is done. `uploaded`: another text whenever the uploaded files are others. `learned`: how many rows were ever learned.
    """
    import boto3

    s3, url = boto3.client("s3"), str(event["url"])
    items = listed(s3, url)
    version = version_of(items, url)
    found = {"version": version, "uploaded": _uploaded(items, url), "learned": str(_learned_rows(s3, items, url))}
    print(f"{url}: {version}; {found['learned']} rows were learned")
    return {**found, **{name: metadata(str(event.get(name) or "")) for name in ("commit", "trigger")}}


def find(s3: Any, url: str) -> str:
    """`name@version` of each file, or the hash of that list where a registry could not hold it.

    Raises BadInput without a file, and for an address that the registry could not hold, from which nobody could build the version again.
    """
    return version_of(listed(s3, url), url)


def version_of(items: Sequence[Mapping[str, Any]], url: str) -> str:
    """Of what was listed at an address. Raises BadInput without an uploaded file."""
    current = [item for item in items if is_data(item["Key"])]
    if all(sources.is_learned(below(url, item["Key"])) for item in current):
        raise BadInput(f"there is no data at {url}; `python -m build_scripts.upload_data` uploads it, or give another InputDataUrl")
    versions = [_named(item) for item in current]
    text = " ".join(versions)
    return text if is_metadata(text) else digest(versions)


def listed(s3: Any, url: str) -> list[Mapping[str, Any]]:
    """The newest version of every file, by key. Raises BadInput for an address that cannot be recorded or listed."""
    if not is_metadata(url):
        allowed = f"1 to {LONGEST_METADATA} letters, digits, spaces and _ . : / = + - @, which the registry can record"
        raise BadInput(f"InputDataUrl is {url[:LONGEST_METADATA]!r} ({len(url)} characters); allowed: {allowed}")
    return [item for item in history(s3, url) if item["IsLatest"] and "ETag" in item]


def _uploaded(items: Sequence[Mapping[str, Any]], url: str) -> str:
    """What identifies the uploaded files alone, so that a person's new data are told from what production learned."""
    found = (item for item in items if is_data(item["Key"]) and not sources.is_learned(below(url, item["Key"])))
    return digest([_named(item) for item in found])


def _learned_rows(s3: Any, items: Sequence[Mapping[str, Any]], url: str) -> int:
    """How many rows were ever learned, of all environments: their tallies say it. What says nothing counts nothing, and stops no run."""
    bucket, rows = url.removeprefix("s3://").partition("/")[0], 0
    for item in items:
        if sources.is_tally(below(url, item["Key"])):
            content = s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
            try:
                rows += sources.rows_of(content)
            except ValueError as error:
                print(f"s3://{bucket}/{item['Key']} is not counted: {error}")
    return rows


def _named(item: Mapping[str, Any]) -> str:
    return f"{item['Key'].rsplit('/', 1)[-1]}@{identity(item)}"


def below(url: str, key: str) -> str:
    """The part of a key below the address, where a job's input has the file."""
    return key.removeprefix(url.removeprefix("s3://").partition("/")[2]).lstrip("/")


def digest(versions: list[str]) -> str:
    """The versions of many files in the space of one."""
    return f"{len(versions)} files sha256:{hashlib.sha256(' '.join(versions).encode()).hexdigest()}"


def identity(item: Mapping[str, Any]) -> str:
    """Another one whenever the content is. A bucket without versioning calls every content `null`: there the ETag tells them apart."""
    return str(item["VersionId"] if item["VersionId"] != "null" else item["ETag"].strip('"'))


def is_data(key: str) -> bool:
    """Whether a key is a file that is read."""
    return sources.is_data(key.rsplit("/", 1)[-1])


def history(s3: Any, url: str) -> Iterator[Mapping[str, Any]]:
    """Every version of every file and, without an ETag, every deletion. The same prefix as an input of type S3Prefix: `a` covers `a/b`
    and `ab`.
    """
    from botocore.exceptions import ClientError

    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    if not url.startswith("s3://") or not bucket:
        raise BadInput(f"InputDataUrl is {url!r}; allowed: s3://bucket/prefix/")
    try:
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
            yield from (*page.get("Versions", []), *page.get("DeleteMarkers", []))
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "NoSuchBucket":
            raise BadInput(f"InputDataUrl is {url!r}, but there is no bucket {bucket!r}") from error
        if code in ("AccessDenied", "AllAccessDisabled"):
            where = "allowed: training/ of the project's data bucket (infra/model/data_version.py and the pipeline's role)"
            raise BadInput(f"InputDataUrl is {url!r}, which may not be listed; {where}") from error
        raise
