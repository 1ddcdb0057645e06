"""Lambda: starts the SageMaker training pipeline for a schedule, new data or drift, unless a run is active.

Input: an S3 "Object Created" event, a CloudWatch "Alarm State Change" event, or the schedule's `{"source": "schedule"}`.
Output: `{"started": <execution ARN or None>, "reason": ...}`. Environment: SAGEMAKER_PIPELINE_NAME.
Next in the journey: pipelines/tabular/pipeline.py, the definition that then runs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3

ACTIVE = ("Executing", "Stopping")
MARKER = "_SUCCESS"


@dataclass(frozen=True)
class Decision:
    """Whether training starts, why, and with which pipeline parameters."""

    start: bool
    reason: str
    parameters: dict[str, str] = field(default_factory=dict)


def plan(event: Mapping[str, Any], default_data_url: str | None, run_is_active: bool) -> Decision:
    """`default_data_url` is what the deployed definition learns from; None when there is no pipeline or no such parameter.

    New data is the folder that its marker closes. A folder of another data set than the pipeline's is left alone.
    """
    reason, data_url = _reason(event)
    if run_is_active:
        return Decision(False, f"{reason}, but a run is active")
    if data_url is None:
        return Decision(True, reason, {"TriggerReason": reason})
    if default_data_url and not data_url.startswith(default_data_url):
        return Decision(False, f"{reason}, but the pipeline learns from {default_data_url}")
    return Decision(True, reason, {"TriggerReason": reason, "InputDataUrl": data_url})


def _reason(event: Mapping[str, Any]) -> tuple[str, str | None]:
    source = event["source"]
    if source == "schedule":
        return "schedule", None
    if source == "aws.cloudwatch":
        return f"alarm {event['detail']['alarmName']}", None
    if source == "aws.s3":
        bucket, key = event["detail"]["bucket"]["name"], event["detail"]["object"]["key"]
        data_url = f"s3://{bucket}/{key.removesuffix(MARKER)}"
        return f"new data in {data_url}", data_url
    raise ValueError(f"event source {source!r}; known: schedule, aws.cloudwatch, aws.s3")


def default_data_url(client: Any, pipeline_name: str) -> str | None:
    definition = json.loads(client.describe_pipeline(PipelineName=pipeline_name)["PipelineDefinition"])
    defaults = {parameter["Name"]: parameter.get("DefaultValue") for parameter in definition["Parameters"]}
    return defaults.get("InputDataUrl")


def run_is_active(client: Any, pipeline_name: str) -> bool:
    """Looks at the newest runs; the API's own order is oldest first."""
    page = client.list_pipeline_executions(PipelineName=pipeline_name, SortBy="CreationTime", SortOrder="Descending", MaxResults=10)
    return any(run["PipelineExecutionStatus"] in ACTIVE for run in page["PipelineExecutionSummaries"])


def handler(event: Mapping[str, Any], context: object) -> dict[str, str | None]:
    client = boto3.client("sagemaker")
    name = os.environ["SAGEMAKER_PIPELINE_NAME"]
    try:
        decision = plan(event, default_data_url(client, name), run_is_active(client, name))
    except client.exceptions.ResourceNotFound:
        decision = Decision(False, f"pipeline {name} does not exist yet; the first push creates it")
    started = None
    if decision.start:
        parameters = [{"Name": key, "Value": value} for key, value in decision.parameters.items()]
        request = {"PipelineName": name, "PipelineParameters": parameters}
        if "id" in event:  # a redelivered event starts nothing new
            request["ClientRequestToken"] = event["id"]
        started = client.start_pipeline_execution(**request)["PipelineExecutionArn"]
    print(f"{'started ' + started if started else 'nothing started'}: {decision.reason}")
    return {"started": started, "reason": decision.reason}
