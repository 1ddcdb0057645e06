"""For an app with a VPC: does the region have the VPC endpoints of the template, with private DNS, in the zones that it uses?

Inside the VPC there is no internet: a job finds AWS's services only by their usual names, which private DNS leads to the endpoints
(needs DNS support and host names of the VPC). Once deployed, the endpoints themselves are asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from preflight.assembly import Stack
from preflight.finding import Finding, failed, passed
from preflight.service_quotas import find_quota, request_command
from preflight.situation import Situation
from preflight.stack_states import resources_of

_VPC, _ENDPOINT, _SUBNET = "AWS::EC2::VPC", "AWS::EC2::VPCEndpoint", "AWS::EC2::Subnet"
_WHAT = "VPC endpoints"


def check_endpoint_services(situation: Situation) -> Iterator[Finding]:
    """The services, their private DNS, and their zones."""
    wanted = _services(situation)
    if not wanted:
        yield passed(_WHAT, situation.app.words.no_network)
        return
    offered = {item["ServiceName"]: item for region in sorted(set(_regions(situation).values())) for item in _offered(situation, region)}
    zones = _zones(situation)
    used = sorted({zone for of_service in zones.values() for zone in of_service})
    problems = [
        *(f"{name} is not offered" for name in sorted(wanted) if name not in offered),
        *(f"{name} has no private DNS" for name, item in offered.items() if wanted[name] and not item.get("PrivateDnsName")),
        *(
            f"{name} is not in {zone}"
            for name, item in offered.items()
            for zone in zones.get(name, ())
            if wanted[name] and zone not in _places(item)
        ),
    ]
    if problems:
        yield failed(_WHAT, "; ".join(problems), f"{situation.app.words.outside_of_network}, or deploy to another region")
    else:
        where = f" in {', '.join(used)}" if used else ""
        yield passed(_WHAT, f"{situation.region} offers all {len(wanted)} of the template{where}, with private DNS")


def check_private_dns(situation: Situation) -> Iterator[Finding]:
    """The template's VPC resolves names; deployed endpoints are available and answer to the usual names."""
    if not any(_services(situation).values()):
        return
    off = [
        f"{name}.{switch}"
        for _, name, properties in situation.resources(_VPC)
        for switch in ("EnableDnsSupport", "EnableDnsHostnames")
        if properties.get(switch) is not True
    ]
    if off:
        yield failed("private DNS", f"off in the template: {', '.join(off)}", f"set both where {situation.app.words.network}")
        return
    made = _made(situation)
    if not made:
        yield passed("private DNS", "on in the template; the endpoints are not deployed yet")
        return
    filters = [{"Name": "vpc-endpoint-id", "Values": sorted(made)}]  # ids that are gone would be an error as VpcEndpointIds
    found = situation.account.read_all("ec2", "describe_vpc_endpoints", "VpcEndpoints", Filters=filters)
    wrong = [_state(item) for item in found if str(item.get("State")).lower() != "available" or not _resolves(item)]
    missing = sorted(set(made) - {item["VpcEndpointId"] for item in found})
    if wrong or missing:
        command = f"npx cdk deploy {next(stack.name for stack, _, _ in situation.resources(_ENDPOINT))}"
        yield failed("private DNS", "; ".join([*wrong, *(f"{name} is gone" for name in missing)]), "deploy the network again", command)
    else:
        yield passed("private DNS", f"{len(found)} endpoints are available under the services' own names")


def check_vpc_quota(situation: Situation) -> Iterator[Finding]:
    wanted = len(list(situation.resources(_VPC))) if _services(situation) else 0
    if not wanted or _made(situation):
        return  # none is made, or it is there
    used = len(situation.account.read_all("ec2", "describe_vpcs", "Vpcs"))
    quota = find_quota(situation.account, "vpc", "VPCs per Region")
    if quota and quota["Value"] < used + wanted:
        found = f"has {quota['Value']:g}, needs {wanted}, others use {used}"
        yield failed("VPCs", found, "ask for more, or delete one that nobody uses", request_command(quota, used + wanted))
    elif quota:
        yield passed("VPCs", f"has {quota['Value']:g}, needs {wanted}, others use {used}")


def _services(situation: Situation) -> dict[str, bool]:
    """Service -> whether its endpoint takes over the service's own name. Gateway endpoints, as S3's, work by routes."""
    found = {}
    for _, _, properties in situation.resources(_ENDPOINT):
        if name := situation.place.text(properties["ServiceName"]):
            found[name] = properties.get("PrivateDnsEnabled") is True
    return found


def _regions(situation: Situation) -> dict[str, str]:
    """Service -> the region that it is in: `ServiceRegion` of an endpoint, where it is another one."""
    found = {}
    for _, _, properties in situation.resources(_ENDPOINT):
        if name := situation.place.text(properties["ServiceName"]):
            found[name] = situation.place.text(properties.get("ServiceRegion")) or situation.region
    return found


def _offered(situation: Situation, region: str) -> list[dict[str, Any]]:
    """Those services of the template that a region offers here."""
    filters = [{"Name": "service-name", "Values": sorted(name for name, there in _regions(situation).items() if there == region)}]
    elsewhere = {"ServiceRegions": [region]} if region != situation.region else {}
    return list(situation.account.read_all("ec2", "describe_vpc_endpoint_services", "ServiceDetails", Filters=filters, **elsewhere))


def _zones(situation: Situation) -> dict[str, list[str]]:
    """Service -> the zones of the subnets in which the templates have its endpoints, as far as the templates say them.

    A service of another region is in zones of that one.
    """
    filters = [{"Name": "zone-type", "Values": ["availability-zone"]}, {"Name": "state", "Values": ["available"]}]
    found = situation.account.read_all("ec2", "describe_availability_zones", "AvailabilityZones", Filters=filters)
    region = sorted(item["ZoneName"] for item in found)
    zones: dict[str, set[str]] = {}
    for stack, _, properties in situation.resources(_ENDPOINT):
        if (name := situation.place.text(properties["ServiceName"])) and not properties.get("ServiceRegion"):
            subnets = [_subnet(stack, given) for given in _items(properties.get("SubnetIds"))]
            zones.setdefault(name, set()).update(zone for subnet in subnets if (zone := _zone(situation, subnet, region)))
    return {name: sorted(of_service) for name, of_service in zones.items()}


def _items(value: Any) -> list[Any]:
    """A list of a template; nothing where a function makes it."""
    return value if isinstance(value, list) else []


def _subnet(stack: Stack, given: Any) -> dict[str, Any]:
    """Properties of the subnet that a template refers to; of one that is made elsewhere nothing is known."""
    logical_id = (given.get("Ref") or _items(given.get("Fn::GetAtt"))[:1]) if isinstance(given, dict) else None
    (logical_id,) = logical_id if isinstance(logical_id, list) and logical_id else [logical_id]
    return stack.resources(_SUBNET).get(str(logical_id), {})


def _zone(situation: Situation, subnet: dict[str, Any], region: list[str]) -> str | None:
    """By its name, or as Fn::GetAZs answers it: by its index in the region's zones, in alphabetical order."""
    given = subnet.get("AvailabilityZone")
    index, zones = [*_items(given.get("Fn::Select")), None, None][:2] if isinstance(given, dict) else (None, None)
    if isinstance(zones, dict) and "Fn::GetAZs" in zones and str(index).isdigit():
        return dict(enumerate(region)).get(int(str(index)))
    return situation.place.text(given)


def _places(service: dict[str, Any]) -> list[str]:
    return list(service.get("AvailabilityZones", []))


def _made(situation: Situation) -> list[str]:
    """Ids of the deployed endpoints."""
    ids = []
    for stack in situation.stacks:
        if wanted := stack.resources(_ENDPOINT):
            ids += [physical for logical, physical in resources_of(situation, stack).items() if logical in wanted and physical]
    return ids


def _resolves(endpoint: dict[str, Any]) -> bool:
    return endpoint.get("VpcEndpointType") != "Interface" or endpoint.get("PrivateDnsEnabled") is True


def _state(endpoint: dict[str, Any]) -> str:
    dns = "" if _resolves(endpoint) else ", without private DNS"
    return f"{endpoint['ServiceName']} is {endpoint.get('State')}{dns}"
