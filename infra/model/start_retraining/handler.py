"""Lambda: starts the SageMaker training pipeline for a schedule, new data, drift or lost quality, unless a run is active; for a new model,
the build.

Input: an S3 "Object Created" event, a CloudWatch "Alarm State Change" event, the schedule's `{"source": "schedule"}`, or CloudFormation's
"Stack Status Change", after which the build makes the pipeline and starts it. Output: `{"started": <what or None>, "reason": ...}`.
Environment: SAGEMAKER_PIPELINE_NAME, BUILD_PIPELINE_NAME; for alarms also those that `Limits.set` and `tell` read.

An alarm starts a run only where there is something new to learn from since the last run that judged a version: a newer upload, or enough
answers whose truth has become known. Otherwise a person is told what is missing. An alarm is an event of one moment, and what was missing
may come later: so what a watch writes of its windows (`feedback/`, pipelines/monitoring/steps/why.py) counts as its alarm, while limits
are broken. Two events at the same moment get the same run (docs/decisions/0061-one-run-for-two-events.md); why alarms ask first:
docs/decisions/0131-retraining-asks-what-is-new.md. Next in the journey: pipelines/tabular/pipeline.py, the definition that then runs.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.exceptions import ClientError

ACTIVE = ("Executing", "Stopping")
NEW_MODEL = "aws.cloudformation"
COMMIT_PREFIX = "commit "
#: Steps of pipelines/tabular/pipeline.py: what says which data there is, and what judges the version that was made of them.
DATA_STEP, JUDGING_STEP = "DataVersion", "Evaluate"
#: Below the model's feedback; not .json, which wakes this function.
TOLD = "_TOLD"
_BY_ITSELF = "CreatePipeline"


@dataclass(frozen=True)
class Decision:
    """Whether training starts, why, and with which pipeline parameters. `untold`: what a person should be told, where nothing starts."""

    start: bool
    reason: str
    parameters: dict[str, str] = field(default_factory=dict)
    untold: str = ""


@dataclass(frozen=True)
class Limits:
    """Of the model's Retraining. `alarms`: names by environment and kind, of those that may start a run."""

    model: str
    quiet: timedelta
    min_new_rows: int
    learns: bool
    alarms: Mapping[str, Mapping[str, str]]

    @classmethod
    def set(cls) -> Limits:
        """As the function's environment says."""
        return cls(
            os.environ["MODEL_NAME"],
            timedelta(hours=int(os.environ["QUIET_HOURS"])),
            int(os.environ["MIN_NEW_ROWS"]),
            os.environ["LEARNS_FROM_ANSWERS"] == "true",
            json.loads(os.environ["ALARMS"]),
        )


@dataclass(frozen=True)
class News:
    """What there is to learn from that the last run which judged a version did not have. `since`: when that began; None: there was none."""

    since: datetime | None
    is_uploaded: bool
    rows: int


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


def plan_for_alarm(decision: Decision, limits: Limits, news: News, environment: str) -> Decision:
    """Of a decision to start for an alarm: whether there is something new to learn from, or what a person can do about it."""
    if news.since is None or news.is_uploaded or (limits.learns and news.rows >= limits.min_new_rows):
        return decision
    answers = f" and {news.rows} of {limits.min_new_rows} labelled answers (Retraining.min_new_rows)" if limits.learns else ""
    since = f"the run of {news.since.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    missing = f"nothing new to learn from since {since}: no upload{answers}"
    send = f"python -m deploy_scripts.send_labels labels.csv --model {limits.model} --environment {environment}"
    learn = f"or send what turned out to be true of answers:\n  {send}"
    if not limits.learns:
        learn += f"\n  (which the model learns from with Retraining.learn_from_answers in models/{limits.model.replace('-', '_')}.py)"
    remedy = f"Upload newer data:\n  python -m build_scripts.upload_data --model {limits.model} FILE\n{learn}"
    return Decision(
        False, f"{decision.reason}, but there is {missing}", untold=f"{decision.reason}: no training starts, {missing}.\n\n{remedy}"
    )


def plan_quiet(decision: Decision, runs: Sequence[Mapping[str, Any]], now: datetime, quiet: timedelta) -> Decision:
    """Of a decision to start for an alarm: not soon after another run, whatever started that and however it ended."""
    began = runs[0].get("StartTime") if runs else None
    if began is None or now - began >= quiet:
        return decision
    hours = f"{quiet.total_seconds() / 3600:g} hours after one began (Retraining.quiet_hours)"
    return Decision(False, f"{decision.reason}, but alarms start no run within {hours}: {began.astimezone(UTC):%Y-%m-%d %H:%M} UTC")


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


def moment_of(event: Mapping[str, Any]) -> datetime:
    """When it happened, as EventBridge says in each of its events; by hand, now."""
    return datetime.fromisoformat(event["time"]) if event.get("time") else datetime.now(UTC)


def as_alarm(event: Mapping[str, Any], feedback: Mapping[str, Any], alarms: Mapping[str, Mapping[str, str]]) -> dict[str, Any] | None:
    """The alarm event that is like it: a watch has found limits broken. None: no alarm that may start a run is on.

    Its time is that of the run that tells: what it found may be of long ago, where labels came late.
    """
    names = alarms.get(str(feedback["environment"]), {})
    on = [names[kind] for kind in feedback["alarms"] if kind in names]
    if not on:
        return None
    return {
        "source": "aws.cloudwatch",
        "id": event["id"],
        "time": feedback.get("told_at", feedback["judged_at"]),
        "detail": {"alarmName": on[0]},
    }


def environment_of(event: Mapping[str, Any], alarms: Mapping[str, Mapping[str, str]]) -> str:
    """Of an alarm's event."""
    name = event["detail"]["alarmName"]
    return next((environment for environment, names in alarms.items() if name in names.values()), "...")


def news_of(now: Mapping[str, Any], then: Mapping[str, Any] | None, since: datetime | None) -> News:
    """What DataVersion says now, and what it said to the last run that judged a version; None: there was none.

    A run of an earlier definition said only which version the data were. A tally that is smaller than it was has begun anew.
    """
    if then is None:
        return News(None, is_uploaded=True, rows=0)
    if "uploaded" not in then:
        return News(since, is_uploaded=now["version"] != then.get("version"), rows=0)
    rows, known = int(now["learned"]), int(then["learned"])
    return News(since, is_uploaded=now["uploaded"] != then["uploaded"], rows=rows - known if rows >= known else rows)


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
