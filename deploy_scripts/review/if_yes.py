"""What happens to production if the approver says yes, how long it takes, and how to go back. Pure.

Input: how the environment serves the model, what serves there now, how long the same took where versions are tested. Output: `IfYes`.
Source of the phases: "Blue/Green Deployments" of the SageMaker guide (baking after each shift, the old fleet's end after the termination
wait).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from deploy_scripts.type_change import TypeChange
from settings_schema import Asynchronous, Batch, Component, Endpoint, Member, Rollout, Routing, Serverless
from settings_schema.model import Serving

_ASKED = "it is asked what it answers, as on staging"
_WATCHED = "and the alarms on server errors and p99 latency are watched for {} s"


class IfYes(NamedTuple):
    """`seconds`: of waits that the settings ask for; what AWS takes besides is in `steps`."""

    steps: list[str]
    seconds: int
    back: list[str]


def if_yes(
    model: str,
    environment: str,
    serving: Serving,
    live: int | None,
    instances: int | None,
    staging_seconds: float | None,
    change: TypeChange | str | None = None,
) -> IfYes:
    """`live`: number of the version that serves; `instances`: on so many; `staging_seconds`: how long staging's fleet took, where known.

    `change`: another instance type that comes with it, or why that cannot be seen.
    """
    waits = 0
    steps = ["it is asked whether the version is approved still, and whether the endpoint and its stack can be updated"]
    if isinstance(change, TypeChange):
        steps.append(str(change))
        instances = change.instances
    elif change is not None:
        steps.append(f"whether it gets another instance type cannot be seen: {change}")
    if isinstance(serving, Batch):
        steps.append(f"{environment} scores with this version from then on; no instance runs, so nothing is moved")
    elif isinstance(serving, Member):
        steps += _told(serving, live)
        waits = serving.bake_seconds
    elif live is None:
        steps.append(f"{_fleet(serving, serving_count(serving))} start{_took(staging_seconds)}; nothing serves before")
    elif serving.rollout.routing is Routing.ROLLING:
        rollout, fleet = serving.rollout, _fleet(serving, instances or serving_count(serving))
        steps.append(
            f"{rollout.step_percent} % of {fleet} are replaced, {_WATCHED.format(rollout.bake_seconds)}; "
            f"this {rollout.steps} times at most, until all of version {live}'s are gone"
        )
        waits = rollout.steps * rollout.bake_seconds
    else:
        fleet = _fleet(serving, instances or serving_count(serving))
        steps.append(f"a second fleet of {fleet} starts beside version {live}'s{_took(staging_seconds)}")
        steps += _shifts(serving.rollout)
        waits = serving.rollout.steps * serving.rollout.bake_seconds + serving.rollout.termination_wait_seconds
        steps.append(f"version {live}'s fleet goes {serving.rollout.termination_wait_seconds} s later")
    if not isinstance(serving, Member):
        steps.append(_ASKED)
    return IfYes(steps, waits, list(_back(model, environment, serving, live)))


def _told(serving: Member, live: int | None) -> Iterator[str]:
    yield f"its archive is put beside the others of the fleet {serving.fleet}, under a name of its own, and asked there; no client knows it"
    before = "; nothing serves before" if live is None else f" instead of version {live}'s, as soon as they read the parameter"
    yield f"clients are told its name{before}"
    yield f"{_ASKED}, {_WATCHED.format(serving.bake_seconds)}"


def _took(seconds: float | None) -> str:
    return f" (staging's took {seconds:.0f} s)" if seconds else ""


def serving_count(serving: Endpoint | Serverless | Asynchronous | Component) -> int:
    """Instances of a new endpoint, none of a serverless one; copies of a new component."""
    if isinstance(serving, Component):
        return serving.copies
    return 0 if isinstance(serving, Serverless) else serving.initial_instance_count


def _fleet(serving: Endpoint | Serverless | Asynchronous | Component, count: int) -> str:
    if isinstance(serving, Component):
        return f"{count} {'copy' if count == 1 else 'copies'} on the fleet {serving.fleet}"
    if isinstance(serving, Serverless):
        ready = f"{serving.provisioned.min_capacity} of them ready at once and more " if serving.provisioned else ""
        return f"containers of {serving.memory_mb} MB, {ready}as requests come,"
    return f"{count} {serving.instance_type}"


def _shifts(rollout: Rollout) -> Iterator[str]:
    watched = _WATCHED.format(rollout.bake_seconds)
    if rollout.routing is Routing.ALL_AT_ONCE:
        yield f"all traffic moves at once {watched}"
    elif rollout.routing is Routing.CANARY:
        yield f"{rollout.step_percent} % of the traffic moves {watched}"
        yield f"the rest moves {watched}"
    else:
        yield f"{rollout.step_percent} % of the traffic moves {watched}; this {rollout.steps} times, until all has moved"


def _back(model: str, environment: str, serving: Serving, live: int | None) -> Iterator[str]:
    if not isinstance(serving, Batch) and live is not None:
        back = "the pipelines tell clients of" if isinstance(serving, Member) else "SageMaker moves all traffic back to"
        yield f"an alarm meanwhile: {back} version {live}{' again' if isinstance(serving, Member) else ''}"
    if live is None:
        yield f"nothing serves {environment} yet, so there is nothing to go back to; `python -m deploy_scripts.retire` takes it away"
        return
    command = f'python -m deploy_scripts.roll_back --model {model} --reason "…"'
    yield f"afterwards: {command}, or rejecting this version: version {live} returns all at once"
