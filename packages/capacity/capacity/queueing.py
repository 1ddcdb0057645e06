"""Waiting at the instances of an endpoint: many arrivals, `workers` servers on each instance, first come first served.

How a request finds its instance (ProductionVariantRoutingConfig) decides who waits. RANDOM, SageMaker's own default: each
instance is a queue of its own, and what counts is its utilisation. LEAST_OUTSTANDING_REQUESTS: a request waits only when all
workers of the fleet are busy, so a larger fleet waits less at the same utilisation. Formulas: Erlang C (Erlang 1917;
Kleinrock, Queueing Systems I, 3.5) with the Allen-Cunneen correction for service times that are not exponential.
Used by `simulate.py`, `batch.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from capacity.model import LEAST_OUTSTANDING_REQUESTS, RANDOM, Assumptions
from capacity.service import ServiceTime

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
GRID = np.concatenate([np.linspace(0.0, 0.95, 191), 1.0 - np.geomspace(0.05, 0.001, 60)[1:]])  # utilisations
FLEET_SIZES = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 24, 32, 48, 64, 128)  # between two, the smaller one: it waits longer
P99_BUDGET = 0.01  # a p99 objective lets one request in a hundred be slower


def erlang_c(servers: int, offered_load: float) -> float:
    """Probability that a request waits, for `offered_load` = arrival rate x mean service time < servers.

    By the recursion of Erlang B, which neither overflows nor cancels.
    """
    if offered_load >= servers:
        return 1.0
    blocked = 1.0
    for k in range(1, servers + 1):
        blocked = offered_load * blocked / (k + offered_load * blocked)
    return servers * blocked / (servers - offered_load * (1 - blocked))


def mean_wait(servers: int, utilisation: float, mean_service: float, squared_variation: float = 1.0) -> float:
    """Mean time in the queue: Erlang C x s / (c (1 - rho)) x (1 + variation^2) / 2 (Allen-Cunneen; exact for M/M/c)."""
    if utilisation >= 1:
        return math.inf
    waits = erlang_c(servers, servers * utilisation)
    return waits * mean_service / (servers * (1 - utilisation)) * (1 + squared_variation) / 2


@dataclass(frozen=True)
class LatencyTable:
    """Latency by utilisation and fleet size. Seconds; arrays have shape (len(sizes), len(GRID))."""

    service: ServiceTime
    slo_seconds: float
    routing: str
    sizes: tuple[int, ...]  # instances; with RANDOM routing one row does for all
    breach: Floats  # share of requests slower than the SLO
    concurrency: Floats  # mean number of requests at one instance, waiting or served
    _p99: dict[int, Floats] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, service: ServiceTime, slo_seconds: float, routing: str = RANDOM, assumptions: Assumptions | None = None) -> LatencyTable:
        """Table for one routing strategy (`ROUTING_STRATEGIES` of model.py)."""
        pooled = routing == LEAST_OUTSTANDING_REQUESTS and (assumptions or Assumptions()).least_outstanding_is_exact
        sizes = FLEET_SIZES if pooled else (1,)
        waits = [_Waits(service, size) for size in sizes]
        limit = np.full(len(GRID), slo_seconds)
        busy = GRID * service.workers
        return cls(
            service=service,
            slo_seconds=slo_seconds,
            routing=LEAST_OUTSTANDING_REQUESTS if pooled else RANDOM,
            sizes=sizes,
            breach=np.array([one.slower_than(limit) for one in waits]),
            concurrency=np.array([busy * (1 + one.mean / service.mean_seconds) for one in waits]),  # Little's law
        )

    def row(self, running: Counts) -> Counts:
        """Row of the table for each instance count."""
        return np.maximum(0, np.searchsorted(self.sizes, running, side="right") - 1)

    def p99(self, row: int) -> Floats:
        """99th percentile on GRID, computed when it is asked for: it takes longer than all the rest."""
        if row not in self._p99:
            self._p99[row] = _Waits(self.service, self.sizes[row]).quantile(0.99)
        return self._p99[row]

    def breach_share(self, utilisation: Floats, wait: Floats, running: Counts) -> Floats:
        """Share of requests slower than the SLO at this utilisation; `wait`: seconds to work off a backlog."""
        share = self._read(self.breach, utilisation, running)
        queued = 1.0 - np.searchsorted(self.service.seconds, self.slo_seconds - wait, side="right") / len(self.service.seconds)
        return np.where(wait > 0, np.maximum(queued, share), share)

    def p99_seconds(self, utilisation: Floats, wait: Floats, running: Counts) -> Floats:
        rows = np.unique(self.row(running))
        table = np.zeros_like(self.breach)
        table[rows] = [self.p99(int(row)) for row in rows]
        return self._read(table, utilisation, running) + wait

    def highest_utilisation(self, breach_share: float, running: int = 1) -> float:
        """The largest utilisation at which no more than `breach_share` of the requests are slower than the SLO."""
        fine = self.breach[self.row(np.array(running))] <= breach_share
        return float(GRID[np.flatnonzero(fine)[-1]]) if fine.any() else 0.0

    def _read(self, table: Floats, utilisation: Floats, running: Counts) -> Floats:
        found, rows = np.empty(len(utilisation)), self.row(running)
        for row in np.unique(rows):
            here = rows == row
            found[here] = np.interp(utilisation[here], GRID, table[row])
        return found


class _Waits:
    """P(wait > t) = C exp(-t / scale) for each utilisation on GRID: exact for M/M/c, Allen-Cunneen scaled otherwise.

    `pooled` instances share their workers. Fewest outstanding is not least work: the request still waits for a worker of the
    instance it was sent to, while another instance may have one free: about one service time / workers longer. That residual
    is added, which keeps the formula above a simulation of exact least outstanding requests (benchmarks/capacity).
    """

    def __init__(self, service: ServiceTime, pooled: int) -> None:
        servers = service.workers * pooled
        spread = (1 + service.squared_variation) / 2
        self._seconds = service.seconds
        self._probability = np.array([erlang_c(servers, servers * float(utilisation)) for utilisation in GRID])
        self._scale = service.mean_seconds / (servers * np.maximum(1e-12, 1 - GRID)) * spread
        self._residual = service.mean_seconds / service.workers if pooled > 1 else 0.0

    @property
    def mean(self) -> Floats:
        return np.asarray(self._probability * (self._scale + self._residual))

    def slower_than(self, limit: Floats) -> Floats:
        """Share of requests whose wait and service time exceed `limit`, one for each utilisation."""
        room = limit[:, None] - self._seconds
        tail = np.exp(-np.maximum(room - self._residual, 0.0) / self._scale[:, None])
        return np.asarray(np.where(room <= 0, 1.0, self._probability[:, None] * tail).mean(axis=1))

    def quantile(self, probability: float) -> Floats:
        """By bisection, for all utilisations at once."""
        low = np.zeros(len(GRID))
        high = float(self._seconds[-1]) + self._residual + 40 * self._scale
        for _ in range(60):
            middle = (low + high) / 2
            late = self.slower_than(middle) > 1 - probability
            low, high = np.where(late, middle, low), np.where(late, high, middle)
        return np.asarray(high)
