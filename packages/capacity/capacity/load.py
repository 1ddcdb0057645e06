"""The load on an endpoint: a rising number of senders, bounded in time and in rate, and what they got.

Senders double until throughput stays flat, latency passes the limit, or a bound is met. In: `send`, which sends one request and raises
ConnectionError for what counts as overload. Out: `Stage`s, and the result that `service.py` reads. Next: `measure.py` sends to an endpoint.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from capacity.model import CapacityError, invocations_per_instance, require

QUANTILES = 200
PLATEAU = 1.1  # more senders that add less than this factor have met the limit
TOLERATED_ERRORS = 0.01  # of the requests
AT_THE_BOUND = 0.95  # of the rate: what limited the load was the bound, not the endpoint
SECONDS_LIMIT, RATE_LIMIT, SENDERS_LIMIT = 3600, 5000, 64


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """`seconds` and requests a second in all, requests at once; slower than `p99_ms` is too much. Refuses what does not bound."""

    seconds: float
    max_rps: float
    max_senders: int
    p99_ms: float

    def __post_init__(self) -> None:
        limits = (
            ("--seconds", self.seconds, SECONDS_LIMIT),
            ("--max-rps", self.max_rps, RATE_LIMIT),
            ("--max-senders", self.max_senders, SENDERS_LIMIT),
        )
        for name, value, limit in limits:
            require(0 < value <= limit, f"{name} is {value:g}; allowed: more than 0, at most {limit}")
        require(self.p99_ms > 0, f"--p99-ms is {self.p99_ms:g}; allowed: more than 0")


@dataclass(frozen=True)
class Stage:
    """What a number of senders got. Latencies are as the client sees them, in milliseconds."""

    senders: int
    seconds: float
    requests: int
    errors: int
    latencies_ms: tuple[float, ...]

    @property
    def rps(self) -> float:
        return (self.requests - self.errors) / self.seconds

    def quantile_ms(self, share: float) -> float:
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def is_fine(self, p99_ms: float) -> bool:
        return self.quantile_ms(0.99) <= p99_ms and self.errors <= TOLERATED_ERRORS * self.requests


class Limiter:
    """Lets at most `rate` requests a second pass, evenly spaced, over all senders."""

    def __init__(self, rate: float, now: Callable[[], float] = time.monotonic) -> None:
        self._gap, self._now, self._next = 1.0 / rate, now, 0.0
        self._lock = threading.Lock()

    def delay(self) -> float:
        """Seconds to wait before sending the next request."""
        with self._lock:
            now = self._now()
            self._next = max(self._next, now)
            wait = self._next - now
            self._next += self._gap
            return wait


def run_stage(send: Callable[[], None], senders: int, seconds: float, limiter: Limiter) -> Stage:
    """`senders` threads, each sending its next request when the last is answered, for `seconds`."""
    until = time.monotonic() + seconds

    def work() -> tuple[list[float], int]:
        latencies, errors = [], 0
        while (wait := limiter.delay()) + time.monotonic() < until:
            time.sleep(wait)
            begin = time.perf_counter()
            try:
                send()
            except ConnectionError:
                errors += 1
                continue
            latencies.append(1000 * (time.perf_counter() - begin))
        return latencies, errors

    begin = time.monotonic()
    with ThreadPoolExecutor(senders) as pool:
        results = [future.result() for future in [pool.submit(work) for _ in range(senders)]]
    took = max(time.monotonic() - begin, 1e-9)
    latencies = tuple(latency for found, _ in results for latency in found)
    errors = sum(count for _, count in results)
    return Stage(senders, took, len(latencies) + errors, errors, latencies)


def run_stages(
    send: Callable[[], None], bounds: Bounds, show: Callable[[Stage], None], stage: Callable[..., Stage] = run_stage
) -> list[Stage]:
    """1, 2, 4, ... senders, until throughput no longer grows, latency exceeds the limit, or a bound is met. Raises CapacityError."""
    counts = [1]
    while counts[-1] * 2 <= bounds.max_senders:
        counts.append(counts[-1] * 2)
    limiter, stages = Limiter(bounds.max_rps), list[Stage]()
    for count in counts:
        stages.append(stage(send, count, bounds.seconds / len(counts), limiter))
        last = stages[-1]
        if not last.latencies_ms:
            raise CapacityError(f"no answer in {last.seconds:.1f} s ({last.errors} errors); more --seconds, or look at the endpoint's log")
        show(last)
        flat = len(stages) > 1 and last.rps < PLATEAU * stages[-2].rps
        if not last.is_fine(bounds.p99_ms) or flat or last.rps > AT_THE_BOUND * bounds.max_rps:
            break
    return stages


def summarise(stages: Sequence[Stage], bounds: Bounds, safety: float, instance_count: int) -> dict[str, Any]:
    """The result as JSON. The first stage has no queue, so its latencies are the service times. Raises CapacityError."""
    fine = [stage for stage in stages if stage.is_fine(bounds.p99_ms)]
    slowest = f"a p99 of {stages[0].quantile_ms(0.99):.0f} ms"
    require(bool(fine), f"even one sender sees {slowest} or errors; allowed: up to --p99-ms {bounds.p99_ms:g}")
    best = max(stage.rps for stage in fine) / instance_count
    alone = sorted(stages[0].latencies_ms)
    mean_ms = sum(alone) / len(alone)
    return {
        "instance_count": instance_count,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "max_rps_per_instance": best,
        "limited_by": "rate" if max(stage.rps for stage in stages) > AT_THE_BOUND * bounds.max_rps else "endpoint or senders",
        "safety": safety,
        "target_invocations_per_instance": invocations_per_instance(best, safety),
        "workers": max(1, round(best * mean_ms / 1000)),  # Little's law: requests in service = rate x service time
        "service_time_quantiles_ms": [alone[min(len(alone) - 1, int((i + 0.5) / QUANTILES * len(alone)))] for i in range(QUANTILES)],
        "stages": [_numbers(stage) for stage in stages],
    }


def _numbers(stage: Stage) -> dict[str, Any]:
    plain = {name: value for name, value in asdict(stage).items() if name != "latencies_ms"}
    return {**plain, "rps": stage.rps, "p99_ms": stage.quantile_ms(0.99)}
