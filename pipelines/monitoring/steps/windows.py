"""Which windows of time are due. Pure: it is told the time and what is known.

A window is aligned in UTC to Mondays 00:00, so that a change of clocks in the schedule's time zone neither loses nor doubles one:
the schedule says when the monitor looks, not what it looks at. Used by `monitor.py`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

#: Captured requests arrive in the bucket after they were answered; until then a window is not complete.
GRACE = timedelta(minutes=15)
#: How long a window that was missed, or whose files came late, is judged. Runs are up to a week apart (Monitoring.cron), an hour more where
#: clocks change; a window that ended within GRACE of a run is the next one's, which may begin late.
CAUGHT_UP = timedelta(days=7, hours=2)
#: How long requests, and what was found, are kept (infra/private_bucket.py): what was asked before that, nobody knows any more.
KEPT = timedelta(days=90)
#: Few rows are judged together with those of the windows before: as many as a day has, and at least so many.
FEWEST_POOLED_WINDOWS = 7
_A_MONDAY = datetime(1970, 1, 5, tzinfo=UTC)
_FORMAT = "%Y-%m-%dT%HZ"


@dataclass(frozen=True, order=True)
class Window:
    """From `start` until before `end`, whole hours in UTC."""

    start: datetime
    end: datetime

    @property
    def name(self) -> str:
        return f"{self.first}--{self.last}"

    @property
    def first(self) -> str:
        return f"{self.start:{_FORMAT}}"

    @property
    def last(self) -> str:
        return f"{self.end:{_FORMAT}}"

    def hours(self) -> list[datetime]:
        count = int((self.end - self.start) / timedelta(hours=1))
        return [self.start + timedelta(hours=hour) for hour in range(count)]

    def before(self) -> Window:
        return Window(self.start - (self.end - self.start), self.start)


def of(moment: datetime, hours: int) -> Window:
    """The window of `hours` hours that a moment is in."""
    length = timedelta(hours=hours)
    start = _A_MONDAY + (moment - _A_MONDAY) // length * length
    return Window(start, start + length)


def named(name: str) -> Window:
    """From `Window.name`."""
    first, _, last = name.partition("--")
    return Window(*(datetime.strptime(text, _FORMAT).replace(tzinfo=UTC) for text in (first, last)))


def between(start: datetime, end: datetime, hours: int, now: datetime) -> list[Window]:
    """Those that have ended and share time with `start` until `end`."""
    found, window = [], of(start, hours)
    while window.start < end:
        if window.end <= now:
            found.append(window)
        window = Window(window.end, window.end + (window.end - window.start))
    return found


def pooled(window: Window) -> list[Window]:
    """The windows before that may be judged together with it, the nearest first."""
    a_day = -(-timedelta(days=1) // (window.end - window.start))
    found = [window]
    for _ in range(max(a_day, FEWEST_POOLED_WINDOWS) - 1):
        found.append(found[-1].before())
    return found[1:]


def digest(files: Mapping[str, str]) -> str:
    """Of the ETags of files by their keys."""
    return hashlib.sha256(json.dumps(sorted(files.items())).encode()).hexdigest()


@dataclass(frozen=True)
class Judged:
    """What is known of a window that was judged: the windows whose rows were added, and the digest of all files that were read."""

    pooled_with: Sequence[Window]
    files: str


def due(now: datetime, hours: int, files: Mapping[Window, Mapping[str, str]], judged: Mapping[Window, Judged]) -> list[Window]:
    """What to judge now, the oldest first: windows that are complete and were not judged, or with other files.

    `files`: ETags by key of each window that has any. The first window is the oldest that is known of, or the last one that is over.
    """
    complete = of(now - GRACE, hours).before()
    oldest = min((*files, *judged, complete), key=lambda window: window.start)
    found = []
    for window in between(max(oldest.start, of(now - CAUGHT_UP, hours).start), now - GRACE, hours, now - GRACE):
        known = judged.get(window)
        if known is None or known.files != digest(together(files, [window, *known.pooled_with])):
            found.append(window)
    return found


def together(files: Mapping[Window, Mapping[str, str]], windows: Sequence[Window]) -> dict[str, str]:
    """ETags by key of all files of some windows."""
    return {key: etag for window in windows for key, etag in files.get(window, {}).items()}
