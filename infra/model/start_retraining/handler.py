"""Lambda: starts the SageMaker training pipeline for a schedule, new data or drift, unless a run is active; for a new model, the build.

Input: an S3 "Object Created" event, a CloudWatch "Alarm State Change" event, the schedule's `{"source": "schedule"}`, or CloudFormation's
"Stack Status Change", after which the build makes the pipeline and starts it. Output: `{"started": <what or None>, "reason": ...}`.
Environment: SAGEMAKER_PIPELINE_NAME, BUILD_PIPELINE_NAME.
Two events at the same moment get the same run (docs/decisions/0061-one-run-for-two-events.md).
Next in the journey: pipelines/tabular/pipeline.py, the definition that then runs.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import boto3

ACTIVE = ("Executing", "Stopping")
NEW_MODEL = "aws.cloudformation"
COMMIT_PREFIX = "commit "
_BY_ITSELF = "CreatePipeline"


@dataclass(frozen=True)
class Decision:
    """Whether training starts, why, and with which pipeline parameters."""

    start: bool
    reason: str
    parameters: dict[str, str] = field(default_factory=dict)


def plan(event: Mapping[str, Any], defaults: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> Decision:
    """`defaults` are the parameters of the deployed definition, by name; `runs` are its latest executions, newest first.

    New data that the pipeline does not learn from (another data set's folder) starts nothing.
    """
    reason, new_data = reason_of(event), data_url(event)
    learns_from = defaults["InputDataUrl"]
    if already_started(event, runs):
        return Decision(False, f"{reason}, but {cause_of(event)} has already started a run")
    if any(run["PipelineExecutionStatus"] in ACTIVE for run in runs):
        return Decision(False, f"{reason}, but a run is active")
    if new_data and not new_data.startswith(learns_from):
        return Decision(False, f"{reason}, but the pipeline learns from {learns_from}")
    return Decision(True, reason, {"TriggerReason": reason, "GitCommit": defaults["GitCommit"]})


def plan_build(builds: Sequence[Mapping[str, Any]]) -> Decision:
    """For a model whose stack was just made. `builds`: the executions of the build pipeline, newest first.

    A build that is under way or waits may have passed the point where it looks for the model's stack, so it is no reason to start none.
    A pipeline runs once by itself as it is created, before there is any code: "Start a pipeline" of the CodePipeline user guide.
    """
    if all((build.get("trigger") or {}).get("triggerType") == _BY_ITSELF for build in builds):
        return Decision(False, "the model is new, and so is the project: the first push is built")
    return Decision(True, "the model is new: the build makes its pipeline and starts it")


def reason_of(event: Mapping[str, Any]) -> str:
    source = event["source"]
    if source == "schedule":
        return "schedule"
    if source == "aws.cloudwatch":
        return f"alarm {event['detail']['alarmName']}"
    if source == "aws.s3":
        return f"new data: {data_url(event)}"
    raise ValueError(f"event source {source!r}; known: schedule, aws.cloudwatch, aws.s3, {NEW_MODEL}")


def cause_of(event: Mapping[str, Any]) -> str:
    """The description of the run that an event starts. The schedule's events have no id."""
    return f"event {event['id']}" if "id" in event else "schedule"


def already_started(event: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> bool:
    """Whether this is a redelivery: events come at least once, perhaps again when their run is over."""
    return "id" in event and any(run.get("PipelineExecutionDescription") == cause_of(event) for run in runs)


def request_token(pipeline: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> str:
    """The same for all who saw the same newest run, so that SageMaker starts one execution for them: a compare-and-set.

    That execution is the newest from then on, however it ends, so whoever decides later has another token. The pipeline's creation
    tells it from a deleted one of the same name. 64 characters; allowed are 32 to 128.
    """
    newest = runs[0]["PipelineExecutionArn"] if runs else None
    seen = [pipeline["PipelineArn"], pipeline["CreationTime"].timestamp(), newest]
    return hashlib.sha256(json.dumps(seen).encode()).hexdigest()


def data_url(event: Mapping[str, Any]) -> str | None:
    """Address of the object that an S3 event is about. EventBridge gives the key as it is, not URL-encoded."""
    if event["source"] != "aws.s3":
        return None
    return f"s3://{event['detail']['bucket']['name']}/{event['detail']['object']['key']}"


def default_parameters(pipeline: Mapping[str, Any]) -> dict[str, Any]:
    """Defaults by name; `GitCommit` is the one that `build_scripts/run_pipeline.py` put into the pipeline's description."""
    defaults = {item["Name"]: item.get("DefaultValue") for item in json.loads(pipeline["PipelineDefinition"])["Parameters"]}
    described = pipeline.get("PipelineDescription", "")
    return {**defaults, "GitCommit": described.removeprefix(COMMIT_PREFIX) if described.startswith(COMMIT_PREFIX) else "unknown"}


def latest_runs(client: Any, pipeline_name: str) -> list[dict[str, Any]]:
    """Newest first; the API's own order is oldest first."""
    page = client.list_pipeline_executions(PipelineName=pipeline_name, SortBy="CreationTime", SortOrder="Descending", MaxResults=10)
    return list(page["PipelineExecutionSummaries"])


def start(client: Any, pipeline_name: str, parameters: Mapping[str, str], description: str, token: str) -> str:
    execution = client.start_pipeline_execution(
        PipelineName=pipeline_name,
        PipelineParameters=[{"Name": name, "Value": value} for name, value in parameters.items()],
        PipelineExecutionDescription=description,
        ClientRequestToken=token,
    )
    return str(execution["PipelineExecutionArn"])


def start_build(client: Any, name: str, event: Mapping[str, Any]) -> str:
    """The branch as it is. The event's id as token: a redelivered event starts nothing new."""
    return str(client.start_pipeline_execution(name=name, clientRequestToken=event["id"])["pipelineExecutionId"])


def handler(event: Mapping[str, Any], context: object) -> dict[str, str | None]:
    decision, started = build(event) if event["source"] == NEW_MODEL else train(event)
    print(f"{'started ' + started if started else 'nothing started'}: {decision.reason}")
    return {"started": started, "reason": decision.reason}


def build(event: Mapping[str, Any]) -> tuple[Decision, str | None]:
    codepipeline, name = boto3.client("codepipeline"), os.environ["BUILD_PIPELINE_NAME"]
    decision = plan_build(codepipeline.list_pipeline_executions(pipelineName=name, maxResults=100)["pipelineExecutionSummaries"])
    return decision, start_build(codepipeline, name, event) if decision.start else None


def train(event: Mapping[str, Any]) -> tuple[Decision, str | None]:
    sagemaker, name = boto3.client("sagemaker"), os.environ["SAGEMAKER_PIPELINE_NAME"]
    started = None
    try:
        pipeline = sagemaker.describe_pipeline(PipelineName=name)
        defaults = default_parameters(pipeline)
        runs = latest_runs(sagemaker, name)  # last, so that what is decided is about now
        decision = plan(event, defaults, runs)
        if decision.start:
            started = start(sagemaker, name, decision.parameters, cause_of(event), request_token(pipeline, runs))
    except sagemaker.exceptions.ResourceNotFound:
        decision = Decision(False, f"pipeline {name} does not exist yet; the build of a push makes it")
    return decision, started
