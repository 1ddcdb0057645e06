"""Which approved version goes out next, or which settings: pure. Next: plan.py."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from .state import APPROVED, CANCELLED, SUPERSEDED, Run, Start, State, Stop, Version, Wake, Way


def the_way_forth(state: State, wake: Wake, stops: Sequence[Stop], *, returns: bool) -> Way:
    """The newest approved version that production does not have and that was not tried; else what production has, with newer settings."""
    on = [run for run in state.deploys if run.is_on and run not in [stop.run for stop in stops]]
    older = _is_older(state, wake, on)
    if older and not returns:
        return None, older, f"{state.model}: {older}"
    for version in _newer(state, wake):
        if any(run.package == version.arn for run in on):
            return None, f"{version} is already on its way", ""
        if version.arn == wake.named or wake.by_hand or not was_tried(state, version):
            return _out(state, version)
    return _again(state, wake, on)


def _newer(state: State, wake: Wake) -> list[Version]:
    """Approved versions that come into question, newest first: newer than production's; only the one that is asked for by hand; an older
    one that a person names, which has not served, if what production has is approved no more.
    """
    live = state.production
    stands = live is not None and live.approval == APPROVED
    found = [version for version in state.approved if live is None or version.number > live.number]
    found += [item for item in state.approved if item not in found and item.arn == wake.named and not stands and not state.has_served(item)]
    return [version for version in found if wake.requested in ("", version.arn)]


def was_tried(state: State, version: Version) -> bool:
    """Declined, superseded, stopped, failed, or released before: it is no candidate until a person names it. Not what an update of the
    pipeline has cancelled.
    """
    later = [run for run in state.deploys if run.is_over and run.status != CANCELLED and run.started > version.created]
    return any(run.package == version.arn for run in later)


def _is_older(state: State, wake: Wake, on: Iterable[Run]) -> str:
    """An older version is named while a newer one that is approved is live or on its way: said, with the way, and nothing starts."""
    named = state.find(wake.named) if wake.named else None
    if named is None or named.approval != APPROVED:
        return ""
    live = state.production
    others = [*([live] if live else []), *(state.find(run.package) for run in on if run.package)]
    newer = [item for item in others if item and item.approval == APPROVED and item.number > named.number]
    if not newer:
        return ""
    newest = max(newer, key=lambda item: item.number)
    goes_back = newest == live and state.has_served(named)
    way = f"to go back: {state.roll_back('--to-version', str(named.number))}" if goes_back else "reject it if the older one is meant"
    return f"{newest} is newer than {named} and approved; {way}"


def _out(state: State, version: Version) -> Way:
    """With the commit that made it, or with production's own where that is newer, so that no later push comes along."""
    known = [(state.find(version.arn) or version).commit, state.last_commit]
    commit = next((commit for commit in state.built if commit in known), None) or (state.built[0] if state.built else None)
    if commit is None:
        return None, "no commit was built yet, so nothing says how to deploy; the first push is built", ""
    return Start(version, commit), f"{version} is approved", ""


def _again(state: State, wake: Wake, on: Sequence[Run]) -> Way:
    """What production has, with other settings; or as it is, if a person asks for it."""
    live = state.production
    if live is None:
        return None, "no version is approved that was not tried; approving one deploys it", ""
    if live.approval != APPROVED:
        return None, f"no version is approved that is newer than {live} and was not tried; {live} is {live.approval}", ""
    if on:
        return None, "a deployment is on its way, whose end wakes this again", ""
    settings = _settings(state, wake, live)
    if settings[0] is None and wake.rebuild_before:
        return _rebuild(state, live, wake.rebuild_before, wake.rebuilt)
    return _out(state, live) if settings[0] is None and wake.requested == live.arn else settings


def _rebuild(state: State, live: Version, before: datetime, day: str) -> Way:
    """The same version with the same commit: SageMaker looks for the image for a new fleet. Through the gates, as it may be another."""
    if not state.releases or state.releases[0].ended > before:
        return None, f"the last release is not older than {before:%Y-%m-%d}, so nothing is rebuilt", ""
    last = state.releases[0]
    line = f"{state.model}: {live} is made anew, as its last release is of {last.ended:%Y-%m-%d}; it asks for production after staging"
    return Start(live, last.commit, rebuilt=day), line, line


def _settings(state: State, wake: Wake, live: Version) -> Way:
    """With the newest commit, if that has other serving templates. Code that was pushed asks a person, and asks once.

    An execution that was superseded or cancelled has asked nobody, or for nothing.
    """
    newest = state.built[0] if state.built else ""
    if newest in ("", state.last_commit):
        return None, f"production has {live} with the newest commit that was built", ""
    ended = [run for run in state.deploys if run.is_over and run.status not in (SUPERSEDED, CANCELLED) and run.commit == newest]
    if not wake.by_hand and any(run.package == live.arn for run in ended):
        return None, f"{live} with {newest[:12]} was tried already; by hand it is tried again", ""
    changed = state.changed(newest)
    if not changed:
        return None, "the serving templates are the ones deployed", ""
    return Start(live, newest), f"{live} goes out with a changed {', '.join(changed)}", ""
