"""Replays every single request: arrivals at random, service times drawn from the measured distribution, workers that queue.

Inputs and output as for `simulate.py`, plus a seed. It shows what the fluid model averages away, and checks it. Requests go to
an instance at random, as SageMaker's default routing does, so each instance is a first-come-first-served queue of its own:
Lindley's recursion in numpy for one worker, the Kiefer-Wolfowitz recursion on a heap for several.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapreplace

import numpy as np
from numpy.typing import NDArray

from capacity.control import ControlLoop
from capacity.model import Assumptions, Configuration
from capacity.queueing import LatencyTable
from capacity.service import ServiceTime
from capacity.simulate import TICK_SECONDS, Replay
from capacity.traffic import Traffic

Floats = NDArray[np.float64]


class Instance:
    """A queue with `workers` servers. Times are seconds since the start of the replay."""

    def __init__(self, workers: int, now: float, timeout_seconds: float = np.inf) -> None:
        self._free = [now] * workers  # a heap: when each worker is free next
        self._timeout = timeout_seconds

    def serve(self, arrivals: Floats, services: Floats) -> Floats:
        """Waiting time of each request; infinite where it exceeds the timeout and is given up. arrivals: in order."""
        if len(self._free) == 1:
            waited, end = self._serve_alone(arrivals, services)
            if not len(waited) or float(waited.max()) <= self._timeout:
                self._free[0] = end
                return waited
        free, timeout = self._free, self._timeout
        waits: list[float] = []
        add = waits.append
        for arrival, service in zip(arrivals.tolist(), services.tolist(), strict=True):
            start = free[0]
            if start <= arrival:
                add(0.0)
                heapreplace(free, arrival + service)
            elif start - arrival <= timeout:
                add(start - arrival)
                heapreplace(free, start + service)
            else:
                add(np.inf)
        return np.array(waits)

    def _serve_alone(self, arrivals: Floats, services: Floats) -> tuple[Floats, float]:
        """Lindley: start_i = max(arrival_i, end_(i-1)), as a running maximum of arrival minus the work before it."""
        if not len(arrivals):
            return arrivals, self._free[0]
        before = np.concatenate([[0.0], np.cumsum(services)[:-1]])
        starts = np.maximum.accumulate(np.maximum(arrivals, self._free[0]) - before) + before
        return np.maximum(starts - arrivals, 0.0), float(starts[-1] + services[-1])


@dataclass(frozen=True, kw_only=True)
class RequestReplay:
    """A replay with its measured totals. `waits` and latencies are those of single requests."""

    replay: Replay
    requests: int
    p50_seconds: float
    p99_seconds: float


def replay_requests(
    configuration: Configuration,
    traffic: Traffic,
    service: ServiceTime,
    *,
    slo_seconds: float,
    seed: int = 1,
    assumptions: Assumptions | None = None,
    name: str = "single requests",
    deployments: tuple[tuple[float, float], ...] = (),
) -> RequestReplay:
    """Replay with the engine in the loop, as `simulate` does."""
    assumptions = assumptions or Assumptions()
    table = LatencyTable.of(service, slo_seconds)
    loop = ControlLoop(configuration, assumptions, table, tick_seconds=TICK_SECONDS, start=traffic.start, deployments=deployments)
    endpoint = _Endpoint(service, assumptions, slo_seconds, np.random.default_rng(seed))
    load = traffic.at_ticks(TICK_SECONDS)
    running, desired = np.empty(len(load), np.int64), np.empty(len(load), np.int64)
    for tick, rate in enumerate(load.tolist()):
        loop.act(tick)
        loop.recorder.record_measured(endpoint.tick(tick * TICK_SECONDS, rate, loop.fleet.running))
        running[tick], desired[tick] = loop.fleet.running, loop.fleet.desired
    measured = np.array(endpoint.counts, dtype=float)
    replay = Replay(
        name=name,
        start=traffic.start,
        tick_seconds=TICK_SECONDS,
        load=measured / TICK_SECONDS,
        running=running,
        desired=desired,
        billed=np.maximum(running, desired),
        backlog=np.array(endpoint.waiting),
        breach=np.array(endpoint.breach),
        p99_seconds=np.array(endpoint.p99),
        lost=float(endpoint.lost),
        decisions=tuple(loop.decisions),
    )
    latencies = np.concatenate(endpoint.latencies) if endpoint.latencies else np.zeros(1)
    p50, p99 = np.quantile(latencies, [0.5, 0.99])
    return RequestReplay(replay=replay, requests=int(measured.sum()), p50_seconds=float(p50), p99_seconds=float(p99))


class _Endpoint:
    """All instances, and what was measured in each tick."""

    def __init__(self, service: ServiceTime, assumptions: Assumptions, slo_seconds: float, random: np.random.Generator) -> None:
        self._service, self._slo, self._random = service, slo_seconds, random
        self._timeout = assumptions.client_timeout_seconds
        self._instances: list[Instance] = []
        self.counts: list[int] = []
        self.breach: list[float] = []
        self.p99: list[float] = []
        self.waiting: list[float] = []
        self.latencies: list[NDArray[np.float32]] = []
        self.lost = 0

    def tick(self, now: float, rate: float, running: int) -> dict[str, float]:
        """Serve the requests of one tick. Returns the metrics of the tick by name."""
        del self._instances[running:]
        while len(self._instances) < running:
            self._instances.append(Instance(self._service.workers, now, self._timeout))
        latency = np.concatenate([self._serve(instance, now, rate / running) for instance in self._instances])
        count = len(latency)
        gone = int(np.isinf(latency).sum())
        self.lost += gone
        p99 = float(np.quantile(latency, 0.99, method="lower")) if count else 0.0
        p99 = min(p99, self._timeout)
        self.counts.append(count)
        self.breach.append(float((latency > self._slo).mean()) if count else 0.0)
        self.p99.append(p99)
        answered = latency[~np.isinf(latency)] if gone else latency
        self.latencies.append(answered.astype(np.float32))
        inside = float(answered.sum()) / TICK_SECONDS  # Little's law
        busy = min(1.0, count * self._service.mean_seconds / (TICK_SECONDS * running * self._service.workers))
        self.waiting.append(max(0.0, inside - busy * running * self._service.workers))
        return {
            "Invocations": float(count),
            "InvocationsPerInstance": count / running,
            "ConcurrentRequestsPerModel": inside / running,
            "CPUUtilization": 100.0 * busy * self._service.workers,
            "ModelLatency": 1e6 * p99,
        }

    def _serve(self, instance: Instance, now: float, rate: float) -> Floats:
        """Latencies at one instance. Poisson arrivals: given their number, their times are sorted uniform ones."""
        count = int(self._random.poisson(rate * TICK_SECONDS))
        gaps = np.cumsum(self._random.exponential(1.0, count + 1))
        arrivals = now + gaps[:-1] * (TICK_SECONDS / gaps[-1])
        services = self._service.seconds[self._random.integers(0, len(self._service.seconds), count)]
        return instance.serve(arrivals, services) + services
