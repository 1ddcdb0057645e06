"""Lambda: starts the SageMaker training pipeline for a schedule, new data, drift or lost quality, unless a run is active; for a new model,
the build.

Input: an S3 "Object Created" event, a CloudWatch "Alarm State Change" event, the schedule's `{"source": "schedule"}`, or CloudFormation's
"Stack Status Change", after which the build makes the pipeline and starts it. Output: `{"started": <what or None>, "reason": ...}`.
Environment: SAGEMAKER_PIPELINE_NAME, BUILD_PIPELINE_NAME; for alarms also those that `Limits.set` and `tell` read.

An alarm starts a run only where there is something new to learn from since the last run that judged a version: a newer upload, or enough
answers whose truth has become known. Otherwise a person is told what is missing. An alarm is an event of one moment, and what was missing
may come later: so what a watch writes of its windows (`feedback/`, pipelines/monitoring/steps/why.py) counts as its alarm, while limits
are broken. Two events at the same moment get the same run (docs/decisions/0061-one-run-for-two-events.md); why alarms ask first:
docs/decisions/0131-retraining-asks-what-is-new.md. Next: plan.py; pipelines/tabular/pipeline.py, the definition that then runs.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import boto3
from botocore.exceptions import ClientError

from .plan import (
    NEW_MODEL,
    Decision,
    Limits,
    as_alarm,
    cause_of,
    data_url,
    environment_of,
    moment_of,
    news_of,
    plan,
    plan_build,
    plan_for_alarm,
    plan_quiet,
)

COMMIT_PREFIX = "commit "
#: Steps of pipelines/tabular/pipeline.py: what says which data there is, and what judges the version that was made of them.
DATA_STEP, JUDGING_STEP = "DataVersion", "Evaluate"
#: Below the model's feedback; not .json, which wakes this function.
TOLD = "_TOLD"


def request_token(pipeline: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> str:
    """The same for all who saw the same newest run, so that SageMaker starts one execution for them: a compare-and-set.

    That execution is the newest from then on, however it ends, so whoever decides later has another token. The pipeline's creation
    tells it from a deleted one of the same name. 64 characters; allowed are 32 to 128.
    """
    newest = runs[0]["PipelineExecutionArn"] if runs else None
    seen = [pipeline["PipelineArn"], pipeline["CreationTime"].timestamp(), newest]
    return hashlib.sha256(json.dumps(seen).encode()).hexdigest()


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
    if is_feedback(event):
        found = as_alarm(event, read_json(data_url(event) or "") or {"environment": "", "alarms": []}, Limits.set().alarms)
        if found is None:
            return Decision(False, f"{data_url(event)}: no limit is broken that starts a training"), None
        event = found
    try:
        pipeline = sagemaker.describe_pipeline(PipelineName=name)
        defaults = default_parameters(pipeline)
        runs = latest_runs(sagemaker, name)  # last, so that what is decided is about now
        decision = plan(event, defaults, runs)
        if decision.start and event["source"] == "aws.cloudwatch":
            decision = for_alarm(sagemaker, decision, event, defaults["InputDataUrl"], runs)
        if decision.start:
            started = start(sagemaker, name, decision.parameters, cause_of(event), request_token(pipeline, runs))
    except sagemaker.exceptions.ResourceNotFound:
        decision = Decision(False, f"pipeline {name} does not exist yet; the build of a push makes it")
    return decision, started


def for_alarm(sagemaker: Any, decision: Decision, event: Mapping[str, Any], url: str, runs: Sequence[Mapping[str, Any]]) -> Decision:
    """Of a decision to start: whether the quiet time is over and there is something new to learn from."""
    limits, now = Limits.set(), moment_of(event)
    decision = plan_quiet(decision, runs, now, limits.quiet)
    if not decision.start:
        return decision
    data = data_now(url)
    if "version" not in data:
        return Decision(False, f"{decision.reason}, but {data.get('errorMessage', 'nobody can say which data there is')}")
    decision = plan_for_alarm(decision, limits, news_of(data, *judged_last(sagemaker, runs)), environment_of(event, limits.alarms))
    if decision.untold:
        tell(decision.untold, limits, now, str(event["id"]))
    return decision


def is_feedback(event: Mapping[str, Any]) -> bool:
    return event["source"] == "aws.s3" and event["detail"]["object"]["key"].startswith(os.environ["FEEDBACK"])


def data_now(url: str) -> dict[str, Any]:
    """What the function says that every training asks first (data_versions.py of the steps): it may list what this one may not."""
    answer = boto3.client("lambda").invoke(FunctionName=os.environ["DATA_VERSION_FUNCTION"], Payload=json.dumps({"url": url}).encode())
    return dict(json.loads(answer["Payload"].read()))


def judged_last(sagemaker: Any, runs: Sequence[Mapping[str, Any]]) -> tuple[dict[str, str] | None, datetime | None]:
    """What the data were for the newest run that judged a version, and when it began. A version that the gate refused was tried, too."""
    for run in runs:
        arn = run["PipelineExecutionArn"]
        steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn, MaxResults=100)["PipelineExecutionSteps"]
        by_name = {step["StepName"]: step for step in steps}
        if by_name.get(JUDGING_STEP, {}).get("StepStatus") == "Succeeded":
            outputs = by_name.get(DATA_STEP, {}).get("Metadata", {}).get("Lambda", {}).get("OutputParameters", [])
            return {output["Name"]: output["Value"] for output in outputs}, run["StartTime"]
    return None, None


def tell(message: str, limits: Limits, now: datetime, event_id: str) -> None:
    """One message, and no other within the quiet time, whichever alarm it is: what is missing is the same.

    It is noted first, and only if the note is still the one that was read: of many alarms in one second, one tells. Where telling fails,
    Lambda tries the event once more, and the note is that event's own. Source: "Conditional writes" of the S3 user guide.
    """
    address = f"s3://{os.environ['DATA_BUCKET']}/{os.environ['FEEDBACK']}{TOLD}"
    before, etag = read_with_etag(address)
    told = before or {}
    if told.get("at") and told.get("event") != event_id and now - datetime.fromisoformat(told["at"]) < limits.quiet:
        print(f"told at {told['at']}: {message.splitlines()[0]}")
        return
    bucket, _, key = address.removeprefix("s3://").partition("/")
    condition = {"IfMatch": etag} if etag else {"IfNoneMatch": "*"}
    try:
        body = json.dumps({"at": now.isoformat(), "event": event_id}).encode()
        boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=body, **condition)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("PreconditionFailed", "ConditionalRequestConflict"):
            raise
        print(f"another alarm tells it: {message.splitlines()[0]}")
        return
    subject = f"{limits.model}: nothing new to learn from"[:99]
    boto3.client("sns").publish(TopicArn=os.environ["ALERT_TOPIC_ARN"], Subject=subject, Message=message)


def read_json(url: str) -> dict[str, Any] | None:
    """None for an object that is not there, or is no JSON."""
    return read_with_etag(url)[0]


def read_with_etag(url: str) -> tuple[dict[str, Any] | None, str | None]:
    """What is there, None if it is no JSON, and its ETag; None and None for an object that is not there.

    Who may not list the bucket is refused an object that is not there ("GetObject" of the S3 API reference); what a condition on the prefix
    does to that is not documented, so both answers mean the same here.
    """
    s3, (bucket, _, key) = boto3.client("s3"), url.removeprefix("s3://").partition("/")
    try:
        found = s3.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("NoSuchKey", "AccessDenied"):
            raise
        return None, None
    try:
        return dict(json.loads(found["Body"].read())), found["ETag"]
    except (ValueError, TypeError):
        return None, found["ETag"]
