"""Traffic on an endpoint: requests at the rates of a profile, sent on time whether or not the last one is answered.

In: a `Profile` in simulated minutes, rows to send. Out: `Traffic.counts`, how many were sent, answered and refused in each
simulated minute. Next: `scaling_watch.py`, which looks at what the endpoint makes of it.
"""

from __future__ import annotations

import bisect
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

#: Requests that may wait for their answer at the same time.
_WORKERS = 12
#: A sender that is late by more than this skips what it missed, instead of sending it all at once.
_CATCH_UP_SECONDS = 0.5
#: Requests that may wait for a sender. An endpoint that cannot keep up is not buried under a queue of old requests.
_MOST_WAITING = 100


@dataclass(frozen=True)
class Phase:
    """Requests per second from `minute` on, growing or falling linearly to the rate of the next phase if `ramp`."""

    minute: float
    requests_per_second: float
    ramp: bool = False


@dataclass(frozen=True)
class Profile:
    """Phases in order of their minutes; the last one goes on until `end_minute`."""

    phases: Sequence[Phase]
    end_minute: float

    def rate(self, minute: float) -> float:
        """Requests per second at a simulated minute; 0 outside."""
        if not self.phases or not self.phases[0].minute <= minute < self.end_minute:
            return 0.0
        index = bisect.bisect_right([phase.minute for phase in self.phases], minute) - 1
        phase = self.phases[index]
        if not phase.ramp or index + 1 == len(self.phases):
            return phase.requests_per_second
        following = self.phases[index + 1]
        share = (minute - phase.minute) / (following.minute - phase.minute)
        return phase.requests_per_second + share * (following.requests_per_second - phase.requests_per_second)


class Traffic:
    """Sends until `stop` or the end of the profile. `send` raises for a request that was not answered with 2xx."""

    def __init__(self, profile: Profile, send: Callable[[], None], minute: Callable[[], float]) -> None:
        self._profile, self._send, self._minute = profile, send, minute
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, daemon=True, name="traffic")
        self.answered: Counter[int] = Counter()
        self.failed: Counter[int] = Counter()
        self.last_error = ""
        self._waiting = 0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=10)

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()

    def _run(self) -> None:
        with ThreadPoolExecutor(_WORKERS, thread_name_prefix="request") as pool:
            due = time.monotonic()
            while not self._stop.is_set() and (minute := self._minute()) < self._profile.end_minute:
                rate = self._profile.rate(minute)
                now = time.monotonic()
                if rate <= 0 or now - due > _CATCH_UP_SECONDS:
                    due = now
                if rate > 0 and due <= now and self._waiting < _MOST_WAITING:
                    with self._lock:
                        self._waiting += 1
                    pool.submit(self._one, int(minute))
                    due += 1 / rate
                else:
                    self._stop.wait(min(0.02, max(due - now, 0.001)))

    def _one(self, minute: int) -> None:
        try:
            self._send()
        except Exception as error:  # any failure to answer counts, whatever its kind
            with self._lock:
                self.failed[minute] += 1
                self._waiting -= 1
                self.last_error = str(error)
        else:
            with self._lock:
                self._waiting -= 1
                self.answered[minute] += 1


def rows_in_turn(rows: Sequence[bytes]) -> Callable[[], bytes]:
    """The next row each time, from the beginning again after the last. Safe to use from several threads."""
    lock, endless = threading.Lock(), itertools.cycle(rows)

    def following() -> bytes:
        with lock:
            return next(endless)

    return following
