"""A part of what a version answered, small enough to be held: rows, predictions, and whose they are.

Made by `captured.py` (an endpoint's requests) and `scored.py` (a batch model's files); counted by `sketch.py`, kept by `answered.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from answers import Answered
from bodies import Faults, Read
from dataset import Rows
from decisions import Predictions
from features import Floats
from numpy.typing import NDArray

#: As many requests, or so many bytes of them, are read at once, whichever come first: memory does not grow with the window.
MOST_REQUESTS = 50_000
MOST_BYTES = 16 << 20


@dataclass(frozen=True)
class Chunk:
    """Answered rows of one version. `ids`: of the request, by row; `row_in_request` from 1; `times`: epoch seconds."""

    version: str | None
    rows: Rows
    predicted: Predictions
    ids: list[str]
    row_in_request: NDArray[np.int64]
    times: Floats


@dataclass
class Seen:
    """What a window's files hold besides answered rows. Counters are by version; places are those of the first of a kind.

    `requests`: all captured requests of the endpoint, or scored files' lines; `answered`: those with rows. `refused` and `faults`: what was
    refused, and why.
    `checks`: requests of verifications and load tests, which are no traffic and count nowhere else.
    `mismatched`: answered, but not as the version's contract has it, so that nothing can be said about them.
    """

    requests: int = 0
    checks: int = 0
    unreadable_lines: int = 0
    gone: list[str] = field(default_factory=list)
    unanswered: int = 0
    answered: Counter[str] = field(default_factory=Counter)
    refused: Counter[str | None] = field(default_factory=Counter)
    mismatched: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str | None] = field(default_factory=Counter)
    faults: dict[str, Faults] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)

    def note(self, what: str, place: str) -> None:
        self.places.setdefault(what, place)

    def add(self, other: Seen) -> None:
        """What is held against versions, of another window that is judged together with this one."""
        self.answered += other.answered
        self.refused += other.refused
        self.mismatched += other.mismatched
        for version, found in other.faults.items():
            self.blame(version, found)

    def blame(self, version: str, found: Faults) -> None:
        self.faults[version] = self.faults[version] + found if version in self.faults else found


def assembled(
    version: str, read: Read, answered: Answered, ids: Sequence[str], times: Sequence[float], first_row: Sequence[int] | None = None
) -> tuple[Chunk, list[int]]:
    """The rows that have an answer, and the places of the requests that fit none. `first_row`: numbers of their first rows, if not 1."""
    asked = np.bincount(read.request, minlength=len(ids))
    fits = (asked == np.bincount(answered.answer, minlength=len(ids))) & (asked > 0)
    rows, request, predicted = read.rows, read.request, answered.predicted
    if not fits.all():
        rows, predicted = rows.take(fits[read.request]), predicted.take(fits[answered.answer])
        request = request[fits[read.request]]
    begins = np.concatenate([[0], np.cumsum(np.where(fits, asked, 0))])[:-1]
    number = np.arange(len(request)) - begins[request] + (1 if first_row is None else np.array(first_row, dtype=np.int64)[request])
    chunk = Chunk(version, rows, predicted, [ids[place] for place in request.tolist()], number, np.array(times, dtype=np.float64)[request])
    return chunk, np.flatnonzero(~fits).tolist()
