"""Everything that an approver is shown of a version, asked once: plain values, which are kept as JSON and shown by view.py.

Input: the version, where its model serves, and what was found on staging. Output: `gather`'s mapping. What cannot be read, or is not
there, is said in its place: an approver has to know what is not known. Used by publishing.py and approve.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from build_scripts.command_line import ProblemError, explain
from build_scripts.missing import found, found_object
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.registry import Version, find, number_of
from capacity.by_request import Use
from deploy_scripts import experiment_power, fleet_price
from deploy_scripts.cost_of_use import asynchronous_lines, serverless_lines
from deploy_scripts.environment_place import EnvironmentPlace
from deploy_scripts.live_capacity import live_fleet
from deploy_scripts.review import commits, cost, differences, evidence
from deploy_scripts.review.evidence import Evidence
from deploy_scripts.review.if_yes import if_yes
from deploy_scripts.type_change import coming
from deploy_scripts.way_back import live_version
from settings_schema import Asynchronous, Batch, Component, Endpoint, Environment, Member, Model, Serverless
from settings_schema.names import VARIANT
from settings_schema.reading import Settings
from settings_schema.serving import OnEndpoint

#: How far ahead of ours an account's clock may be (CloudWatch gives nothing of the future): the local account's can.
_CLOCK_AHEAD = timedelta(days=14)
_HOUR_SECONDS = 3600


@dataclass(frozen=True)
class Question:
    """What is asked about. `place_of`: where an environment lives, as whoever asks may look there."""

    project: ProjectEnvironment
    settings: Settings
    model: Model
    version: Version
    place_of: Callable[[Environment], EnvironmentPlace]

    @property
    def production(self) -> Environment:
        return self.settings.production

    @property
    def place(self) -> EnvironmentPlace:
        return self.place_of(self.production)


def gather(question: Question, staging: Mapping[str, Any] | None) -> dict[str, Any]:
    """`staging`: what verify.py found there (publishing.py); None before it has."""
    s3, model = question.project.client("s3"), question.model
    number, live, said = _production(question)
    names = model.names(question.settings.project).at(question.production.name)
    candidate, production = evidence.read(s3, question.version), evidence.read(s3, live)
    serving = model.serving[question.production.name]
    count = _instances(question) if isinstance(serving, Endpoint) else None
    took, change = (staging or {}).get("seconds"), _tried(lambda: coming(question.place, names, serving))
    return {
        "made_at": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "model": model.name,
        "environment": question.production.name,
        "approvers": model.approvers,
        "version": _version(question.version),
        "production": {"number": number, "said": said},
        "quality": _quality(candidate, production, live),
        "gate": dict(candidate.gate),
        "split": candidate.review.get("split"),
        "data_warnings": candidate.review.get("warnings"),
        "changes": [change._asdict() for change in differences.changes(production, candidate)],
        "commits": _commits(question, production, candidate),
        **_groups(candidate),
        "bias": candidate.review.get("bias"),
        "facet": candidate.review.get("facet"),
        "why": candidate.review.get("why"),
        "making": candidate.review.get("making"),
        "watch": _watch(question),
        "shadow": _shadow(question),
        "experiment": _experiment(question, candidate, number),
        "staging": staging,
        "cost": _cost(question),
        "if_yes": if_yes(model.name, question.production.name, serving, number, count, took, change)._asdict(),
    }


def _version(version: Version) -> dict[str, Any]:
    facts = version.facts
    created = f"{version.created:%Y-%m-%d %H:%M}" if version.created else ""
    kept = {name: facts.get(name, "") for name in ("git-commit", "trigger", "algorithm", "metric", "report-url")}
    return {"number": version.number, "arn": version.arn, "created": created, **kept}


def _production(question: Question) -> tuple[int | None, Version | None, str]:
    """Number of what serves, its version where the registry has it still, and the same in words."""
    name = question.production.name
    names = question.model.names(question.settings.project).at(name)
    arn = _tried(lambda: live_version(question.project, question.place, names))
    if arn is None:
        return None, None, f"no version is in {name}: this would be the first"
    number = number_of(arn)
    if number is None:
        return None, None, f"what {name} has cannot be seen: {arn}"
    version = find(question.project.client("sagemaker"), arn)
    if version is None:
        return number, None, f"version {number}, which {name} has, was deleted from the registry: there is nothing to compare with"
    if version.arn == question.version.arn:
        return number, version, f"version {number} is in {name} already: this changes how it is served"
    return number, version, f"{name} has version {number}"


def _instances(question: Question) -> int | None:
    """On which production runs now; None where it is not there, or cannot be seen."""
    names = question.model.names(question.settings.project).at(question.production.name)
    fleet = _tried(lambda: live_fleet(question.place, names))
    return None if fleet is None or isinstance(fleet, str) else fleet.instances


def _tried(ask: Callable[[], Any]) -> Any:
    """What is answered, or why nothing is: another account may be closed to whoever asks."""
    try:
        return ask()
    except (ProblemError, ClientError) as error:
        return explain(error)


def _quality(candidate: Evidence, production: Evidence, live: Version | None) -> dict[str, Any]:
    """Each metric with its interval, production's own at its evaluation, and the paired difference where the evaluation measured one."""
    champion, theirs = candidate.champion, production.metrics
    beside = (candidate.review.get("beside") or {}).get("metrics") or {}
    if not beside and champion.get("compared"):
        beside = {candidate.gate.get("metric"): champion}
    rows = [{"name": name, **_measured(value), "production": _measured(theirs.get(name) or {}), "difference": _gain(beside.get(name))}
            for name, value in candidate.metrics.items()]  # fmt: skip
    return {"metric": candidate.gate.get("metric") or candidate.facts.get("metric", ""), "rows": rows, "note": _compared(champion, live)}


def _measured(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.get(name) for name in ("value", "lower", "upper")}


def _gain(comparison: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return {name: comparison.get(name) for name in ("gain", "lower", "upper")} if comparison else None


def _compared(champion: Mapping[str, Any], live: Version | None) -> str:
    """With what: production may have changed since the evaluation."""
    name, against = str(champion.get("name", "none")), number_of(str(champion.get("name", "")))
    if not champion:
        return "the evaluation of this version cannot be read"
    if not champion.get("compared"):
        return str(champion.get("detail", "not compared"))
    if live is not None and live.arn != name:
        return f"differences are to version {against}, which was in production when this one was evaluated, not to version {live.number}"
    return f"differences are to version {against}, on the same test rows"


def _groups(candidate: Evidence) -> dict[str, Any]:
    """Of each group production's value and the paired difference, where both were measured."""
    compared = {(item["column"], item["value"]): item for item in (candidate.review.get("beside") or {}).get("groups") or []}
    groups = []
    for item in candidate.review.get("groups") or []:
        both = compared.get((item["column"], item["value"]))
        own = {"value": item["metric_value"], "lower": item["lower"], "upper": item["upper"]}
        beside = {"production": both["production"], "difference": _gain(both)} if both else {"production": None, "difference": None}
        groups.append({"column": item["column"], "group": item["value"], "rows": item["rows"], **own, **beside})
    return {"groups": groups, "sampled": candidate.evaluation.get("sampled")}


def _commits(question: Question, production: Evidence, candidate: Evidence) -> dict[str, Any]:
    before, after = (item.facts.get("git-commit", "") for item in (production, candidate))
    pipeline = question.project.names.build_pipeline

    def built() -> list[Mapping[str, Any]]:
        pages = question.project.client("codepipeline").get_paginator("list_pipeline_executions").paginate(pipelineName=pipeline)
        return [item for page in pages for item in page["pipelineExecutionSummaries"]]

    executions = _tried(built)
    if isinstance(executions, str):
        return {"found": [], "note": f"what was built cannot be seen: {executions}"}
    known = commits.between(executions, before, after)
    return {"found": [commit._asdict() for commit in known.found], "note": known.note}


def _watch(question: Question) -> dict[str, Any] | None:
    """What the watch over production said last; None where there is no watch, or it has judged nothing yet."""
    names = question.model.names(question.settings.project).at(question.production.name)
    return _document(question, question.project.data_bucket, names.feedback) if question.model.watch else None


def _shadow(question: Question) -> dict[str, Any] | None:
    """What production's shadow has shown (deploy_scripts/comparison.py)."""
    key = question.model.names(question.settings.project).comparison(question.version.number)
    return _document(question, question.project.artifact_bucket, key)


def _experiment(question: Question, candidate: Evidence, live: int | None) -> dict[str, Any] | None:
    """The one that follows the approval; None where there is none, or nothing to try beside."""
    serving, number = question.model.serving[question.production.name], question.version.number
    if not isinstance(serving, Endpoint) or serving.experiment is None or live in (None, number):
        return None
    metric = serving.experiment.metric or question.model.data.metric
    rows = (candidate.evaluation.get("rows") or {}).get("test") or 0
    found = experiment_power.smallest_difference(candidate.metrics.get(metric) or {}, rows, serving.experiment)
    return experiment_power.plan(serving.experiment, serving, question.settings.prices, metric, found)


def _document(question: Question, bucket: str, key: str) -> dict[str, Any] | None:
    """None where it is not there. GetObject says so only to whoever may list the whole bucket (API reference), so it is listed first."""
    s3 = question.project.client("s3")
    listed = found_object(s3.list_objects_v2, Bucket=bucket, Prefix=key, MaxKeys=1)
    if listed is not None and not listed.get("Contents"):
        return None
    answer = found_object(s3.get_object, Bucket=bucket, Key=key)
    try:
        return None if answer is None else dict(json.loads(answer["Body"].read()))
    except (ValueError, TypeError):
        return None


def _cost(question: Question) -> dict[str, Any]:
    """Of a day of production at its traffic; of a batch model, what an hour of a job costs."""
    serving, prices = question.model.serving[question.production.name], question.settings.prices
    if isinstance(serving, Batch):
        price = prices.usd_per_hour.get(serving.instance_type)
        hour = {"instance_type": serving.instance_type, "instance_count": serving.instance_count, "usd_per_hour": price}
        return {**hour, "source": f"{prices.source}, {prices.region}, noted {prices.as_of}"}
    if isinstance(serving, Component | Member):
        said = _tried(lambda: list(fleet_price.lines(question.settings, serving, question.production)))
        return {"lines": [said] if isinstance(said, str) else said, "note": ""}
    hourly = _tried(lambda: _requests(question, serving))
    note = f"the traffic cannot be seen: {hourly}" if isinstance(hourly, str) else "" if hourly else "no requests in the last day"
    hourly = {} if isinstance(hourly, str) else hourly
    if isinstance(serving, Endpoint):
        end = max(hourly, default=cost.whole_hour(datetime.now(UTC))) + timedelta(hours=1)
        return {**cost.day(hourly, end, serving, prices)._asdict(), "note": note}
    return {"lines": _cost_of_use(question, serving, sum(hourly.values())), "note": note}


def _cost_of_use(question: Question, serving: Serverless | Asynchronous, requests: float) -> list[str]:
    """Of what is paid for as it is used. Empty without requests, whose length would be unknown."""
    if not requests:
        return []
    seconds = _tried(lambda: _seconds_each(question))
    if not isinstance(seconds, float):
        return [f"how long a request takes cannot be seen: {seconds or 'no latency in the last day'}"]
    lines = serverless_lines if isinstance(serving, Serverless) else asynchronous_lines
    use = Use(requests=requests, seconds_each=seconds)
    said = _tried(lambda: list(lines(serving, question.settings.prices, use)))  # type: ignore[arg-type]  # each by its kind
    return [said] if isinstance(said, str) else [f"{requests:,.0f} requests in the last day of {1000 * seconds:.0f} ms", *said]


def _requests(question: Question, serving: OnEndpoint) -> dict[datetime, float]:
    """Requests that production was sent, by the hour's beginning; of a queue, those that were answered."""
    metric = "InvocationsProcessed" if isinstance(serving, Asynchronous) else "Invocations"
    return {cost.whole_hour(point["Timestamp"]): float(point["Sum"]) for point in _of_last_day(question, metric, "Sum")}


def _seconds_each(question: Question) -> float | None:
    """That the model took for a request. ModelLatency is in microseconds."""
    points = _of_last_day(question, "ModelLatency", "Sum", "SampleCount")
    count = sum(float(point["SampleCount"]) for point in points)
    return sum(float(point["Sum"]) for point in points) / count / 1e6 if count else None


def _of_last_day(question: Question, metric: str, *statistics: str) -> list[dict[str, Any]]:
    now = datetime.now(UTC)
    names = question.model.names(question.settings.project).at(question.production.name)
    answer = found(
        question.place.client("cloudwatch").get_metric_statistics,
        Namespace="AWS/SageMaker",
        MetricName=metric,
        Dimensions=[{"Name": "EndpointName", "Value": names.endpoint}, {"Name": "VariantName", "Value": VARIANT}],
        StartTime=now - timedelta(hours=cost.HOURS),
        EndTime=now + _CLOCK_AHEAD,
        Period=_HOUR_SECONDS,
        Statistics=list(statistics),
    ) or {"Datapoints": []}
    return list(answer["Datapoints"])
