"""The configurations that the search tries, as the choices of `settings.py`, and what each deploys.

Input: traffic, service time and instance type. Output: `Candidate`s. Next: `recommend.py`.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from capacity.daily import Window, windows
from capacity.model import (
    PREDEFINED_METRICS,
    Alarm,
    Assumptions,
    Configuration,
    Policy,
    ScalableTarget,
    ScheduledAction,
    StepAdjustment,
    StepPolicy,
    TargetTrackingPolicy,
)
from capacity.service import ServiceTime
from capacity.traffic import Traffic

INVOCATIONS = PREDEFINED_METRICS["SageMakerVariantInvocationsPerInstance"]
Plan = tuple[float, int] | None  # utilisation that a scheduled minimum is sized for, slack in hours; None: no schedule
SAFETIES = (0.4, 0.5, 0.6, 0.65, 0.7, 0.725, 0.75, 0.775, 0.8, 0.9)
COOLDOWNS = ((0, 0), (60, 300), (0, 600), (300, 600))  # scale-out, scale-in, in seconds
STEP_MARGINS = (None, 1.15, 1.4)  # alarm threshold as a multiple of the tracking target; None: no step policy
PLANS: tuple[Plan, ...] = (None, (0.75, 0), (0.9, 0), (0.75, 1))
NEIGHBOURS = 600
STEPS = ((100, 25), (150, 50), (200, 100))  # percent of the threshold, percent of the instances: StepScaling's defaults


@dataclass(frozen=True, kw_only=True)
class InstanceOption:
    """An instance type with its price and its measured service time."""

    instance_type: str
    usd_per_hour: float
    service: ServiceTime


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One set of values for `Autoscaling(...)` in settings.py."""

    option: InstanceOption
    min_capacity: int
    max_capacity: int
    initial_count: int = 1  # at the beginning of the replay; a deployment retains what was there
    safety: float | None  # None: no target tracking
    scale_out_cooldown_seconds: int = 60
    scale_in_cooldown_seconds: int = 300
    step_margin: float | None = None
    schedule: tuple[Window, ...] = ()
    time_zone: str = "Etc/UTC"
    label: str = ""

    @property
    def max_rps(self) -> float:
        return self.option.service.max_requests_per_second

    @property
    def target_value(self) -> float:
        """Max RPS x safety x 60: the SageMaker guide's formula for SageMakerVariantInvocationsPerInstance."""
        return round(self.max_rps, 2) * (self.safety or 1.0) * 60

    @property
    def step_threshold(self) -> float:
        return round(self.target_value * (self.step_margin or 1.0), 1)

    def configuration(self) -> Configuration:
        """What the endpoint stack deploys for these values."""
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
            policies.append(step_policy(self.step_threshold))
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
        )


def step_policy(threshold: float, *, cooldown_seconds: int = 120, evaluation_periods: int = 2) -> StepPolicy:
    """StepScaling of settings.py: percentages of the instances by how far the metric is above the alarm threshold."""
    bounds = [(percent - 100) / 100 * threshold for percent, _ in STEPS] + [math.inf]
    steps = [StepAdjustment(change, low, high) for (_, change), (low, high) in zip(STEPS, itertools.pairwise(bounds), strict=True)]
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
    """What the search may choose from, for one instance type. min_capacity, max_capacity: limits that the user sets."""

    traffic: Traffic
    option: InstanceOption
    assumptions: Assumptions
    time_zone: str = "Etc/UTC"
    min_capacity: int = 1
    max_capacity: int | None = None

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
        )

    def sample(self) -> Candidate:
        """The defaults of AWS's sample notebooks: target 70 %, scale-out cooldown 300 s, scale-in cooldown 600 s.

        Read as 70 % of what one instance can serve, tracked by invocations: the strongest reading (see
        benchmarks/capacity/README.md). The bounds are the search's.
        """
        return replace(self._base(), safety=0.7, scale_out_cooldown_seconds=300, scale_in_cooldown_seconds=600, label="AWS sample notebook")

    def grid(self) -> Iterator[Candidate]:
        """Every combination of the choices above, for each minimum that makes sense."""
        plans = {plan: self._windows(plan) for plan in PLANS}
        for low in self._minimums():
            base = replace(self._base(), min_capacity=low)
            for safety, (out, back), margin, plan in itertools.product(SAFETIES, COOLDOWNS, STEP_MARGINS, PLANS):
                if plan is not None and not plans[plan]:
                    continue  # the traffic has no daily pattern worth a schedule
                yield _with(base, safety, out, back, margin, plans[plan])

    def neighbours(self, centre: Candidate, seed: int = 1) -> Iterator[Candidate]:
        """Candidates around a good one, finer than the grid; the same for the same seed."""
        pick = random.Random(seed)
        plans = [self._windows(plan) for plan in (None, *itertools.product((0.6, 0.7, 0.8, 0.9), (0, 1)))]
        known = [plan for plan in plans if plan] or [()]
        for _ in range(NEIGHBOURS):
            safety = round(min(0.97, max(0.2, (centre.safety or 0.7) + pick.uniform(-0.06, 0.08))), 3)
            out, back = pick.choice((0, 60, 120, 300, 600, 900)), pick.choice((0, 60, 300, 600, 900))
            windows_ = pick.choice([(), centre.schedule, *known])
            yield _with(centre, safety, out, back, pick.choice((None, None, 1.05, 1.15, 1.3)), windows_)

    def _windows(self, plan: Plan) -> tuple[Window, ...]:
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
        )

    def _minimums(self) -> Sequence[int]:
        """The user's, and enough for the quietest tenth of the time."""
        quiet = float(sorted(self.traffic.rate)[len(self.traffic.rate) // 10])
        needed = math.ceil(1.3 * quiet / self.option.service.max_requests_per_second)
        return sorted({self.min_capacity, max(self.min_capacity, min(needed, self.most))})


def _with(base: Candidate, safety: float, out: int, back: int, margin: float | None, plan: tuple[Window, ...]) -> Candidate:
    low = base.min_capacity
    return replace(
        base,
        safety=safety,
        scale_out_cooldown_seconds=out,
        scale_in_cooldown_seconds=back,
        step_margin=margin,
        schedule=tuple(w if w.min_capacity >= low else replace(w, min_capacity=low) for w in plan),
    )
