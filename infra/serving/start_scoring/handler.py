"""Lambda: starts a transform job for whatever was uploaded and not yet scored by the version that is deployed.

Input: any event; it looks for itself what is missing, so an event that is lost, late or doubled changes nothing. Output: `{"started": [job
names]}`. A folder below the input prefix is complete when its `_SUCCESS` is newer than all else in it. A job's name is a digest of version
and content: SageMaker refuses the second of two. A failed job is tried once more; then this fails as well, which is an alarm.
Environment: SETTINGS, see infra/serving/batch_stack.py. Inline in the template, so it stands alone.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import boto3

MARKER = "_SUCCESS"
ATTEMPTS = 2
_LONGEST_JOB_NAME = 63


@dataclass(frozen=True)
class Job:
    """`source` is the prefix of the keys that it scores, `folder` where they are below the input prefix."""

    name: str
    source: str
    folder: str


@dataclass(frozen=True)
class Decision:
    start: list[Job]
    given_up: list[str]  # sources


def plan(objects: Iterable[Mapping[str, Any]], prefix: str, package: str, jobs: Mapping[str, str], job_prefix: str) -> Decision:
    """`objects` as S3 lists them below `prefix`, `jobs` the statuses of those that were started, by name."""
    listed = list(objects)
    folders: dict[str, list[Mapping[str, Any]]] = {}
    for item in listed:
        folders.setdefault(item["Key"].removeprefix(prefix).rpartition("/")[0], []).append(item)
    start, given_up = [], []
    for folder, items in sorted(folders.items()):
        for source, content in sources(items, [item["Key"] for item in listed]):
            tried = [job_name(job_prefix, package, source, content, attempt) for attempt in range(ATTEMPTS)]
            failed = [name for name in tried if jobs.get(name) in ("Failed", "Stopped")]
            if len(failed) == ATTEMPTS:
                given_up.append(source)
            elif not any(name in jobs for name in tried[len(failed) :]):
                start.append(Job(tried[len(failed)], source, folder))
    return Decision(start, given_up)


def sources(items: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> list[tuple[str, list[str]]]:
    """What the jobs of a folder score, if it is complete: prefixes of keys, and what is there.

    One job, if the files have a beginning in common that nothing else of `keys` has, the marker above all; else one for each.
    """
    data = [item for item in items if not _file(item["Key"]).startswith(("_", "."))]
    marked = [item["LastModified"] for item in items if _file(item["Key"]) == MARKER]
    if not data or not marked or max(item["LastModified"] for item in data) > marked[0]:
        return []
    common = os.path.commonprefix([item["Key"] for item in data])  # noqa: RUF071 - by characters, as S3's prefixes are
    content = sorted(f"{item['Key']} {item['ETag']}" for item in data)
    if _file(common) and sum(key.startswith(common) for key in keys) == len(data):
        return [(common, content)]
    return [(item["Key"], [f"{item['Key']} {item['ETag']}"]) for item in data]


def _file(key: str) -> str:
    return key.rsplit("/", 1)[-1]


def job_name(prefix: str, package: str, source: str, content: Sequence[str], attempt: int) -> str:
    """At least 9 characters of the digest, 45 bits."""
    digest = hashlib.sha256(json.dumps([package, source, content, attempt]).encode()).digest()
    return prefix + base64.b32encode(digest).decode().lower()[: _LONGEST_JOB_NAME - len(prefix)].rstrip("=")


def request(job: Job, settings: Mapping[str, Any]) -> dict[str, Any]:
    """CreateTransformJob's, like that of pipelines/batch/pipeline.py: each line comes back with its prediction at the end."""
    version = settings["package"].rsplit("/", 1)[-1]
    output = "/".join(part for part in (settings["output"].rstrip("/"), job.folder, f"version-{version}", job.name[-9:]) if part)
    return {
        "TransformJobName": job.name,
        "ModelName": settings["model"],
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{settings['bucket']}/{job.source}"}},
            "ContentType": "text/csv",
            "SplitType": "Line",
        },
        "TransformOutput": {
            "S3OutputPath": f"s3://{settings['bucket']}/{output}",
            "Accept": "text/csv",
            "AssembleWith": "Line",
            "KmsKeyId": settings["key"],
        },
        "DataProcessing": {"JoinSource": "Input"},
        "TransformResources": settings["resources"],
        "Tags": [{"Key": key, "Value": value} for key, value in settings["tags"].items()],
    }


def start(client: Any, job: Job, settings: Mapping[str, Any]) -> bool:
    """False if another invocation started it a moment before."""
    try:
        client.create_transform_job(**request(job, settings))
    except client.exceptions.ResourceInUse:
        return False
    return True


def handler(event: Mapping[str, Any], context: object) -> dict[str, list[str]]:
    settings, s3, sagemaker = json.loads(os.environ["SETTINGS"]), boto3.client("s3"), boto3.client("sagemaker")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=settings["bucket"], Prefix=settings["input"])
    objects = [item for page in pages for item in page.get("Contents", [])]
    listed = sagemaker.get_paginator("list_transform_jobs").paginate(NameContains=settings["jobs"])
    jobs = {item["TransformJobName"]: item["TransformJobStatus"] for page in listed for item in page["TransformJobSummaries"]}
    decision = plan(objects, settings["input"], settings["package"], jobs, settings["jobs"])
    started = [job.name for job in decision.start if start(sagemaker, job, settings)]
    print(f"started {', '.join(started) or 'nothing'}")
    if decision.given_up:
        raise RuntimeError(f"failed {ATTEMPTS} times, and is not scored: {', '.join(decision.given_up)}; upload it again when it is mended")
    return {"started": started}
