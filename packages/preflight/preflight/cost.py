"""What a month costs, from idle to the top of the scaling range: the endpoints, which are the bill.

Prices: the AWS Price List of the region where it answers, otherwise those that the app's project notes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from preflight.finding import Finding, NotSeenError, passed, unseen
from preflight.needs import Use
from preflight.offers import prices
from preflight.situation import Situation

HOURS = 730  # of a month, as AWS's price calculator counts
_NOT_COUNTED = "the second fleet during updates, training and batch jobs, requests' data, storage, logs, alarms, key, builds"


def check_cost(situation: Situation) -> Iterator[Finding]:
    usd, source = _prices(situation)
    fleets = situation.fleets
    unknown = sorted({fleet.instance_type for fleet in fleets} - set(usd))
    if unknown:
        yield unseen("a month", f"no price of {', '.join(unknown)} ({source})", situation.app.words.price)
        return
    least, most = sum(fleet.lowest for fleet in fleets), sum(fleet.highest for fleet in fleets)
    idle = sum(fleet.lowest * usd[fleet.instance_type] for fleet in fleets) * HOURS
    top = sum(fleet.highest * usd[fleet.instance_type] for fleet in fleets) * HOURS
    network = _network(situation)
    found = f"{idle:,.0f} USD idle ({least} {'instance' if least == 1 else 'instances'}) to {top:,.0f} USD at the top ({most} instances)"
    yield passed("a month", found, f"{source}, {HOURS} hours. Not counted: {network}{_NOT_COUNTED}")


def _prices(situation: Situation) -> tuple[Mapping[str, float], str]:
    wanted = {fleet.instance_type for fleet in situation.fleets}
    try:
        sold = prices(situation.account, Use.ENDPOINT)
    except NotSeenError:
        sold = {}
    if wanted <= set(sold):
        return sold, f"AWS Price List of {situation.region}, on demand"
    return situation.app.usd_per_hour, situation.app.prices_source


def _network(situation: Situation) -> str:
    """Interface endpoints cost by the hour, each in each of its subnets."""
    places = [len(item.get("SubnetIds", [])) for _, _, item in situation.resources("AWS::EC2::VPCEndpoint")]
    return f"{sum(places)} VPC endpoint interfaces by the hour, " if any(places) else ""
