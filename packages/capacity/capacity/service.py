"""How long an instance takes for a request, and how many it serves at once: measured by a load test, or given.

Inputs: the JSON of a load test (`measure.py`), or `given(...)`. Used by `queueing.py` and `simulate.py`. Times are seconds.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from capacity.model import CapacityError, require

QUANTILES = 400  # points that stand for the distribution; the last one is its 99.875th percentile


@dataclass(frozen=True, kw_only=True)
class ServiceTime:
    """Service time on one worker, as `QUANTILES` equally likely values in rising order; `workers` serve at once."""

    seconds: NDArray[np.float64] = field(repr=False)
    workers: int = 1
    source: str = "given"

    @property
    def mean_seconds(self) -> float:
        return float(self.seconds.mean())

    @property
    def squared_variation(self) -> float:
        """Variance / mean^2: 1 for exponential times, 0 for constant ones."""
        return float(self.seconds.var() / self.seconds.mean() ** 2)

    @property
    def max_requests_per_second(self) -> float:
        """What one instance can serve at full use of its workers."""
        return self.workers / self.mean_seconds

    def quantile(self, probability: float) -> float:
        return float(np.quantile(self.seconds, probability))


def given(mean_ms: float, *, p99_ms: float | None = None, workers: int = 1) -> ServiceTime:
    """Log-normal times with this mean and 99th percentile (p99 = mean: constant). Raises CapacityError."""
    require(mean_ms > 0, f"service time is {mean_ms:g} ms; allowed: more than 0")
    require(workers >= 1, f"workers is {workers}; allowed: 1 or more")
    p99 = mean_ms if p99_ms is None else p99_ms
    require(p99 >= mean_ms, f"p99 service time {p99:g} ms is below the mean of {mean_ms:g} ms; allowed: the mean or more")
    # p99/mean = exp(2.326 s - s^2/2), which has a largest value; beyond it no log-normal fits
    z = NormalDist().inv_cdf(0.99)
    room = z * z - 2 * math.log(p99 / mean_ms)
    require(room >= 0, f"p99 service time {p99:g} ms is more than {math.exp(z * z / 2):.0f} times the mean; give a measured distribution")
    sigma = z - math.sqrt(room)
    points = (np.arange(QUANTILES) + 0.5) / QUANTILES
    shape = np.exp(sigma * np.array([NormalDist().inv_cdf(p) for p in points]))
    return ServiceTime(
        seconds=shape * (mean_ms / 1000 / shape.mean()), workers=workers, source=f"given: mean {mean_ms:g} ms, p99 {p99:g} ms"
    )


def from_samples(seconds: NDArray[np.float64], *, workers: int, source: str) -> ServiceTime:
    """The distribution of measured times."""
    require(len(seconds) >= 20, f"{source}: {len(seconds)} measured times; allowed: 20 or more")
    require(bool((seconds > 0).all()), f"{source}: a service time of 0 or less; allowed: more than 0")
    points = (np.arange(QUANTILES) + 0.5) / QUANTILES
    return ServiceTime(seconds=np.quantile(seconds, points), workers=workers, source=source)


def read(path: Path) -> ServiceTime:
    """The JSON of a load test: `service_time_quantiles_ms` (rising, equally likely) and `workers`."""
    allowed = "allowed: the JSON that `python -m capacity.measure --output` writes"
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8"))
        seconds = np.array(document["service_time_quantiles_ms"], dtype=float) / 1000
        workers = int(document["workers"])
    except OSError as error:
        raise CapacityError(f"service time file {path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise CapacityError(f"service time file {path} is not a load test result; {allowed}") from error
    require(workers >= 1, f"service time file {path}: workers is {workers}; allowed: 1 or more")
    return from_samples(seconds, workers=workers, source=path.name)
