"""What becomes of an experiment now: pure. It remembers nothing, so an event may come late, twice or never.

An experiment is as long as the deploy pipeline's review of it is open: the version that is asked about is the challenger. Once there is no
such review, what is beside the champion leaves. Next: experiment.py, which does it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from .production import APPROVED, AT_ONCE, UPDATE

#: Parameters of the stack (infra/serving/challenger_variant.py).
PACKAGE, VERSION, BEGAN, NEVER = "ChallengerPackageArn", "ChallengerVersion", "ExperimentBegan", "never"
INSTANCES, SCALING, OFF, ON = "ChallengerInstances", "ChallengerScaling", "off", "on"
SCALED, HELD = {SCALING: ON}, {SCALING: OFF}
TIME = "%Y-%m-%dT%H:%M:%SZ"
#: So long after its last day the watch may take to judge it.
_GRACE = timedelta(days=1)
_IN_SERVICE = "InService"


class What(StrEnum):
    BEGIN = "begin"  # the challenger is put beside the champion
    END = "end"  # the review is answered with no, and the execution ends
    PASS = "pass"  # noqa: S105 - answered with yes: there is nothing to try
    SCALE = "scale"  # the challenger scales from now on
    HOLD = "hold"  # it no longer does: SageMaker removes no variant that scales
    LEAVE = "leave"  # what is beside the champion is taken out
    WAIT = "wait"


@dataclass(frozen=True)
class Step:
    what: What
    reason: str


@dataclass(frozen=True)
class Production:
    """`updated`: when its stack was last; `why`: that was taken back. `live`, `challenger`: ARNs of versions as people approved them, empty
    without one; `began`: of the experiment. `alarms`: those on the challenger that are on since then; `silent`: its weight is 0.
    `instances`: that the champion wants now. `scaling`: of the challenger, ON or OFF; empty where nothing scales.
    """

    status: str = ""
    endpoint_status: str = ""
    has_place: bool = True
    updated: datetime | None = None
    why: str = ""
    live: str = ""
    live_approval: str = ""
    challenger: str = ""
    began: datetime | None = None
    alarms: Sequence[str] = ()
    silent: bool = False
    instances: int = 1
    scaling: str = ""

    @property
    def is_changing(self) -> bool:
        """Of what cannot be updated now: a stack, or an endpoint that scales."""
        return self.status.endswith("_IN_PROGRESS") or self.endpoint_status not in ("", _IN_SERVICE)


@dataclass(frozen=True)
class Review:
    """That is open: since when, about which version (ARN), and what people said of that in the registry."""

    opened: datetime
    package: str
    approval: str


@dataclass(frozen=True)
class Pipelines:
    """`review`: None where none is open. `returns`: one is on its way; `last_return`: when the newest began. `releases`: a version is
    in the stage after the experiment.
    """

    review: Review | None = None
    returns: bool = False
    last_return: datetime | None = None
    releases: bool = False


def plan(production: Production, pipelines: Pipelines, result: Mapping[str, Any], now: datetime, days: int, *, by_clock: bool) -> Step:
    """`result`: what the watch has said (pipelines/monitoring/steps/experiment.py), empty before. `days`: of the experiment at most."""
    review = pipelines.review
    if review is None or (production.challenger and production.challenger != review.package):
        return _leave(production, pipelines, by_clock=by_clock)
    if pipelines.returns:
        return Step(What.WAIT, "a return is on its way, which ends the experiment")
    if pipelines.last_return is not None and pipelines.last_return > review.opened:
        return Step(What.END, "production went back to an earlier version meanwhile, which ended the experiment")
    if production.challenger:
        return _go_on(production, result, now, days)
    return _begin(production, pipelines, review)


def _leave(production: Production, pipelines: Pipelines, *, by_clock: bool) -> Step:
    """A return takes it out as well, at once, and is not to wait for another update: one that is about to begin has the first word."""
    if not production.challenger:
        return Step(What.WAIT, "no experiment is on")
    if pipelines.returns or (production.live_approval != APPROVED and not by_clock):
        return Step(What.WAIT, "a return takes it out")
    if production.is_changing:
        return Step(What.WAIT, f"production is {production.status}, its endpoint {production.endpoint_status}; looked at again")
    if production.scaling == ON:
        return Step(What.HOLD, f"{name(production.challenger)} no longer scales, so that it can leave the experiment")
    return Step(What.LEAVE, f"{name(production.challenger)} leaves the experiment")


def _go_on(production: Production, result: Mapping[str, Any], now: datetime, days: int) -> Step:
    tried = f"{name(production.challenger)} beside {name(production.live)}"
    if broken := _broken(production):
        return Step(What.END, f"{broken}: the experiment with {tried} is over, {name(production.live)} stays")
    last = _last(production, result, now, days)
    sentence = str(result.get("sentence", ""))
    if result.get("decided") and result.get("favours") != "challenger" and now >= last:
        return Step(What.END, f"its last day is over, {name(production.live)} stays: {sentence}")
    if not result.get("decided") and now >= last + _GRACE:
        why = f"as the watch has not judged: {sentence or 'it said nothing'}"
        return Step(What.END, f"its last day is over, {name(production.live)} stays, {why}")
    may_change = production.live_approval == APPROVED and not production.is_changing and "FAILED" not in production.status
    if production.scaling == OFF and may_change:
        return _scale(production, tried)
    return Step(What.WAIT, f"{tried} is tried; {sentence or 'nothing is counted yet'}")


def _scale(production: Production, tried: str) -> Step:
    """In an update after the one that put it in: CloudFormation would take that one back, were scaling refused in it, and find a variant
    that SageMaker does not remove ("Update endpoints that use auto scaling"). One that was refused is not tried again.
    """
    if "ROLLBACK" in production.status:
        return Step(What.END, f"{tried} did not begin to scale, so the experiment is over: {production.why}")
    return Step(What.SCALE, f"{name(production.challenger)} scales from now on")


def _broken(production: Production) -> str:
    """Empty if nothing is. An alarm is off once no request comes: a weight of 0 says that one was on, or that a person took it out."""
    if production.alarms:
        return f"{', '.join(production.alarms)} is in ALARM"
    return f"{name(production.challenger)} gets no request any more, as its weight is 0" if production.silent else ""


def _last(production: Production, result: Mapping[str, Any], now: datetime, days: int) -> datetime:
    """As it was set when the experiment began, which the watch says; until it has said anything, as it is set now."""
    if ends := result.get("ends"):
        return datetime.strptime(str(ends), TIME).replace(tzinfo=UTC)
    return (production.began or now) + timedelta(days=days)


def _begin(production: Production, pipelines: Pipelines, review: Review) -> Step:
    if review.approval != APPROVED:
        return Step(What.WAIT, f"{name(review.package)} is {review.approval}: its execution is stopped")
    if nothing_to_try := _why_not(production, review):
        return Step(What.PASS, f"no experiment, as {nothing_to_try}; {name(review.package)} is rolled out")
    if pipelines.releases or production.is_changing:
        return Step(What.WAIT, f"production is {production.status}, its endpoint {production.endpoint_status}; looked at again")
    if _was_taken_back(production, review):
        return Step(What.END, f"{name(review.package)} did not come into service beside {name(production.live)}: {production.why}")
    if "FAILED" in production.status:
        return Step(What.WAIT, f"production's stack is {production.status}; `python -m deploy_scripts.status` says what mends it")
    return Step(What.BEGIN, f"{name(review.package)} is tried beside {name(production.live)}")


def _was_taken_back(production: Production, review: Review) -> bool:
    """Not where an endpoint that had just begun to scale refused it ("Cannot update in-progress endpoint"), which is tried again."""
    since = production.updated is not None and production.updated >= review.opened
    return since and "ROLLBACK" in production.status and "in-progress endpoint" not in production.why


def _why_not(production: Production, review: Review) -> str:
    """Empty if there is something to try."""
    if not production.live:
        return "nothing serves yet"
    if production.live == review.package:
        return f"{name(production.live)} serves already"
    if not production.has_place:
        return "production's template is of before it had a place for one; with this release it gets it, for the next"
    if production.live_approval != APPROVED:
        return f"{name(production.live)}, which serves, is {production.live_approval} and must not stay"
    return ""


def changes(package: str = "", version: str = "0", began: str = NEVER) -> dict[str, str]:
    """Of the stack's parameters. All at once, and unguarded: the champion stays the same, and the challenger has alarms of its own."""
    return {PACKAGE: package, VERSION: version, BEGAN: began, UPDATE: AT_ONCE}


def share(production: Production, percent: int) -> str:
    """Instances that the challenger begins with: of all requests the champion's take what they take now."""
    return str(math.ceil(production.instances * percent / 100))


def name(arn: str) -> str:
    return f"version {arn.rsplit('/', 1)[-1]}"
