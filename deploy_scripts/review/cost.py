"""What a day of production costs: as many instances as its requests of the last day need, at the prices of settings.py. Pure.

Instances follow target tracking's own arithmetic (invocations of a minute / TargetValue, rounded up, within the bounds in force: "Target
tracking scaling policies" of the Application Auto Scaling user guide). How fast scaling reacts is left out; `make capacity` replays it.
Input: requests by hour. Output: `DayCost`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from capacity import schedule
from settings_schema import Autoscaling, Endpoint, Prices

HOURS = 24
_LOOK_BACK = timedelta(days=8)  # a weekly schedule has fired


class DayCost(NamedTuple):
    """`usd`: None where no price is noted for the type. `requests`: of the day; `instance_hours`: that they need."""

    instance_type: str
    requests: float
    instance_hours: float
    usd: float | None
    source: str


def day(hourly: Mapping[datetime, float], end: datetime, serving: Endpoint, prices: Prices) -> DayCost:
    """The 24 hours before `end` (UTC). `hourly`: requests by the hour's beginning; an hour that it does not have had none."""
    begins = [end - timedelta(hours=hours) for hours in range(HOURS, 0, -1)]
    requests = [sum(count for at, count in hourly.items() if begin <= at < begin + timedelta(hours=1)) for begin in begins]
    hours = float(sum(instances(count / 60, begin, serving) for begin, count in zip(begins, requests, strict=True)))
    price = prices.usd_per_hour.get(serving.instance_type)
    source = f"{prices.source}, {prices.region}, noted {prices.as_of}"
    return DayCost(serving.instance_type, float(sum(requests)), hours, None if price is None else hours * price, source)


def instances(per_minute: float, at: datetime, serving: Endpoint) -> int:
    """That target tracking keeps for so many requests a minute."""
    scaling = serving.autoscaling
    if scaling is None:
        return serving.initial_instance_count
    lowest, highest = _bounds(scaling, at)
    if scaling.target_tracking is None:
        return lowest
    return min(highest, max(lowest, math.ceil(per_minute / scaling.target_tracking.invocations_per_instance)))


def _bounds(scaling: Autoscaling, at: datetime) -> tuple[int, int]:
    """In force at a time: of the schedule that fired last, or of the settings where none has."""
    fired = [
        (moment, planned)
        for planned in scaling.schedules
        for moment in schedule.parse(f"cron({planned.cron})", scaling.time_zone).between(at - _LOOK_BACK, at + timedelta(seconds=1))
    ]
    if not fired:
        return scaling.min_capacity, scaling.max_capacity
    _, last = max(fired, key=lambda pair: pair[0])
    return last.min_capacity, last.max_capacity


def whole_hour(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
