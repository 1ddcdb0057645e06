"""Which accounts and regions are looked at, each with the stacks that go there; and those that are closed. Next: `examination.py`."""

from __future__ import annotations

from collections.abc import Sequence

from preflight.account import Account
from preflight.application import App
from preflight.assembly import Stack
from preflight.errors import PreflightError
from preflight.finding import Finding, NotSeenError, failed
from preflight.sites import ClosedError, Site
from preflight.situation import Situation


def look(app: App, stacks: Sequence[Stack]) -> tuple[list[Situation], dict[str, Finding]]:
    """The project's own place first, then each other one; and those that are closed, by their names.

    Raises PreflightError where there are no credentials.
    """
    sites = app.sites(stacks)
    own, places = sites[0], dict[tuple[str, str], Site]()
    for site in sites:
        places.setdefault(site.where, site)
    held = {name: site for site in sites for name in site.holds}
    situations, closed = [], {}
    for place in places.values():
        here = [stack for stack in stacks if held.get(stack.name, _site_of(stack, sites)).where == place.where]
        try:
            situations.append(_situation(app, place, own, here, stacks))
        except ClosedError as error:
            closed[place.name] = failed("another account", str(error), "bootstrap it so that it trusts the project's account")
        except NotSeenError as error:
            raise PreflightError(f"{error.reason}. Check AWS_PROFILE or the exports of a local account") from error
    return situations, closed


def _site_of(stack: Stack, sites: Sequence[Site]) -> Site:
    return next((site for site in sites if site.takes(stack)), sites[0])


def _situation(app: App, place: Site, own: Site, here: Sequence[Stack], everywhere: Sequence[Stack]) -> Situation:
    account = Account(place.region, place.client)
    return Situation(
        app=app,
        account=account,
        identity=account.read("sts", "get_caller_identity"),
        stacks=here,
        everywhere=everywhere,
        trusted=None if place.account == own.account else own.account,
        is_own=place.where == own.where,
    )
