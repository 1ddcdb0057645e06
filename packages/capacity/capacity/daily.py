"""Finds the daily pattern in traffic and turns it into a few scheduled minimums.

Input: traffic and what one instance should carry. Output: cron windows in local time. Used by `candidates.py`.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from capacity.schedule import time_zone as zone_of
from capacity.traffic import Traffic

WINDOWS_PER_DAY = 3  # few enough to read and to keep up to date
HOURS = 24
_WORKING, _WEEKEND = "MON-FRI", "SAT,SUN"


@dataclass(frozen=True, kw_only=True)
class Window:
    """From `cron` (six fields, local time) on, at least `min_capacity` instances."""

    name: str
    cron: str
    min_capacity: int


def windows(
    traffic: Traffic,
    per_instance: float,
    zone: str,
    *,
    lead_seconds: float,
    max_capacity: int,
    slack_hours: int = 0,
    per_day: int = WINDOWS_PER_DAY,
) -> tuple[Window, ...]:
    """Scheduled minimums that carry the usual load of each hour; empty if the day is flat.

    slack_hours: also cover what comes this much earlier or later than usual. per_day: WINDOWS_PER_DAY, or HOURS for every change.

    per_instance: requests per second that one instance should carry. lead_seconds: how long before the hour to start, so
    that instances serve when it begins. Working days and weekends are told apart if the traffic has both.
    """
    hourly = _usual_need(traffic, per_instance, zone, max_capacity)
    for shift in range(1, slack_hours + 1):
        hourly = {kind: np.fmax(need, np.fmax(np.roll(need, shift), np.roll(need, -shift))) for kind, need in hourly.items()}
    found: list[Window] = []
    both = all(np.isfinite(hourly[kind]).all() for kind in (_WORKING, _WEEKEND))
    groups = [(_WORKING, hourly[_WORKING]), (_WEEKEND, hourly[_WEEKEND])] if both else [("*", _known(hourly))]
    for days, need in groups:
        for hour, count in _blocks(need) if per_day < HOURS else _changes(need):
            found.append(_window(days, hour, count, lead_seconds))
    levels = {window.min_capacity for window in found}
    return tuple(found) if len(levels) > 1 else ()


def _usual_need(traffic: Traffic, per_instance: float, zone: str, max_capacity: int) -> dict[str, NDArray[np.float64]]:
    """Instances for each local hour (24 values; NaN where the traffic has none): the 90th percentile of its minutes."""
    local = zone_of(zone)
    loads: dict[tuple[str, int], list[float]] = {}
    for index, rate in enumerate(traffic.rate.tolist()):
        moment = datetime.fromtimestamp(traffic.start + index * traffic.step_seconds, UTC).astimezone(local)
        loads.setdefault((_WEEKEND if moment.weekday() >= 5 else _WORKING, moment.hour), []).append(rate)
    need = {kind: np.full(24, np.nan) for kind in (_WORKING, _WEEKEND)}
    for (kind, hour), rates in loads.items():
        need[kind][hour] = min(max_capacity, max(1, math.ceil(float(np.quantile(rates, 0.9)) / per_instance - 1e-9)))
    return need


def _known(hourly: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """One day for all days: the larger need of those known; a missing hour takes the smallest."""
    day = np.fmax(hourly[_WORKING], hourly[_WEEKEND])
    return np.where(np.isnan(day), np.nanmin(day), day)


def _blocks(need: NDArray[np.float64]) -> list[tuple[int, int]]:
    """(first hour, minimum): at most WINDOWS_PER_DAY windows around the clock, with the fewest instance-hours that cover `need`."""
    best: tuple[float, list[int]] = (math.inf, [])
    for starts in _choices():
        edges = [*starts, starts[0] + 24]
        hours = sum((b - a) * need[np.arange(a, b) % 24].max() for a, b in itertools.pairwise(edges))
        if hours < best[0] - 1e-9:
            best = (float(hours), list(starts))
    edges = [*best[1], best[1][0] + 24]
    found = [(a, int(need[np.arange(a, b) % 24].max())) for a, b in itertools.pairwise(edges)]
    return [block for i, block in enumerate(found) if block[1] != found[i - 1][1]] or found[:1]


def _changes(need: NDArray[np.float64]) -> list[tuple[int, int]]:
    """(hour, minimum) at each change of the need around the clock."""
    return [(hour, int(need[hour])) for hour in range(HOURS) if need[hour] != need[hour - 1]] or [(0, int(need[0]))]


def _choices() -> list[tuple[int, ...]]:
    """Start hours of one, two or three windows."""
    pairs = [(a, b) for a in range(24) for b in range(a + 1, 24)]
    return [(0,), *pairs, *[(a, b, c) for a, b in pairs for c in range(b + 1, 24)]]


def _window(days: str, hour: int, count: int, lead_seconds: float) -> Window:
    """A cron before the hour by the lead, rounded up to five minutes. A window at midnight starts the evening before."""
    lead = math.ceil(lead_seconds / 300) * 5
    start = (hour * 60 - lead) % 1440
    shifted = hour * 60 < lead
    day = {_WORKING: "SUN-THU", _WEEKEND: "FRI,SAT", "*": "*"}[days] if shifted else days
    name = {_WORKING: "working-day", _WEEKEND: "weekend", "*": "daily"}[days]
    return Window(name=f"{name}-{hour:02d}", cron=f"{start % 60} {start // 60} ? * {day} *", min_capacity=count)
