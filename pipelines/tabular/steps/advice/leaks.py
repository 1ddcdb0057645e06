"""Columns that may be known only after the event: one that tells the target almost alone, or that is there for one class only.

An identifier that goes with the target is told too: it is no feature, but rows were numbered by the answer, or over a time in which it
changed. What equals the target is refused before (table_checks.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from column_values import UnreadableError, floats
from dataset import Rows
from findings import Finding
from numpy.typing import NDArray
from specification import Specification
from table import Table

from advice import one_column
from advice.look import Look, advice
from advice.sample import Sample

Mask = NDArray[np.bool_]

#: By problem: the measure, from where on a column tells the target almost alone, and from where on an identifier goes with it.
_MEASURES = {
    "regression": (one_column.regression, "R² of ranks {:.3f}", 0.98, 0.5),
    "binary": (one_column.binary, "AUC {:.3f}", 0.99, 0.8),
    "multiclass": (one_column.multiclass, "right in {:.1%} of what the most frequent class is not", 0.98, 0.5),
}
#: Of rows, and of the rows of each of two classes: fewer say nothing.
FEWEST_ROWS, FEWEST_OF_A_CLASS = 100, 20
#: A class that has a column to itself: so much of the rows with a value are of it, though no more than that of all rows are, and as many
#: rows by chance would be of it less often than once in a million.
ALMOST_ALL, MOST_USUAL, BY_CHANCE = 0.99, 0.9, 1e-6

_ADVICE = "if it is known only after the event, production will not have it: then remove it from the model's file"


def look(table: Table, rows: Rows, classes: Sequence[str] | None, seen: Sample, specification: Specification) -> Look:
    about = "A column that knows the answer"
    target = rows.target[seen.places]
    second = FEWEST_OF_A_CLASS if classes is None else np.sort(np.bincount(target.astype(np.int64), minlength=2))[-2]
    if seen.rows < FEWEST_ROWS or second < FEWEST_OF_A_CLASS:
        return Look(about, f"nothing: fewer than {FEWEST_ROWS} rows, or than {FEWEST_OF_A_CLASS} of a class, say nothing of a column")
    found = [*_features(rows, target, classes, seen, specification), *_identifier(table, target, seen, specification)]
    at = f"each column alone, judged on rows that it has not learned from, and the rows in which it is missing; {seen.words}"
    return Look(about, at, found)


def _features(rows: Rows, target: NDArray[np.float64], classes: Sequence[str] | None, seen: Sample, of: Specification) -> Iterator[Finding]:
    measure, words, limit, _ = _MEASURES[of.problem]
    for name in of.features:
        if name in rows.numeric:
            values = rows.numeric[name][seen.places]
            bins, missing = one_column.bins_of(values), np.isnan(values)
        else:
            distinct, codes = rows.categorical[name]
            bins = codes[seen.places]
            missing = np.array([value is None for value in distinct], dtype=bool)[bins]
        told = measure(bins, target, seen.in_first)
        if told >= limit:
            problem = f"leakage suspect: alone it tells the target almost fully ({words.format(told)} on rows it has not learned from)"
            yield advice(name, f"{problem}; {_ADVICE}")
        elif classes is not None:
            yield from _there_for_one_class(name, missing, target.astype(np.int64), classes)


def _there_for_one_class(name: str, missing: Mask, target: NDArray[np.int64], classes: Sequence[str]) -> Iterator[Finding]:
    usual = np.bincount(target, minlength=len(classes)) / len(target)
    for rows, words in ((~missing, "filled in"), (missing, "missing")):
        counts = np.bincount(target[rows], minlength=len(classes))
        given, of_class = int(counts.sum()), int(np.argmax(counts))
        share = float(usual[of_class])
        is_its_own = given >= FEWEST_OF_A_CLASS and counts[of_class] >= ALMOST_ALL * given
        if is_its_own and share <= MOST_USUAL and share**given <= BY_CHANCE:
            found = f"where it is {words}, {counts[of_class]} of {given} rows are {classes[of_class]!r}, as {share:.0%} of all rows are"
            yield advice(name, f"leakage suspect: {found}; {_ADVICE}")
            return


def _identifier(table: Table, target: NDArray[np.float64], seen: Sample, specification: Specification) -> Iterator[Finding]:
    name = specification.identifier
    if name is None or name == specification.by_time:
        return
    try:
        numbers = floats(table.columns[name].take(seen.places))
    except UnreadableError:
        return
    measure, words, _, limit = _MEASURES[specification.problem]
    told = measure(one_column.bins_of(numbers), target, seen.in_first)
    if told >= limit:
        problem = f"its number goes with the target ({words.format(told)}), so rows were numbered by the answer, or while it changed"
        cost = "nothing is learned of it, but a split by chance tests on times that it learned from"
        yield advice(name, f"{problem}; {cost}: if it grows with time, set Preparation(split=Split(by_time={name!r}))")
