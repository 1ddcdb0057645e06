"""The files of a job are those of the version that the run started with, or the job ends.

The step cache remembers what Prepare makes under that version, so other content must not get in. Uploaded files that were replaced end
the run. Learned ones come at any hour, without a person: of them the files as they were are fetched, and later ones are taken out.
Input: the address of the data, the version that data_versions.py said, and the job's folder, which is changed. Used by `prepare.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import data_versions
import sources
from failure import BadInput

_Item = Mapping[str, Any]
#: A run starts within minutes, in which few files come.
MOST_MOMENTS = 200


def require(url: str, version: str, folder: Path) -> None:
    """Raises BadInput if the files of `version` are not there any more."""
    import boto3  # takes a third of a second; not needed on a laptop

    s3 = boto3.client("s3")
    current = data_versions.listed(s3, url)
    if data_versions.version_of(current, url) == version:
        return
    then = _learned_then(s3, url, version, current)
    if then is None:
        raise BadInput(f"the data at {url} changed while the run started; start it again")
    now = {str(item["Key"]): item for item in current}
    for key in now.keys() - then.keys():
        if _is_learned(url, key):
            (folder / data_versions.below(url, key)).unlink(missing_ok=True)
    for key, item in then.items():
        if key not in now or now[key]["VersionId"] != item["VersionId"]:
            _fetch(s3, url, item, folder)


def _learned_then(s3: Any, url: str, version: str, current: Sequence[_Item]) -> dict[str, _Item] | None:
    """The learned files with which the uploaded ones of now are that version, by key; None if none ever were."""
    history = [item for item in data_versions.history(s3, url) if _is_learned(url, item["Key"]) and data_versions.is_data(item["Key"])]
    uploaded = [item for item in current if not _is_learned(url, item["Key"])]
    moments = sorted({item["LastModified"] for item in history}, reverse=True)[:MOST_MOMENTS]
    for moment in (*moments, None):
        then: dict[str, _Item] = {}
        for item in sorted(history, key=lambda item: item["LastModified"]):
            if moment is not None and item["LastModified"] <= moment:
                then[str(item["Key"])] = item
        left = {key: item for key, item in then.items() if "ETag" in item}  # a deletion has none
        everything = sorted([*uploaded, *left.values()], key=lambda item: str(item["Key"]))
        if data_versions.version_of(everything, url) == version:
            return left
    return None


def _is_learned(url: str, key: str) -> bool:
    return sources.is_learned(data_versions.below(url, key))


def _fetch(s3: Any, url: str, item: _Item, folder: Path) -> None:
    bucket, target = url.removeprefix("s3://").partition("/")[0], folder / data_versions.below(url, item["Key"])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(s3.get_object(Bucket=bucket, Key=item["Key"], VersionId=item["VersionId"])["Body"].read())
