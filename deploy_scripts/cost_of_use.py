"""What a serverless or asynchronous endpoint costs a day, beside an instance that runs all day. Used by capacity_plan.py and
the approver's page.

Input: how the model is served, PRICES of settings.py, requests a day and how long the model takes for one (the graph "model latency" of the
dashboard, or load_test.py on staging). Output: lines. Formulas: capacity/by_request.py.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

from build_scripts.command_line import ProblemError
from capacity.by_request import ServerlessPrice, Use, break_even_requests, queue_day, serverless_day
from capacity.model import CapacityError
from settings_schema import Asynchronous, Prices, Serverless

#: Instances of an asynchronous endpoint go after 15 minutes below the target, and its cooldown (capacity/engine.py).
_SCALE_IN_SECONDS = 900
_INSTANCE = "ml.m5.large"


def lines(serving: Serverless | Asynchronous, prices: Prices, arguments: Sequence[str]) -> Iterator[str]:
    """Raises ProblemError for figures that cannot be, and for a price that settings.py does not have."""
    given = _options().parse_args(arguments)
    try:
        use = Use(requests=given.requests_per_day, seconds_each=given.milliseconds / 1000)
    except CapacityError as error:
        raise ProblemError(str(error)) from error
    yield f"{use.requests:,.0f} requests a day of {given.milliseconds:g} ms, at {prices.source}, noted {prices.as_of}"
    if isinstance(serving, Serverless):
        yield from serverless_lines(serving, prices, use)
    else:
        yield from asynchronous_lines(serving, prices, use)


def serverless_lines(serving: Serverless, prices: Prices, use: Use) -> Iterator[str]:
    price, ready = _price(serving, prices), serving.provisioned.min_capacity if serving.provisioned else 0
    usd = serverless_day(use, serving.memory_mb, price, ready)
    kept = f", {ready} kept ready" if ready else ""
    if serving.provisioned and serving.provisioned.scales:
        kept += f" (scaling keeps up to {serving.provisioned.highest}, which is not counted)"
    yield f"serverless, {serving.memory_mb} MB{kept}: {usd:.2f} USD, and the data that go in and out"
    if _INSTANCE in prices.usd_per_hour:
        hourly = prices.usd_per_hour[_INSTANCE]
        even = break_even_requests(use.seconds_each, serving.memory_mb, price, hourly, ready)
        yield f"one {_INSTANCE} all day: {24 * hourly:.2f} USD, which is less from {even:,} requests a day on"


def asynchronous_lines(serving: Asynchronous, prices: Prices, use: Use) -> Iterator[str]:
    hourly = prices.usd_per_hour.get(serving.instance_type)
    if hourly is None:
        raise ProblemError(f"PRICES.usd_per_hour of settings.py has no {serving.instance_type}; allowed: a price for it")
    if serving.scaling.min_capacity:
        yield f"{serving.scaling.min_capacity} {serving.instance_type} at least: {24 * hourly * serving.scaling.min_capacity:.2f} USD"
        return
    stays = _SCALE_IN_SECONDS + serving.scaling.scale_in_cooldown_seconds
    usd = queue_day(use, hourly, stays)
    yield f"one {serving.instance_type} while something waits, all requests together: {usd:.2f} USD; 0.00 on a day without any"
    yield f"spread over the day: up to {24 * hourly:.2f} USD, since the instance stays for {stays // 60} min after a request"


def _price(serving: Serverless, prices: Prices) -> ServerlessPrice:
    if prices.serverless_usd_per_gb_second is None:
        raise ProblemError("PRICES.serverless_usd_per_gb_second of settings.py is None; allowed: the price of a second of a GB")
    if serving.provisioned and prices.provisioned_usd_per_gb_second is None:
        raise ProblemError(
            "PRICES.provisioned_usd_per_gb_second of settings.py is None; allowed: the price of a GB kept ready for a second"
        )
    return ServerlessPrice(
        usd_per_gb_second=prices.serverless_usd_per_gb_second,
        provisioned_usd_per_gb_second=prices.provisioned_usd_per_gb_second or 0.0,
    )


def _options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m deploy_scripts.capacity_plan", allow_abbrev=False)
    options.add_argument("--requests-per-day", type=float, default=10_000, help="(default: %(default)s)")
    options.add_argument("--milliseconds", type=float, default=50, help="that the model takes for one (default: %(default)s)")
    return options
