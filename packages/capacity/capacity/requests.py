"""Replays every single request: arrivals at random, service times drawn from the measured distribution, workers that queue.

Inputs and output as for `simulate.py`, plus a seed. It shows what the fluid model averages away, and checks it. With RANDOM
routing each instance is a first-come-first-served queue of its own: Lindley's recursion in numpy for one worker, the
Kiefer-Wolfowitz recursion on a heap for several. With LEAST_OUTSTANDING_REQUESTS the requests of all instances are replayed
in one order, each sent to the instance that has the fewest in flight when it arrives.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heappop, heappush, heapreplace

import numpy as np
from numpy.typing import NDArray

from capacity.control import ControlLoop
from capacity.model import LEAST_OUTSTANDING_REQUESTS, Assumptions, Configuration
from capacity.queueing import LatencyTable
from capacity.service import ServiceTime
from capacity.simulate import TICK_SECONDS, Replay
from capacity.traffic import Traffic

Floats = NDArray[np.float64]
_STRETCH = 1000  # requests that are looked at together: is there one among them that waits?


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


class LeastOutstandingFleet:
    """Instances with `workers` servers each; a request goes to the one with the fewest in flight. Times as for `Instance`.

    While fewer requests are in flight than there are workers, some instance has one free: nobody waits, whoever is chosen.
    Such stretches are computed at once, without choosing; where one ends, what is in flight is dealt out evenly.
    """

    def __init__(self, workers: int, timeout_seconds: float = np.inf) -> None:
        self._workers, self._timeout = workers, timeout_seconds
        self._free: list[list[float]] = []  # for each instance, a heap: when each worker is free next
        self._in_flight: list[int] = []
        self._departures: list[tuple[float, int]] = []  # a heap over all instances: (time, instance)
        self._not_dealt: Floats = np.zeros(0)  # departures of requests whose instance was not chosen; then the others are empty

    def resize(self, running: int, now: float) -> None:
        """The last instances go, with what they have in flight, or new ones come that are idle."""
        if running < len(self._free):
            self._deal(now)
            del self._free[running:], self._in_flight[running:]
            self._departures = [item for item in self._departures if item[1] < running]
            heapify(self._departures)
        while len(self._free) < running:
            self._free.append([now] * self._workers)
            self._in_flight.append(0)

    def serve(self, arrivals: Floats, services: Floats) -> Floats:
        """Waiting time of each request; infinite where it exceeds the timeout and is given up. arrivals: in order."""
        parts = range(0, len(arrivals), _STRETCH)
        return np.concatenate([np.zeros(0), *[self._serve(arrivals[i : i + _STRETCH], services[i : i + _STRETCH]) for i in parts]])

    def _serve(self, arrivals: Floats, services: Floats) -> Floats:
        departures = self._departures_if_nobody_waits(arrivals, services)
        if departures is None:
            self._deal(float(arrivals[0]))
            return self._serve_one_by_one(arrivals, services)
        self._not_dealt = departures
        self._departures, self._in_flight = [], [0] * len(self._free)
        self._free = [[float(arrivals[-1])] * self._workers for _ in self._free]
        return np.zeros(len(arrivals))

    def _departures_if_nobody_waits(self, arrivals: Floats, services: Floats) -> Floats | None:
        """Those after the last arrival, in order; None if all workers are busy at some arrival."""
        carried = np.concatenate([self._not_dealt, [time for time, _ in self._departures]])
        departures = np.sort(np.concatenate([carried, arrivals + services]))
        gone = np.searchsorted(departures, arrivals, side="right")
        in_flight = len(carried) + np.arange(len(arrivals)) - gone
        return None if in_flight.max() >= self._workers * len(self._free) else departures[gone[-1] :]

    def _deal(self, now: float) -> None:
        """Give the requests that are in flight to instances, in turn."""
        count = len(self._free)
        for turn, time in enumerate(self._not_dealt[self._not_dealt > now].tolist()):
            heappush(self._departures, (time, turn % count))
            self._in_flight[turn % count] += 1
            heapreplace(self._free[turn % count], time)
        self._not_dealt = np.zeros(0)

    def _serve_one_by_one(self, arrivals: Floats, services: Floats) -> Floats:
        every, in_flight, departures, timeout = self._free, self._in_flight, self._departures, self._timeout
        waits: list[float] = []
        add = waits.append
        for arrival, service in zip(arrivals.tolist(), services.tolist(), strict=True):
            while departures and departures[0][0] <= arrival:
                in_flight[heappop(departures)[1]] -= 1
            chosen = in_flight.index(min(in_flight))
            free = every[chosen]
            start = free[0]
            if start <= arrival:
                start = arrival
            elif start - arrival > timeout:
                add(np.inf)
                continue
            add(start - arrival)
            heapreplace(free, start + service)
            heappush(departures, (start + service, chosen))
            in_flight[chosen] += 1
        return np.array(waits)


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
    table = LatencyTable.of(service, slo_seconds, configuration.routing, assumptions)
    loop = ControlLoop(configuration, assumptions, table, tick_seconds=TICK_SECONDS, start=traffic.start, deployments=deployments)
    least_outstanding = table.routing == LEAST_OUTSTANDING_REQUESTS
    endpoint = _Endpoint(service, assumptions, slo_seconds, np.random.default_rng(seed), least_outstanding=least_outstanding)
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

    def __init__(
        self, service: ServiceTime, assumptions: Assumptions, slo_seconds: float, random: np.random.Generator, *, least_outstanding: bool
    ) -> None:
        self._service, self._slo, self._random = service, slo_seconds, random
        self._timeout = assumptions.client_timeout_seconds
        self._instances: list[Instance] = []
        self._fleet = LeastOutstandingFleet(service.workers, self._timeout) if least_outstanding else None
        self.counts: list[int] = []
        self.breach: list[float] = []
        self.p99: list[float] = []
        self.waiting: list[float] = []
        self.latencies: list[NDArray[np.float32]] = []
        self.lost = 0

    def tick(self, now: float, rate: float, running: int) -> dict[str, float]:
        """Serve the requests of one tick. Returns the metrics of the tick by name."""
        latency = self._latency(now, rate, running)
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

    def _latency(self, now: float, rate: float, running: int) -> Floats:
        if self._fleet:
            self._fleet.resize(running, now)
            return self._serve(self._fleet, now, rate)
        del self._instances[running:]
        while len(self._instances) < running:
            self._instances.append(Instance(self._service.workers, now, self._timeout))
        return np.concatenate([self._serve(instance, now, rate / running) for instance in self._instances])

    def _serve(self, queue: Instance | LeastOutstandingFleet, now: float, rate: float) -> Floats:
        """Latencies in one queue. Poisson arrivals: given their number, their times are sorted uniform ones."""
        count = int(self._random.poisson(rate * TICK_SECONDS))
        gaps = np.cumsum(self._random.exponential(1.0, count + 1))
        arrivals = now + gaps[:-1] * (TICK_SECONDS / gaps[-1])
        services = self._service.seconds[self._random.integers(0, len(self._service.seconds), count)]
        return queue.serve(arrivals, services) + services
