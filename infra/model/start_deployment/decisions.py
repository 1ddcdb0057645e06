"""Keeps who decided what about a version, when, and with which words: the registry knows the last decision only, CodePipeline a year's.

Each wake writes what is not kept yet, so that a lost event loses nothing but what was decided anew meanwhile. Each decision is an object of
its own, written once. Where: the artifact bucket, where no build and no job may write. The layout is that of deploy_scripts/decisions.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.exceptions import ClientError

_DECIDED = {"Succeeded": "Approved", "Failed": "Rejected"}
_UNDECIDED = "PendingManualApproval"
#: Actions of the deploy pipeline that are looked through: some twenty releases, and one wakes this at its end.
_MOST_ACTIONS = 100
#: S3 says so of an object that is there already. Source: "Conditional writes" of the S3 user guide.
_THERE = ("PreconditionFailed", "ConditionalRequestConflict")


def keep(bucket: str, prefix: str, group: str, pipeline: str, package_of: Callable[[str], str]) -> None:
    """`prefix`: ModelNames.decisions; `package_of`: ARN of the version that an execution of the deploy pipeline is of."""
    s3 = boto3.client("s3")
    kept = {key for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix) for key in _keys(page)}
    for decision in (*_of_registry(group, prefix, kept), *_of_pipeline(pipeline, package_of)):
        key = f"{prefix}{decision['version']}/{decision['at']}-{decision['where'].replace('/', '-')}-{decision['what']}.json"
        if key not in kept:
            _write(s3, bucket, key, decision)


def _keys(page: Mapping[str, Any]) -> Iterator[str]:
    return (item["Key"] for item in page.get("Contents", []))


def _of_registry(group: str, prefix: str, kept: set[str]) -> Iterator[dict[str, Any]]:
    """Asks only about versions whose status is another one than what was kept of them last."""
    sagemaker = boto3.client("sagemaker")
    for page in sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group):
        for item in page["ModelPackageSummaryList"]:
            status, number = item["ModelApprovalStatus"], item["ModelPackageVersion"]
            last = max((key for key in kept if key.startswith(f"{prefix}{number}/") and "-registry-" in key), default="")
            if status != _UNDECIDED and not last.endswith(f"-{status}.json"):
                yield of_registry(sagemaker.describe_model_package(ModelPackageName=item["ModelPackageArn"]))


def of_registry(package: Mapping[str, Any]) -> dict[str, Any]:
    """DescribeModelPackage: a version that was registered as decided was changed by nobody since."""
    by = package.get("LastModifiedBy") or package.get("CreatedBy") or {}
    return {
        "version": package["ModelPackageVersion"],
        "at": _time(package.get("LastModifiedTime") or package["CreationTime"]),
        "what": package["ModelApprovalStatus"],
        "where": "registry",
        "who": by.get("IamIdentity", {}).get("Arn", ""),
        "words": package.get("ApprovalDescription") or "",
    }


def _of_pipeline(pipeline: str, package_of: Callable[[str], str]) -> Iterator[dict[str, Any]]:
    page = boto3.client("codepipeline").list_action_executions(pipelineName=pipeline, maxResults=_MOST_ACTIONS)
    for action in page["actionExecutionDetails"]:
        category = ((action.get("input") or {}).get("actionTypeId") or {}).get("category")
        if category == "Approval" and action["status"] in _DECIDED and action.get("updatedBy"):
            package = package_of(action["pipelineExecutionId"])
            if package:
                yield of_pipeline(action, int(package.rsplit("/", 1)[-1]))


def of_pipeline(action: Mapping[str, Any], version: int) -> dict[str, Any]:
    """ActionExecutionDetail: who answered the review is `updatedBy`, with which words its summary."""
    return {
        "version": version,
        "at": _time(action["lastUpdateTime"]),
        "what": _DECIDED[action["status"]],
        "where": f"{action['stageName']}/{action['actionName']}",
        "who": action["updatedBy"],
        "words": ((action.get("output") or {}).get("executionResult") or {}).get("externalExecutionSummary") or "",
    }


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _write(s3: Any, bucket: str, key: str, decision: Mapping[str, Any]) -> None:
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(decision).encode(), ContentType="application/json", IfNoneMatch="*")
    except ClientError as error:
        if error.response["Error"]["Code"] not in _THERE:
            raise


def packages(runs: Sequence[Any]) -> Callable[[str], str]:
    """Of the executions that the state has read already (state.py)."""
    known = {run.identifier: run for run in runs}
    return lambda identifier: known[identifier].package if identifier in known else ""
