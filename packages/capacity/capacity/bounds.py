"""Minimum and maximum capacity, the scheduled actions that move them, and the activity that brings capacity inside.

Source: Application Auto Scaling user guide, application-auto-scaling-scheduled-scaling. Used by `engine.py`.
Times are Unix times in seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from capacity import schedule
from capacity.model import ScalableTarget, ScheduledAction


@dataclass(frozen=True, slots=True)
class Decision:
    """One scaling activity. `old == new` when a scheduled action moved the bounds and the capacity is already inside."""

    time: float
    old: int
    new: int
    rule: str  # name of the policy or scheduled action
    kind: str  # "target tracking" | "step scaling" | "scheduled" | "bounds"
    cause: str

    @property
    def changes_capacity(self) -> bool:
        return self.old != self.new


def scheduled_times(action: ScheduledAction, created: datetime) -> schedule.Schedule:
    """When the action runs. Start and end are UTC whatever the time zone of the expression (user guide)."""
    start = datetime.fromtimestamp(action.start, UTC) if action.start is not None else None
    end = datetime.fromtimestamp(action.end, UTC) if action.end is not None else None
    return schedule.parse(action.schedule, action.time_zone, created=created, start=start, end=end, fires_at_start=True)


class Bounds:
    """The bounds now, and what last set them."""

    def __init__(self, target: ScalableTarget, actions: Sequence[ScheduledAction], start: float) -> None:
        self.min_capacity, self.max_capacity = target.min_capacity, target.max_capacity
        self._rule, self._kind = "scalable target", "bounds"
        self._suspended = target.scheduled_suspended
        created = datetime.fromtimestamp(start, UTC)
        self._schedules = [(action, scheduled_times(action, created)) for action in actions]
        self._due: list[tuple[float, int, ScheduledAction]] = []
        self._known_until = start

    def run_schedule(self, now: float, desired: int) -> list[Decision]:
        """Perform the actions that are due, also during an update or a cooldown, in order of time.

        An action "sets the MinCapacity and MaxCapacity to what is specified"; one whose bounds would cross is refused.
        """
        if not self._schedules or self._suspended:
            return []
        if now >= self._known_until:
            self._read_ahead(now)
        decisions = []
        while self._due and self._due[0][0] <= now:
            time, _, action = self._due.pop(0)
            decisions.append(Decision(time, desired, desired, action.name, "scheduled", self._perform(action)))
        return decisions

    def due(self, now: float) -> bool:
        """Whether an action waits to be performed at `now`."""
        if not self._schedules or self._suspended:
            return False
        return now >= self._known_until or bool(self._due and self._due[0][0] <= now)

    def _perform(self, action: ScheduledAction) -> str:
        low = self.min_capacity if action.min_capacity is None else action.min_capacity
        high = self.max_capacity if action.max_capacity is None else action.max_capacity
        if low > high:
            return f"refused: min capacity {low} would be above max capacity {high}"
        self.min_capacity, self.max_capacity = low, high
        self._rule, self._kind = action.name, "scheduled"
        return f"min capacity {low}, max capacity {high}"

    def _read_ahead(self, now: float) -> None:
        """Collect the times of the next day, so that most steps compare one number."""
        begin = datetime.fromtimestamp(self._known_until, UTC)
        until = datetime.fromtimestamp(now, UTC) + timedelta(days=1)
        for order, (action, times) in enumerate(self._schedules):
            self._due += [(time.timestamp(), order, action) for time in times.between(begin, until)]
        self._due.sort(key=lambda due: due[:2])
        self._known_until = until.timestamp()

    def enforce(self, now: float, desired: int) -> Decision | None:
        """Capacity outside the bounds is brought to the nearer one; cooldowns do not apply."""
        if desired < self.min_capacity:
            return Decision(now, desired, self.min_capacity, self._rule, self._kind, f"minimum capacity was set to {self.min_capacity}")
        if desired > self.max_capacity:
            return Decision(now, desired, self.max_capacity, self._rule, self._kind, f"maximum capacity was set to {self.max_capacity}")
        return None
