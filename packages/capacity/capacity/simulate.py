"""Replays traffic against a scaling configuration, minute by minute of a day or a week: the fluid model.

Inputs: `Configuration` (what is deployed), `Traffic`, `ServiceTime`, the SLO and the `Assumptions`. Output: `Replay`, with
load, instances, latency and every decision. Requests are a flow here: what exceeds the capacity waits in a backlog; waiting
below it follows `queueing.py`, by the variant's routing strategy. `requests.py` replays single requests instead.
Next: `compare.py`, `page.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from capacity.bounds import Decision
from capacity.control import ControlLoop
from capacity.model import Assumptions, Configuration
from capacity.queueing import P99_BUDGET, LatencyTable
from capacity.service import ServiceTime
from capacity.traffic import Traffic

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
TICK_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Replay:
    """What happened, one value for each tick. Arrays have shape (ticks,)."""

    name: str
    start: float
    tick_seconds: float
    load: Floats  # requests per second
    running: Counts  # instances that serve
    desired: Counts  # instances asked for
    billed: Counts
    backlog: Floats  # requests that wait because the load is above the capacity
    breach: Floats  # share of the requests slower than the SLO, or lost
    p99_seconds: Floats
    lost: float
    decisions: Sequence[Decision] = field(default_factory=tuple)

    @property
    def requests(self) -> float:
        return float(self.load.sum() * self.tick_seconds)

    @property
    def breach_share(self) -> float:
        """Requests slower than the SLO, or lost, as a share of all. The p99 holds while this is at most 0.01."""
        return float((self.load * self.breach).sum() / max(self.load.sum(), 1e-300))

    @property
    def breached_hours(self) -> int:
        """Hours (of the replay, not of the clock) whose p99 was above the SLO."""
        ticks = round(3600 / self.tick_seconds)
        slow, total = self.load * self.breach, self.load
        starts = np.arange(0, len(total), ticks)
        return int((np.add.reduceat(slow, starts) > P99_BUDGET * np.add.reduceat(total, starts)).sum())

    @property
    def instance_hours(self) -> float:
        return float(self.billed.sum() * self.tick_seconds / 3600)

    def cost(self, usd_per_hour: float) -> float:
        return self.instance_hours * usd_per_hour


def simulate(
    configuration: Configuration,
    traffic: Traffic,
    service: ServiceTime,
    *,
    slo_seconds: float,
    assumptions: Assumptions | None = None,
    name: str = "configured",
    tick_seconds: float = TICK_SECONDS,
    deployments: Sequence[tuple[float, float]] = (),
    table: LatencyTable | None = None,
) -> Replay:
    """Replay with the engine in the loop. deployments: (seconds after the start, duration in seconds) of guarded updates.

    table: of this service time, SLO and routing, where the caller has it already.
    """
    assumptions = assumptions or Assumptions()
    table = table or LatencyTable.of(service, slo_seconds, configuration.routing, assumptions)
    load = traffic.at_ticks(tick_seconds)
    loop = ControlLoop(configuration, assumptions, table, tick_seconds=tick_seconds, start=traffic.start, deployments=deployments)
    fleet = loop.fleet
    flow = _Flow(service, assumptions, tick_seconds, closed_loop=traffic.closed_loop)
    running, desired = np.empty(len(load), np.int64), np.empty(len(load), np.int64)
    backlog, arrived = np.empty(len(load)), np.empty(len(load))
    for tick, offered in enumerate(load.tolist()):
        loop.act(tick)
        arrived[tick] = flow.pass_tick(offered, fleet.running)
        loop.recorder.record(arrived[tick], fleet.running, flow.backlog)
        running[tick], desired[tick], backlog[tick] = fleet.running, fleet.desired, flow.backlog
    lost = flow.lost_at(len(load))
    return judge(name, traffic.start, tick_seconds, arrived, running, desired, backlog, lost, loop.decisions, table)


class _Flow:
    """The backlog: load above the capacity waits; what would wait longer than the client's timeout is lost."""

    def __init__(self, service: ServiceTime, assumptions: Assumptions, tick_seconds: float, *, closed_loop: bool) -> None:
        self._rate = service.max_requests_per_second
        self._mean = service.mean_seconds
        self._timeout, self._tick, self._closed = assumptions.client_timeout_seconds, tick_seconds, closed_loop
        self.backlog = 0.0
        self._lost: dict[int, float] = {}
        self._ticks = 0

    def pass_tick(self, offered: float, running: int) -> float:
        """Requests per second that arrive. In a closed loop they are as many as users who have their answer."""
        capacity = self._rate * running
        if self._closed:
            self._ticks += 1
            return min(offered / self._mean, capacity)
        waiting = self.backlog + (offered - capacity) * self._tick
        if waiting <= 0.0:
            self.backlog = 0.0
        else:
            most = capacity * self._timeout
            if waiting > most:
                self._lost[self._ticks] = waiting - most
                waiting = most
            self.backlog = waiting
        self._ticks += 1
        return offered

    def lost_at(self, ticks: int) -> Floats:
        lost = np.zeros(ticks)
        for tick, count in self._lost.items():
            lost[tick] = count
        return lost


def judge(
    name: str,
    start: float,
    tick_seconds: float,
    load: Floats,
    running: Counts,
    desired: Counts,
    backlog: Floats,
    lost: Floats,
    decisions: Sequence[Decision],
    table: LatencyTable,
) -> Replay:
    """Latency and SLO breaches of a replay whose instance counts are known."""
    capacity = np.maximum(running, 1e-9) * table.service.max_requests_per_second
    wait = backlog / capacity
    utilisation = load / capacity
    gone = np.minimum(1.0, lost / np.maximum(load * tick_seconds, 1e-300))
    return Replay(
        name=name,
        start=start,
        tick_seconds=tick_seconds,
        load=load,
        running=running,
        desired=desired,
        billed=np.maximum(running, desired),
        backlog=backlog,
        breach=np.maximum(table.breach_share(utilisation, wait, running), gone),
        p99_seconds=table.p99_seconds(utilisation, wait, running),
        lost=float(lost.sum()),
        decisions=tuple(decisions),
    )
