"""The account's clock: real time, or time that runs faster for demos and tests.

At `speed` 60 a minute of metrics, of a cooldown or of a cron schedule passes in one second.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta


class Clock:
    """Simulated wall-clock time. `speed` is simulated seconds per real second."""

    def __init__(self, speed: float = 1.0, start: datetime | None = None) -> None:
        if speed <= 0:
            raise ValueError(f"clock speed is {speed}; allowed: more than 0")
        self.speed = speed
        self._start = start or datetime.now(UTC)
        self._real_start = time.monotonic()

    def now(self) -> datetime:
        """Simulated time, in UTC."""
        return self._start + timedelta(seconds=(time.monotonic() - self._real_start) * self.speed)

    def real_seconds(self, simulated_seconds: float) -> float:
        """How long simulated seconds take in real time."""
        return simulated_seconds / self.speed

    def wait(self, simulated_seconds: float, stop: threading.Event) -> bool:
        """Sleep for simulated seconds; returns True at once if `stop` is set meanwhile."""
        return stop.wait(self.real_seconds(simulated_seconds))
