"""The rows of one file of labels: what each says of which answer, held to the version's contract, and what is wrong with the others.

Input: a CSV file. Output: a `Row` of each that is right, in the file's order, and in `wrong` why others are not. Read a part at a time: a
file may have millions of rows. Cells mean what they mean in training. Next: labels.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import table as tables
from allowed import LARGEST
from cells import WHITE_SPACE, category, number, shown
from failure import BadInput
from known_labels import Key, Label, Row

ID, TRUTH, ROW, REASON, OBSERVED = "inference_id", "truth", "row", "reason", "observed_at"
NEEDED, OPTIONAL = (ID, TRUTH), (ROW, REASON, OBSERVED)
LONGEST_REASON = 200
#: The id of what a batch model scored is an object's key, which has up to 1,024 bytes ("Creating object key names" of the S3 user guide).
LONGEST_ID = 1_024
SHOWN_CLASSES = 20
#: Up to which every whole number is one in double precision; no request has so many rows.
LARGEST_ROW = 2**53
#: Truths and times that were read are known by their texts: most come again and again.
_REMEMBERED = 1 << 16


class LabelFile:
    """`rows` counts all that were read; `wrong`: places (from 0) of the first that are not right, and why; `problems` counts all."""

    def __init__(self, path: Path, classes: Sequence[str] | None, now: datetime, most_wrong: int) -> None:
        """`classes`: of the version; None of a regression. `now`: nothing was observed later."""
        self._path, self._classes, self._now, self._most_wrong = path, classes, now, most_wrong
        self._class_index = {name: float(index) for index, name in enumerate(classes or ())}
        self._value, self._moment = lru_cache(_REMEMBERED)(self._truth), lru_cache(_REMEMBERED)(self._time)
        self.rows = self.problems = 0
        self.wrong: list[tuple[int, str]] = []

    def read(self) -> Iterator[Row]:
        """Raises BadInput for what is wrong with the whole of it, which may be found at its end."""
        for part in tables.parts(self._path):
            names = part.schema.names
            missing = [name for name in NEEDED if name not in names]
            unknown = [name for name in names if name not in NEEDED + OPTIONAL]
            if missing or unknown:
                fault = f"has no column {missing[0]}" if missing else f"has an unknown column {shown(unknown[0])}"
                raise BadInput(f"{fault}; the columns are {', '.join(NEEDED)}, and if needed {', '.join(OPTIONAL)}")
            yield from self._rows({name: _texts(part, name) for name in NEEDED + OPTIONAL}, part.num_rows)
        if not self.rows:
            raise BadInput("has no rows")

    def _rows(self, columns: Mapping[str, Sequence[str]], count: int) -> Iterator[Row]:
        first, self.rows = self.rows, self.rows + count
        for place in range(count):
            try:
                yield Row(first + place, self._key(columns, place), self._label(columns, place))
            except BadInput as problem:
                self.say(first + place, str(problem))

    def say(self, place: int, problem: str) -> None:
        """That a row is wrong."""
        self.problems += 1
        if len(self.wrong) < self._most_wrong:
            self.wrong.append((place, problem))

    def place(self, row: int) -> str:
        return tables.Source(self._path, self.rows).place(row)

    def told(self) -> list[str]:
        """What is wrong, in the order of the rows, each with its line."""
        source = tables.Source(self._path, self.rows)
        return [f"{source.place(row)}: {problem}" for row, problem in sorted(self.wrong)]

    @staticmethod
    def _key(columns: Mapping[str, Sequence[str]], row: int) -> Key:
        name, at = columns[ID][row], columns[ROW][row]
        if not 0 < len(name) <= LONGEST_ID:
            raise BadInput(f"{ID} is {shown(name)}; allowed: 1 to {LONGEST_ID} characters" if name else f"{ID} is empty")
        try:
            place = number(at) if at else 1.0
        except ValueError:
            place = 0.0
        if not 1 <= place <= LARGEST_ROW or place != int(place):
            raise BadInput(f"{ROW} is {shown(at)}; allowed: a whole number from 1 on, the row of a request with several")
        return name, int(place)

    def _label(self, columns: Mapping[str, Sequence[str]], row: int) -> Label:
        cell, reason, observed = columns[TRUTH][row], columns[REASON][row][:LONGEST_REASON], columns[OBSERVED][row]
        if not (cell or reason):
            raise BadInput(f"{TRUTH} is empty, which is allowed only beside a {REASON}")
        return Label(self._value(cell) if cell else math.nan, reason, self._moment(observed) if observed else None)

    def _truth(self, cell: str) -> float:
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


def _texts(part: Any, name: str) -> list[str]:
    """Cells of a column without white space around them, "" where one is missing or the file has no such column."""
    if name not in part.schema.names:
        return [""] * part.num_rows
    return ["" if cell is None else cell.strip(WHITE_SPACE) for cell in part.column(name).to_pylist()]
