"""Tells what a window was found to be: metrics for alarms and dashboard, and one message for what nobody has been told yet.

Input: `findings.json` of a judged window, clients, and where to publish. Output: CloudWatch metrics in the model's namespace, and a message
to the environment's alert topic. Called by monitor.py for each window that it judged, oldest first. What was told is noted by the window in
which it began (`told/`), so a run that failed on its way leaves it to the next one, and a window that is judged again says nothing twice.

Metrics have the time of now, because an alarm looks at the last hour, and are of the newest window only. A window without traffic, or with
too few rows, publishes none: no news is not good news. infra/drift_metrics.py has their names for the alarm and the dashboard.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import words
from store import GoneError, Store

#: Features that left the version's own data, counting the finding that all together did as one.
DRIFTED_FEATURES = "DriftedFeatures"
#: Metrics of quality below their limit, estimated or realised, and attributions that changed their order.
QUALITY_BREACHES = "QualityBreaches"
BIAS_BREACHES = "BiasBreaches"
#: Shares of missing, unseen, wrong and refused values above theirs.
CONTRACT_BREACHES = "ContractBreaches"
JUDGED_ROWS = "JudgedRows"
#: Of one feature: its distance from the version's own data, 0 to 1; of several versions in one window, the largest.
EFFECT = "Drift"
_COUNTED = {
    DRIFTED_FEATURES: ("drift", "joint"),
    QUALITY_BREACHES: ("estimate", "quality", "attributions"),
    BIAS_BREACHES: ("bias",),
    CONTRACT_BREACHES: ("contract",),
}
_JUDGED = ("ok", "breached")
#: Of one request of PutMetricData, which takes 1,000: CloudWatch API reference.
_DATA_AT_ONCE = 500
_LONGEST_DIMENSION = 1024
_LINES = 20  # of a message: more is for the report
_LONGEST_SUBJECT = 99  # "less than 100 characters", ASCII, no line breaks: Publish of the SNS API reference

_CONSOLES = {"cn-": "console.amazonaws.cn", "us-gov-": "console.amazonaws-us-gov.com"}


@dataclass(frozen=True)
class Clients:
    """boto3's of CloudWatch and SNS, and the store of the environment's bucket."""

    cloudwatch: Any
    sns: Any
    store: Store


@dataclass(frozen=True)
class Place:
    """`namespace`: the model's own. `endpoint`: the name by which its metrics go. `monitoring`: its prefix in `bucket`."""

    namespace: str
    endpoint: str
    topic_arn: str
    bucket: str
    monitoring: str
    region: str

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> Place:
        """As pipelines/monitoring/pipeline.py gives them to the job."""
        return cls(
            namespace=variables["METRICS_NAMESPACE"],
            endpoint=variables["ENDPOINT_NAME"],
            topic_arn=variables["ALERT_TOPIC_ARN"],
            bucket=variables["BUCKET"],
            monitoring=variables["MONITORING_PREFIX"],
            region=variables["AWS_DEFAULT_REGION"],
        )


def publish(findings: Mapping[str, Any], *, clients: Clients, place: Place, truth: Mapping[str, Any] | None = None) -> None:
    """`truth`: of the newest of all windows, the findings of the newest one whose truth is known, `{}` if there is none; None: there is a
    newer window, and this one, which was judged again, says nothing about now.

    The message goes first: a metric that is missing is published by the next run, a person who was not called is not.
    """
    known = {since: _told(clients.store, place, since) for since in {str(breach["since"]) for breach in findings["breaches"]}}
    new = [breach for breach in findings["breaches"] if _identity(breach) not in known[str(breach["since"])]]
    if new:
        report = f"{place.monitoring}windows/{window_name(findings['window'])}/report.html"
        clients.sns.publish(TopicArn=place.topic_arn, Subject=subject_of(findings, new), Message=message_of(findings, new, report, place))
        for since in sorted({str(breach["since"]) for breach in new}):
            told = known[since] | {_identity(breach) for breach in new if str(breach["since"]) == since}
            clients.store.write(_told_key(place, since), (json.dumps(sorted(told), indent=1) + "\n").encode(), "application/json")
    if truth is not None:
        data = metrics_of(findings, place.endpoint, truth)
        for start in range(0, len(data), _DATA_AT_ONCE):
            clients.cloudwatch.put_metric_data(Namespace=place.namespace, MetricData=data[start : start + _DATA_AT_ONCE])


def window_name(window: Mapping[str, str]) -> str:
    """`2026-11-27T14Z--2026-11-27T15Z` of times as ISO 8601, or so named already: the folder of a window."""
    return f"{_hour(window['from'])}--{_hour(window['to'])}"


def _hour(time: str) -> str:
    return re.sub(r"^(\d{4}-\d\d-\d\dT\d\d).*$", r"\1Z", time)


def _identity(breach: Mapping[str, Any]) -> str:
    """`check`: which share of the contract, or which metric of bias."""
    what = f" {breach['check']}" if breach.get("check") else ""
    return f"{breach['kind']} {breach['feature'] or '*'} {breach['version'] or 'unknown'}{what}"


def _told_key(place: Place, since: str) -> str:
    """What was told of everything that began in a window. It expires as all that was found does: what lasts for months is told again."""
    return f"{place.monitoring}told/{_hour(since)}.json"


def _told(store: Store, place: Place, since: str) -> set[str]:
    """What is damaged tells nothing: somebody is called twice rather than never."""
    try:
        told = json.loads(store.read(_told_key(place, since)).read())
    except (GoneError, ValueError, RecursionError):
        return set()
    return set(map(str, told)) if isinstance(told, list) else set()


def metrics_of(findings: Mapping[str, Any], endpoint: str, truth: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Data for PutMetricData, without a time: CloudWatch takes that of the request. Of a window in which nothing was judged only what the
    truth says, which comes when newer windows have been judged without it.
    """
    is_judged = findings["status"] in _JUDGED
    if not is_judged and not truth:
        return []
    standing = standing_of(findings, truth)
    if not is_judged:
        return _counts(standing, [QUALITY_BREACHES], endpoint)
    of_endpoint = [{"Name": "EndpointName", "Value": endpoint}]
    rows = sum(int(version["rows"]) for version in findings["versions"])
    totals = _counts(standing, list(_COUNTED), endpoint)
    judged = {"MetricName": JUDGED_ROWS, "Dimensions": of_endpoint, "Value": rows, "Unit": "Count"}
    effects: dict[str, float] = {}
    for version in findings["versions"]:
        for drift in version["drift"]:
            effects[drift["feature"]] = max(effects.get(drift["feature"], 0.0), float(drift["effect"]))
    return [*totals, judged, *(_effect(of_endpoint, feature, value) for feature, value in effects.items() if _is_dimension(feature))]


def standing_of(findings: Mapping[str, Any], truth: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Breaches of a window, and what the truth says of the versions that answer in it, or of any where none does."""
    answering = {version["version"] for version in findings["versions"]}
    known = [breach for breach in truth.get("breaches", ()) if breach["kind"] == "quality"]
    return [*findings["breaches"], *(breach for breach in known if not answering or breach["version"] in answering)]


def _counts(breaches: Sequence[Mapping[str, Any]], names: Sequence[str], endpoint: str) -> list[dict[str, Any]]:
    of_endpoint = [{"Name": "EndpointName", "Value": endpoint}]
    counted = {name: len(_distinct(breaches, _COUNTED[name])) for name in names}
    return [{"MetricName": name, "Dimensions": of_endpoint, "Value": value, "Unit": "Count"} for name, value in counted.items()]


def _effect(of_endpoint: list[dict[str, str]], feature: str, value: float) -> dict[str, Any]:
    return {"MetricName": EFFECT, "Dimensions": [*of_endpoint, {"Name": "Feature", "Value": feature}], "Value": value, "Unit": "None"}


def _is_dimension(feature: str) -> bool:
    """What CloudWatch takes as a dimension's value: ASCII with a printable character, no colon first (Dimension of its API reference).

    A feature of another name is in the counts, the message and the report.
    """
    return (
        feature.isascii() and feature.isprintable() and bool(feature.strip()) and feature[0] != ":" and len(feature) <= _LONGEST_DIMENSION
    )


def _distinct(breaches: Sequence[Mapping[str, Any]], kinds: Sequence[str]) -> set[tuple[str, str]]:
    """Features, or findings without one, each once, however many versions served."""
    return {
        (breach["kind"] if breach["kind"] != "drift" else "", breach["feature"] or "*") for breach in breaches if breach["kind"] in kinds
    }


def subject_of(findings: Mapping[str, Any], new: Sequence[Mapping[str, Any]]) -> str:
    """`abalone in production: length, diameter and 3 more`, the largest first, as SNS takes it."""
    named = list(dict.fromkeys(str(same[0]["feature"] or words.name(same)) for same in words.together(new)))
    more = f" and {len(named) - 2} more" if len(named) > 2 else ""
    text = f"{findings['model']} in {findings['environment']}: {', '.join(named[:2])}{more}"
    plain = "".join(sign if sign.isascii() and sign.isprintable() else "?" for sign in text)
    return plain[:_LONGEST_SUBJECT]


def message_of(findings: Mapping[str, Any], new: Sequence[Mapping[str, Any]], report: str, place: Place) -> str:
    """Model, environment and window; each finding with its effect and limit, the largest first; what it costs; where to read on."""
    window, found, versions = findings["window"], words.together(new), findings["versions"]
    cost = words.cost(versions)
    lines = [
        f"{findings['model']} in {findings['environment']}: {_count(len(found))} in the window from {window['from']} to {window['to']}.",
        *([f"{cost}."] if cost else []),
        "",
        *(f"- {words.name(same)}: {words.detail(same, len(versions))}" for same in found[:_LINES]),
        *([f"- and {len(found) - _LINES} more, all of them in the report"] if len(found) > _LINES else []),
        "",
        f"Report: s3://{place.bucket}/{report}",
        f"In the console: {console_address(place, report)}",
    ]
    return "\n".join(lines) + "\n"


def _count(number: int) -> str:
    return "a new finding" if number == 1 else f"{number} new findings"


def console_address(place: Place, key: str) -> str:
    """Of an object in the console, which differs by partition: "Regions and endpoints" of the AWS general reference."""
    host = next((host for prefix, host in _CONSOLES.items() if place.region.startswith(prefix)), "console.aws.amazon.com")
    return f"https://{place.region}.{host}/s3/object/{place.bucket}?region={place.region}&prefix={quote(key)}"
