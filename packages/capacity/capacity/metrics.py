"""The CloudWatch metrics of a simulated endpoint: one value for each period, visible only after its delay.

Input: what happened in each tick. Output: the last published values of every metric that the engine watches. Used by `simulate.py`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from capacity.model import Assumptions, MetricSpecification, require
from capacity.queueing import GRID, LatencyTable

#: What the simulator can measure. Units are CloudWatch's: ModelLatency in microseconds, CPUUtilization in percent.
KNOWN = ("Invocations", "InvocationsPerInstance", "ConcurrentRequestsPerModel", "ModelLatency", "CPUUtilization")
_ADDED_UP = ("Invocations", "InvocationsPerInstance")
STATISTICS = ("Sum", "Average", "Minimum", "Maximum")


def check_known(metric: MetricSpecification) -> None:
    """Refuse a metric or statistic that the simulator cannot produce."""
    require(metric.name in KNOWN, f"metric {metric.name!r} is not simulated; allowed: {', '.join(KNOWN)}")
    percentile = metric.statistic[:1] == "p" and metric.name == "ModelLatency"
    allowed = f"statistic {metric.statistic!r} of {metric.name} is not simulated; allowed: {', '.join(STATISTICS)}, and pNN of ModelLatency"
    require(metric.statistic in STATISTICS or percentile, allowed)


class MetricRecorder:
    """Collects ticks into periods and publishes each value `delay` seconds after its period has ended."""

    def __init__(
        self,
        metrics: tuple[MetricSpecification, ...],
        needed: Mapping[MetricSpecification, int],
        assumptions: Assumptions,
        table: LatencyTable,
        tick_seconds: float,
        start: float,
    ) -> None:
        self.published: dict[MetricSpecification, list[float | None]] = {metric: [] for metric in metrics}
        self._series = [_Series(metric, needed[metric], assumptions, table, tick_seconds, start) for metric in metrics]

    def record(self, rate: float, running: int, backlog: float) -> None:
        """One tick: requests per second, serving instances, waiting requests."""
        for series in self._series:
            series.record(rate, running, backlog)

    def record_measured(self, values: Mapping[str, float]) -> None:
        """One tick of a replay that measures, by metric name. ModelLatency is the 99th percentile, in microseconds."""
        for series in self._series:
            series.add(values[series.metric.name])

    def publish(self, now: float) -> bool:
        """Make visible what is due. True if a value was added."""
        news = False
        for series in self._series:
            while series.waiting and series.waiting[0][0] <= now:
                values = self.published[series.metric]
                values.append(series.waiting.pop(0)[1])
                del values[: -series.keep]
                news = True
        return news


class _Series:
    def __init__(
        self, metric: MetricSpecification, keep: int, assumptions: Assumptions, table: LatencyTable, tick_seconds: float, start: float
    ) -> None:
        check_known(metric)
        period = metric.period_seconds
        require(period >= tick_seconds, f"metric {metric.name} has a period of {period} s, shorter than a tick of {tick_seconds:g} s")
        self.metric, self.keep = metric, keep
        fast = period < 60
        delay = assumptions.high_resolution_delay_seconds if fast else assumptions.metric_delay_seconds
        self._delay = delay + assumptions.alarm_action_seconds
        self._ticks, self._tick_seconds = round(period / tick_seconds), tick_seconds
        self._next_end = start + period
        self._value = _tick_value(metric, table, tick_seconds)
        self._statistic = _statistic(metric)
        self._period_values: list[float] = []
        self.waiting: list[tuple[float, float]] = []

    def record(self, rate: float, running: int, backlog: float) -> None:
        self.add(self._value(rate, running, backlog))

    def add(self, value: float) -> None:
        self._period_values.append(value)
        if len(self._period_values) == self._ticks:
            self.waiting.append((self._next_end + self._delay, self._statistic(self._period_values)))
            self._next_end += self.metric.period_seconds
            self._period_values = []


def _statistic(metric: MetricSpecification) -> Callable[[list[float]], float]:
    if metric.name in _ADDED_UP and metric.statistic == "Sum":
        return sum
    choices: dict[str, Callable[[Any], float]] = {"Minimum": min, "Maximum": max}
    return choices.get(metric.statistic, max if metric.statistic.startswith("p") else _mean)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _tick_value(metric: MetricSpecification, table: LatencyTable, tick_seconds: float) -> Callable[[float, int, float], float]:
    """Value of one tick. SageMaker sends 1/instances for each request as InvocationsPerInstance, and zeros without traffic."""
    full = table.service.max_requests_per_second
    if metric.name == "Invocations":
        return lambda rate, running, backlog: rate * tick_seconds
    if metric.name == "InvocationsPerInstance":
        return lambda rate, running, backlog: rate * tick_seconds / running
    if metric.name == "CPUUtilization":
        cores = table.service.workers  # CloudWatch adds up the cores: n of them can read n x 100 %
        return lambda rate, running, backlog: 100.0 * cores * min(1.0, rate / (running * full) + (backlog > 0))
    if metric.name == "ConcurrentRequestsPerModel":
        concurrency = _Lookup(table, table.concurrency)
        return lambda rate, running, backlog: concurrency(rate / (running * full), running) + backlog / running
    rows = range(len(table.sizes))
    percentile = metric.statistic.startswith("p")
    shown = np.array([table.p99(row) for row in rows]) if percentile else table.concurrency / np.maximum(GRID * full, 1e-9)
    shown = np.where(GRID > 0, shown, table.service.mean_seconds)
    latency = _Lookup(table, shown)
    return lambda rate, running, backlog: 1e6 * (latency(rate / (running * full), running) + backlog / (running * full))


class _Lookup:
    """A table on GRID as a fast function of utilisation, in steps of 1/1000 (numpy is slow for single numbers)."""

    def __init__(self, table: LatencyTable, values: Any) -> None:
        """values: shape (len(table.sizes), len(GRID))."""
        self._sizes = table.sizes
        self._rows: list[list[float]] = [np.interp(np.arange(1001) / 1000, GRID, row).tolist() for row in values]

    def __call__(self, utilisation: float, running: int) -> float:
        row = self._rows[max(0, bisect_right(self._sizes, running) - 1)]
        return row[min(1000, int(utilisation * 1000))]
