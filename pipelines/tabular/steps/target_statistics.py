"""A category as what its rows were answered: the mean of the target, or the share of each class. One column, however many categories.

Input: a categorical column of the training rows, their answers, and the fold of each row. Output: what serving applies; and for each fold
what the other folds say, by which the rows of that fold are learned from, so that no row sees its own answer. Equal rows share a fold.
Few rows say little: a category's mean is drawn to that of all rows, as if SMOOTHING rows of those were among its own (Micci-Barreca,
"A preprocessing scheme for high-cardinality categorical attributes", 2001). A category that was not met is the mean of all rows.
Sums are of whole numbers, so rows may come in any order (docs/decisions/0194-many-categories-are-what-they-were-answered.md).
What applies it: `target_values.py`. Used by `fitting.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import exact_sums
import numpy as np
from features import Floats, Labels
from numpy.typing import NDArray
from target_values import Folds

Codes = NDArray[np.int64]

FOLDS = 5
SMOOTHING = 10.0
#: Each is a column. More are told apart by the frequent categories alone.
MOST_CLASSES = 20
#: Rows whose multiples are exact when they are added as floats: 2^26 of at most 2^26.
_BLOCK_ROWS = 1 << 22
_BITS = 26


@dataclass(frozen=True)
class Answers:
    """Of training rows. `classes`: None for a regression, else `target` has their indices; of two, the last is the positive one."""

    target: Floats
    classes: Sequence[str] | None
    folds: Folds

    @property
    def columns(self) -> list[str]:
        """What each column is of: the target, or a class."""
        return ["<target>"] if self.classes is None or len(self.classes) == 2 else [f"<{name}>" for name in self.classes]


@dataclass(frozen=True)
class Sums:
    """Of each fold and each category: rows, and answers (folds x categories x columns)."""

    rows: Floats
    answers: Floats

    def but(self, fold: int) -> Sums:
        others = np.arange(len(self.rows)) != fold
        return Sums(self.rows[others], self.answers[others])

    def means(self) -> tuple[Floats, Floats]:
        """Of each category (categories x columns), and of all rows (columns)."""
        rows, answers = self.rows.sum(axis=0), self.answers.sum(axis=0)
        overall = answers.sum(axis=0) / max(rows.sum(), 1.0)
        return (answers + SMOOTHING * overall) / (rows + SMOOTHING)[:, None], overall


def folds(words: NDArray[np.uint64]) -> Folds:
    """Of rows by a number that equal rows share (`split.content_words`)."""
    return (words % np.uint64(FOLDS)).astype(np.uint8)


def applies(column: Mapping[str, Any], categories: int, classes: Sequence[str] | None, most_one_hot: int) -> bool:
    """Whether a column is encoded so: as its `encoding` says, else where it has more categories than are kept side by side."""
    few = classes is None or len(classes) <= MOST_CLASSES
    wanted = column.get("encoding")
    return wanted == "target" or (wanted is None and few and categories > most_one_hot)


def fit(name: str, labels: Labels, answers: Answers, only: Collection[str] | None = None) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The column's state, and of each fold the one that the other folds give.

    `only`: the categories that can be more than an unknown one; None for all.
    """
    present = {value for value, count in zip(labels[0], np.bincount(labels[1], minlength=len(labels[0])), strict=True) if count}
    known = sorted(value for value in present if value is not None and (only is None or value in only))
    order: list[str | None] = [*known, *([None] if None in present else []), _REST]
    place = {value: index for index, value in enumerate(order)}
    codes = np.array([place.get(value, len(order) - 1) for value in labels[0]], dtype=np.int64)[labels[1]]
    sums = _sums(codes, len(order), answers)
    centre, scale = _spread(sums)
    common = {
        "name": name,
        "categories": known,
        "indicator": False,
        "encoding": "target",
        "of": answers.columns,
        "centre": centre,
        "scale": scale,
    }
    states = [{**common, **_values(of, order)} for of in (sums, *(sums.but(fold) for fold in range(FOLDS)))]
    return states[0], states[1:]


#: Of categories that are not told apart. No cell is this.
_REST = "\0"


def _values(sums: Sums, order: Sequence[str | None]) -> dict[str, Any]:
    means, overall = sums.means()
    by_value = dict(zip(order, means.tolist(), strict=True))
    rest = overall.tolist()
    known = [by_value[value] for value in order if value is not None and value != _REST]
    return {"values": known, "missing": by_value.get(None, rest), "other": rest}


def _spread(sums: Sums) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of what the training rows are encoded as: linear models want columns of one size."""
    means, _ = sums.means()
    rows = sums.rows.sum(axis=0)[:, None]
    centre = (rows * means).sum(axis=0) / rows.sum()
    deviation = np.sqrt((rows * (means - centre) ** 2).sum(axis=0) / rows.sum())
    return centre.tolist(), [value if value > 0 else 1.0 for value in deviation.tolist()]


def _sums(codes: Codes, categories: int, answers: Answers) -> Sums:
    size = FOLDS * categories
    width = len(answers.columns)
    largest = float(np.max(np.abs(answers.target))) if answers.classes is None else 1.0
    exponent = exact_sums.exponent(largest)
    high, low = (np.zeros((width, size), dtype=np.int64) for _ in range(2))
    rows = np.zeros(size, dtype=np.int64)
    for begun in range(0, len(codes), _BLOCK_ROWS):
        block = slice(begun, begun + _BLOCK_ROWS)
        target = np.asarray(answers.target[block])
        group = np.asarray(answers.folds[block]).astype(np.int64) * categories + codes[block]
        rows += np.bincount(group, minlength=size)
        for column in range(width):
            coarse, fine = _multiples(_answer(target, column, answers.classes), exponent)
            high[column] += np.bincount(group, coarse, minlength=size).astype(np.int64)
            low[column] += np.bincount(group, fine, minlength=size).astype(np.int64)
    summed = np.ldexp(high.astype(np.float64), exponent - _BITS) + np.ldexp(low.astype(np.float64), exponent - 2 * _BITS)
    return Sums(rows.reshape(FOLDS, categories).astype(np.float64), summed.T.reshape(FOLDS, categories, width))


def _answer(target: Floats, column: int, classes: Sequence[str] | None) -> Floats:
    if classes is None:
        return target
    return np.asarray(target == (1 if len(classes) == 2 else column), dtype=np.float64)


def _multiples(values: Floats, exponent: int) -> tuple[Floats, Floats]:
    """Each value as a multiple of 2^(exponent - 26) and of 2^(exponent - 52): whole numbers, whose sums are exact in any order."""
    scaled = np.ldexp(values, _BITS - exponent)
    coarse = np.rint(scaled)
    return coarse, np.rint(np.ldexp(scaled - coarse, _BITS))


def refused(columns: Sequence[Mapping[str, Any]], classes: Sequence[str] | None) -> str | None:
    """What is wrong with `encoding="target"`; None for nothing."""
    asked = [column["name"] for column in columns if column.get("encoding") == "target"]
    if not asked or classes is None or len(classes) <= MOST_CLASSES:
        return None
    return f"column {asked[0]!r} has encoding='target' and there are {len(classes)} classes; allowed: at most {MOST_CLASSES}, or 'one_hot'"
