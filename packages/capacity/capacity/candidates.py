"""The configurations that the search tries, each a few choices, and what each deploys.

Input: traffic, service time and instance type. Output: `Candidate`s. Next: `recommend.py`.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from capacity.daily import HOURS, WINDOWS_PER_DAY, Window, windows
from capacity.model import (
    LEAST_OUTSTANDING_REQUESTS,
    PREDEFINED_METRICS,
    RANDOM,
    Alarm,
    Assumptions,
    Configuration,
    Policy,
    ScalableTarget,
    ScheduledAction,
    StepAdjustment,
    StepPolicy,
    TargetTrackingPolicy,
    invocations_per_instance,
)
from capacity.service import ServiceTime
from capacity.traffic import Traffic

INVOCATIONS = PREDEFINED_METRICS["SageMakerVariantInvocationsPerInstance"]
Plan = tuple[float, int] | None  # utilisation that a scheduled minimum is sized for, slack in hours; None: no schedule
SAFETIES = (0.4, 0.5, 0.6, 0.65, 0.7, 0.725, 0.75, 0.775, 0.8, 0.9)
COOLDOWNS = ((0, 0), (60, 300), (0, 600), (300, 600))  # scale-out, scale-in, in seconds
PLANS: tuple[Plan, ...] = (None, (0.75, 0), (0.9, 0), (0.75, 1))
Steps = tuple[tuple[int, int], ...]  # percent of the threshold, percent of the instances
STEPS: Steps = ((100, 25), (150, 50), (200, 100))  # a gentle start
FINE_STEPS: Steps = ((100, 10), (110, 20), (125, 35), (150, 60))
STEEP_STEPS: Steps = ((100, 25), (150, 100), (250, 300), (400, 600))
JUMP: Steps = ((100, 1000),)  # a crowd comes: to the maximum at once, because nothing can be added while the endpoint updates
#: For the grid, as fields of Candidate. step_margin: alarm threshold as a multiple of the tracking target; None: no policy.
STEP_POLICIES: tuple[Mapping[str, Any], ...] = (
    {"step_margin": None},
    {"step_margin": 1.15},
    {"step_margin": 1.4, "steps": JUMP, "step_periods": 1},
)
#: What `neighbours` picks anew, by field of Candidate.
CHOICES: Mapping[str, Sequence[Any]] = {
    "scale_out_cooldown_seconds": (0, 60, 120, 180, 240, 300, 420, 600, 900),
    "scale_in_cooldown_seconds": (0, 60, 120, 300, 450, 600, 900, 1200),
    "step_margin": (None, None, 0.95, 0.97, 1.0, 1.03, 1.05, 1.1, 1.15, 1.3, 1.6),
    "steps": (STEPS, FINE_STEPS, STEEP_STEPS, ((100, 15), (130, 40), (175, 80)), JUMP, ((100, 300),), ((100, 600),)),
    "step_cooldown_seconds": (60, 120, 240, 300, 600),
    "step_periods": (1, 2, 3),
}


@dataclass(frozen=True, kw_only=True)
class InstanceOption:
    """An instance type with its price and its measured service time."""

    instance_type: str
    usd_per_hour: float
    service: ServiceTime


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One set of choices: a scalable variant with target tracking, steps and scheduled minimums."""

    option: InstanceOption
    min_capacity: int
    max_capacity: int
    initial_count: int = 1  # at the beginning of the replay; a deployment retains what was there
    safety: float | None  # None: no target tracking
    scale_out_cooldown_seconds: int = 60
    scale_in_cooldown_seconds: int = 300
    step_margin: float | None = None  # None: no step policy
    steps: Steps = STEPS
    step_cooldown_seconds: int = 120
    step_periods: int = 2
    schedule: tuple[Window, ...] = ()
    time_zone: str = "Etc/UTC"
    routing: str = LEAST_OUTSTANDING_REQUESTS
    label: str = ""

    @property
    def max_rps(self) -> float:
        return self.option.service.max_requests_per_second

    @property
    def target_value(self) -> float:
        return invocations_per_instance(round(self.max_rps, 2), self.safety or 1.0)

    @property
    def step_threshold(self) -> float:
        return round(self.target_value * (self.step_margin or 1.0), 1)

    def configuration(self) -> Configuration:
        """What is deployed for these values."""
        policies: list[Policy] = []
        if self.safety is not None:
            policies.append(
                TargetTrackingPolicy(
                    name="target-tracking",
                    metric=INVOCATIONS,
                    target_value=self.target_value,
                    scale_out_cooldown_seconds=self.scale_out_cooldown_seconds,
                    scale_in_cooldown_seconds=self.scale_in_cooldown_seconds,
                )
            )
        if self.step_margin is not None:
            policies.append(
                step_policy(
                    self.step_threshold, self.steps, cooldown_seconds=self.step_cooldown_seconds, evaluation_periods=self.step_periods
                )
            )
        actions = tuple(
            ScheduledAction(
                name=window.name,
                schedule=f"cron({window.cron})",
                time_zone=self.time_zone,
                min_capacity=window.min_capacity,
                max_capacity=self.max_capacity,
            )
            for window in self.schedule
        )
        target = ScalableTarget(
            resource_id="endpoint/candidate/variant/AllTraffic", min_capacity=self.min_capacity, max_capacity=self.max_capacity
        )
        return Configuration(
            target=target,
            policies=tuple(policies),
            scheduled_actions=actions,
            instance_type=self.option.instance_type,
            initial_instance_count=max(self.min_capacity, min(self.max_capacity, self.initial_count)),
            routing=self.routing,
        )


def step_policy(threshold: float, changes: Steps = STEPS, *, cooldown_seconds: int = 120, evaluation_periods: int = 2) -> StepPolicy:
    """Percentages of the instances by how far the metric is above the alarm threshold."""
    bounds = [(percent - 100) / 100 * threshold for percent, _ in changes] + [math.inf]
    steps = [StepAdjustment(change, low, high) for (_, change), (low, high) in zip(changes, itertools.pairwise(bounds), strict=True)]
    alarm = Alarm(
        name="step-scaling",
        metric=INVOCATIONS,
        comparison="GreaterThanOrEqualToThreshold",
        threshold=threshold,
        evaluation_periods=evaluation_periods,
        datapoints_to_alarm=evaluation_periods,
    )
    return StepPolicy(
        name="step-scaling",
        adjustment_type="PercentChangeInCapacity",
        steps=tuple(steps),
        cooldown_seconds=cooldown_seconds,
        min_adjustment_magnitude=1,
        alarms=(alarm,),
    )


@dataclass(frozen=True)
class Space:
    """What the search may choose from, for one instance type. min_capacity, max_capacity, routing: what the user sets."""

    traffic: Traffic
    option: InstanceOption
    assumptions: Assumptions
    time_zone: str = "Etc/UTC"
    min_capacity: int = 1
    max_capacity: int | None = None
    routing: str = LEAST_OUTSTANDING_REQUESTS

    @property
    def most(self) -> int:
        """Twice what the highest minute needs at full use: never binds on a good day, but caps a bad one."""
        enough = max(2, math.ceil(2 * float(self.traffic.rate.max()) / self.option.service.max_requests_per_second))
        return max(self.min_capacity, self.max_capacity or enough)

    def _base(self) -> Candidate:
        first = math.ceil(float(self.traffic.rate[0]) / (0.6 * self.option.service.max_requests_per_second))
        return Candidate(
            option=self.option,
            min_capacity=self.min_capacity,
            max_capacity=self.most,
            initial_count=max(1, first),
            safety=None,
            time_zone=self.time_zone,
            routing=self.routing,
        )

    def sample(self) -> Candidate:
        """The defaults of AWS's sample notebooks: target 70 %, scale-out cooldown 300 s, scale-in cooldown 600 s.

        Read as 70 % of what one instance can serve, tracked by invocations: the strongest reading (see
        benchmarks/capacity/README.md). Requests are routed as SageMaker does untold. The bounds are the search's.
        """
        return replace(
            self._base(),
            safety=0.7,
            scale_out_cooldown_seconds=300,
            scale_in_cooldown_seconds=600,
            routing=RANDOM,
            label="AWS sample notebook",
        )

    def grid(self) -> Iterator[Candidate]:
        """Every combination of the choices above, for each minimum that makes sense."""
        plans = {plan: self._windows(plan) for plan in PLANS}
        for low in self._minimums():
            base = replace(self._base(), min_capacity=low)
            for safety, (out, back), steps, plan in itertools.product(SAFETIES, COOLDOWNS, STEP_POLICIES, PLANS):
                if plan is not None and not plans[plan]:
                    continue  # the traffic has no daily pattern worth a schedule
                yield _with(base, safety, out, back, steps, plans[plan])

    def neighbours(self, parents: Sequence[Candidate], count: int, seed: int = 1) -> Iterator[Candidate]:
        """`count` candidates that differ a little from good ones (best first), finer than the grid; the same for the same seed."""
        pick = random.Random(seed)
        shares = (0.6, 0.7, 0.8, 0.9, 1.3, 2.0, 3.0)  # above 1: a part of the need is there before, the rest reacts
        plans: list[tuple[Window, ...]] = [self._windows(plan) for plan in itertools.product(shares, (0, 1))]
        plans += [plan for utilisation in (0.7, 0.8, 0.9, 1.0) if (plan := self._windows((utilisation, 0), per_day=HOURS))]
        for _ in range(count):
            yield self._changed(parents[int(len(parents) * pick.random() ** 2)], pick, [(), *filter(None, plans)])

    def _changed(self, parent: Candidate, pick: random.Random, plans: Sequence[tuple[Window, ...]]) -> Candidate:
        """A few of the parent's choices taken anew, the target moved a little."""
        safety = round(min(0.97, max(0.2, (parent.safety or 0.7) + pick.gauss(0.0, 0.02))), 3)
        new: dict[str, Any] = {}
        for name, choices in CHOICES.items():
            if pick.random() < 0.25:
                new[name] = pick.choice(choices)
        if pick.random() < 0.3:
            low = parent.min_capacity
            new["schedule"] = tuple(w if w.min_capacity >= low else replace(w, min_capacity=low) for w in pick.choice(plans))
        return replace(parent, safety=safety, label="", **new)

    def _windows(self, plan: Plan, per_day: int = WINDOWS_PER_DAY) -> tuple[Window, ...]:
        if plan is None:
            return ()
        safety, slack_hours = plan
        return windows(
            self.traffic,
            self.option.service.max_requests_per_second * safety,
            self.time_zone,
            lead_seconds=self.assumptions.provisioning_seconds,
            max_capacity=self.most,
            slack_hours=slack_hours,
            per_day=per_day,
        )

    def _minimums(self) -> Sequence[int]:
        """The user's, and enough for the quietest tenth of the time."""
        quiet = float(sorted(self.traffic.rate)[len(self.traffic.rate) // 10])
        needed = math.ceil(1.3 * quiet / self.option.service.max_requests_per_second)
        return sorted({self.min_capacity, max(self.min_capacity, min(needed, self.most))})


def _with(base: Candidate, safety: float, out: int, back: int, steps: Mapping[str, Any], plan: tuple[Window, ...]) -> Candidate:
    low = base.min_capacity
    return replace(
        base,
        safety=safety,
        scale_out_cooldown_seconds=out,
        scale_in_cooldown_seconds=back,
        schedule=tuple(w if w.min_capacity >= low else replace(w, min_capacity=low) for w in plan),
        **steps,
    )
