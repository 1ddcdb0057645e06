"""What a month costs, from idle to the top of the scaling range: the endpoints, which are the bill.

Prices: the AWS Price List of the region where it answers, otherwise `PRICES` of settings.py, which `make capacity` uses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from deploy_scripts.preflight.finding import Finding, NotSeenError, passed, unseen
from deploy_scripts.preflight.needs import Use, capacity_range
from deploy_scripts.preflight.offers import prices
from deploy_scripts.preflight.situation import Situation

HOURS = 730  # of a month, as AWS's price calculator counts
_NOT_COUNTED = "the second fleet during updates, training and batch jobs, requests' data, storage, logs, alarms, key, builds"


def check_cost(situation: Situation) -> Iterator[Finding]:
    usd, source = _prices(situation)
    endpoints = situation.endpoints
    unknown = sorted({item.instance_type for item in endpoints.values()} - set(usd))
    if unknown:
        yield unseen("a month", f"no price of {', '.join(unknown)} ({source})", "add it to PRICES in settings.py")
        return
    ranges = {name: (capacity_range(item), usd[item.instance_type]) for name, item in endpoints.items()}
    idle, top = (sum(count[end] * price for count, price in ranges.values()) * HOURS for end in (0, 1))
    least, most = (sum(count[end] for count, _ in ranges.values()) for end in (0, 1))
    network = _network(situation)
    found = f"{idle:,.0f} USD idle ({least} {'instance' if least == 1 else 'instances'}) to {top:,.0f} USD at the top ({most} instances)"
    yield passed("a month", found, f"{source}, {HOURS} hours. Not counted: {network}{_NOT_COUNTED}")


def _prices(situation: Situation) -> tuple[Mapping[str, float], str]:
    wanted = {item.instance_type for item in situation.endpoints.values()}
    noted = situation.prices
    try:
        sold = prices(situation.account, Use.ENDPOINT)
    except NotSeenError:
        sold = {}
    if wanted <= set(sold):
        return sold, f"AWS Price List of {situation.region}, on demand"
    return noted.usd_per_hour, f"PRICES in settings.py: {noted.region}, {noted.as_of}, on demand"


def _network(situation: Situation) -> str:
    """Interface endpoints cost by the hour, each in each of its subnets."""
    places = [len(item.get("SubnetIds", [])) for _, _, item in situation.resources("AWS::EC2::VPCEndpoint")]
    return f"{sum(places)} VPC endpoint interfaces by the hour, " if any(places) else ""
