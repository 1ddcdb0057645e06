"""The account's simulated clock as the person sees and sets it. Protocol: `local_account/clock_control.py`."""

from __future__ import annotations

import base64
import http.client
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from local_account.demo.errors import StageError

_PATH = "/_local/clock"


class AccountClock:
    """`now` is computed here from the last answer, so that asking costs nothing."""

    def __init__(self, account: Mapping[str, Any]) -> None:
        self._port = int(account["port"])
        password = account["environment"]["AWS_SECRET_ACCESS_KEY"]
        self._authorization = "Basic " + base64.b64encode(f":{password}".encode()).decode()
        self._take(self._ask("GET"))

    @property
    def speed(self) -> float:
        return self._speed

    def now(self) -> datetime:
        return self._then + timedelta(seconds=(time.monotonic() - self._real) * self._speed)

    def set(self, *, speed: float | None = None, now: datetime | None = None, requests_keep_pace: bool | None = None) -> None:
        """Change the speed, jump forward, count requests at the clock's pace. Raises StageError with the account's reason."""
        values = {"speed": speed, "now": now and now.isoformat(), "requests_keep_pace": requests_keep_pace}
        wanted = {name: value for name, value in values.items() if value is not None}
        self._take(self._ask("PUT", json.dumps(wanted).encode()))

    def _ask(self, method: str, body: bytes | None = None) -> Mapping[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            connection.request(method, _PATH, body, {"Authorization": self._authorization})
            answer = connection.getresponse()
            text = answer.read().decode()
            if answer.status != 200:
                raise StageError(f"the account's clock answered {answer.status}: {text}")
            told: Mapping[str, Any] = json.loads(text)
            return told
        finally:
            connection.close()

    def _take(self, told: Mapping[str, Any]) -> None:
        self._then, self._speed, self._real = datetime.fromisoformat(told["now"]), float(told["speed"]), time.monotonic()


def next_monday(time_zone: str, after: datetime | None = None) -> datetime:
    """Midnight of the next Monday in a time zone: a working day, so that weekday schedules act."""
    here = (after or datetime.now(UTC)).astimezone(ZoneInfo(time_zone))
    return (here + timedelta(days=7 - here.weekday())).replace(hour=0, minute=0, second=0, microsecond=0)
