"""Whether production has to go back, and to which version: pure. Next: plan.py."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from .state import APPROVED, CANCELLED, FAILED, REJECTED, STOPPED, SUCCEEDED, Run, Start, State, Stop, Version, Wake, Way


def the_way_back(state: State, wake: Wake, stops: Sequence[Stop]) -> Way:
    """Production returns when its version was rejected, or was not verified. Also when a person asks for an older one instead of one that
    is approved no more.
    """
    live = state.production
    if live is None:
        return None, "", ""
    asked = _older_one_asked_for(state, wake, live)
    cause = f"{asked} is asked for instead of {live}, which is {live.approval}" if asked else why_leave(state, live, stops)
    if not cause:
        return None, "", ""
    if is_busy(state, stops):
        return None, f"{cause}; a deployment to production is on its way, whose end wakes this again", ""
    target = asked or _served_before(state, live)
    if target is None:
        line = f"{state.model}: {cause}, and no other version that has served it is approved; it serves on. {_what_now(state, live)}"
        return None, line, line
    forced = wake.by_hand or wake.rejected == live.arn or wake.named == target.arn
    failed = None if forced else _failed_return(state, target, live)
    if failed is not None:
        line = f"{state.model}: {cause}, and a return {_how(failed)}, which is not tried again by itself: {_what_of(state, failed, live)}"
        return None, line, line
    line = f"{state.model}: {cause}; production returns to {target}"
    return Start(target, state.last_commit, live.arn, _another_day(state, live) if target == live else ""), line, line


def why_leave(state: State, live: Version, stops: Sequence[Stop]) -> str:
    """Empty if production may keep what it has."""
    if live.approval == REJECTED:
        return f"{live} is Rejected and serves production"
    ending = [run for run in (*state.deploys, *state.returns) if run.is_on and run not in [stop.run for stop in stops]]
    if is_busy(state, stops) or any(run.package == live.arn for run in ending):
        return ""
    if not state.releases:
        return f"{live} serves production, and no deployment of it has ended well"
    if state.releases[0].package not in ("", live.arn):
        return f"{live} serves production, and its verification did not succeed"
    return _why_leave_settings(state, live)


def _why_leave_settings(state: State, live: Version) -> str:
    """The version is the last release's, but a later deployment has made it anew, or left another template behind: of the same version
    with settings that failed, or of any that broke off after the first of two updates, which takes the scaling away
    (deploy_scripts/type_change.py).
    """
    last, failed = state.releases[0], _failed_since(state)
    if failed is None:
        return ""
    if _was_made_anew_by(state, failed, live):
        how = "whose verification did not succeed" if failed.status == FAILED else "which broke off"
        return f"{live} serves production as the deployment of {failed.rebuilt} has made it anew, {how}"
    if state.production_stack not in state.changed(last.commit):
        return ""
    if failed.package == live.arn and failed.status == FAILED:
        return f"{live} serves production with the templates of {failed.commit[:12]}, whose verification did not succeed"
    return f"{live} serves production with what the deployment of {state.version_of(failed) or failed.package} left, which broke off"


def _failed_since(state: State) -> Run | None:
    """The newest execution that ended badly since the last release."""
    broken_off = (FAILED, STOPPED, CANCELLED)
    later = [run for run in (*state.deploys, *state.returns) if run.status in broken_off and run.ended > state.releases[0].ended]
    return max(later, key=lambda run: run.ended, default=None)


def _was_made_anew_by(state: State, failed: Run, live: Version) -> bool:
    """One that its alarms undid, or that failed before production, has left the day there that was there before."""
    return bool(state.rebuilt) and failed.package == live.arn and failed.rebuilt == state.rebuilt != state.releases[0].rebuilt


def _another_day(state: State, live: Version) -> str:
    """Of a return to what a rebuild has made: another one than that, which makes another fleet. Empty for any other return."""
    failed = _failed_since(state)
    if failed is None or not _was_made_anew_by(state, failed, live):
        return ""
    return f"{date.fromisoformat(failed.rebuilt) - timedelta(days=1)}"


def is_busy(state: State, stops: Sequence[Stop]) -> bool:
    """Whether something is changing production now. A review is in staging, and holds nothing up here."""
    stopped = [stop.run for stop in stops]
    return bool(state.entered) or any(run.is_on and run not in stopped for run in state.returns)


def _served_before(state: State, live: Version) -> Version | None:
    """The newest version that served, is approved still and is not the one to leave; of settings that failed, the same version.

    Not the one that served last: whoever rejects all that is newer than a version has named it (deploy_scripts/roll_back.py).
    """
    if live.approval == APPROVED and state.releases and state.releases[0].package == live.arn:
        return live
    return next((version for version in state.approved if version.arn != live.arn and state.has_served(version)), None)


def _older_one_asked_for(state: State, wake: Wake, live: Version) -> Version | None:
    """A version that has served, named by a person while what production has is approved no more."""
    version = state.find(wake.named) if wake.named else None
    if version is None or version.approval != APPROVED or live.approval == APPROVED or version.number >= live.number:
        return None
    return version if state.has_served(version) else None


def _failed_return(state: State, target: Version, live: Version) -> Run | None:
    """Since the last release, which is what the return was about: it left production as it was, or with a version it did not verify.

    One that a person has stopped, too, but not one that an update of its pipeline has cancelled. Whoever rejects what it has left in
    production wants that away, too.
    """
    badly = [run for run in state.returns if run.is_over and run.status not in (SUCCEEDED, CANCELLED)]
    ended = [run for run in badly if run.started > state.releases[0].ended]
    same = [run for run in ended if (run.package, run.leaving) == (target.arn, live.arn)]
    unverified = [run for run in ended if run.package == live.arn and live.approval == APPROVED]
    return next(iter([*same, *unverified]), None)


def _how(failed: Run) -> str:
    return "failed" if failed.status == FAILED else f"was {failed.status.lower()}"


def _what_of(state: State, failed: Run, live: Version) -> str:
    status = f"`python -m deploy_scripts.status --model {state.model}`"
    if failed.package == live.arn:
        return f"{status} says why and verifies it again, {state.roll_back()} leaves {live} for one before it"
    return f"{status} says why, {state.roll_back()} tries again"


def _what_now(state: State, live: Version) -> str:
    """Of several that are on their way the one that began last has the review: the others wait, or are stopped for it."""
    comes = _on_its_way(state, live)
    if comes is not None:
        why = "all at once, because nothing may bring this one back" if live.approval == REJECTED else "in its place"
        status = f"`python -m deploy_scripts.status --model {state.model}`"
        return f"A yes to the review of {comes}, which is on its way, deploys that one {why}: {status} shows the command"
    if live.approval == REJECTED:
        return "Approve a newer version: it is deployed all at once, because nothing may bring this one back"
    return f"If it is bad, approve a newer one; `python -m deploy_scripts.status --model {state.model}` says what failed"


def _on_its_way(state: State, live: Version) -> Version | None:
    versions = (state.version_of(run) for run in state.deploys if run.is_on)
    return next((version for version in versions if version and version.approval == APPROVED and version.arn != live.arn), None)
