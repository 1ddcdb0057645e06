"""Reads the truth that came later, and what people said of answers: CSV files of labels, each row about one answered row.

Columns: `inference_id` (of the request), `truth`; and where needed `row` (of a request with several, from 1), `reason` (a person's
feedback) and `observed_at` (ISO 8601). A truth is held to the version's contract: a class that it knows, or a finite number. Used by the
monitor on `labels/<model>/**.csv` of an environment's bucket, where a bad row is left out and named, and by the project's
send_labels.py, which uploads no file that has one. Next: `realised.py`.
"""

from __future__ import annotations

import math
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import table as tables
from allowed import LARGEST
from cells import WHITE_SPACE, category, number, shown
from failure import BadInput
from store import GoneError
from windows import KEPT

ID, TRUTH, ROW, REASON, OBSERVED = "inference_id", "truth", "row", "reason", "observed_at"
NEEDED, OPTIONAL = (ID, TRUTH), (ROW, REASON, OBSERVED)
LONGEST_REASON = 200
#: Signs of a key that name the file on disk, whose names have up to 255 bytes.
LONGEST_FILE_NAME = 60
#: The id of what a batch model scored is an object's key, which has up to 1,024 bytes ("Creating object key names" of the S3 user guide).
LONGEST_ID = 1_024
#: As many problems of all files together are kept; all are counted.
MOST_PROBLEMS = 1_000
SHOWN_CLASSES = 20

Key = tuple[str, int]


@dataclass(frozen=True)
class Label:
    """`truth`: the value, or the index of the class; NaN of a feedback that does not know it. `observed_at`: epoch seconds, if told."""

    truth: float
    reason: str = ""
    observed_at: float | None = None
    sent_at: float = 0.0

    @property
    def is_known(self) -> bool:
        return not math.isnan(self.truth)


@dataclass(frozen=True)
class File:
    """What one file says. `wrong`: what is wrong with it, each with its line. `doubled`: rows that say again what another one says."""

    labels: Mapping[Key, Label] = field(default_factory=dict)
    rows: int = 0
    doubled: int = 0
    wrong: Sequence[str] = ()


@dataclass
class Labels:
    """What all files together say. The newest file has the last word about an answer.

    `corrected`: labels whose truth a newer file has changed. `repeated`: rows that say again what was known, in the same or a newer file.
    `left_out`: rows that say nothing that can be used; `problems`: why, by file.
    """

    known: dict[Key, Label] = field(default_factory=dict)
    files: int = 0
    rows: int = 0
    corrected: int = 0
    repeated: int = 0
    left_out: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, name: str, found: File) -> None:
        """Of the next newer file."""
        self.files += 1
        self.rows += found.rows
        self.repeated += found.doubled
        self.left_out += found.rows - found.doubled - len(found.labels)
        self.problems += [f"{name}: {problem}" for problem in found.wrong[: MOST_PROBLEMS - len(self.problems)]]
        for key, label in found.labels.items():
            before = self.known.get(key)
            if before is not None and _says_the_same(before, label):
                self.repeated += 1
                continue
            self.corrected += before is not None and before.is_known and label.is_known
            # What a newer file leaves open stays as it was: feedback has no truth, and a truth no reason.
            truth = label.truth if label.is_known or before is None else before.truth
            self.known[key] = Label(truth, label.reason or (before.reason if before else ""), label.observed_at, label.sent_at)


def read(store: Any, prefix: str, classes: Sequence[str] | None, now: datetime) -> Labels:
    """All files below a prefix, the oldest first. `classes`: of the version; None of a regression. `now`: nothing was observed later."""
    labels = Labels()
    for item in sorted(sent(store, prefix, now), key=lambda item: (item.modified, item.key)):
        if item.key.lower().endswith(".csv"):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / item.key.rsplit("/", 1)[-1][-LONGEST_FILE_NAME:]
                try:
                    stream = store.read(item.key)
                except GoneError:
                    continue  # deleted since it was listed: the next run sees other files
                with path.open("wb") as file:
                    shutil.copyfileobj(stream, file)
                labels.add(item.key, parse(path, classes, now, item.modified.timestamp()))
    return labels


def sent(store: Any, prefix: str, now: datetime) -> list[Any]:
    """The files that were there by `now`, which is when the run began: a later one is the next run's, whole, with what it says of later.

    Files from before the oldest answer that may be kept say nothing of any: a window may be judged again as long as its requests are kept,
    and its answered rows are kept as long from then on.
    """
    return [item for item in store.list(prefix) if now - 2 * KEPT < item.modified <= now]


def parse(path: Path, classes: Sequence[str] | None, now: datetime, sent_at: float = 0.0) -> File:
    """One file. What is wrong with the whole of it leaves it empty; a row that is wrong is left out."""
    try:
        table = tables.read(path)
    except BadInput as error:
        return File(wrong=[str(error).removeprefix(f"{path.name}: ")])
    names = table.columns.column_names
    missing = [name for name in NEEDED if name not in names]
    unknown = [name for name in names if name not in NEEDED + OPTIONAL]
    if missing or unknown:
        fault = f"has no column {missing[0]}" if missing else f"has an unknown column {shown(unknown[0])}"
        return File(wrong=[f"{fault}; the columns are {', '.join(NEEDED)}, and if needed {', '.join(OPTIONAL)}"])
    if not table.rows:
        return File(wrong=["has no rows"])
    columns = {name: _texts(table, name) for name in NEEDED + OPTIONAL}
    reader = _Reader(table, columns, classes, now, sent_at)
    return reader.read()


class _Reader:
    """The rows of one file, one after the other."""

    def __init__(
        self, table: tables.Table, columns: Mapping[str, Sequence[str]], classes: Sequence[str] | None, now: datetime, sent_at: float
    ) -> None:
        self._table, self._columns, self._classes, self._now, self._sent_at = table, columns, classes, now, sent_at
        self._class_index = {name: float(index) for index, name in enumerate(classes or ())}

    def read(self) -> File:
        found: dict[Key, Label] = {}
        first: dict[Key, int] = {}
        contradicted: set[Key] = set()
        wrong: list[str] = []
        doubled = 0
        for row in range(self._table.rows):
            try:
                key, label = self._key(row), self._label(row)
            except BadInput as problem:
                wrong.append(f"{self._table.sources[0].place(row)}: {problem}")
                continue
            if key not in found:
                found[key], first[key] = label, row
            elif _says_the_same(found[key], label):
                doubled += 1
            else:
                where, before = self._table.sources[0].place(row), self._table.sources[0].place(first[key])
                wrong.append(f"{where}: {ID} {shown(key[0])} has another {TRUTH} or {REASON} than on {before}; say it once")
                contradicted.add(key)
        labels = {key: label for key, label in found.items() if key not in contradicted}
        return File(labels, self._table.rows, doubled, wrong)

    def _key(self, row: int) -> Key:
        name, at = self._columns[ID][row], self._columns[ROW][row]
        if not 0 < len(name) <= LONGEST_ID:
            raise BadInput(f"{ID} is {shown(name)}; allowed: 1 to {LONGEST_ID} characters" if name else f"{ID} is empty")
        try:
            place = number(at) if at else 1.0
        except ValueError:
            place = 0.0
        if place < 1 or place != int(place):
            raise BadInput(f"{ROW} is {shown(at)}; allowed: a whole number from 1 on, the row of a request with several")
        return name, int(place)

    def _label(self, row: int) -> Label:
        reason, observed = self._columns[REASON][row][:LONGEST_REASON], self._columns[OBSERVED][row]
        return Label(self._truth(self._columns[TRUTH][row], reason), reason, self._time(observed) if observed else None, self._sent_at)

    def _truth(self, cell: str, reason: str) -> float:
        """NaN of a feedback that does not know it."""
        if not cell:
            if reason:
                return math.nan
            raise BadInput(f"{TRUTH} is empty, which is allowed only beside a {REASON}")
        if self._classes is None:
            try:
                value = number(cell)
            except ValueError:
                raise BadInput(f"{TRUTH} is {shown(cell)}; allowed: a number, with a point for decimals") from None
            if abs(value) > LARGEST:
                raise BadInput(f"{TRUTH} is {shown(cell)}; allowed: numbers that models calculate with, up to {LARGEST:.3g}")
            return value
        name = category(cell)
        if name not in self._class_index:
            more = f" and {len(self._classes) - SHOWN_CLASSES} more" if len(self._classes) > SHOWN_CLASSES else ""
            raise BadInput(f"{TRUTH} is {shown(cell)}; allowed: {', '.join(self._classes[:SHOWN_CLASSES])}{more}")
        return self._class_index[str(name)]

    def _time(self, cell: str) -> float:
        try:
            when = datetime.fromisoformat(cell)
        except ValueError:
            raise BadInput(f"{OBSERVED} is {shown(cell)}; allowed: ISO 8601, such as 2026-11-27T10:00:00Z") from None
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        if when > self._now:
            raise BadInput(f"{OBSERVED} is {shown(cell)}, which is in the future (it is {self._now:%Y-%m-%dT%H:%M:%SZ})")
        return when.timestamp()


def _says_the_same(one: Label, other: Label) -> bool:
    same_truth = one.truth == other.truth or not (one.is_known or other.is_known)
    return same_truth and one.reason == other.reason


def _texts(table: tables.Table, name: str) -> list[str]:
    """Cells of a column without white space around them, "" where one is missing or the file has no such column."""
    if name not in table.columns.column_names:
        return [""] * table.rows
    return ["" if cell is None else str(cell).strip(WHITE_SPACE) for cell in table.columns[name].to_pylist()]


def reasons(labels: Iterator[tuple[Key, Label]] | Sequence[tuple[Key, Label]], most: int = 20) -> list[dict[str, Any]]:
    """What people said of answers, the most frequent first: the reason, how often, and a few of the answers."""
    counted: Counter[str] = Counter()
    examples: dict[str, list[str]] = {}
    for (name, _), label in labels:
        if label.reason:
            counted[label.reason] += 1
            some = examples.setdefault(label.reason, [])
            if len(some) < 3 and name not in some:
                some.append(name)
    ranked = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    return [{"reason": reason, "count": count, "inference_ids": examples[reason]} for reason, count in ranked[:most]]
