"""A short load on what was deployed where versions are tested, for the approver's page: p50, p99 and errors at its scaling's rates.

Two rates for each instance: what target tracking keeps one at (max RPS x safety), and max RPS itself. It judges nothing: verify.py's own
latency check does. Input: the client of verify.py, requests, `Endpoint.load_seconds`. Output: `Load`s. The full load test: load_test.py.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from build_scripts.command_line import VerdictError
from capacity.load import Limiter, Stage, run_stage
from settings_schema import Endpoint, TargetTracking

#: At once. More wait for a busy endpoint than help: then the rate that was reached is below the one that was wanted.
SENDERS = 8


class Load(NamedTuple):
    """`wanted_rps` in all, on `instances`; `p50_ms` and `p99_ms` as the client sees them, None where nothing was answered."""

    instances: int
    wanted_rps: float
    rps: float
    requests: int
    errors: int
    p50_ms: float | None
    p99_ms: float | None


def rates(production: Endpoint) -> list[float]:
    """Requests a second for one instance, by the scaling of what serves."""
    scaling = production.autoscaling
    tracking = (scaling.target_tracking if scaling else None) or TargetTracking()
    return [tracking.max_rps_per_instance * tracking.safety, tracking.max_rps_per_instance]


def loads(ask: Callable[[bytes], object], bodies: Sequence[bytes], staging: Endpoint, production: Endpoint) -> list[Load]:
    """`ask` sends one request and raises what boto3 raises. Takes `load_seconds` of what is loaded, and no more than an answer longer."""
    if not staging.load_seconds:
        return []
    each, count = rates(production), staging.initial_instance_count
    return [_load(_sender(ask, bodies), rate * count, staging.load_seconds / len(each), count) for rate in each]


def _load(send: Callable[[], None], rate: float, seconds: float, instances: int) -> Load:
    stage = run_stage(send, SENDERS, seconds, Limiter(rate))
    p50, p99 = (_quantile(stage, share) for share in (0.50, 0.99))
    return Load(instances, rate, stage.rps, stage.requests, stage.errors, p50, p99)


def _quantile(stage: Stage, share: float) -> float | None:
    return stage.quantile_ms(share) if stage.latencies_ms else None


def _sender(ask: Callable[[bytes], object], bodies: Sequence[bytes]) -> Callable[[], None]:
    """The next of `bodies`, and again from the first."""
    lock, endless = threading.Lock(), itertools.cycle(bodies)

    def send() -> None:
        with lock:
            body = next(endless)
        try:
            ask(body)
        except (ClientError, BotoCoreError, VerdictError) as error:
            raise ConnectionError(str(error)) from error

    return send
