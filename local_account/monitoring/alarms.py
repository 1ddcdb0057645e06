"""What state an alarm is in, as CloudWatch decides it. Pure, but for the `Reader` that fetches values.

In: an alarm as DescribeAlarms shows it, and the time. Out: `Evaluation`. The table of datapoints and missing ones is `capacity`'s,
so that the simulator and this account cannot differ. Source: CloudWatch user guide, "Using Amazon CloudWatch alarms".
Next: `alarm_loop.py` acts on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from capacity.alarms import BEYOND, state_of
from capacity.model import Alarm, Assumptions, MetricSpecification
from local_account.monitoring import expressions
from local_account.monitoring.store import MetricStat

#: Values of the last periods that ended by a time, oldest first: `series` of `store.py`, or a fake.
Reader = Callable[[MetricStat, float, int], list[float | None]]

_EXTRA_PERIODS = Assumptions().evaluation_range_extra
_WORDS = {
    "GreaterThanOrEqualToThreshold": "greater than or equal to",
    "GreaterThanThreshold": "greater than",
    "LessThanThreshold": "less than",
    "LessThanOrEqualToThreshold": "less than or equal to",
}


@dataclass(frozen=True)
class Evaluation:
    """`values`: of the periods that were looked at, oldest first. `end`: Unix time at which the last of them ended."""

    state: str
    reason: str
    values: tuple[float | None, ...]
    end: float


def period_of(alarm: Mapping[str, Any]) -> int:
    """Length of the alarm's periods in seconds: its own, or that of its queries."""
    if alarm.get("Metrics"):
        return max(int(query["MetricStat"]["Period"]) for query in alarm["Metrics"] if query.get("MetricStat"))
    return int(alarm["Period"])


def evaluate(alarm: Mapping[str, Any], read: Reader, now: float) -> Evaluation:
    """State of the alarm from the periods that are over at `now`. Raises ExpressionError or CapacityError for what is not supported."""
    period, count = period_of(alarm), int(alarm["EvaluationPeriods"])
    end = now // period * period
    values = tuple(_values(alarm, read, end, count + _EXTRA_PERIODS))
    rule = Alarm(
        name=alarm["AlarmName"],
        metric=MetricSpecification(alarm.get("MetricName") or "expression", period_seconds=period),
        comparison=alarm["ComparisonOperator"],
        threshold=float(alarm["Threshold"]),
        evaluation_periods=count,
        datapoints_to_alarm=int(alarm.get("DatapointsToAlarm") or count),
        treat_missing_data=alarm.get("TreatMissingData") or "missing",
    )
    state = state_of(rule, values, alarm["StateValue"], _EXTRA_PERIODS)
    return Evaluation(state, _reason(rule, state, values, end), values, end)


def _values(alarm: Mapping[str, Any], read: Reader, end: float, count: int) -> list[float | None]:
    if not alarm.get("Metrics"):
        statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
        return read(_stat(alarm, statistic, alarm.get("Unit")), end, count)
    queries = {query["Id"]: query for query in alarm["Metrics"]}
    known: dict[str, list[float | None]] = {}
    for identifier, query in queries.items():
        if query.get("MetricStat"):
            stat = query["MetricStat"]
            known[identifier] = read(_stat({**stat["Metric"], "Period": stat["Period"]}, stat["Stat"], stat.get("Unit")), end, count)
    returned = [identifier for identifier, query in queries.items() if query.get("ReturnData", True)]
    if len(returned) != 1:
        raise expressions.ExpressionError(
            f"alarm {alarm['AlarmName']} returns {len(returned)} series; allowed: exactly one with ReturnData"
        )
    return _query(returned[0], queries, known, count, ())


def _query(
    identifier: str, queries: Mapping[str, Any], known: dict[str, list[float | None]], count: int, path: tuple[str, ...]
) -> list[float | None]:
    """Values of a query; expressions may refer to other expressions, but not in a circle."""
    if identifier in known:
        return known[identifier]
    if identifier in path or identifier not in queries:
        raise expressions.ExpressionError(f"metric math refers to {identifier!r}, which no query of the alarm defines")
    expression = queries[identifier]["Expression"]
    inputs = {name: _query(name, queries, known, count, (*path, identifier)) for name in expressions.identifiers(expression)}
    if "METRICS()" in expression.replace(" ", ""):
        inputs |= known
    known[identifier] = [expressions.evaluate(expression, {name: values[at] for name, values in inputs.items()}) for at in range(count)]
    return known[identifier]


def _stat(metric: Mapping[str, Any], statistic: str, unit: str | None) -> MetricStat:
    dimensions = {dimension["Name"]: dimension["Value"] for dimension in metric.get("Dimensions") or []}
    return MetricStat(metric["Namespace"], metric["MetricName"], dimensions, statistic, int(metric["Period"]), unit)


def _reason(rule: Alarm, state: str, values: Sequence[float | None], end: float) -> str:
    """In CloudWatch's words, so that a person finds the same in the cloud."""
    period, newest = rule.metric.period_seconds, list(values[-rule.evaluation_periods :])
    if state == "INSUFFICIENT_DATA":
        return f"Insufficient Data: {newest.count(None)} datapoints were unknown."
    starts = [end - period * (len(newest) - at) for at in range(len(newest))]
    shown = [
        f"{value:g} ({datetime.fromtimestamp(start, UTC):%d/%m/%y %H:%M:%S})"
        for value, start in zip(newest, starts, strict=True)
        if value is not None and BEYOND[rule.comparison](value, rule.threshold) == (state == "ALARM")
    ]
    if not shown:
        treatment = rule.treat_missing_data
        return f"Threshold Crossed: no datapoints were received for {rule.evaluation_periods} periods and missing ones are {treatment}."
    negation = "" if state == "ALARM" else "not "
    return (
        f"Threshold Crossed: {len(shown)} out of the last {rule.evaluation_periods} datapoints [{', '.join(shown)}] was {negation}"
        f"{_WORDS[rule.comparison]} the threshold ({rule.threshold:g}) (minimum {rule.datapoints_to_alarm} for an alarm)."
    )
