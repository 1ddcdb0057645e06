"""Waiting at an instance: many arrivals, `workers` servers, first come first served.

SageMaker routes a request to an instance at random unless told otherwise (ProductionVariantRoutingConfig, RANDOM), so each
instance is a queue of its own, and what counts is its utilisation. Formulas: Erlang C (Erlang 1917; Kleinrock, Queueing
Systems I, 3.5) with the Allen-Cunneen correction for service times that are not exponential. Used by `simulate.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capacity.service import ServiceTime

Floats = NDArray[np.float64]
GRID = np.concatenate([np.linspace(0.0, 0.95, 191), 1.0 - np.geomspace(0.05, 0.001, 60)[1:]])  # utilisations
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
    """Latency of an instance by its utilisation, on GRID. Seconds; shape: (len(GRID),)."""

    service: ServiceTime
    slo_seconds: float
    breach: Floats  # share of requests slower than the SLO
    p99: Floats
    concurrency: Floats  # mean number of requests at the instance, waiting or served

    @classmethod
    def of(cls, service: ServiceTime, slo_seconds: float) -> LatencyTable:
        breach, p99, concurrency = np.empty_like(GRID), np.empty_like(GRID), np.empty_like(GRID)
        for i, utilisation in enumerate(GRID):
            tail = _WaitTail(service, float(utilisation))
            breach[i] = tail.slower_than(slo_seconds)
            p99[i] = tail.quantile(0.99)
            wait = mean_wait(service.workers, float(utilisation), service.mean_seconds, service.squared_variation)
            concurrency[i] = utilisation * service.workers * (1 + wait / service.mean_seconds)  # Little's law
        return cls(service, slo_seconds, breach, p99, concurrency)

    def breach_share(self, utilisation: Floats, wait: Floats) -> Floats:
        """Share of requests slower than the SLO at this utilisation; `wait`: seconds to work off a backlog."""
        queued = 1.0 - np.searchsorted(self.service.seconds, self.slo_seconds - wait, side="right") / len(self.service.seconds)
        return np.where(wait > 0, np.maximum(queued, np.interp(utilisation, GRID, self.breach)), np.interp(utilisation, GRID, self.breach))

    def p99_seconds(self, utilisation: Floats, wait: Floats) -> Floats:
        return np.interp(utilisation, GRID, self.p99) + wait

    def highest_utilisation(self, breach_share: float) -> float:
        """The largest utilisation at which no more than `breach_share` of the requests are slower than the SLO."""
        fine = self.breach <= breach_share
        return float(GRID[np.flatnonzero(fine)[-1]]) if fine.any() else 0.0


class _WaitTail:
    """P(wait > t) = C exp(-t / scale): exact for M/M/c, Allen-Cunneen scaled otherwise. Added to the service time."""

    def __init__(self, service: ServiceTime, utilisation: float) -> None:
        self._seconds = service.seconds
        self._waits = erlang_c(service.workers, service.workers * utilisation)
        spread = (1 + service.squared_variation) / 2
        self._scale = service.mean_seconds / (service.workers * max(1e-12, 1 - utilisation)) * spread

    def slower_than(self, limit: float) -> float:
        room = limit - self._seconds
        late = np.where(room <= 0, 1.0, self._waits * np.exp(-np.maximum(room, 0.0) / self._scale))
        return float(late.mean())

    def quantile(self, probability: float) -> float:
        low, high = 0.0, float(self._seconds[-1]) + 40 * self._scale
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if self.slower_than(middle) > 1 - probability else (low, middle)
        return high
