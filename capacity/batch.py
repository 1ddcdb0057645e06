"""Many configurations on several traffics at once: the rules of `engine.py` on arrays.

A search needs thousands of replays of a week; this does them together, tick by tick, in numpy: what changes has shape
(traffics, configurations), what is configured has shape (configurations,). It knows what the search varies: target tracking
on invocations, one step policy, bounds by the clock. A test holds it equal to `simulate.py`, tick for tick, and `page.py`
replays the winner with the engine. Sources: see `engine.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from capacity.bounds import scheduled_times
from capacity.model import PREDEFINED_METRICS, Assumptions, CapacityError, Configuration, StepPolicy, TargetTrackingPolicy
from capacity.queueing import GRID, P99_BUDGET, LatencyTable
from capacity.traffic import Traffic

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Lanes = NDArray[np.bool_]
INVOCATIONS = PREDEFINED_METRICS["SageMakerVariantInvocationsPerInstance"]
_NEVER = -1e18
_ROUNDING = 1e-9
_UTILISATIONS = 1000
STRAINED = 0.75


@dataclass(frozen=True, kw_only=True)
class BatchResult:
    """Shape of each array: (traffics, configurations)."""

    breach_share: Floats
    breached_hours: Counts  # hours whose p99 is above the SLO
    strained_hours: Counts  # those, and hours that use more than `STRAINED` of what the p99 allows
    instance_hours: Floats
    most_instances: Counts


class _Tracking:
    """Target tracking on invocations per instance. A configuration without it has an infinite target."""

    def __init__(self, policies: list[TargetTrackingPolicy | None]) -> None:
        self.target = np.array([p.target_value if p else np.inf for p in policies])
        self.out_cooldown = np.array([p.scale_out_cooldown_seconds if p else 0 for p in policies], float)
        self.in_cooldown = np.array([p.scale_in_cooldown_seconds if p else 0 for p in policies], float)
        self.scales_in = np.array([p is not None and not p.disable_scale_in for p in policies])


class _Steps:
    """One step policy for each configuration, as bounds and changes padded to the most steps of any."""

    def __init__(self, policies: list[StepPolicy | None]) -> None:
        width = max([len(p.steps) for p in policies if p] or [1])
        count = len(policies)
        self.threshold, self.cooldown = np.full(count, np.inf), np.zeros(count)
        self.periods, self.smallest = np.ones(count, np.int64), np.zeros(count)
        self.lower, self.change = np.full((width, count), np.inf), np.zeros((width, count))
        for one, policy in enumerate(policies):
            if policy is None:
                continue
            alarm = policy.alarms[0]
            self.threshold[one], self.cooldown[one] = alarm.threshold, policy.cooldown_seconds
            self.periods[one], self.smallest[one] = alarm.evaluation_periods, policy.min_adjustment_magnitude
            for i, step in enumerate(policy.steps):
                self.lower[i, one], self.change[i, one] = step.lower, step.adjustment
        self.longest = int(self.periods.max())

    def capacity(self, base: Counts, value: Floats) -> Counts:
        """Percentage change with the documented rounding; the last step whose lower bound is reached applies."""
        distance = value - self.threshold
        percent = np.zeros(value.shape)
        for lower, change in zip(self.lower, self.change, strict=True):
            percent = np.where(distance >= lower, change, percent)
        change = base * percent / 100
        whole = np.where(change < 1, np.ceil(change), np.floor(change + _ROUNDING))
        whole = np.where((whole > 0) & (whole < self.smallest), self.smallest, whole)
        return base + whole.astype(np.int64)


def supported(configuration: Configuration) -> bool:
    """Whether `run` can replay it: what `recommend.py` searches over."""
    tracking = [p for p in configuration.policies if isinstance(p, TargetTrackingPolicy)]
    steps = [p for p in configuration.policies if isinstance(p, StepPolicy)]
    plain_steps = all(
        p.adjustment_type == "PercentChangeInCapacity"
        and p.aggregation == "Average"
        and len(p.alarms) == 1
        and p.alarms[0].metric == INVOCATIONS
        and p.alarms[0].comparison == "GreaterThanOrEqualToThreshold"
        and p.alarms[0].datapoints_to_alarm == p.alarms[0].evaluation_periods
        and all(s.adjustment > 0 and s.lower >= 0 for s in p.steps)
        for p in steps
    )
    return len(tracking) <= 1 and len(steps) <= 1 and plain_steps and all(p.metric == INVOCATIONS for p in tracking)


def run(
    configurations: Sequence[Configuration],
    traffics: Sequence[Traffic],
    table: LatencyTable,
    assumptions: Assumptions,
    *,
    tick_seconds: float = 10.0,
    trace: bool = False,
) -> tuple[BatchResult, Counts | None]:
    """Replay every configuration against every traffic; the traffics begin together and are equally long.

    table: of the routing strategy that the configurations share. With `trace`, also the instances asked for, shape
    (ticks, traffics, configurations).
    """
    unsupported = [c for c in configurations if not supported(c)]
    if unsupported or assumptions.scale_in_one_at_a_time or not assumptions.serialised_updates:
        raise CapacityError("the batch replay covers target tracking on invocations, one percentage step policy and schedules")
    return _Batch(configurations, traffics, table, assumptions, tick_seconds).run(trace)


def _most(configuration: Configuration) -> int:
    """The largest instance count that can be."""
    scheduled = [action.max_capacity or 1 for action in configuration.scheduled_actions]
    return max(configuration.target.max_capacity, configuration.initial_instance_count or 1, *scheduled, 1)


class _Batch:
    def __init__(
        self,
        configurations: Sequence[Configuration],
        traffics: Sequence[Traffic],
        table: LatencyTable,
        assumptions: Assumptions,
        tick_seconds: float,
    ) -> None:
        self.configurations, self.start = configurations, traffics[0].start
        self.assumptions, self.tick, self.full = assumptions, tick_seconds, table.service.max_requests_per_second
        self.load = np.array([traffic.at_ticks(tick_seconds) for traffic in traffics]).T[:, :, None]  # (ticks, traffics, 1)
        self.slow = _SlowShare(table, max(map(_most, configurations)))
        self.tracking = _Tracking([next((p for p in c.policies if isinstance(p, TargetTrackingPolicy)), None) for c in configurations])
        self.steps = _Steps([next((p for p in c.policies if isinstance(p, StepPolicy)), None) for c in configurations])
        self.low_bound = np.array([c.target.min_capacity for c in configurations])
        self.high_bound = np.array([c.target.max_capacity for c in configurations])
        self.shape = (len(traffics), len(configurations))
        first = np.array([c.initial_instance_count or c.target.min_capacity for c in configurations])
        self.desired = np.broadcast_to(first, self.shape).copy()
        self.running = self.desired.copy()
        self.busy_until = np.full(self.shape, _NEVER)
        both = (2, *self.shape)  # tracking, steps
        self.out_at, self.in_at = np.full(both, _NEVER), np.full(both, _NEVER)
        self.base = np.zeros(both, np.int64)
        self.following = np.zeros(both, np.int8)  # activity under way: 1 out, -1 in
        self.recent: list[Floats] = []  # published values, newest last

    def run(self, trace: bool) -> tuple[BatchResult, Counts | None]:
        ticks = len(self.load)
        moves = self._bound_moves(ticks)
        timeout = self.assumptions.client_timeout_seconds
        backlog, bad, billed = np.zeros(self.shape), np.zeros(self.shape), np.zeros(self.shape)
        most, breached, strained = self.running.copy(), np.zeros(self.shape, np.int64), np.zeros(self.shape, np.int64)
        hour_ticks, hour_bad, hour_rate = round(3600 / self.tick), np.zeros(self.shape), np.zeros((self.shape[0], 1))
        history = np.empty((ticks, *self.shape), np.int64) if trace else None
        period_ticks, delay = round(60 / self.tick), self.assumptions.metric_delay_seconds + self.assumptions.alarm_action_seconds
        waiting: list[tuple[float, Floats]] = []
        period_sum = np.zeros(self.shape)
        for tick in range(ticks):
            now, rate = tick * self.tick, self.load[tick]
            acts = self._arrive(now)
            while waiting and waiting[0][0] <= now:
                self.recent = [*self.recent, waiting.pop(0)[1]][-self.assumptions.scale_in_datapoints :]
                acts = np.ones(self.shape, bool)
            for one, low, high in moves.get(tick, ()):
                self.low_bound[one], self.high_bound[one] = low, high
                acts[:, one] = True
            if acts.any():
                self._decide(now, acts)
                most = np.maximum(most, self.running)
            capacity = self.full * self.running
            backlog = np.maximum(0.0, backlog + (rate - capacity) * self.tick)
            lost = None
            if backlog.any():
                lost = np.maximum(0.0, backlog - capacity * timeout)
                backlog -= lost
            hour_bad += rate * self.slow.share(rate, self.running, capacity, backlog, lost, self.tick)
            hour_rate += rate
            if (tick + 1) % hour_ticks == 0 or tick + 1 == ticks:
                breached += hour_bad > P99_BUDGET * hour_rate
                strained += hour_bad > STRAINED * P99_BUDGET * hour_rate
                bad += hour_bad
                hour_bad, hour_rate = np.zeros_like(hour_bad), np.zeros_like(hour_rate)
            billed += np.maximum(self.running, self.desired)
            period_sum += rate * self.tick / self.running
            if (tick + 1) % period_ticks == 0:
                waiting.append((now + self.tick + delay, period_sum))
                period_sum = np.zeros(self.shape)
            if history is not None:
                history[tick] = self.desired
        result = BatchResult(
            breach_share=bad / np.maximum(self.load.sum(axis=0), 1e-300),
            breached_hours=breached,
            strained_hours=strained,
            instance_hours=billed * self.tick / 3600,
            most_instances=most,
        )
        return result, history

    def _arrive(self, now: float) -> Lanes:
        """Put instances to work that have come. Where something happened that the engine could react to."""
        arrived = (self.busy_until <= now) & (self.busy_until > _NEVER)
        if arrived.any():
            self.running = np.where(arrived, self.desired, self.running)
            self.busy_until[arrived] = _NEVER
        return arrived

    def _bound_moves(self, ticks: int) -> dict[int, list[tuple[int, int, int]]]:
        """tick -> (configuration, min, max), in the order in which scheduled actions run."""
        begin = datetime.fromtimestamp(self.start, UTC)
        end = begin + timedelta(seconds=ticks * self.tick)
        moves: dict[int, list[tuple[int, int, int]]] = {}
        known: dict[object, list[float]] = {}
        for one, configuration in enumerate(self.configurations):
            due = []
            for order, action in enumerate(configuration.scheduled_actions):
                if action not in known:
                    known[action] = [(t - begin).total_seconds() for t in scheduled_times(action, begin).between(begin, end)]
                due += [(second, order, action) for second in known[action]]
            low, high = configuration.target.min_capacity, configuration.target.max_capacity
            for second, _, action in sorted(due, key=lambda item: item[:2]):
                new_low = low if action.min_capacity is None else action.min_capacity
                new_high = high if action.max_capacity is None else action.max_capacity
                if new_low <= new_high:
                    low, high = new_low, new_high
                    moves.setdefault(int(np.ceil(second / self.tick - 1e-9)), []).append((one, low, high))
        return moves

    # ------------------------------------------------------------------ the engine's step, on arrays

    def _decide(self, now: float, acts: Lanes) -> None:
        updating = self.busy_until > now
        self._follow_updates(now, updating, acts)
        free = ~updating & acts
        below, above = free & (self.desired < self.low_bound), free & (self.desired > self.high_bound)
        new = np.where(below, self.low_bound, np.where(above, self.high_bound, self.desired))
        free &= ~(below | above)
        if self.recent and free.any():
            new = self._policies(now, free, new)
        self._change(now, new)

    def _follow_updates(self, now: float, updating: Lanes, acts: Lanes) -> None:
        """A cooldown starts when the activity has completed."""
        for kind in (0, 1):
            out, back = acts & (self.following[kind] == 1), acts & (self.following[kind] == -1)
            self.out_at[kind][out] = now
            self.in_at[kind][back] = now
            self.following[kind][acts & ~updating] = 0

    def _policies(self, now: float, free: Lanes, new: Counts) -> Counts:
        out, proposals = self._out_proposals(now)
        best = np.where(proposals[1] > proposals[0], 1, 0)
        wanted = np.minimum(np.max(proposals, axis=0), self.high_bound)
        grows = free & out & (wanted > self.desired)
        for kind in (0, 1):
            mine = grows & (best == kind)
            chained = now - self.out_at[kind] < (self.tracking.out_cooldown, self.steps.cooldown)[kind]
            self.base[kind] = np.where(mine & ~chained, self.desired, self.base[kind])
            self.out_at[kind][mine] = now
            self.following[kind][mine] = 1
        self.in_at[:, grows] = _NEVER
        new = np.where(grows, wanted, new)
        return self._scale_in(now, free & ~grows, new)

    def _out_proposals(self, now: float) -> tuple[Lanes, Counts]:
        value, count = self.recent[-1], self.assumptions.scale_out_datapoints
        asked = np.array([self.desired, self.desired])
        if len(self.recent) >= count:
            high = np.min(self.recent[-count:], axis=0) > self.tracking.target
            target = np.where(high, self.tracking.target, 1.0)
            wanted = np.ceil(np.where(high, self.running * value / target, 0.0) - _ROUNDING).astype(np.int64)
            cooling = now - self.out_at[0] < self.tracking.out_cooldown
            wanted = np.where(cooling, self.base[0] + wanted - self.running, wanted)
            asked[0] = np.where(high, np.maximum(wanted, self.desired), self.desired)
        if len(self.recent) >= 1:
            asked[1] = np.maximum(asked[1], self._step_capacity(now))
        asked = np.minimum(asked, np.maximum(self.high_bound, self.desired))
        return (asked > self.desired).any(axis=0), asked

    def _step_capacity(self, now: float) -> Counts:
        steps, available = self.steps, len(self.recent)
        breached, value = np.zeros(self.shape, bool), np.zeros(self.shape)
        for periods in range(1, steps.longest + 1):
            lanes = (steps.periods == periods) & np.isfinite(steps.threshold)
            if not lanes.any() or available < periods:
                continue
            window = np.array(self.recent[-periods:])
            breached |= lanes & (window >= steps.threshold).all(axis=0)
            value = np.where(lanes, window.mean(axis=0), value)
        if not breached.any():
            return self.desired
        base = np.where(now - self.out_at[1] < steps.cooldown, self.base[1], self.desired)
        return np.where(breached, np.maximum(self.desired, steps.capacity(base, value)), self.desired)

    def _scale_in(self, now: float, free: Lanes, new: Counts) -> Counts:
        count = self.assumptions.scale_in_datapoints
        if len(self.recent) < count:
            return new
        threshold = self.tracking.target * self.assumptions.low_threshold_fraction
        low = free & self.tracking.scales_in & (np.max(self.recent, axis=0) < threshold)
        low &= now - self.in_at[0] >= self.tracking.in_cooldown
        if not low.any():
            return new
        target = np.where(low, self.tracking.target, 1.0)
        wanted = np.ceil(np.where(low, self.running * self.recent[-1] / target, 0.0) - _ROUNDING).astype(np.int64)
        wanted = np.clip(wanted, self.low_bound, self.high_bound)
        shrinks = low & (wanted < self.desired)
        self.in_at[0][shrinks] = now
        self.following[0][shrinks] = -1
        return np.where(shrinks, wanted, new)

    def _change(self, now: float, new: Counts) -> None:
        grows, shrinks = new > self.desired, new < self.desired
        self.busy_until[grows] = now + self.assumptions.provisioning_seconds
        self.busy_until[shrinks] = now + self.assumptions.scale_in_seconds
        self.running = np.where(shrinks, np.minimum(self.running, new), self.running)
        self.desired = new


class _SlowShare:
    """Share of the requests that are slower than the SLO or lost, as `LatencyTable.breach_share`, quickly."""

    def __init__(self, table: LatencyTable, most: int) -> None:
        fine = np.arange(_UTILISATIONS + 1) / _UTILISATIONS
        self._table = table
        self._breach = np.concatenate([np.interp(fine, GRID, row) for row in table.breach])
        self._first = table.row(np.arange(most + 1)) * (_UTILISATIONS + 1)  # where the row of an instance count begins
        self._scale = _UTILISATIONS / table.service.max_requests_per_second

    def share(self, rate: Floats, running: Counts, capacity: Floats, backlog: Floats, lost: Floats | None, tick_seconds: float) -> Floats:
        """lost: None while nothing waits anywhere."""
        utilisation = np.minimum(rate * self._scale / running, _UTILISATIONS).astype(np.int64)
        share = self._breach[self._first[running] + utilisation]
        if lost is None:
            return np.asarray(share)
        wait, service = backlog / capacity, self._table.service.seconds
        queued = 1.0 - np.searchsorted(service, self._table.slo_seconds - wait, side="right") / len(service)
        share = np.where(wait > 0, np.maximum(share, queued), share)
        return np.asarray(np.maximum(share, np.minimum(1.0, lost / np.maximum(rate * tick_seconds, 1e-300))))
