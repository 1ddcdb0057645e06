"""Where an app goes: accounts and regions with the clients for them, by its cloud assembly.

Another account is entered as `cdk` enters it, by the lookup role of the bootstrap, whose ARN is in the assembly's manifest; or with a
profile of its own. Next: `places.py` looks at each.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from preflight.account import local_address
from preflight.assembly import UNKNOWN, Place, Stack
from preflight.errors import PreflightError, explain

Client = Callable[[str, str], Any]


class ClosedError(Exception):
    """An account that these credentials cannot enter, and why, in one line."""


@dataclass(frozen=True)
class Site:
    """An account and region. `client(service, region)` makes a boto3 client; raises ClosedError where nobody lets one in.

    `is_callers`: the credentials are the account's own. `holds`: names of stacks that go there although their templates fit any place,
    such as those that a pipeline deploys.
    """

    name: str
    account: str
    region: str
    is_callers: bool
    client: Client
    holds: frozenset[str] = frozenset()

    @property
    def where(self) -> tuple[str, str]:
        return self.account, self.region

    def takes(self, stack: Stack) -> bool:
        """Whether the stack was synthesized for this place."""
        return stack.account in (self.account, UNKNOWN if self.is_callers else None) and stack.region in (self.region, UNKNOWN)


def of_assembly(stacks: Sequence[Stack], profiles: Mapping[str, str]) -> list[Site]:
    """One for each account and region of the stacks, those of the credentials' account first. `profiles`: names by account.

    Raises PreflightError where neither a stack nor the terminal names a region.
    """
    session = boto3.Session()
    caller = _caller(session, session.region_name or next((stack.region for stack in stacks if stack.region != UNKNOWN), None))
    places: dict[tuple[str, str], Stack] = {}
    for stack in stacks:
        region = session.region_name if stack.region == UNKNOWN else stack.region
        if region is None:
            raise PreflightError(f"stack {stack.name} leaves its region open; export AWS_REGION, or choose a profile with one")
        places.setdefault((caller if stack.account == UNKNOWN else stack.account, region), stack)
    sites = [
        Site(f"{account}/{region}", account, region, account == caller, _entered(session, caller, Place(account, region), stack, profiles))
        for (account, region), stack in places.items()
    ]
    return sorted(sites, key=lambda site: not site.is_callers)


def _caller(session: boto3.Session, region: str | None) -> str:
    if region is None:
        raise PreflightError("no region is set; export AWS_REGION, or choose a profile with one")
    return str(_clients(session)("sts", region).get_caller_identity()["Account"])


def _entered(session: boto3.Session, caller: str, place: Place, stack: Stack, profiles: Mapping[str, str]) -> Client:
    if place.account in profiles:
        return _clients(boto3.Session(profile_name=profiles[place.account]))
    if place.account == caller:
        return _clients(session)
    role = place.filled(str(stack.properties.get("lookupRole", {}).get("arn", "")))
    there = functools.cache(lambda: _clients(_by_role(session, caller, place, role)))  # nobody is asked before it is needed
    return lambda service, region: there()(service, region)


def _by_role(session: boto3.Session, caller: str, place: Place, role: str | None) -> boto3.Session:
    otherwise = f"--profile {place.account}=NAME enters it with credentials of its own"
    if not role:
        raise ClosedError(
            f"the assembly names no lookup role of {place.account}, which is not the account of these credentials; {otherwise}"
        )
    try:
        answer = _clients(session)("sts", place.region).assume_role(RoleArn=role, RoleSessionName="preflight")
    except ClientError as error:
        raise ClosedError(f"{caller} may not assume {role}: {explain(error)}; {otherwise}") from error
    given = answer["Credentials"]
    return boto3.Session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])


def _clients(session: boto3.Session) -> Client:
    # A local account that has stopped does not come back by waiting: that is said at once.
    config = Config(retries={"mode": "standard", "max_attempts": 1 if local_address() else 5})
    return lambda service, region: session.client(service, region_name=region, config=config)


def profiles_of(given: Sequence[str]) -> dict[str, str]:
    """Profiles by account, of `444455556666=NAME`. Raises PreflightError."""
    known = boto3.Session().available_profiles
    found = {}
    for item in given:
        account, _, name = item.partition("=")
        if not (account.isdigit() and len(account) == 12) or name not in known:
            names = ", ".join(known) or "none is configured"
            raise PreflightError(f"--profile is {item!r}; allowed: an account's 12 digits, = and a profile ({names})")
        found[account] = name
    return found
