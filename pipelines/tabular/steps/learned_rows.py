"""Reads what production learned: rows as they were asked, with what turned out to be true, beside the uploaded table.

Input: the folder of the data and the specification. Output: `Learned`, typed like the uploaded rows, and what of it cannot be used and
why. No file of it stops a training: nobody is there who could repair it, and the uploaded table alone is enough to go on.
A row never trains whose place is among the test rows (docs/decisions/0130-answers-become-training-rows.md). Next: `parts.py` joins them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import csv_files
import dataset
import numpy as np
import objectives
import pyarrow as pa
import sources
import table as tables
from allowed import LARGEST, values_of
from column_values import UnreadableError, floats, labels
from dataset import Rows
from failure import BadInput
from features import Labels
from findings import plural
from numpy.typing import NDArray
from specification import Specification

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Learned:
    """`rows`: that can be learned from; `left_out`: how many others, by the reason. `sha256`: of all files, used or not."""

    rows: Rows
    sha256: str
    left_out: dict[str, int]

    @property
    def warnings(self) -> list[str]:
        given = self.rows.count + sum(self.left_out.values())
        return [f"{count} of {plural(given, 'answered row')} left out: {reason}" for reason, count in sorted(self.left_out.items())]


def read(path: str | Path, specification: Specification, classes: Sequence[str] | None) -> Learned | None:
    """None where a model does not learn from answers, or nothing was learned yet. `classes`: those of the uploaded rows."""
    folder = Path(path)
    found = sorted(file for file in sources.files(folder) if sources.is_learned(file.relative_to(folder).as_posix()))
    if not (specification.learn_from_answers and found):
        return None
    left_out: Counter[str] = Counter()
    names = [*specification.features, specification.target]
    parts = [part for file in found if (part := _columns(file, names, left_out)) is not None]
    text = pa.table({name: pa.array([], pa.string()) for name in names})
    rows = _usable(pa.concat_tables([text, *parts]).combine_chunks(), specification, classes, left_out)
    return Learned(rows, tables.sha256(found), dict(left_out))


def _columns(file: Path, names: Sequence[str], left_out: Counter[str]) -> pa.Table | None:
    """A file's columns of text. It may be of a time when the model had other columns."""
    try:
        columns = csv_files.read(file)
    except BadInput:
        left_out["their file cannot be read as CSV"] += 1
        return None
    missing = [name for name in names if name not in columns.column_names]
    if missing:
        left_out[f"they were asked when there was no column {missing[0]!r}"] += columns.num_rows
        return None
    return columns.select(names)


def _usable(text: pa.Table, specification: Specification, classes: Sequence[str] | None, left_out: Counter[str]) -> Rows:
    """The rows that keep today's contract, as training reads cells."""
    usable = np.ones(text.num_rows, dtype=bool)

    def leave_out(mask: Mask, reason: str) -> None:
        wrong = mask & usable
        if np.any(wrong):
            left_out[reason] += int(np.count_nonzero(wrong))
            usable[wrong] = False

    numeric = {name: _numbers(text[name], name, leave_out) for name in specification.numeric}
    categorical = {name: _categories(text[name], name, leave_out) for name in specification.categorical}
    for column in specification.dataset["numeric"]:
        leave_out(_outside(numeric[column["name"]], column), f"{column['name']!r} is outside of its range in {specification.file}")
    for column in specification.dataset["categorical"]:
        leave_out(_unknown(categorical[column["name"]], values_of(column)), f"{column['name']!r} is no category of {specification.file}")
    target = specification.target
    if classes is None:
        answers = _numbers(text[target], target, leave_out)
        leave_out(np.isnan(answers), f"{target!r} is missing")
        objective = specification.objective
        leave_out(objectives.unlearnable(objective, answers), f"{target!r} cannot be learned with objective={objective!r}")
    else:
        truth = _categories(text[target], target, leave_out)
        leave_out(_missing(truth), f"{target!r} is missing")
        answers = dataset.class_index(truth, classes)
        leave_out(answers < 0, f"{target!r} is no class of the uploaded rows, so that nothing could judge what is learned of it")
    return Rows(numeric, categorical, answers, text.num_rows).take(usable)


def _numbers(column: pa.ChunkedArray, name: str, leave_out: Any) -> NDArray[np.float64]:
    try:
        values = floats(column)
    except UnreadableError as error:
        values, strange = _read_without(column, error, floats)
        leave_out(strange, f"{name!r} is no number")
    leave_out(np.abs(values) > LARGEST, f"{name!r} is larger than models calculate with")
    return values


def _categories(column: pa.ChunkedArray, name: str, leave_out: Any) -> Labels:
    try:
        return labels(column)
    except UnreadableError as error:
        found: Labels
        found, strange = _read_without(column, error, labels)
        leave_out(strange, f"{name!r} is no category")
        return found


def _read_without(column: pa.ChunkedArray, error: UnreadableError, read_as: Any) -> tuple[Any, Mask]:
    """The column with missing values where cells cannot be read, and where those are."""
    strange = np.zeros(len(column), dtype=bool)
    strange[list(error.rows)] = True
    cells = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return read_as(pa.array(np.asarray(cells.to_pylist(), dtype=object), pa.string(), mask=strange)), strange


def _outside(values: NDArray[np.float64], column: dict[str, Any]) -> Mask:
    low, high = (np.inf * sign if column.get(name) is None else column[name] for name, sign in (("minimum", -1), ("maximum", 1)))
    return np.asarray((values < low) | (values > high))


def _unknown(found: Labels, declared: Sequence[str] | None) -> Mask:
    distinct, codes = found
    known = None if declared is None else {*declared, None}
    return np.array([known is not None and value not in known for value in distinct], dtype=bool)[codes]


def _missing(found: Labels) -> Mask:
    distinct, codes = found
    return np.array([value is None for value in distinct], dtype=bool)[codes]
