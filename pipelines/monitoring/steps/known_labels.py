"""All that labels say, by answer, on disk: memory does not grow with them, and most are of other windows than the one asked about.

Input: the rows of one file after the other, the oldest first. Output: a mapping from the id and row of a request to its `Label`, which
can be asked about many ids at once. SQLite sorts and finds them (`sqlite3` is part of Python). Used by labels.py, for which this is kept.
"""

from __future__ import annotations

import json
import math
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import NamedTuple

Key = tuple[str, int]

#: Ids of one question, which are given as JSON.
_AT_ONCE = 10_000
_CACHE_KIB = 65_536
_TABLES = """
    CREATE TABLE known (id TEXT, row INTEGER, truth REAL, reason TEXT, observed REAL, sent REAL, met INTEGER DEFAULT 0,
                        PRIMARY KEY (id, row)) WITHOUT ROWID;
    CREATE TABLE staged (id TEXT, row INTEGER, truth REAL, reason TEXT, observed REAL, place INTEGER);
    CREATE TABLE again (id TEXT, row INTEGER, PRIMARY KEY (id, row)) WITHOUT ROWID;
"""
_SAID_TWICE = "INSERT INTO again SELECT id, row FROM staged GROUP BY id, row HAVING count(*) > 1"
_SAID_OTHERWISE = """
    INSERT OR IGNORE INTO again SELECT staged.id, staged.row FROM staged CROSS JOIN known ON known.id = staged.id AND known.row = staged.row
    WHERE NOT (known.truth IS staged.truth AND known.reason = staged.reason)
"""
_TAKE = """
    INSERT OR IGNORE INTO known (id, row, truth, reason, observed, sent) SELECT id, row, truth, reason, observed, ? FROM staged
    WHERE NOT EXISTS (SELECT 1 FROM again WHERE again.id = staged.id AND again.row = staged.row) ORDER BY id, row
"""
_AGAIN = "SELECT staged.* FROM staged CROSS JOIN again ON again.id = staged.id AND again.row = staged.row ORDER BY 1, 2, place"
_OF = "SELECT id, row, truth, reason, observed, sent FROM known WHERE id IN (SELECT value FROM json_each(?))"
_PUT = "INSERT OR REPLACE INTO known (id, row, truth, reason, observed, sent) VALUES (?, ?, ?, ?, ?, ?)"
_UNMET = "SELECT DISTINCT id FROM known WHERE met = 0"
_UNMET_AMONG = "SELECT DISTINCT id FROM known WHERE met = 0 AND id IN (SELECT value FROM json_each(?))"


class Label(NamedTuple):
    """`truth`: the value, or the index of the class; NaN of a feedback that does not know it. `observed_at`: epoch seconds, if told."""

    truth: float
    reason: str = ""
    observed_at: float | None = None
    sent_at: float = 0.0

    @property
    def is_known(self) -> bool:
        return not math.isnan(self.truth)

    def says_the_same(self, other: Label) -> bool:
        same_truth = self.truth == other.truth or not (self.is_known or other.is_known)
        return same_truth and self.reason == other.reason


class Row(NamedTuple):
    """One row of a file, from 0, and what it says of which answer."""

    place: int
    key: Key
    label: Label


class KnownLabels(Mapping[Key, Label]):
    """`add` takes what is newer. What was asked about with `meet` is no longer among the `unmet`."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()  # goes with this
        self._database = sqlite3.connect(Path(self._folder.name) / "labels.sqlite", isolation_level=None)
        # Nobody else reads it, and nothing of it is to be restored: all is one transaction, which never ends.
        self._database.executescript(f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-{_CACHE_KIB}; {_TABLES} BEGIN")

    def of(self, ids: Iterable[str]) -> dict[Key, Label]:
        """What is known of these requests."""
        found: dict[Key, Label] = {}
        left = iter(dict.fromkeys(ids))
        while some := list(islice(left, _AT_ONCE)):
            found.update((row[:2], _label(*row[2:])) for row in self._database.execute(_OF, [json.dumps(some)]))
        return found

    def put(self, labels: Mapping[Key, Label]) -> None:
        rows = ((*key, _or_null(label.truth), label.reason, label.observed_at, label.sent_at) for key, label in labels.items())
        self._database.executemany(_PUT, rows)

    def stage(self, rows: Iterable[Row]) -> None:
        """Rows of one file in its order. Whatever reading them raises leaves none."""
        values = ((*row.key, _or_null(row.label.truth), row.label.reason, row.label.observed_at, row.place) for row in rows)
        try:
            self._database.executemany("INSERT INTO staged VALUES (?, ?, ?, ?, ?, ?)", values)
        except BaseException:
            self._forget_staged()
            raise

    def take(self, sent_at: float) -> int:
        """Takes the staged rows that neither another one nor what is known contradicts; how many of them were known. Next: `contested`."""
        self._database.execute(_SAID_TWICE)
        self._database.execute(_SAID_OTHERWISE)
        taken = self._database.execute(_TAKE, [sent_at]).rowcount
        return self._one("SELECT count(*) FROM staged") - self._one("SELECT count(*) FROM staged JOIN again USING (id, row)") - taken

    def contested(self, sent_at: float) -> Iterator[list[Row]]:
        """The other staged rows, by answer, and then forgets them: those of an answer of which the file says something twice, or something
        else than was known.
        """
        again = self._database.execute(_AGAIN)
        read = (Row(place, (name, row), _label(truth, reason, seen, sent_at)) for name, row, truth, reason, seen, place in again)
        for _, alike in groupby(read, key=lambda row: row.key):
            yield list(alike)
        self._forget_staged()

    def _forget_staged(self) -> None:
        self._database.execute("DELETE FROM staged")
        self._database.execute("DELETE FROM again")

    def meet(self, keys: Iterable[Key]) -> None:
        """There is an answer to each of these."""
        self._database.executemany("UPDATE known SET met = 1 WHERE id = ? AND row = ?", keys)

    def unmet(self, most: int, among: Sequence[str] | None = None) -> tuple[int, list[str]]:
        """How many requests have a label that no answer has met, and the ids of the first. `among`: only these."""
        asked = self._database.execute(_UNMET) if among is None else self._database.execute(_UNMET_AMONG, [json.dumps(among)])
        named = [name for (name,) in islice(asked, most)]
        return len(named) + sum(1 for _ in asked), named

    @property
    def truths(self) -> int:
        return self._one("SELECT count(truth) FROM known")

    @property
    def reasons(self) -> int:
        return self._one("SELECT count(*) FROM known WHERE reason <> ''")

    def _one(self, question: str) -> int:
        return int(self._database.execute(question).fetchone()[0])

    def __getitem__(self, key: Key) -> Label:
        row = self._database.execute("SELECT truth, reason, observed, sent FROM known WHERE id = ? AND row = ?", key).fetchone()
        if row is None:
            raise KeyError(key)
        return _label(*row)

    def __iter__(self) -> Iterator[Key]:
        return iter(self._database.execute("SELECT id, row FROM known"))

    def __len__(self) -> int:
        return self._one("SELECT count(*) FROM known")


def _or_null(value: float) -> float | None:
    return None if math.isnan(value) else value


def _label(truth: float | None, reason: str, observed: float | None, sent: float) -> Label:
    return Label(math.nan if truth is None else truth, reason, observed, sent)
