"""What a day of traffic costs with AWS's serving image and with the team's own: instances and USD. Used by capacity_plan.py.

Input: load tests of the same endpoint with each (`load_test.py --output`), the traffic, the SLO and settings.py's PRICES. Output: lines. Of
each image the smallest fleet that never changes and keeps the SLO, and the least that scaling could do, which knows the traffic ahead
(capacity/compare.py): what scaling really does lies between the two.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from build_scripts.command_line import ProblemError
from capacity import service, traffic
from capacity.compare import Situation, clairvoyant, static_fleet
from capacity.model import Assumptions, CapacityError
from settings_schema import Endpoint, Prices, ServingImage

_DAY_SECONDS = 86_400


def loads_of(given: Sequence[str]) -> dict[ServingImage, Path]:
    """`managed=FILE lean=FILE`. Raises ProblemError unless there is one of each."""
    found = {name: Path(file) for name, _, file in (item.partition("=") for item in given)}
    if set(found) != set(ServingImage):
        wanted = " ".join(f"{image}=FILE" for image in ServingImage)
        raise ProblemError(f"--images is {' '.join(given)!r}; allowed: {wanted}, each written by `load_test --output FILE` with that image")
    return {ServingImage(name): file for name, file in found.items()}


def lines(endpoint: Endpoint, prices: Prices, tested: Mapping[ServingImage, Path], rest: Sequence[str]) -> Iterator[str]:
    """`rest`: `--traffic`, a file or a shape (capacity/traffic.py). Raises ProblemError for a type without a price, and for bad files."""
    options = argparse.ArgumentParser(prog="python -m deploy_scripts.capacity_plan", allow_abbrev=False)
    options.add_argument("--traffic", default="diurnal")
    named: str = options.parse_args(rest).traffic
    hourly, slo = prices.usd_per_hour.get(endpoint.instance_type), endpoint.p99_latency_ms
    if hourly is None:
        raise ProblemError(f"PRICES.usd_per_hour of settings.py has no {endpoint.instance_type}; allowed: a price for it")
    try:
        load = traffic.read(named)
        services = {image: service.read(file) for image, file in tested.items()}
    except CapacityError as error:
        raise ProblemError(str(error)) from error
    yield f"{named}, p99 {slo} ms, {endpoint.instance_type} at {hourly} USD an hour ({prices.source}, noted {prices.as_of}):"
    always = {}
    for image, measured in services.items():
        situation = Situation(traffic=load, service=measured, slo_seconds=slo / 1000, usd_per_hour=hourly, assumptions=Assumptions())
        constant, least = static_fleet(situation, endpoint.request_routing), clairvoyant(situation, endpoint.request_routing)
        always[image], at_best = (replay.cost(hourly) * _DAY_SECONDS / load.seconds for replay in (constant, least))
        yield (
            f"{image:>8}: {measured.max_requests_per_second:,.0f} requests/s an instance; always {constant.running.max()}, "
            f"{always[image]:.2f} USD a day; at best {least.running.min()} to {least.running.max()}, {at_best:.2f} USD a day"
        )
    saved = always[ServingImage.MANAGED] - always[ServingImage.LEAN]
    yield f"lean instead of managed: {abs(saved):.2f} USD a day {'less' if saved >= 0 else 'more'}, where nothing scales"
