"""What only several columns or rows together show: leakage, copies of rows.

Input: a `Table` whose columns are as the model's file says. Output: findings. Used by `contract.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import row_words
import split
from findings import Finding, plural
from numpy.typing import NDArray
from specification import Specification
from table import Table

LEAKING_CORRELATION = 0.999
FEWEST_ROWS_FOR_LEAKAGE = 20
_BLOCK_ROWS = 16_384


def leakage(table: Table, specification: Specification) -> Iterator[Finding]:
    """A feature that almost equals the target is usually recorded after it: the model would fail in production.

    Few different rows say nothing of it: through two of them goes a straight line, whatever they are.
    """
    suspects = list(_suspects(table, specification)) if table.rows >= FEWEST_ROWS_FOR_LEAKAGE else []
    if suspects and split.different(_answered(table, specification)) >= FEWEST_ROWS_FOR_LEAKAGE:
        yield from suspects


def _suspects(table: Table, specification: Specification) -> Iterator[Finding]:
    advice = "it may be known only after the event; remove it from the model's file"
    target = _target(table, specification)
    for name in specification.numeric:
        correlation = _correlation(table.numbers(name), target)
        if correlation >= LEAKING_CORRELATION:
            yield Finding(name, f"leakage suspect: correlation {correlation:.4f} with the target; {advice}")
    if specification.problem == "regression":
        return
    for name in specification.categorical:
        used, pairs = _pairs(table.categories(name)[1], target)
        if used > 1 and pairs == used and used <= table.rows / 10:
            yield Finding(name, f"leakage suspect: each of its {used} values determines the class; {advice}")


def _correlation(values: NDArray[np.float64], target: NDArray[np.float64]) -> float:
    """Pearson's, without its sign, of the rows whose value is known; 0 where they are few, or either does not vary.

    From the moments of blocks (Chan, Golub and LeVeque 1983), about the first known row, so that of a constant nothing is left.
    """
    first = int(np.argmax(~np.isnan(values)))
    count, mean, moments = 0, np.zeros(2), np.zeros((2, 2))
    with np.errstate(over="ignore", invalid="ignore"):
        for begun in range(0, len(values), _BLOCK_ROWS):
            own, answers = (column[begun : begun + _BLOCK_ROWS] - column[first] for column in (values, target))
            known = ~np.isnan(own)
            if not known.all():
                own, answers = own[known], answers[known]
            size = len(own)
            if size:
                centre = np.array([own.mean(), answers.mean()])
                apart = centre - mean
                own -= centre[0]
                answers -= centre[1]
                products = [[_product(own, own), _product(own, answers)], [0, _product(answers, answers)]]
                moments += products + np.outer(apart, apart) * (count * size / (count + size))
                mean, count = mean + apart * (size / (count + size)), count + size
        if count < FEWEST_ROWS_FOR_LEAKAGE or min(moments[0, 0], moments[1, 1]) <= 0:
            return 0.0
        return float(min(abs(moments[0, 1]) / np.sqrt(moments[0, 0]) / np.sqrt(moments[1, 1]), 1.0))


def _product(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Of two vectors; BLAS would start threads for so few."""
    return float(np.einsum("i,i", one, other))


def _pairs(codes: NDArray[np.int64], target: NDArray[np.float64]) -> tuple[int, int]:
    """How many categories there are, and how many pairs of a category and a class."""
    classes = int(target.max()) + 1
    counts = np.zeros((int(codes.max()) + 1) * classes, dtype=np.int64)
    for begun in range(0, len(codes), _BLOCK_ROWS):
        block = slice(begun, begun + _BLOCK_ROWS)
        np.add.at(counts, codes[block] * classes + target[block].astype(np.int64), 1)
    counts = counts.reshape(-1, classes)
    return int(np.count_nonzero(counts.any(axis=1))), int(np.count_nonzero(counts))


def copies(table: Table, specification: Specification) -> Iterator[Finding]:
    """Equal rows are no error without an identifier (two people may be alike), but a person should know."""
    if specification.identifier is not None:
        return
    words = _answered(table, specification)
    by_features, by_everything = split.different(row_words.of_features(table, specification)), split.different(words)
    if split.is_coarse(table.rows, by_features, by_everything, specification.problem):
        problem = f"the {table.rows} rows are only {by_features} different ones by their features, so equal rows count as observations of"
        problem += " their own and stand on every side of the split; remove those that are copies of one observation"
        yield Finding("", problem, is_error=False)
        return
    repeated = table.rows - by_everything
    if repeated:
        is_copy = np.ones(table.rows, dtype=bool)
        is_copy[np.unique(words, return_index=True)[1]] = False
        problem = (
            f"{plural(repeated, 'row')} {'repeats' if repeated == 1 else 'repeat'} another row; all copies stay on one side of the split"
        )
        advice = "remove them if they are one observation, or tell them apart by DataSet.identifier"
        yield Finding("", f"{problem}; {advice}", np.flatnonzero(is_copy).tolist(), is_error=False)


def _answered(table: Table, specification: Specification) -> split.Words:
    """Of features and answer."""
    return split.answered(row_words.of_features(table, specification), _target(table, specification))


def _target(table: Table, specification: Specification) -> NDArray[np.float64]:
    """Values, or the indices of classes."""
    if specification.problem == "regression":
        return table.numbers(specification.target)
    return table.categories(specification.target)[1].astype(np.float64)
