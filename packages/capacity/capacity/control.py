"""The engine in a loop with a simulated endpoint: instances that take time to come, metrics that take time to be seen.

Used by `simulate.py` (fluid) and `requests.py` (single requests); the local account has a loop of its own over real processes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from capacity.bounds import Decision
from capacity.engine import ScalingEngine
from capacity.metrics import MetricRecorder
from capacity.model import Assumptions, Configuration
from capacity.queueing import LatencyTable


class Fleet:
    """Instances asked for, instances that serve, and the update between them."""

    def __init__(self, count: int, assumptions: Assumptions) -> None:
        self.desired = self.running = count
        self._assumptions = assumptions
        self._arrivals: list[tuple[float, int]] = []  # (time, running count from then on)
        self.busy_until = -math.inf

    def advance(self, now: float) -> bool:
        """Put arrived instances to work. True if the endpoint has just become InService."""
        was_busy = bool(self._arrivals) or self.busy_until > -math.inf
        while self._arrivals and self._arrivals[0][0] <= now:
            self.running = self._arrivals.pop(0)[1]
        if self.busy_until <= now:
            self.busy_until = -math.inf
        return was_busy and self.busy_until == -math.inf

    def updating(self, now: float) -> bool:
        return self.busy_until > now

    def hold(self, until: float) -> None:
        """A deployment keeps the endpoint Updating; with retained variant properties the count stays."""
        self.busy_until = max(self.busy_until, until)

    def change(self, now: float, count: int) -> None:
        """Ask for another count. New instances serve after the provisioning time; removed ones stop at once."""
        if count > self.desired:
            ready = now + self._assumptions.provisioning_seconds
            self._arrivals.append((ready, count))
        else:
            ready = now + self._assumptions.scale_in_seconds
            self._arrivals = [(time, min(total, count)) for time, total in self._arrivals if total > self.running]
            self.running = min(self.running, count)
        self.busy_until = max(self.busy_until, ready)
        self.desired = count


class ControlLoop:
    """Advances the fleet, publishes metrics and asks the engine whenever something it could react to has happened."""

    def __init__(
        self,
        configuration: Configuration,
        assumptions: Assumptions,
        table: LatencyTable,
        *,
        tick_seconds: float,
        start: float,
        deployments: Sequence[tuple[float, float]] = (),
    ) -> None:
        """deployments: (seconds after the start, duration in seconds), in which the endpoint is Updating."""
        target = configuration.target
        self.engine = ScalingEngine(target, configuration.policies, configuration.scheduled_actions, assumptions, start=start)
        self.fleet = Fleet(configuration.initial_instance_count or target.min_capacity, assumptions)
        self.recorder = MetricRecorder(self.engine.metrics, self.engine.datapoints_needed, assumptions, table, tick_seconds, start)
        self.decisions: list[Decision] = []
        self._start, self._tick_seconds, self._deployments = start, tick_seconds, sorted(deployments)

    def act(self, tick: int) -> None:
        """Everything that happens at the beginning of a tick."""
        elapsed = tick * self._tick_seconds
        now = self._start + elapsed
        while self._deployments and self._deployments[0][0] <= elapsed:
            self.fleet.hold(now + self._deployments.pop(0)[1])
        settled = self.fleet.advance(now)
        news = self.recorder.publish(now)
        if news or settled or tick == 0 or self.engine.bounds.due(now):
            self._ask(now)

    def _ask(self, now: float) -> None:
        fleet = self.fleet
        updating = fleet.updating(now)
        made = self.engine.step(now, desired=fleet.desired, running=fleet.running, updating=updating, datapoints=self.recorder.published)
        for decision in made:
            self.decisions.append(decision)
            if decision.changes_capacity:
                fleet.change(now, decision.new)
