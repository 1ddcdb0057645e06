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
_TREATED = {"breaching": "Breaching", "notBreaching": "NonBreaching"}


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
    """In CloudWatch's words, as a person finds them in the cloud: of the values that decided, which may be older than N periods."""
    period, count = rule.metric.period_seconds, rule.evaluation_periods
    if state == "INSUFFICIENT_DATA":
        unknown = list(values[-count:]).count(None)
        return f"Insufficient Data: {_counted(unknown, 'datapoint')} {'was' if unknown == 1 else 'were'} unknown."
    starts = [end - period * (len(values) - at) for at in range(len(values))]
    used = [(value, start) for value, start in zip(values, starts, strict=True) if value is not None][-count:]
    decided = [
        f"{float(value)} ({datetime.fromtimestamp(start, UTC):%d/%m/%y %H:%M:%S})"
        for value, start in used
        if BEYOND[rule.comparison](value, rule.threshold) == (state == "ALARM")
    ]
    filled = _filled(rule, count - len(used))
    and_filled = f" and {filled}" if filled else ""
    if not decided:
        return f"Threshold Crossed: no datapoints were received for {_counted(count, 'period')}{and_filled}."
    enough = rule.datapoints_to_alarm if state == "ALARM" else count - rule.datapoints_to_alarm + 1
    transition = "OK -> ALARM" if state == "ALARM" else "ALARM -> OK"
    return (
        f"Threshold Crossed: {len(decided)} out of the last {_counted(count, 'datapoint')} [{', '.join(decided)}] was "
        f"{'' if state == 'ALARM' else 'not '}{_WORDS[rule.comparison]} the threshold ({rule.threshold}){and_filled} "
        f"(minimum {_counted(enough, 'datapoint')} for {transition} transition)."
    )


def _filled(rule: Alarm, missing: int) -> str:
    """What was taken for the periods without a value; empty where none was needed, or where their treatment takes nothing."""
    if not missing or rule.treat_missing_data not in _TREATED:
        return ""
    was = "was" if missing == 1 else "were"
    return f"{_counted(missing, 'missing datapoint')} {was} treated as [{_TREATED[rule.treat_missing_data]}]"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
