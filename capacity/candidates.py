"""The configurations that the search tries, as the choices of `settings.py`, and what each deploys.

Input: traffic, service time and instance type. Output: `Candidate`s. Next: `recommend.py`.
"""

from __future__ import annotations

import itertools
import math
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
SAFETIES = (0.4, 0.5, 0.6, 0.65, 0.675, 0.7, 0.725, 0.75, 0.775, 0.8, 0.85, 0.9)
COOLDOWNS = ((0, 0), (0, 120), (60, 300), (0, 600), (300, 600))  # scale-out, scale-in, in seconds
STEP_MARGINS = (None, 1.15, 1.4)  # alarm threshold as a multiple of the tracking target; None: no step policy
SCHEDULES = (None, (0.75, 0), (0.9, 0), (0.75, 1))  # utilisation that the minimum is sized for, slack in hours; None: no schedule
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
        return Configuration(target=target, policies=tuple(policies), scheduled_actions=actions, instance_type=self.option.instance_type)


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


def aws_sample(option: InstanceOption, min_capacity: int, max_capacity: int) -> Candidate:
    """The defaults of AWS's sample notebooks: target 70 %, scale-out cooldown 300 s, scale-in cooldown 600 s.

    The notebooks write a bare 70; read as 70 invocations a minute it would keep instances idle, so it is read as 70 % of
    what one instance can serve, which is the reading that costs less.
    """
    return Candidate(
        option=option,
        min_capacity=min_capacity,
        max_capacity=max_capacity,
        safety=0.7,
        scale_out_cooldown_seconds=300,
        scale_in_cooldown_seconds=600,
        label="AWS sample notebook",
    )


def candidates(
    traffic: Traffic, option: InstanceOption, assumptions: Assumptions, time_zone: str, max_capacity: int | None
) -> Iterator[Candidate]:
    """Every combination of the choices above; about 660 for each minimum capacity that is tried."""
    most = max_capacity or _enough(traffic, option.service)
    schedules = {plan: _schedule(traffic, option, assumptions, time_zone, plan, most) for plan in SCHEDULES}
    for low in _minimums(traffic, option.service, most):
        base = Candidate(option=option, min_capacity=low, max_capacity=most, safety=None, time_zone=time_zone)
        for safety, (out, back), margin, plan in itertools.product(SAFETIES, COOLDOWNS, STEP_MARGINS, SCHEDULES):
            if plan is not None and not schedules[plan]:
                continue  # the traffic has no daily pattern worth a schedule
            yield replace(
                base,
                safety=safety,
                scale_out_cooldown_seconds=out,
                scale_in_cooldown_seconds=back,
                step_margin=margin,
                schedule=tuple(w if w.min_capacity >= low else replace(w, min_capacity=low) for w in schedules[plan]),
            )


def _schedule(
    traffic: Traffic, option: InstanceOption, assumptions: Assumptions, time_zone: str, plan: tuple[float, int] | None, most: int
) -> tuple[Window, ...]:
    if plan is None:
        return ()
    safety, slack_hours = plan
    per_instance = option.service.max_requests_per_second * safety
    return windows(
        traffic, per_instance, time_zone, lead_seconds=assumptions.provisioning_seconds, max_capacity=most, slack_hours=slack_hours
    )


def _minimums(traffic: Traffic, service: ServiceTime, most: int) -> Sequence[int]:
    """One, two (survives an instance or a zone), and enough for the quietest tenth of the time."""
    quiet = float(sorted(traffic.rate)[len(traffic.rate) // 10])
    wanted = {1, 2, math.ceil(1.3 * quiet / service.max_requests_per_second)}
    return sorted(value for value in wanted if 1 <= value <= most)


def _enough(traffic: Traffic, service: ServiceTime) -> int:
    """Twice what the highest minute needs at full use: the bound that must never bind in a good day, but caps a bad one."""
    return max(2, math.ceil(2 * float(traffic.rate.max()) / service.max_requests_per_second))
