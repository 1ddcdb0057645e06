"""Lambda: starts a transform job for whatever was uploaded and not yet scored by the version that is deployed.

Input: any event; it looks for itself what is missing, so an event that is lost, late or doubled changes nothing. Output: `{"started": [job
names]}`. A folder below the input prefix is complete when its `_SUCCESS` is newer than all else in it. A job's name is a digest of version
and content: SageMaker refuses the second of two. A failed job is tried once more. What cannot be scored makes this fail, an alarm.
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
from botocore.exceptions import ClientError

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
    refused: dict[str, str]  # why, by source


def plan(objects: Sequence[Mapping[str, Any]], prefix: str, package: str, jobs: Mapping[str, str], job_prefix: str) -> Decision:
    """`objects` as S3 lists them below `prefix`, `jobs` the statuses of those that were started, by name."""
    folders: dict[str, list[Mapping[str, Any]]] = {}
    for item in objects:
        folders.setdefault(item["Key"].removeprefix(prefix).rpartition("/")[0], []).append(item)
    keys = [item["Key"] for item in objects]
    start, refused = [], {}
    for folder, items in sorted(folders.items()):
        data = complete(items)
        for source, content in sources(data, keys):
            tried = [job_name(job_prefix, package, source, content, attempt) for attempt in range(ATTEMPTS)]
            failed = [name for name in tried if jobs.get(name) in ("Failed", "Stopped")]
            if not set(content) >= {key for key in keys if key.startswith(source)}:
                refused[source] = "other keys begin with this one, and a job would score them as well"
            elif len(failed) == ATTEMPTS:
                refused[source] = f"failed {ATTEMPTS} times"
            elif not any(name in jobs for name in tried[len(failed) :]):
                start.append(Job(tried[len(failed)], source, folder))
    return Decision(start, refused)


def complete(items: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """ETags of a folder's files by their keys, once its marker is there and nothing is newer. A key that ends with a slash is no file:
    S3's console makes one for a folder."""
    data = [item for item in items if not _file(item["Key"]).startswith(("_", ".")) and _file(item["Key"])]
    marked = [item["LastModified"] for item in items if _file(item["Key"]) == MARKER]
    if not data or not marked or max(item["LastModified"] for item in data) > marked[0]:
        return {}
    return {item["Key"]: item["ETag"] for item in data}


def sources(data: Mapping[str, str], keys: Sequence[str]) -> list[tuple[str, dict[str, str]]]:
    """What the jobs of a folder score: prefixes of keys, and what is there. As few as there can be, for S3's prefixes end anywhere in a
    name: what begins alike goes together, unless the marker, or a key of another folder, begins so, too."""
    if not data:
        return []
    common = os.path.commonprefix(list(data))  # noqa: RUF071 - by characters, as S3's prefixes are
    alone = set(data) >= {key for key in keys if key.startswith(common)}
    if common in data or (_file(common) and alone):
        return [(common, dict(data))]
    groups: dict[str, dict[str, str]] = {}
    for key, tag in data.items():
        groups.setdefault(key[: len(common) + 1], {})[key] = tag
    return [source for _, group in sorted(groups.items()) for source in sources(group, keys)]


def _file(key: str) -> str:
    return key.rsplit("/", 1)[-1]


def job_name(prefix: str, package: str, source: str, content: Mapping[str, str], attempt: int) -> str:
    """At least 9 characters of the digest, 45 bits."""
    digest = hashlib.sha256(json.dumps([package, source, sorted(content.items()), attempt]).encode()).digest()
    return prefix + base64.b32encode(digest).decode().lower()[: _LONGEST_JOB_NAME - len(prefix)].rstrip("=")


def request(job: Job, settings: Mapping[str, Any]) -> dict[str, Any]:
    """CreateTransformJob's, like that of pipelines/batch/pipeline.py: each line comes back with its prediction at the end."""
    folder, version = settings["output"].rstrip("/"), f"version-{settings['version']}"
    output = "/".join(part for part in (folder, job.folder, version, job.name[-9:]) if part)
    return {
        "TransformJobName": job.name,
        "ModelName": settings["model"],
        "BatchStrategy": "MultiRecord",
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


def start_all(client: Any, planned: Sequence[Job], settings: Mapping[str, Any]) -> tuple[list[str], dict[str, str]]:
    """Names of the jobs that this started, and why others were refused, by source: one that cannot start holds up none."""
    started, refused = [], {}
    for job in planned:
        try:
            client.create_transform_job(**request(job, settings))
        except client.exceptions.ResourceInUse:  # another invocation started it a moment before
            continue
        except ClientError as error:
            refused[job.source] = error.response["Error"]["Message"]
        else:
            started.append(job.name)
    return started, refused


def listed(client: Any, operation: str, item: str, **request: Any) -> list[dict[str, Any]]:
    return [found for page in client.get_paginator(operation).paginate(**request) for found in page.get(item, [])]


def handler(event: Mapping[str, Any], context: object) -> dict[str, list[str]]:
    settings, s3, sagemaker = json.loads(os.environ["SETTINGS"]), boto3.client("s3"), boto3.client("sagemaker")
    objects = listed(s3, "list_objects_v2", "Contents", Bucket=settings["bucket"], Prefix=settings["input"])
    summaries = listed(sagemaker, "list_transform_jobs", "TransformJobSummaries", NameContains=settings["jobs"], MaxResults=100)
    jobs = {item["TransformJobName"]: item["TransformJobStatus"] for item in summaries}
    decision = plan(objects, settings["input"], settings["package"], jobs, settings["jobs"])
    started, refused = start_all(sagemaker, decision.start, settings)
    print(f"started {', '.join(started) or 'nothing'}")
    refused |= decision.refused
    if refused:
        raise RuntimeError(f"not scored: {'; '.join(f'{source}: {why}' for source, why in refused.items())}; mend it and upload it again")
    return {"started": started}
