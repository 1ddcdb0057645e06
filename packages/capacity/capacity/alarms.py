"""State of a CloudWatch alarm from the last values of its metric. Pure; the next file is `engine.py`.

Source: CloudWatch user guide, "Evaluating an alarm" and "Configuring how CloudWatch alarms treat missing data";
every row of that page's tables is a test.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence

from capacity.model import Alarm

OK, ALARM, INSUFFICIENT_DATA = "OK", "ALARM", "INSUFFICIENT_DATA"

BEYOND: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


def state_of(alarm: Alarm, values: Sequence[float | None], previous: str = INSUFFICIENT_DATA, extra_periods: int = 2) -> str:
    """Alarm state for `values`, oldest first, one for each period, None where no value was reported.

    At most `evaluation_periods + extra_periods` of the newest values are looked at (the guide's "evaluation range").
    `previous` is the state that is kept where the guide says so (`ignore`).
    """
    needed = alarm.evaluation_periods
    beyond, threshold = BEYOND[alarm.comparison], alarm.threshold
    window = values[-(needed + extra_periods) :]
    present = [(age, beyond(value, threshold)) for age, value in zip(range(len(window), 0, -1), window, strict=True) if value is not None]
    breaching = [breach for _, breach in present[-needed:]]
    if len(present) >= needed:
        return ALARM if sum(breaching) >= alarm.datapoints_to_alarm else OK
    return _with_gaps(alarm, present, breaching, previous)


def _with_gaps(alarm: Alarm, present: list[tuple[int, bool]], breaching: list[bool], previous: str) -> str:
    """Fewer values than evaluation periods: missing ones are filled in as `treat_missing_data` says, as few as possible."""
    count, enough = sum(breaching), alarm.datapoints_to_alarm
    missing = alarm.evaluation_periods - len(present)
    treatment = alarm.treat_missing_data
    if treatment == "breaching":
        return ALARM if count + missing >= enough else OK
    if treatment == "notBreaching" or count >= enough:
        return ALARM if count >= enough else OK
    if not all(breaching):
        return OK
    if treatment == "ignore":
        return previous
    # "missing": all values there are breach. It is an alarm once the oldest is at least M periods old.
    return ALARM if present and present[0][0] >= enough else INSUFFICIENT_DATA
