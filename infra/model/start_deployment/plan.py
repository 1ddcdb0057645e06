"""What should happen, from what is the case: pure. Which version goes out or comes back, from which commit, what is stopped, what is told.

In: `State` (what handler.py found) and `Wake` (why it looks). Out: `Plan`. The rules and their reasons: docs/decisions/0142-*.md.
Next: way_back.py and way_forth.py for the two questions; handler.py, which does it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .state import APPROVED, Start, State, Stop, Wake
from .way_back import the_way_back
from .way_forth import the_way_forth


@dataclass(frozen=True)
class Plan:
    """At most one start for each pipeline. `told`: what people have to know, one line each; None where nobody has looked for that.
    `reasons`: why, for whoever asked.
    """

    back: Start | None = None
    forth: Start | None = None
    stops: Sequence[Stop] = ()
    told: Sequence[str] | None = ()
    reasons: Sequence[str] = ()


def plan(state: State, wake: Wake) -> Plan:
    if refused := what_is_wrong(state, wake):
        return Plan(told=None, reasons=[refused])
    stops = [*what_to_stop(state), *what_is_overtaken(state)]
    back, reason_back, told_back = the_way_back(state, wake, stops)
    forth, reason_forth, told_forth = the_way_forth(state, wake, stops, returns=back is not None)
    told = [line for line in (told_back, told_forth) if line]
    return Plan(back, forth, stops, told, [*(stop.reason for stop in stops), *filter(None, (reason_back, reason_forth))])


def what_is_wrong(state: State, wake: Wake) -> str:
    """With a version that is asked for by hand; empty if it can be deployed. Then nothing else is done, either."""
    version = state.find(wake.requested) if wake.requested else None
    if not wake.requested or (version is not None and version.approval == APPROVED):
        return ""
    said = f"is {version.approval}" if version else "is no version of this model"
    return f"{wake.requested} {said}; allowed: the ARN of an approved version of {state.model}"


def what_to_stop(state: State) -> list[Stop]:
    """Executions of a version that is approved no more: a review that nobody should answer, one that queues behind it, a return to it.

    Not the one that is deploying to production: what it has begun goes on, and its end wakes this again.
    """
    running = [(run, False) for run in state.deploys if run.identifier != state.entered] + [(run, True) for run in state.returns]
    stops = []
    for run, of_return in running:
        version = state.find(run.package) if run.is_on and run.package else None
        if version is not None and version.approval != APPROVED:
            stops.append(Stop(run, of_return, f"{version} is {version.approval}: its {'return' if of_return else 'deployment'} is stopped"))
    return stops


def what_is_overtaken(state: State) -> list[Stop]:
    """Deployments of a version for which a newer approved one is on its way, too, and about which nobody was asked yet.

    Two approvals at once: what wakes first may see only the older one. CodePipeline would ask about that, and let the newer one wait.
    Not settings of what production has: a newer version does not bring them.
    """
    on = [(run, state.find(run.package)) for run in state.deploys if run.is_on and run.package]
    approved = [(run, version) for run, version in on if version and version.approval == APPROVED]
    newest = max((version.number for _, version in approved), default=0)
    live = state.production.arn if state.production else ""
    return [
        Stop(run, False, f"version {newest} is newer and approved: the deployment of {version} is stopped before anybody is asked about it")
        for run, version in approved
        if version.number < newest and version.arn != live and run.identifier not in (state.entered, *state.asked)
    ]
