"""Which windows of time are due. Pure: it is told the time and what is known.

A window is aligned in UTC to Mondays 00:00, so that a change of clocks in the schedule's time zone neither loses nor doubles one:
the schedule says when the monitor looks, not what it looks at. What was judged in windows of another length keeps them: those of the new
length begin and end beside them. Used by `watch.py`.
"""

from __future__ import annotations

import hashlib
import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

#: Captured requests arrive in the bucket after they were answered; until then a window is not complete.
GRACE = timedelta(minutes=15)
#: How long a window that was missed, or whose files came late, is judged. Runs are up to a week apart (Monitoring.cron), an hour more where
#: clocks change; a window that ended within GRACE of a run is the next one's, which may begin late.
CAUGHT_UP = timedelta(days=7, hours=2)
#: How long requests, and what was found, are kept (infra/private_bucket.py): what was asked before that, nobody knows any more.
KEPT = timedelta(days=90)
#: Few rows are judged together with those of the windows before: within a day, and within so many windows if that is longer.
FEWEST_POOLED_WINDOWS = 7
_A_MONDAY = datetime(1970, 1, 5, tzinfo=UTC)
_FORMAT = "%Y-%m-%dT%HZ"
_NAME = re.compile(r"\d{4}-\d\d-\d\dT\d\dZ--\d{4}-\d\d-\d\dT\d\dZ")


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


def _aligned(moment: datetime, hours: int) -> Window:
    """The window of `hours` hours that a moment is in."""
    length = timedelta(hours=hours)
    start = _A_MONDAY + (moment - _A_MONDAY) // length * length
    return Window(start, start + length)


class Calendar:
    """Divides time into windows of `hours` hours; where there are some of another length, those stay, and what lies between is cut at them:
    an answer that is in two windows would be learned from twice.
    """

    def __init__(self, hours: int, kept: Iterable[Window] = ()) -> None:
        """`kept`: the windows that there are, of any length. Of two that share time the first stays."""
        self.hours = hours
        self._kept: list[Window] = []
        for window in sorted(kept):
            if not self._kept or self._kept[-1].end <= window.start:
                self._kept.append(window)

    @classmethod
    def beside(cls, hours: int, names: Iterable[str]) -> Calendar:
        """`names`: of the windows that there are, among others perhaps."""
        return cls(hours, [named(name) for name in names if _NAME.fullmatch(name)])

    def of(self, moment: datetime) -> Window:
        """The one that a moment is in."""
        aligned = _aligned(moment, self.hours)
        place = bisect_right(self._kept, moment, key=lambda window: window.start)
        start, end = aligned.start, aligned.end
        if place:
            before = self._kept[place - 1]
            if moment < before.end:
                return before
            start = max(start, before.end)
        if place < len(self._kept):
            end = min(end, self._kept[place].start)
        return Window(start, end)

    def before(self, window: Window) -> Window:
        return self.of(window.start - timedelta(hours=1))

    def between(self, start: datetime, end: datetime, now: datetime) -> list[Window]:
        """Those that have ended and share time with `start` until `end`."""
        found, window = [], self.of(start)
        while window.start < end:
            if window.end <= now:
                found.append(window)
            window = self.of(window.end)
        return found

    def pooled(self, window: Window) -> list[Window]:
        """The windows before that may be judged together with it, the nearest first."""
        first = window.end - max(timedelta(days=1), FEWEST_POOLED_WINDOWS * timedelta(hours=self.hours))
        found, before = [], self.before(window)
        while before.start >= first:
            found.append(before)
            before = self.before(before)
        return found


def named(name: str) -> Window:
    """From `Window.name`."""
    first, _, last = name.partition("--")
    return Window(*(datetime.strptime(text, _FORMAT).replace(tzinfo=UTC) for text in (first, last)))


def digest(files: Mapping[str, str]) -> str:
    """Of the ETags of files by their keys."""
    return hashlib.sha256(json.dumps(sorted(files.items())).encode()).hexdigest()


@dataclass(frozen=True)
class Judged:
    """What is known of a window that was judged: the windows whose rows were added, and the digest of all files that were read."""

    pooled_with: Sequence[Window]
    files: str


def due(now: datetime, calendar: Calendar, files: Mapping[Window, Mapping[str, str]], judged: Mapping[Window, Judged]) -> list[Window]:
    """What to judge now, the oldest first: windows that are complete and were not judged, or with other files.

    `files`: ETags by key of each window that has any. The first window is the oldest that is known of, or the last one that is over.
    """
    complete = calendar.before(calendar.of(now - GRACE))
    oldest = min((*files, *judged, complete), key=lambda window: window.start)
    found = []
    for window in calendar.between(max(oldest.start, calendar.of(now - CAUGHT_UP).start), now - GRACE, now - GRACE):
        known = judged.get(window)
        if known is None or known.files != digest(together(files, [window, *known.pooled_with])):
            found.append(window)
    return found


def together(files: Mapping[Window, Mapping[str, str]], windows: Sequence[Window]) -> dict[str, str]:
    """ETags by key of all files of some windows."""
    return {key: etag for window in windows for key, etag in files.get(window, {}).items()}
