"""Adds up what many replays at once came to. Used by `batch.py`; arrays have shape (traffics, configurations)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capacity.queueing import P99_BUDGET

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
STRAINED = 0.75  # of what the p99 allows


@dataclass(frozen=True, kw_only=True)
class BatchResult:
    """Shape of each array: (traffics, configurations)."""

    breach_share: Floats
    breached_hours: Counts  # hours whose p99 is above the SLO
    strained_hours: Counts  # those, and hours that use more than `STRAINED` of what the p99 allows
    instance_hours: Floats
    most_instances: Counts


class Tally:
    """Adds up what the result is made of."""

    def __init__(self, running: Counts, tick_seconds: float) -> None:
        """running: instances at the beginning."""
        shape = running.shape
        self._tick_seconds, self._hour_ticks, self._ticks = tick_seconds, round(3600 / tick_seconds), 0
        self._requests, self._slow, self._billed = np.zeros((shape[0], 1)), np.zeros(shape), np.zeros(shape)
        self._hour_requests, self._hour_slow = np.zeros((shape[0], 1)), np.zeros(shape)
        self._breached, self._strained = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        self.most = running.copy()

    def add(self, rate: Floats, slow_share: Floats, billed: Counts) -> None:
        """One tick."""
        self._hour_slow += rate * slow_share
        self._hour_requests += rate
        self._billed += billed
        self._ticks += 1
        if self._ticks % self._hour_ticks == 0:
            self._end_hour()

    def _end_hour(self) -> None:
        self._breached += self._hour_slow > P99_BUDGET * self._hour_requests
        self._strained += self._hour_slow > STRAINED * P99_BUDGET * self._hour_requests
        self._slow += self._hour_slow
        self._requests += self._hour_requests
        self._hour_slow, self._hour_requests = np.zeros_like(self._hour_slow), np.zeros_like(self._hour_requests)

    def result(self) -> BatchResult:
        self._end_hour()  # the last one may be shorter; without requests it counts as nothing
        return BatchResult(
            breach_share=self._slow / np.maximum(self._requests, 1e-300),
            breached_hours=self._breached,
            strained_hours=self._strained,
            instance_hours=self._billed * self._tick_seconds / 3600,
            most_instances=self.most,
        )
