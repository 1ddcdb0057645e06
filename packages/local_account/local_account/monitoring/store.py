"""Reads and writes MiniStack's CloudWatch from inside the process: the same data that the API serves, without the HTTP.

A day of accelerated traffic is thousands of points; sending each through the port would take the time that the traffic needs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from local_account.context import Context
from local_account.places import scope

_WRITE_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True)
class Datum:
    """One value of a metric, or a distribution: `values` with how often each occurred (`counts`). `time` in Unix seconds."""

    name: str
    dimensions: Mapping[str, str]
    time: float
    unit: str
    values: Sequence[float]
    counts: Sequence[float] = field(default_factory=list)


def put(context: Context, namespace: str, data: Iterable[Datum]) -> None:
    """Store values as PutMetricData does. Returns when they can be read."""
    import ministack.app

    async def write() -> None:
        _write(context, namespace, list(data))

    loop = ministack.app._MAIN_LOOP
    if loop is None or not loop.is_running() or _runs_here(loop):
        _write(context, namespace, list(data))
    else:  # MiniStack changes its lists on its own event loop only; a write from another thread could be lost
        asyncio.run_coroutine_threadsafe(write(), loop).result(_WRITE_TIMEOUT_SECONDS)


def _runs_here(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


def _write(context: Context, namespace: str, data: Sequence[Datum]) -> None:
    from ministack.services import cloudwatch

    with scope(context.settings.account_id, context.settings.region):
        for datum in data:
            counts = list(datum.counts) or [1.0] * len(datum.values)
            cloudwatch._store_datum(
                namespace, datum.name, dict(datum.dimensions), datum.time, datum.unit, None, list(datum.values), counts, None
            )


@dataclass(frozen=True)
class MetricStat:
    """What an alarm or a query reads: a metric, its statistic (`Sum`, `p99`, ...) and period in seconds."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]
    statistic: str
    period: int
    unit: str | None = None


def series(stat: MetricStat, end: float, count: int) -> list[float | None]:
    """Values of the last `count` periods that ended by `end`, oldest first, None where nothing was reported.

    Needs MiniStack's account and region of the calling thread (`heartbeat.run` sets them).
    """
    from ministack.services import cloudwatch

    last = int(end // stat.period)
    first = last - count
    points = cloudwatch._metrics.get((stat.namespace, stat.name, cloudwatch._dims_key(dict(stat.dimensions)))) or []
    periods: dict[int, list[Any]] = {}
    for point in reversed(list(points)):
        period = int(point["Timestamp"] // stat.period)
        if period < first - 1:
            break  # points arrive in order of time, give or take a period
        if first <= period < last and (stat.unit is None or point["Unit"] == stat.unit):
            periods.setdefault(period, []).append(point)
    return [_value(stat.statistic, periods.get(period)) for period in range(first, last)]


def _value(statistic: str, points: Sequence[Any] | None) -> float | None:
    if not points:
        return None
    from ministack.services import cloudwatch

    value = cloudwatch._stat_value(cloudwatch._calc_stats(points), statistic, points)
    return None if value is None else float(value)
