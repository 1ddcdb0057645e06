"""What an endpoint costs that is paid for as it is used, beside one that runs all day. Pure.

Sources: SageMaker AI pricing page (serverless: by the memory, for the time of answers, and for the time that containers are kept ready;
asynchronous: by the instance-hour, as any endpoint). Times in seconds, money in USD.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from capacity.model import require

_MB_OF_A_GB = 1024
DAY_SECONDS = 86_400


@dataclass(frozen=True, kw_only=True, slots=True)
class Use:
    """A day's requests and how long the model takes for each."""

    requests: float
    seconds_each: float

    def __post_init__(self) -> None:
        require(self.requests >= 0, f"requests a day are {self.requests}; allowed: 0 or more")
        require(self.seconds_each > 0, f"a request takes {self.seconds_each} s; allowed: more than 0")


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerlessPrice:
    """Per second of a GB: while it answers, and while it is kept ready."""

    usd_per_gb_second: float
    provisioned_usd_per_gb_second: float = 0.0


def serverless_day(use: Use, memory_mb: int, price: ServerlessPrice, provisioned: int = 0) -> float:
    """`provisioned`: containers that are kept ready all day."""
    gb = memory_mb / _MB_OF_A_GB
    answering = use.requests * use.seconds_each * gb * price.usd_per_gb_second
    return answering + provisioned * DAY_SECONDS * gb * price.provisioned_usd_per_gb_second


def break_even_requests(seconds_each: float, memory_mb: int, price: ServerlessPrice, usd_per_hour: float, provisioned: int = 0) -> int:
    """Requests a day from which one instance all day costs no more."""
    one = serverless_day(Use(requests=1, seconds_each=seconds_each), memory_mb, price)
    idle = serverless_day(Use(requests=0, seconds_each=seconds_each), memory_mb, price, provisioned)
    return max(0, math.ceil((24 * usd_per_hour - idle) / one - 1e-9))


def queue_day(use: Use, usd_per_hour: float, stays_seconds: float, bursts: float = 1) -> float:
    """An asynchronous endpoint that goes to zero: the time of the answers on one instance, and what each burst keeps it running after."""
    hours = (use.requests * use.seconds_each + bursts * stays_seconds) / 3600
    return min(24.0, hours) * usd_per_hour
