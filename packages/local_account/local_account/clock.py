"""The account's clock: real time, or time that runs faster for demos and tests.

At `speed` 60 a minute of metrics, of a cooldown or of a cron schedule passes in one second.
`PUT /_local/clock` on the account's port changes it while the account runs (`clock_control.py`).
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

#: A wait notices a change of the clock at the latest after this many real seconds.
_NOTICE_SECONDS = 0.2


@dataclass(frozen=True)
class _Pace:
    """At the real (monotonic) second `real` it was `start`, and time has run at `speed` since."""

    start: datetime
    real: float
    speed: float

    def now(self) -> datetime:
        return self.start + timedelta(seconds=(time.monotonic() - self.real) * self.speed)


class Clock:
    """Simulated wall-clock time. `speed` is simulated seconds per real second."""

    def __init__(self, speed: float = 1.0, start: datetime | None = None) -> None:
        self._pace = _Pace(start or datetime.now(UTC), time.monotonic(), _checked(speed))
        #: Metrics count a request as `speed` requests: what a real second brings is what a simulated second would bring.
        self.requests_keep_pace = False
        #: The time that the last jump left out: nothing happened in it. None until there is one.
        self.left_out: tuple[datetime, datetime] | None = None

    @property
    def request_weight(self) -> float:
        """How many requests one request counts as in metrics."""
        return self.speed if self.requests_keep_pace else 1.0

    @property
    def speed(self) -> float:
        return self._pace.speed

    def now(self) -> datetime:
        """Simulated time, in UTC."""
        return self._pace.now()

    def change(self, *, speed: float | None = None, now: datetime | None = None) -> None:
        """Go on at another speed, or jump forward. Raises ValueError for a jump back: what happened stays in the past."""
        current = self._pace.now()
        if now is not None and now < current:
            raise ValueError(f"the clock cannot go back to {now.isoformat()}; allowed: {current.isoformat()} or later")
        self._pace = _Pace(now or current, time.monotonic(), _checked(self.speed if speed is None else speed))
        if now is not None:
            self.left_out = (current, now)

    def real_seconds(self, simulated_seconds: float) -> float:
        """How long simulated seconds take in real time, at the present speed."""
        return simulated_seconds / self.speed

    def wait(self, simulated_seconds: float, stop: threading.Event) -> bool:
        """Sleep for simulated seconds; returns True at once if `stop` is set meanwhile."""
        end = self.now() + timedelta(seconds=simulated_seconds)
        while (left := self.real_seconds((end - self.now()).total_seconds())) > 0:
            if stop.wait(min(left, _NOTICE_SECONDS)):
                return True
        return stop.is_set()


def _checked(speed: float) -> float:
    if speed <= 0:
        raise ValueError(f"clock speed is {speed}; allowed: more than 0")
    return speed
