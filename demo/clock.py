"""The account's simulated clock as the person sees and sets it. Protocol: `local_account/clock_control.py`."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from demo.own_paths import CLOCK, ask


class AccountClock:
    """`now` is computed here from the last answer, so that asking costs nothing."""

    def __init__(self, account: Mapping[str, Any]) -> None:
        self._account = account
        self._take(ask(account, "GET", CLOCK))

    @property
    def speed(self) -> float:
        return self._speed

    def now(self) -> datetime:
        return self._then + timedelta(seconds=(time.monotonic() - self._real) * self._speed)

    def set(self, *, speed: float | None = None, now: datetime | None = None, requests_keep_pace: bool | None = None) -> None:
        """Change the speed, jump forward, count requests at the clock's pace. Raises StageError with the account's reason."""
        values = {"speed": speed, "now": now and now.isoformat(), "requests_keep_pace": requests_keep_pace}
        wanted = {name: value for name, value in values.items() if value is not None}
        self._take(ask(self._account, "PUT", CLOCK, json.dumps(wanted).encode()))

    def _take(self, told: Mapping[str, Any]) -> None:
        self._then, self._speed, self._real = datetime.fromisoformat(told["now"]), float(told["speed"]), time.monotonic()


def next_monday(time_zone: str, after: datetime | None = None) -> datetime:
    """Midnight of the next Monday in a time zone: a working day, so that weekday schedules act."""
    here = (after or datetime.now(UTC)).astimezone(ZoneInfo(time_zone))
    return (here + timedelta(days=7 - here.weekday())).replace(hour=0, minute=0, second=0, microsecond=0)
