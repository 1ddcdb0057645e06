"""All checks of one place, in the order in which a person mends things. Next: `account.py`, which they look through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from preflight import (
    bootstrap,
    cost,
    deployer,
    fits,
    identity,
    leftovers,
    names,
    network,
    offers,
    quotas,
    service_roles,
    source,
    stack_states,
    tools,
)
from preflight.finding import Finding, NotSeenError, not_seen, unseen
from preflight.situation import Check, Situation

SECTIONS: Mapping[str, Mapping[str, Check]] = {
    "Account": {
        "identity": identity.check_identity,
        "region": identity.check_region,
        "bootstrap": bootstrap.check_version,
        "bootstrap resources": bootstrap.check_resources,
        "bootstrap trust": bootstrap.check_trust,
        "deployer": deployer.check_deployer,
        "scaling role": service_roles.check_service_roles,
        "source of the code": source.check_source,
    },
    "Tools": {"Python": tools.check_python, "CDK CLI": tools.check_cli, "libraries": tools.check_libraries},
    "Earlier deployments": {"stacks": stack_states.check_stacks, "names": names.check_names, "left behind": leftovers.check_leftovers},
    "Image and instance types": {
        "image": offers.check_image,
        "instance types": offers.check_instance_types,
        "allowed types": fits.check_version,
        "scaling": fits.check_scaling,
    },
    "Quotas": {
        "endpoints": quotas.check_endpoints,
        "serverless": quotas.check_serverless,
        "jobs": quotas.check_jobs,
        "builds": quotas.check_builds,
    },
    "Network": {
        "VPC endpoints": network.check_endpoint_services,
        "private DNS": network.check_private_dns,
        "VPCs": network.check_vpc_quota,
    },
    "Cost": {"a month": cost.check_cost},
}
#: Of the machine, not of a place: looked at once.
_ONCE = ("Python", "CDK CLI", "libraries")


def examine(situation: Situation) -> dict[str, list[Finding]]:
    """Every check's findings, by section. One that cannot look is one line, and the next one looks all the same."""
    return {
        title: [
            finding
            for name, check in checks.items()
            if situation.is_own or name not in _ONCE
            for finding in _looked(name, check, situation)
        ]
        for title, checks in SECTIONS.items()
    }


def _looked(name: str, check: Check, situation: Situation) -> Iterator[Finding]:
    try:
        yield from check(situation)
    except NotSeenError as error:
        yield not_seen(name, error)
    except (AttributeError, KeyError, TypeError) as error:  # templates of any app may be written as no check expects
        yield unseen(name, f"the templates have a form that is not known here ({type(error).__name__}: {error})")
