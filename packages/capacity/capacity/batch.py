"""Many configurations on several traffics at once: the rules of `engine.py` on arrays.

A search needs thousands of replays of a week; this does them together, tick by tick, in numpy: what changes has shape
(traffics, configurations), what is configured has shape (configurations,). It knows what the search varies: target tracking
on invocations, one step policy, bounds by the clock. A test holds it equal to `simulate.py`, tick for tick, and `page.py`
replays the winner with the engine. Sources: see `engine.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from capacity.bounds import scheduled_times
from capacity.model import PREDEFINED_METRICS, Assumptions, CapacityError, Configuration, StepPolicy, TargetTrackingPolicy
from capacity.queueing import GRID, LatencyTable
from capacity.tally import BatchResult, Tally
from capacity.traffic import Traffic

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Lanes = NDArray[np.bool_]
INVOCATIONS = PREDEFINED_METRICS["SageMakerVariantInvocationsPerInstance"]
_NEVER = -1e18
_ROUNDING = 1e-9
_UTILISATIONS = 1000


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
        self.backlog = np.zeros(self.shape)

    def run(self, trace: bool) -> tuple[BatchResult, Counts | None]:
        ticks = len(self.load)
        moves = self._bound_moves(ticks)
        metric, tally = _InvocationsPerInstance(self.shape, self.tick, self.assumptions), Tally(self.running, self.tick)
        history = np.empty((ticks, *self.shape), np.int64) if trace else None
        self._settle()
        for tick, rate in enumerate(self.load):
            now = tick * self.tick
            acts = self._arrive(now)
            if metric.publish(now):
                self.recent, acts = metric.recent, np.ones(self.shape, bool)
            for one, low, high in moves.get(tick, ()):
                self.low_bound[one], self.high_bound[one] = low, high
                acts[:, one] = True
            if acts.any():
                self._decide(now, acts)
                self._settle()
                tally.most = np.maximum(tally.most, self.running)
            tally.add(rate, self._serve(rate), self.billed)
            metric.add(rate / self.running)
            if history is not None:
                history[tick] = self.desired
        return tally.result(), history

    def _arrive(self, now: float) -> Lanes:
        """Put instances to work that have come. Where something happened that the engine could react to."""
        if now < self.next_arrival:
            return np.zeros(self.shape, bool)
        arrived = (self.busy_until <= now) & (self.busy_until > _NEVER)
        self.running = np.where(arrived, self.desired, self.running)
        self.busy_until[arrived] = _NEVER
        return arrived

    def _settle(self) -> None:
        """What follows from the instance counts, until they change again."""
        self.capacity = self.full * self.running
        self.row = self.slow.first[self.running]
        self.billed = np.maximum(self.running, self.desired)
        self.next_arrival = float(np.where(self.busy_until > _NEVER, self.busy_until, np.inf).min())

    def _serve(self, rate: Floats) -> Floats:
        """One tick of requests. Share of them that is slower than the SLO or lost."""
        self.backlog = np.maximum(0.0, self.backlog + (rate - self.capacity) * self.tick)
        share = self.slow.served(rate, self.capacity, self.row)
        if not self.backlog.any():
            return share
        lost = np.maximum(0.0, self.backlog - self.capacity * self.assumptions.client_timeout_seconds)
        self.backlog -= lost
        late = np.maximum(share, self.slow.queued(self.backlog / self.capacity))
        return np.asarray(np.maximum(late, np.minimum(1.0, lost / np.maximum(rate * self.tick, 1e-300))))

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
    """Share of the requests that are slower than the SLO, as `LatencyTable.breach_share`, quickly."""

    def __init__(self, table: LatencyTable, most: int) -> None:
        fine = np.arange(_UTILISATIONS + 1) / _UTILISATIONS
        self._seconds, self._slo_seconds = table.service.seconds, table.slo_seconds
        self._breach = np.concatenate([np.interp(fine, GRID, row) for row in table.breach])
        self.first = table.row(np.arange(most + 1)) * (_UTILISATIONS + 1)  # where the row of an instance count begins

    def served(self, rate: Floats, capacity: Floats, row: Counts) -> Floats:
        """While nothing is left over from before. row: `first` of the instance counts."""
        return np.asarray(self._breach[row + np.minimum(rate / capacity * _UTILISATIONS, _UTILISATIONS).astype(np.int64)])

    def queued(self, wait: Floats) -> Floats:
        """Behind a backlog that takes so many seconds to work off; 0 without one."""
        late = 1.0 - np.searchsorted(self._seconds, self._slo_seconds - wait, side="right") / len(self._seconds)
        return np.where(wait > 0, late, 0.0)


class _InvocationsPerInstance:
    """The metric: a sum for each minute, seen after its delay."""

    def __init__(self, shape: tuple[int, int], tick_seconds: float, assumptions: Assumptions) -> None:
        self._tick, self._ticks, self._keep = tick_seconds, round(60 / tick_seconds), assumptions.scale_in_datapoints
        self._delay = assumptions.metric_delay_seconds + assumptions.alarm_action_seconds
        self._sum, self._count, self._now = np.zeros(shape), 0, 0.0
        self._waiting: list[tuple[float, Floats]] = []
        self.recent: list[Floats] = []  # newest last

    def publish(self, now: float) -> bool:
        """Make visible what is due. True if a value was added."""
        due = [value for time, value in self._waiting if time <= now]
        if due:
            self._waiting = self._waiting[len(due) :]
            self.recent = [*self.recent, *due][-self._keep :]
        return bool(due)

    def add(self, rate: Floats) -> None:
        """One tick, in requests per second and instance."""
        self._sum = self._sum + rate * self._tick
        self._count += 1
        self._now += self._tick
        if self._count == self._ticks:
            self._waiting.append((self._now + self._delay, self._sum))
            self._sum, self._count = np.zeros_like(self._sum), 0
