"""What to predict: the columns that may be meant, and what the one that is means for the model.

Input: the columns. Output: candidates with their reasons, and `Target`. Next: `yardstick.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from build_scripts.command_line import ProblemError
from build_scripts.drafting.columns import Column, Kind
from build_scripts.step_modules import load
from settings_schema import Problem

#: What people call the answer, in lower case without what separates words.
_NAMES = frozenset(
    {
        *("target", "label", "labels", "class", "y", "outcome", "response", "result", "output"),
        *("price", "saleprice", "sales", "count", "cnt", "churn", "churned", "survived", "default", "defaulted"),
        *("diagnosis", "fraud", "isfraud", "converted"),
    }
)
#: What people write for yes.
POSITIVE = frozenset({"yes", "true", "1", "y", "t", "positive", "pos", "sí", "si", "ja", "oui"})
#: So many numbers in a row from 0 or 1, or more classes than this, are amounts, or free text.
_MOST_CODED_CLASSES, _MOST_CLASSES = 10, 50
#: The share of the rows that each number has where they are classes.
_RAREST_CODE = 0.01
SHOWN = 5


@dataclass(frozen=True)
class Candidate:
    column: Column
    reason: str
    weight: int


@dataclass(frozen=True)
class Target:
    """`counts`: of the classes; empty for a regression. `positive`: of two classes the one whose probability is predicted."""

    column: Column
    reason: str
    problem: Problem
    problem_reason: str
    counts: dict[str, int]
    positive: str = ""
    positive_reason: str = ""

    @property
    def classes(self) -> list[str]:
        """In the order of their index: the positive one last (pipelines/tabular/steps/parts.py)."""
        return sorted(self.counts, key=lambda name: (name == self.positive, name))

    def answers(self, table: Any, places: NDArray[np.int64]) -> NDArray[np.float64]:
        """Of some rows: values, or the indices of classes; NaN where missing."""
        if self.problem is Problem.REGRESSION:
            values = np.asarray(table.numbers(self.column.name))[places]
            return np.asarray(np.where(np.isfinite(values), values, np.nan))
        distinct, codes = table.categories(self.column.name)
        index = {name: float(place) for place, name in enumerate(self.classes)}
        return np.asarray(np.array([index.get(value, np.nan) for value in distinct])[codes[places]])


def chosen(columns: Sequence[Column], name: str | None) -> tuple[Target, list[Candidate]]:
    """The one that was asked for, or the best of the candidates with the others. Raises ProblemError where there is none."""
    candidates = of(columns)
    if name is None:
        if not candidates:
            raise ProblemError("no column looks like something to predict; name it with --target")
        return _target(candidates[0].column, f"a guess: {candidates[0].reason}; --target names another"), candidates[1:]
    found = next((column for column in columns if column.name == name), None)
    if found is None:
        shown: Any = load("cells").shown
        likely = ", ".join(shown(candidate.column.name) for candidate in candidates[:SHOWN])
        raise ProblemError(f"--target is {shown(name)}; allowed: a column of the file, of which these look like one: {likely or 'none'}")
    return _target(found, "as asked for"), []


def of(columns: Sequence[Column]) -> list[Candidate]:
    """The best first; of equals the last in the file, where answers often stand."""
    found = [_weighed(column, columns) for column in reversed(columns) if _can_be_predicted(column)]
    return sorted(found, key=lambda candidate: -candidate.weight)


def _can_be_predicted(column: Column) -> bool:
    """It is in every row, varies, and is neither an index nor free text."""
    if column.known < column.rows or column.different < 2 or column.counts_rows:
        return False
    if column.kind is Kind.NUMBER:
        return not (column.is_whole and column.is_unique)
    return column.values is not None and column.different <= min(_MOST_CLASSES, column.rows / 2)


def _weighed(column: Column, columns: Sequence[Column]) -> Candidate:
    called = "".join(sign for sign in column.name.lower() if sign.isalnum()) in _NAMES
    is_last, is_first, two = column is columns[-1], column is columns[0], column.different == 2
    reasons = ["its name"] * called + ["the last column"] * is_last + ["the first column"] * is_first + ["two values"] * two
    return Candidate(column, ", ".join(reasons) or "known in every row, and varies", 6 * called + 2 * is_last + is_first + 2 * two)


def _target(column: Column, reason: str) -> Target:
    if column.different < 2 or column.kind in (Kind.DATE, Kind.OTHER):
        holds = {Kind.DATE: "dates", Kind.OTHER: "no text, number or truth value"}.get(column.kind, "the same in every row, or nothing")
        raise ProblemError(f"--target is {load('cells').shown(column.name)}, which holds {holds}; allowed: numbers, or classes")
    if column.kind is Kind.NUMBER and not _are_codes(column):
        return Target(column, reason, Problem.REGRESSION, f"{column.different:,} different numbers", {})
    counts = dict(column.values or {})
    if column.different > _MOST_CLASSES or not counts:
        raise ProblemError(f"--target is {load('cells').shown(column.name)} with {column.different:,} different texts: no classes")
    of_numbers = "whole numbers in a row; Problem.REGRESSION where they are amounts" if column.kind is Kind.NUMBER else "classes"
    if column.different > 2:
        return Target(column, reason, Problem.MULTICLASS, f"{column.different} {of_numbers}", counts)
    positive, why = _positive(counts)
    return Target(column, reason, Problem.BINARY, "two values", counts, positive, why)


def _are_codes(column: Column) -> bool:
    """Two numbers, or 0, 1, 2, ...: classes, if none of them is rare, which the high ones of a count are."""
    in_a_row = column.is_whole and column.lowest in (0, 1) and column.different == column.highest - column.lowest + 1
    are_common = min((column.values or {"": 0}).values()) >= _RAREST_CODE * column.rows
    return column.different == 2 or (in_a_row and are_common and column.different <= _MOST_CODED_CLASSES)


def _positive(counts: dict[str, int]) -> tuple[str, str]:
    yes = [value for value in counts if value.lower() in POSITIVE]
    if len(yes) == 1:
        return yes[0], "the one that says yes"
    rarer = min(sorted(counts, reverse=True), key=lambda value: counts[value])
    return rarer, f"the rarer one, {counts[rarer]:,} of {sum(counts.values()):,} rows"
