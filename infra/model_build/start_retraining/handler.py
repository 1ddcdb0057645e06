"""Lambda: starts the SageMaker training pipeline for a schedule, new data or drift, unless a run is active.

Input: an S3 "Object Created" event, a CloudWatch "Alarm State Change" event, or the schedule's `{"source": "schedule"}`.
Output: `{"started": <execution ARN or None>, "reason": ...}`. Environment: SAGEMAKER_PIPELINE_NAME.
Next in the journey: pipelines/tabular/pipeline.py, the definition that then runs.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3

ACTIVE = ("Executing", "Stopping")
COMMIT_PREFIX = "commit "


@dataclass(frozen=True)
class Decision:
    """Whether training starts, why, and with which pipeline parameters."""

    start: bool
    reason: str
    parameters: dict[str, str] = field(default_factory=dict)


def plan(event: Mapping[str, Any], defaults: Mapping[str, Any], run_is_active: bool, data_version: str) -> Decision:
    """`defaults` are the parameters of the deployed definition, by name.

    New data that the pipeline does not learn from (another data set's folder) starts nothing.
    """
    reason, new_data = reason_of(event), data_url(event)
    learns_from = defaults["InputDataUrl"]
    if run_is_active:
        return Decision(False, f"{reason}, but a run is active")
    if new_data and not new_data.startswith(learns_from):
        return Decision(False, f"{reason}, but the pipeline learns from {learns_from}")
    return Decision(True, reason, {"TriggerReason": reason, "InputDataVersion": data_version, "GitCommit": defaults["GitCommit"]})


def reason_of(event: Mapping[str, Any]) -> str:
    source = event["source"]
    if source == "schedule":
        return "schedule"
    if source == "aws.cloudwatch":
        return f"alarm {event['detail']['alarmName']}"
    if source == "aws.s3":
        return f"new data: {data_url(event)}"
    raise ValueError(f"event source {source!r}; known: schedule, aws.cloudwatch, aws.s3")


def data_url(event: Mapping[str, Any]) -> str | None:
    """Address of the object that an S3 event is about. EventBridge gives the key as it is, not URL-encoded."""
    if event["source"] != "aws.s3":
        return None
    return f"s3://{event['detail']['bucket']['name']}/{event['detail']['object']['key']}"


def default_parameters(client: Any, pipeline_name: str) -> dict[str, Any]:
    """Defaults by name; `GitCommit` is the one that `build_scripts/run_pipeline.py` put into the pipeline's description."""
    pipeline = client.describe_pipeline(PipelineName=pipeline_name)
    defaults = {item["Name"]: item.get("DefaultValue") for item in json.loads(pipeline["PipelineDefinition"])["Parameters"]}
    described = pipeline.get("PipelineDescription", "")
    return {**defaults, "GitCommit": described.removeprefix(COMMIT_PREFIX) if described.startswith(COMMIT_PREFIX) else "unknown"}


def run_is_active(client: Any, pipeline_name: str) -> bool:
    """Looks at the newest runs; the API's own order is oldest first."""
    page = client.list_pipeline_executions(PipelineName=pipeline_name, SortBy="CreationTime", SortOrder="Descending", MaxResults=10)
    return any(run["PipelineExecutionStatus"] in ACTIVE for run in page["PipelineExecutionSummaries"])


def find_data_version(client: Any, url: str) -> str:
    """Changes whenever a file below `url` does: step caching compares addresses, and would reuse the old data's result."""
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    files = sorted((item["Key"], item["ETag"]) for page in pages for item in page.get("Contents", []))
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()[:16]


def start(client: Any, pipeline_name: str, parameters: Mapping[str, str], event: Mapping[str, Any]) -> str:
    request: dict[str, Any] = {
        "PipelineName": pipeline_name,
        "PipelineParameters": [{"Name": name, "Value": value} for name, value in parameters.items()],
    }
    if "id" in event:  # a redelivered event starts nothing new
        request["ClientRequestToken"] = event["id"]
    return str(client.start_pipeline_execution(**request)["PipelineExecutionArn"])


def handler(event: Mapping[str, Any], context: object) -> dict[str, str | None]:
    sagemaker, name = boto3.client("sagemaker"), os.environ["SAGEMAKER_PIPELINE_NAME"]
    started = None
    try:
        defaults = default_parameters(sagemaker, name)
        version = find_data_version(boto3.client("s3"), defaults["InputDataUrl"])
        decision = plan(event, defaults, run_is_active(sagemaker, name), version)
        if decision.start:
            started = start(sagemaker, name, decision.parameters, event)
    except sagemaker.exceptions.ResourceNotFound:
        decision = Decision(False, f"pipeline {name} does not exist yet; the first push creates it")
    print(f"{'started ' + started if started else 'nothing started'}: {decision.reason}")
    return {"started": started, "reason": decision.reason}
