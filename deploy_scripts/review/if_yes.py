"""What happens to production if the approver says yes, how long it takes, and how to go back. Pure.

Input: how the environment serves the model, what serves there now, how long the same took where versions are tested. Output: `IfYes`.
Source of the phases: "Blue/Green Deployments" of the SageMaker guide (baking after each shift, the old fleet's end after the termination
wait).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from settings_schema import Batch, Endpoint, Rollout, Routing


class IfYes(NamedTuple):
    """`seconds`: of waits that the settings ask for; what AWS takes besides is in `steps`."""

    steps: list[str]
    seconds: int
    back: list[str]


def if_yes(
    model: str, environment: str, serving: Endpoint | Batch, live: int | None, instances: int | None, staging_seconds: float | None
) -> IfYes:
    """`live`: number of the version that serves; `instances`: on so many; `staging_seconds`: how long staging's fleet took, where known."""
    waits = 0
    steps = ["it is asked whether the version is approved still, and whether the endpoint and its stack can be updated"]
    if isinstance(serving, Batch):
        steps.append(f"{environment} scores with this version from then on; no instance runs, so nothing is moved")
    elif live is None:
        fleet = f"{serving.initial_instance_count} instances of {serving.instance_type}"
        steps.append(f"{fleet} start{_took(staging_seconds)}; nothing serves before")
    else:
        count = instances or serving.initial_instance_count
        steps.append(f"a second fleet of {count} {serving.instance_type} starts beside version {live}'s{_took(staging_seconds)}")
        steps += _shifts(serving.rollout)
        waits = _bakes(serving.rollout) * serving.rollout.bake_seconds + serving.rollout.termination_wait_seconds
        steps.append(f"version {live}'s fleet goes {serving.rollout.termination_wait_seconds} s later")
    steps.append("it is asked what it answers, as on staging")
    return IfYes(steps, waits, list(_back(model, environment, serving, live)))


def _took(seconds: float | None) -> str:
    return f" (staging's took {seconds:.0f} s)" if seconds else ""


def _bakes(rollout: Rollout) -> int:
    if rollout.routing is Routing.ALL_AT_ONCE:
        return 1
    return 2 if rollout.routing is Routing.CANARY else math.ceil(100 / rollout.step_percent)


def _shifts(rollout: Rollout) -> Iterator[str]:
    watched = f"and the alarms on server errors and p99 latency are watched for {rollout.bake_seconds} s"
    if rollout.routing is Routing.ALL_AT_ONCE:
        yield f"all traffic moves at once {watched}"
    elif rollout.routing is Routing.CANARY:
        yield f"{rollout.step_percent} % of the traffic moves {watched}"
        yield f"the rest moves {watched}"
    else:
        yield f"{rollout.step_percent} % of the traffic moves {watched}; this {_bakes(rollout)} times, until all has moved"


def _back(model: str, environment: str, serving: Endpoint | Batch, live: int | None) -> Iterator[str]:
    if isinstance(serving, Endpoint) and live is not None:
        yield f"an alarm meanwhile: SageMaker moves all traffic back to version {live}"
    if live is None:
        yield f"nothing serves {environment} yet, so there is nothing to go back to; `python -m deploy_scripts.retire` takes it away"
        return
    command = f'python -m deploy_scripts.roll_back --model {model} --reason "…"'
    yield f"afterwards: {command}, or rejecting this version: version {live} returns all at once"
