"""Decides as Application Auto Scaling does. No clock, no network: the caller says what time it is and what the metrics were.

Inputs of `ScalingEngine.step`: the time, the desired and running instance counts, whether the endpoint is Updating, and
for each metric in `engine.metrics` its last published values. Output: decisions, each with the rule that made it.
Two users: the simulator (`simulate.py`) and the local account's control loop. Sources are named where a rule is applied;
"user guide" is the Application Auto Scaling user guide. Times are Unix times in seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from capacity.alarms import ALARM, INSUFFICIENT_DATA, state_of
from capacity.bounds import Bounds, Decision
from capacity.model import (
    Alarm,
    Assumptions,
    MetricSpecification,
    Policy,
    ScalableTarget,
    ScheduledAction,
    StepPolicy,
    TargetTrackingPolicy,
)
from capacity.rules import step_capacity, tracking_capacity

Values = Sequence[float | None]
_NEVER = float("-inf")


@dataclass(slots=True)
class _Watch:
    """An alarm, what it belongs to and its state."""

    alarm: Alarm
    aggregation: str | None = None  # of a step policy; target tracking takes the newest value
    state: str = INSUFFICIENT_DATA
    value: float | None = None  # what the policy compares with its steps or its target

    def evaluate(self, values: Values, extra_periods: int) -> None:
        """New state, and in ALARM the value that counts.

        Step policies apply their aggregation "to the most recent metric data points" (user guide): the alarm's periods.
        """
        self.state = state_of(self.alarm, values, self.state, extra_periods)
        if self.state == ALARM:
            recent = [value for value in values[-self.alarm.evaluation_periods :] if value is not None]
            if recent:
                self.value = recent[-1] if self.aggregation is None else AGGREGATIONS[self.aggregation](recent)


AGGREGATIONS: Mapping[str, Callable[[list[float]], float]] = {"Average": fmean, "Minimum": min, "Maximum": max}


class _PolicyState:
    """A policy with its alarms and cooldowns. The alarms of a target tracking policy are the ones the service creates."""

    def __init__(self, policy: Policy, assumptions: Assumptions) -> None:
        self.policy = policy
        self.scaled_out_at = self.scaled_in_at = _NEVER
        self.base = 0  # capacity before the scale-out whose cooldown runs
        self.in_progress = ""  # the attribute that holds the time of the activity under way
        if isinstance(policy, StepPolicy):
            self.watches = [_Watch(alarm, policy.aggregation) for alarm in policy.alarms]
        else:
            self.watches = [_Watch(alarm) for alarm in tracking_alarms(policy, assumptions)]

    @property
    def out_cooldown(self) -> int:
        return self.policy.cooldown_seconds if isinstance(self.policy, StepPolicy) else self.policy.scale_out_cooldown_seconds

    @property
    def in_cooldown(self) -> int:
        return self.policy.cooldown_seconds if isinstance(self.policy, StepPolicy) else self.policy.scale_in_cooldown_seconds


def tracking_alarms(policy: TargetTrackingPolicy, assumptions: Assumptions) -> list[Alarm]:
    """AlarmHigh above the target, AlarmLow (one-minute periods) below 90 % of it unless scale-in is disabled.

    Source: user guide, target-tracking-scaling-policy-overview (scale-in "usually more than 10% lower") and the alarms
    that the service is seen to create: 3 of 3 and 15 of 15. Missing values are treated as missing, so
    INSUFFICIENT_DATA scales neither out nor in.
    """
    high = Alarm(
        name=f"TargetTracking-{policy.name}-AlarmHigh",
        metric=policy.metric,
        comparison="GreaterThanThreshold",
        threshold=policy.target_value,
        evaluation_periods=assumptions.scale_out_datapoints,
        datapoints_to_alarm=assumptions.scale_out_datapoints,
    )
    if policy.disable_scale_in:
        return [high]
    low = Alarm(
        name=f"TargetTracking-{policy.name}-AlarmLow",
        metric=replace(policy.metric, period_seconds=max(60, policy.metric.period_seconds)),
        comparison="LessThanThreshold",
        threshold=policy.target_value * assumptions.low_threshold_fraction,
        evaluation_periods=assumptions.scale_in_datapoints,
        datapoints_to_alarm=assumptions.scale_in_datapoints,
    )
    return [high, low]


@dataclass(slots=True)
class _Proposal:
    capacity: int
    state: _PolicyState
    cause: str


class ScalingEngine:
    """All policies and scheduled actions of one scalable target, with their cooldowns and alarm states."""

    def __init__(
        self,
        target: ScalableTarget,
        policies: Sequence[Policy] = (),
        scheduled_actions: Sequence[ScheduledAction] = (),
        assumptions: Assumptions | None = None,
        *,
        start: float = 0.0,
    ) -> None:
        """`start`: Unix time in seconds from which scheduled actions may fire and to which rates are anchored."""
        self.target = target
        self.assumptions = assumptions or Assumptions()
        self.bounds = Bounds(target, scheduled_actions, start)
        self._states = [_PolicyState(policy, self.assumptions) for policy in policies]
        self._tracking = [s for s in self._states if isinstance(s.policy, TargetTrackingPolicy)]
        self._watches = [watch for s in self._states for watch in s.watches]
        needed: dict[MetricSpecification, int] = {}
        for watch in self._watches:
            periods = watch.alarm.evaluation_periods + self.assumptions.evaluation_range_extra
            needed[watch.alarm.metric] = max(needed.get(watch.alarm.metric, 0), periods)
        self.datapoints_needed: Mapping[MetricSpecification, int] = needed

    @property
    def metrics(self) -> tuple[MetricSpecification, ...]:
        """Metrics whose last `datapoints_needed[metric]` values `step` wants, one for each period."""
        return tuple(self.datapoints_needed)

    @property
    def min_capacity(self) -> int:
        """The minimum now, as the last scheduled action left it."""
        return self.bounds.min_capacity

    @property
    def max_capacity(self) -> int:
        """The maximum now, as the last scheduled action left it."""
        return self.bounds.max_capacity

    @property
    def alarm_states(self) -> Mapping[str, str]:
        """State of each alarm that the engine evaluates, by name."""
        return {watch.alarm.name: watch.state for watch in self._watches}

    def step(
        self,
        now: float,
        *,
        desired: int,
        running: int | None = None,
        updating: bool = False,
        datapoints: Mapping[MetricSpecification, Values] | None = None,
        breaches: Mapping[str, tuple[float, float]] | None = None,
    ) -> list[Decision]:
        """What the service does at `now`; call it with times that never go back.

        desired, running: instance counts asked for and serving (running defaults to desired).
        datapoints: values by metric, oldest first, newest last, None for a period without value; only published ones.
        breaches: for alarms evaluated elsewhere, policy name -> (metric value, alarm threshold) while in ALARM.
        At most one decision changes the capacity; scheduled actions that only move the bounds are reported as well.
        """
        running = desired if running is None else running
        for state in self._states:
            self._follow_update(state, now, updating)
        decisions = self.bounds.run_schedule(now, desired)
        if datapoints is not None:
            self._evaluate_alarms(datapoints)
        if updating and self.assumptions.serialised_updates:
            return decisions  # UpdateEndpointWeightsAndCapacities needs an endpoint that is InService
        change = self.bounds.enforce(now, desired) or self._scale(now, desired, running, breaches or {})
        if change is not None:
            decisions = [d for d in decisions if d.rule != change.rule] + [change]
        return decisions

    # ------------------------------------------------------------------ policies

    def _follow_update(self, state: _PolicyState, now: float, updating: bool) -> None:
        """A cooldown starts when its activity has completed: "after [it] successfully scales out" (user guide)."""
        if state.in_progress:
            setattr(state, state.in_progress, now)  # until it is first seen InService again
            state.in_progress = state.in_progress if updating else ""

    def _evaluate_alarms(self, datapoints: Mapping[MetricSpecification, Values]) -> None:
        extra = self.assumptions.evaluation_range_extra
        for watch in self._watches:
            watch.evaluate(datapoints.get(watch.alarm.metric, ()), extra)

    def _scale(self, now: float, desired: int, running: int, breaches: Mapping[str, tuple[float, float]]) -> Decision | None:
        """The largest capacity that any policy asks for wins, in both directions (user guide, "multiple scaling policies")."""
        proposals = self._tracking_out(now, desired, running)
        proposals += self._step_proposals(now, desired, breaches)
        proposals += self._tracking_in(now, desired, running)
        outs = [p for p in proposals if p.capacity > desired and not self.target.scale_out_suspended]
        ins = [p for p in proposals if p.capacity < desired and not self.target.scale_in_suspended]
        if outs:
            return self._decide(now, desired, max(outs, key=lambda p: p.capacity))
        if ins:
            return self._decide(now, desired, max(ins, key=lambda p: p.capacity))
        return None

    def _decide(self, now: float, desired: int, winner: _Proposal) -> Decision:
        state = winner.state
        if winner.capacity > desired:
            chained = now - state.scaled_out_at < state.out_cooldown
            state.base = state.base if chained else desired
            state.scaled_out_at, state.in_progress = now, "scaled_out_at"
            for other in self._states:
                other.scaled_in_at = _NEVER  # "the cooldown period for the scale-in activity stops and doesn't complete"
        else:
            agreeing = self._tracking if state in self._tracking else [state]
            for other in agreeing:
                other.scaled_in_at, other.in_progress = now, "scaled_in_at"
        kind = "step scaling" if isinstance(state.policy, StepPolicy) else "target tracking"
        return Decision(now, desired, winner.capacity, state.policy.name, kind, winner.cause)

    def _clamped(self, capacity: int) -> int:
        return max(self.bounds.min_capacity, min(self.bounds.max_capacity, capacity))

    def _tracking_out(self, now: float, desired: int, running: int) -> list[_Proposal]:
        """Each target tracking policy whose AlarmHigh is in ALARM asks for capacity x metric / target.

        During a scale-out cooldown what was already added counts as part of the next scale-out. Source: user guide,
        "Cooldown period": +2, then +3 during the cooldown, adds only 1.
        """
        proposals = []
        for state in self._tracking:
            watch, policy = state.watches[0], state.policy
            if watch.state != ALARM or watch.value is None or not isinstance(policy, TargetTrackingPolicy):
                continue
            wanted = tracking_capacity(running, watch.value, policy.target_value)
            capacity = wanted
            if now - state.scaled_out_at < state.out_cooldown:
                capacity = max(desired, state.base + wanted - running)  # what was added already counts
            cause = f"{_latest(watch)} above {policy.target_value:g}, {_of(watch)}: {_sum(policy, running, watch.value)} = {wanted}"
            proposals.append(_Proposal(max(desired, self._clamped(capacity)), state, cause))
        return proposals

    def _tracking_in(self, now: float, desired: int, running: int) -> list[_Proposal]:
        """Scale in only if all target tracking policies with scale-in enabled are ready; the largest capacity wins.

        Source: user guide, target-tracking-scaling-policy-overview. A policy in its scale-in cooldown is not ready.
        """
        enabled = [s for s in self._tracking if len(s.watches) > 1]
        ready = [s for s in enabled if s.watches[1].state == ALARM and now - s.scaled_in_at >= s.in_cooldown]
        if not ready or len(ready) < len(enabled):
            return []
        proposals = []
        for state in ready:
            watch, policy = state.watches[1], state.policy
            if watch.value is None or not isinstance(policy, TargetTrackingPolicy):
                return []
            wanted = tracking_capacity(running, watch.value, policy.target_value)
            capacity = max(wanted, desired - 1) if self.assumptions.scale_in_one_at_a_time else wanted
            cause = f"{_latest(watch)} below {watch.alarm.threshold:g}, {_of(watch)}: {_sum(policy, running, watch.value)} = {wanted}"
            proposals.append(_Proposal(self._clamped(capacity), state, cause))
        largest = max(proposals, key=lambda p: p.capacity)
        return [largest] if largest.capacity < desired else []

    def _step_proposals(self, now: float, desired: int, breaches: Mapping[str, tuple[float, float]]) -> list[_Proposal]:
        """Step policies whose alarm is in ALARM. Scale-in waits for the cooldown; scale-out counts what it already added."""
        proposals = []
        for state in self._states:
            policy = state.policy
            if not isinstance(policy, StepPolicy):
                continue
            breached = [(w.value, w.alarm.threshold) for w in state.watches if w.state == ALARM and w.value is not None]
            breached += [breaches[policy.name]] if policy.name in breaches else []
            for value, threshold in breached:
                cooling = now - state.scaled_out_at < state.out_cooldown
                capacity = step_capacity(policy, desired, value, threshold)
                if capacity > desired and cooling:
                    capacity = max(desired, step_capacity(policy, state.base, value, threshold))
                if capacity < desired and now - state.scaled_in_at < state.in_cooldown:
                    continue
                cause = f"metric {value:.4g} against threshold {threshold:g}: {policy.adjustment_type} to {capacity}"
                proposals.append(_Proposal(self._clamped(capacity), state, cause))
        return proposals


def _latest(watch: _Watch) -> str:
    return f"{watch.alarm.metric.name} {watch.value:.4g}"


def _of(watch: _Watch) -> str:
    alarm = watch.alarm
    return f"{alarm.datapoints_to_alarm} of {alarm.evaluation_periods} values of {alarm.metric.period_seconds} s"


def _sum(policy: TargetTrackingPolicy, running: int, value: float) -> str:
    return f"{running} x {value:.4g} / {policy.target_value:g}"
