"""Whether the answers can be judged as the model's file says: classes with enough rows, and a metric that fits how the answers lie."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import objectives
from cells import shown
from dataset import Rows
from findings import Finding, plural
from numpy.typing import NDArray
from sides import Sides
from specification import Specification

from advice.look import Look, advice
from advice.sample import Sample

#: A share that is told from fewer rows is off by more than 30 points (95 %).
FEWEST_TEST_ROWS = 10
#: A constant answer that has this much of accuracy or F1 makes any model look good.
LOOKS_GOOD = 0.8
#: Of the squared errors of a constant answer, made by one row in a hundred. A normal target has 0.08, an exponential one 0.22.
MOST_OF_ERRORS, TAIL = 0.5, 0.01
FEWEST_ROWS = 200
SHOWN_CLASSES = 3
_SQUARED = ("mse", "rmse", "r2")


def look(rows: Rows, classes: Sequence[str] | None, placing: Sides, seen: Sample, specification: Specification) -> Look:
    if classes is None:
        found = list(_skewed(rows.target[seen.places], specification))
        return Look("The answers and their metric", f"how much of {specification.metric} a few rows decide; {seen.words}", found)
    counts = [np.bincount(rows.target[mask].astype(np.int64), minlength=len(classes)) for mask in placing.masks.values()]
    found = [*_few(classes, counts[-1], specification), *_constant(classes, np.sum(counts, axis=0), specification)]
    return Look(
        "The answers and their metric", f"test rows of each class, and what one answer for everyone has of {specification.metric}", found
    )


def _few(classes: Sequence[str], counts: NDArray[np.int64], specification: Specification) -> Iterator[Finding]:
    few = [(name, int(count)) for name, count in zip(classes, counts, strict=True) if count < FEWEST_TEST_ROWS]
    if few:
        listed = ", ".join(f"{shown(name)} ({plural(count, 'test row')})" for name, count in few[:SHOWN_CLASSES])
        more = f" and {len(few) - SHOWN_CLASSES} more" if len(few) > SHOWN_CLASSES else ""
        problem = f"too few test rows to judge {'a class' if len(few) == 1 else 'classes'} by: {listed}{more}; what the report says of"
        yield advice(
            specification.target, f"{problem} fewer than {FEWEST_TEST_ROWS} is off by 30 points or more; give more, or join classes"
        )


def _constant(classes: Sequence[str], counts: NDArray[np.int64], specification: Specification) -> Iterator[Finding]:
    """What one answer for everyone has of a metric that rewards it."""
    place = int(np.argmax(counts))
    share = float(counts[place] / counts.sum())
    values = {"accuracy": share}
    if specification.problem == "binary" and place == len(classes) - 1:  # the positive class is the last
        values["f1"] = 2 * share / (1 + share)
    value, metric = values.get(specification.metric, 0.0), specification.metric
    if value >= LOOKS_GOOD:
        ranked = ", or average_precision for its ranking," if specification.problem == "binary" else ""
        problem = (
            f"{share:.0%} of the rows are {shown(classes[place])}, so that answer for everyone has {metric} {value:.3f} and knows nothing"
        )
        yield advice(specification.target, f"{problem}; judge by balanced_accuracy or macro_f1{ranked} in DataSet.metric")


def _skewed(target: NDArray[np.float64], specification: Specification) -> Iterator[Finding]:
    if len(target) < FEWEST_ROWS or specification.metric not in _SQUARED:
        return
    squares = np.sort((target - target.mean()) ** 2)
    share = float(squares[-round(TAIL * len(squares)) :].sum() / squares.sum())
    if share >= MOST_OF_ERRORS:
        may_learn = target.min() > 0 and specification.objective == objectives.MEAN
        logarithm = ", or learn by DataSet.objective='log_mean' where an error counts in percent" if may_learn else ""
        problem = (
            f"1 % of the rows make {share:.0%} of the squared errors of a constant answer, so {specification.metric} is decided by them"
        )
        yield advice(specification.target, f"{problem}; judge by mae in DataSet.metric{logarithm}")
