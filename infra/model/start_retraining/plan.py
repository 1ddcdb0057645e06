"""Whether a training starts, and why or why not: pure, but for what the function's environment sets (`Limits.set`).

Input: the event, the latest runs, what there is to learn from. Output: `Decision`. The reasons: docs/decisions/0061-*.md and 0131-*.md.
Next: handler.py, which asks and does it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

ACTIVE = ("Executing", "Stopping")
NEW_MODEL = "aws.cloudformation"
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


def data_url(event: Mapping[str, Any]) -> str | None:
    """Address of the object that an S3 event is about. EventBridge gives the key as it is, not URL-encoded."""
    if event["source"] != "aws.s3":
        return None
    return f"s3://{event['detail']['bucket']['name']}/{event['detail']['object']['key']}"
