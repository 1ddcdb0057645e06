"""Counts what an endpoint's variants answer, until `monitoring` publishes it to CloudWatch.

In: `began` and `ended` for every invocation, from the gateway's event loop. Out: `Minute`s, one per variant and simulated minute.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

#: A metric's name and unit.
Measure = tuple[str, str]


@dataclass
class Minute:
    """One simulated minute of one variant. Latencies in microseconds, as SageMaker's metrics are.

    `measured`: what only some kinds of endpoints have, one value for each invocation that has it.
    """

    invocations: int = 0
    invocations_per_instance: float = 0.0
    client_errors: int = 0
    server_errors: int = 0
    model_latency: list[float] = field(default_factory=list)
    overhead_latency: list[float] = field(default_factory=list)
    measured: dict[Measure, list[float]] = field(default_factory=lambda: defaultdict(list))


class Traffic:
    """Thread-safe counters of one endpoint."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._minutes: dict[tuple[str, int], Minute] = defaultdict(Minute)
        self._in_flight: dict[str, int] = defaultdict(int)
        # Integral of the requests in flight over real time: its growth over a time is the mean concurrency times that time.
        self._concurrency_seconds: dict[str, float] = defaultdict(float)
        self._changed_at: dict[str, float] = {}

    def began(self, variant: str) -> None:
        with self._lock:
            self._advance(variant)
            self._in_flight[variant] += 1

    def ended(
        self,
        variant: str,
        minute: int,
        status: int,
        *,
        instances: int,
        model_latency: float,
        overhead_latency: float = 0.0,
        measured: Mapping[Measure, float] = MappingProxyType({}),
    ) -> None:
        """`minute` is simulated time in whole minutes since 1970; `status` the HTTP status that the model answered.

        Each invocation counts 1 / `instances` for InvocationsPerInstance: "value 1/numberOfInstances is sent on each request".
        """
        with self._lock:
            self._advance(variant)
            self._in_flight[variant] -= 1
            counts = self._minutes[variant, minute]
            counts.invocations += 1
            counts.invocations_per_instance += 1 / max(1, instances)
            counts.client_errors += 400 <= status < 500
            counts.server_errors += status >= 500 or status == 0
            counts.model_latency.append(model_latency)
            counts.overhead_latency.append(overhead_latency)
            for measure, value in measured.items():
                counts.measured[measure].append(value)

    def measure(self, variant: str, minute: int, measured: Mapping[Measure, float]) -> None:
        """Of what is no answer of the model."""
        with self._lock:
            for measure, value in measured.items():
                self._minutes[variant, minute].measured[measure].append(value)

    def abandoned(self, variant: str) -> None:
        """An invocation that began will not end: nobody waits for it any more."""
        with self._lock:
            self._advance(variant)
            self._in_flight[variant] -= 1

    def _advance(self, variant: str) -> None:
        now = time.monotonic()
        self._concurrency_seconds[variant] += self._in_flight[variant] * (now - self._changed_at.get(variant, now))
        self._changed_at[variant] = now

    def take_before(self, minute: int) -> dict[tuple[str, int], Minute]:
        """Remove and return the minutes that are over; keys are (variant, minute)."""
        with self._lock:
            done = {key: counts for key, counts in self._minutes.items() if key[1] < minute}
            for key in done:
                del self._minutes[key]
            return done

    def concurrency_seconds(self, variant: str) -> float:
        """Request-seconds of real time since the start."""
        with self._lock:
            self._advance(variant)
            return self._concurrency_seconds[variant]
