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
#: How a missing value is said to have been taken, and for which state that speaks.
_TREATED = {"breaching": ("Breaching", "ALARM"), "notBreaching": ("NonBreaching", "OK")}


@dataclass(frozen=True)
class Evaluation:
    """`values`: of the periods that were looked at, oldest first. `end`: Unix time at which the last of them ended."""

    state: str
    reason: str
    values: tuple[float | None, ...]
    end: float


def evaluate(alarm: Mapping[str, Any], read: Reader, now: float) -> Evaluation:
    """State of the alarm from the periods that are over at `now`. Raises CapacityError for what is not supported."""
    period, count = int(alarm["Period"]), int(alarm["EvaluationPeriods"])
    end = now // period * period
    values = tuple(_values(alarm, read, end, count + _EXTRA_PERIODS))
    rule = Alarm(
        name=alarm["AlarmName"],
        metric=MetricSpecification(alarm["MetricName"], period_seconds=period),
        comparison=alarm["ComparisonOperator"],
        threshold=float(alarm["Threshold"]),
        evaluation_periods=count,
        datapoints_to_alarm=int(alarm.get("DatapointsToAlarm") or count),
        treat_missing_data=alarm.get("TreatMissingData") or "missing",
    )
    state = state_of(rule, values, alarm["StateValue"], _EXTRA_PERIODS)
    return Evaluation(state, _reason(rule, state, values, end), values, end)


def _values(alarm: Mapping[str, Any], read: Reader, end: float, count: int) -> list[float | None]:
    dimensions = {dimension["Name"]: dimension["Value"] for dimension in alarm.get("Dimensions") or []}
    statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
    stat = MetricStat(alarm["Namespace"], alarm["MetricName"], dimensions, statistic, int(alarm["Period"]), alarm.get("Unit"))
    return read(stat, end, count)


def _reason(rule: Alarm, state: str, values: Sequence[float | None], end: float) -> str:
    """In CloudWatch's words, as a person finds them in the cloud: of the values that decided, which may be older than N periods.

    What missing values were taken for is said where it speaks for the state. CloudWatch says it in any case, and so tells of an alarm
    that is on that "19 missing datapoints were treated as [NonBreaching]".
    """
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
    filled = _filled(rule, state, count - len(used))
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


def _filled(rule: Alarm, state: str, missing: int) -> str:
    """What was taken for the periods without a value; empty where none was needed, or where it did not make the state."""
    treated, deciding = _TREATED.get(rule.treat_missing_data, ("", ""))
    if not missing or state != deciding:
        return ""
    return f"{_counted(missing, 'missing datapoint')} {'was' if missing == 1 else 'were'} treated as [{treated}]"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
