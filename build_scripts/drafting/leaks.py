"""Columns that say the answer almost alone, and are rarely known before it: a small tree of one column, tried on rows held out from it.

Input: `Sample` and the answers in its rows. Output: column -> how well it predicts alone; and pairs of numbers that make up the answer.
Used by `roles.py`. The check at upload knows correlations and categories that determine the class (table_checks.py); this sees curves, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from build_scripts.drafting.sample import Sample

Floats = NDArray[np.float64]

#: Of the variance of a number, or of the classes on average (balanced accuracy): no honest column comes near.
ALMOST_ALONE = 0.99
#: Fewer rows, or rows of a class, can look like anything.
FEWEST_ROWS, _FEWEST_OF_A_CLASS = 60, 10
_MOST_PAIRED, _FEWEST_EQUAL_ROWS = 40, 30


def alone(sample: Sample, answers: Floats, *, are_classes: bool, names: Iterable[str]) -> Mapping[str, float]:
    """The share that each column explains of the held-out rows; nothing where rows are few. `answers`: NaN where missing."""
    known = np.flatnonzero(np.isfinite(answers))
    if len(known) < FEWEST_ROWS:
        return {}
    if are_classes and np.unique(answers[known], return_counts=True)[1].min() < _FEWEST_OF_A_CLASS:
        return {}
    fit, held_out = known[::2], known[1::2]
    found = {}
    for name in names:
        values = _as_numbers(sample, name, answers, fit, are_classes=are_classes)
        found[name] = _explained(values[fit, None], answers[fit], values[held_out, None], answers[held_out], are_classes=are_classes)
    return found


def _as_numbers(sample: Sample, name: str, answers: Floats, fit: NDArray[np.int64], *, are_classes: bool) -> Floats:
    """A category in its place among all by their mean answer, or by their commonest class, in the rows that are fitted on."""
    if name in sample.numbers:
        return sample.numbers[name]
    codes = sample.categories[name] + 1
    typical = np.full(int(codes.max()) + 1, np.nan)
    for code in np.unique(codes[fit]):
        own = answers[fit][codes[fit] == code]
        typical[code] = np.bincount(own.astype(np.int64)).argmax() if are_classes else own.mean()
    return np.asarray(typical[codes], dtype=np.float64)


def _explained(train: Floats, answers: Floats, test: Floats, truth: Floats, *, are_classes: bool) -> float:
    from sklearn.metrics import balanced_accuracy_score, r2_score
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    size = {"max_depth": 10, "random_state": 0}
    if are_classes:
        tree = DecisionTreeClassifier(class_weight="balanced", **size).fit(train, answers)
        return float(balanced_accuracy_score(truth, tree.predict(test)))
    return float(r2_score(truth, DecisionTreeRegressor(**size).fit(train, answers).predict(test)))


def parts(numbers: Mapping[str, Floats], answers: Floats) -> Iterator[tuple[str, str, str]]:
    """Two columns of numbers, and the sign between them, that make up the answer in every row."""
    with np.errstate(over="ignore", invalid="ignore"):
        for one, other in combinations(list(numbers)[:_MOST_PAIRED], 2):
            first, second = numbers[one], numbers[other]
            for sign, made in (("+", first + second), ("-", first - second), ("*", first * second)):
                if _is_answer(made, answers):
                    yield one, sign, other
            if _is_answer(second - first, answers):
                yield other, "-", one


def _is_answer(made: Floats, answers: Floats) -> bool:
    known = np.isfinite(made) & np.isfinite(answers)
    first = np.flatnonzero(known)[:_FEWEST_EQUAL_ROWS]
    if len(first) < _FEWEST_EQUAL_ROWS or len(np.unique(answers[first])) < 3 or not np.allclose(made[first], answers[first], rtol=1e-9):
        return False
    return bool(np.allclose(made[known], answers[known], rtol=1e-9))
