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
    """At most one start for each pipeline. `told`: what people have to know, one line each. `reasons`: why, for whoever asked."""

    back: Start | None = None
    forth: Start | None = None
    stops: Sequence[Stop] = ()
    told: Sequence[str] = ()
    reasons: Sequence[str] = ()


def plan(state: State, wake: Wake) -> Plan:
    stops = what_to_stop(state)
    back, reason_back, told_back = the_way_back(state, wake, stops)
    forth, reason_forth, told_forth = the_way_forth(state, wake, stops, returns=back is not None)
    told = [line for line in (told_back, told_forth) if line]
    return Plan(back, forth, stops, told, [*(stop.reason for stop in stops), *filter(None, (reason_back, reason_forth))])


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
