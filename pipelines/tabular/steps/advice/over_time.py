"""Whether the data drift over a time that they carry: then a split by chance tests on the time that it learned from.

A column carries time where its cells are dates or times of ISO 8601, or numbers under a name of one (year, sold_at). Its oldest rows are
held against its newest, as a split by time would make them, column by column: the population stability index (Siddiqi, "Credit Risk
Scorecards", 2006: from 0.1 on a change, from 0.25 on a large one), where a chi-squared test of the same counts leaves no doubt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np
import time_column
import time_split
from column_values import UnreadableError
from dataset import Rows
from findings import Finding
from numpy.typing import NDArray
from specification import Specification
from table import Table

from advice.look import Look, advice
from advice.sample import Sample

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

TARGET_MOVED, FEATURE_MOVED = 0.1, 0.25
FEWEST_ROWS = 200
BINS = 10
SHOWN = 3
#: Standard deviations of a normal value that is larger once in a million times.
_SURE = 4.75
#: Of what was seen, and not of what a thing is: a house's year of building is no time of its row.
_TIME = re.compile(r"(?:year|yr|date|datetime|time|timestamp|ts|period|yearmonth)")
_SEEN = (
    r"(?:created|recorded|observed|measured|seen|sold|sale|order|ordered|event|visit|purchase|purchased|transaction|issued|issue|booking)"
)
_NAMED = re.compile(rf"{_TIME.pattern}|(?:{_SEEN})_?(?:{_TIME.pattern}|at|on)|(?:yr|year|date)_?(?:{_SEEN})")


def look(table: Table, rows: Rows, classes: Sequence[str] | None, seen: Sample, specification: Specification) -> Look:
    about = "A drift over time"
    if specification.by_time is not None:
        return Look(about, f"nothing: the newest rows test (Split.by_time={specification.by_time!r})")
    columns = {name: times for name in _candidates(specification) if (times := _times(table, name, seen)) is not None}
    if seen.rows < FEWEST_ROWS or not columns:
        return Look(about, f"no column carries a time, or fewer than {FEWEST_ROWS} rows do")
    found = [finding for name, times in columns.items() for finding in _drift(name, times, rows, classes, seen, specification)]
    return Look(about, f"oldest against newest rows by {', '.join(columns)}: the target and each feature; {seen.words}", found[:1])


def _candidates(specification: Specification) -> Iterator[str]:
    named = [name for name in specification.numeric if _NAMED.fullmatch(re.sub(r"[\s-]+", "_", name.casefold()))]
    yield from [*specification.dataset.get("ignore", ()), *named]


def _times(table: Table, name: str, seen: Sample) -> Floats | None:
    """None where a column holds no times: numbers of any name, text, or too few different ones."""
    column = table.columns[name].take(seen.places)
    try:
        times = np.concatenate(list(time_column.of_chunks(column)))
    except UnreadableError:
        return None
    is_time = time_column.form_of(column) != time_column.NUMBERS or _NAMED.fullmatch(re.sub(r"[\s-]+", "_", name.casefold()))
    return times if is_time and np.isfinite(times).all() and time_split.has_enough(times) else None


def _drift(
    name: str, times: Floats, rows: Rows, classes: Sequence[str] | None, seen: Sample, specification: Specification
) -> Iterator[Finding]:
    shares = specification.preparation["split"]
    old, _, new = time_split.ends(times, shares["validation"], shares["test"], "").sides(times)
    target = rows.target[seen.places]
    of_target = _index(target.astype(np.int64) if classes is not None else _bins(target, old), old, new)
    moved = {column: _index(_codes(rows, column, seen, old), old, new) for column in specification.features if column != name}
    moved = {column: index for column, index in sorted(moved.items(), key=lambda item: -item[1]) if index >= FEATURE_MOVED}
    if of_target < TARGET_MOVED and not moved:
        return
    listed = ", ".join(f"{column} {index:.2f}" for column, index in list(moved.items())[:SHOWN])
    drifting = [f"the target (PSI {of_target:.2f})"] * (of_target >= TARGET_MOVED) + [f"features (PSI of {listed})"] * bool(moved)
    problem = (
        f"the rows carry a time, and {' and '.join(drifting)} moved between its oldest and its newest rows: a split by chance tests on"
    )
    advised = f"times that it learned from, and promises more than production will see; set Preparation(split=Split(by_time={name!r}))"
    yield advice(name, f"{problem} {advised}")


def _codes(rows: Rows, name: str, seen: Sample, old: NDArray[np.bool_]) -> Codes:
    if name in rows.numeric:
        return _bins(rows.numeric[name][seen.places], old)
    codes = rows.categorical[name][1][seen.places]
    # The most frequent ones; the others together, or a rare one would move a column.
    frequent = np.argsort(-np.bincount(codes), kind="stable")[:BINS]
    return np.where(np.isin(codes, frequent), codes, codes.max() + 1)


def _bins(values: Floats, old: NDArray[np.bool_]) -> Codes:
    """By the deciles of the oldest rows; missing values have one of their own."""
    known = values[old & ~np.isnan(values)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1])) if len(known) else np.empty(0)
    return np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, values, side="right")).astype(np.int64)


def _index(codes: Codes, old: NDArray[np.bool_], new: NDArray[np.bool_]) -> float:
    """The population stability index; 0 where the difference may be chance."""
    size = int(codes.max()) + 1
    counts = np.stack([np.bincount(codes[part], minlength=size) for part in (old, new)]).astype(np.float64)
    counts = counts[:, counts.any(axis=0)]
    totals = counts.sum(axis=1, keepdims=True)
    expected = counts.sum(axis=0) * totals / totals.sum()
    degrees = counts.shape[1] - 1
    if not degrees or np.sum((counts - expected) ** 2 / expected) < _sure(degrees):
        return 0.0
    shares = (counts + 0.5) / (totals + 0.5 * counts.shape[1])
    return float(np.sum((shares[1] - shares[0]) * np.log(shares[1] / shares[0])))


def _sure(degrees: int) -> float:
    """What a chi-squared value of so many degrees of freedom exceeds once in a million (Wilson and Hilferty 1931)."""
    return degrees * float(1 - 2 / (9 * degrees) + _SURE * np.sqrt(2 / (9 * degrees))) ** 3
