"""How good the predictions are, how sure that is, and for whom.

Input: answers, predictions and the raw test rows. Output: metrics with bootstrap intervals, overall and for each group, and the
curves of a classification, thinned so that evaluation.json stays small.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from dataset import Rows
from decisions import Predictions
from measures import METRICS, measure
from numpy.typing import NDArray
from resampling import as_of_all, bootstrap, interval, sample

Floats = NDArray[np.float64]

GROUP_RESAMPLES = 200
FEWEST_IN_GROUP = 10
MOST_GROUPS = 12
#: A step reads its property file, which evaluation.json is, up to 2 MB (quotas of SageMaker Pipelines).
MOST_POINTS = 1000
MOST_CLASSES = 100


def overall(names: Sequence[str], target: Floats, predicted: Predictions) -> dict[str, dict[str, float | None]]:
    """SageMaker's metrics schema (value, standard_deviation) with the interval's ends beside it; of a sample where rows are many."""
    rows = sample(len(target))
    answers, guesses = target[rows], predicted.take(rows)
    sampled = bootstrap({name: partial(METRICS[name], answers, guesses) for name in names}, len(answers))
    result = {}
    for name in names:
        value = measure(name, target, predicted)
        resampled = as_of_all(sampled[name], measure(name, answers, guesses), value, len(answers) / len(target))
        lower, upper = interval(resampled)
        known = resampled[np.isfinite(resampled)]
        deviation = float(np.std(known)) if len(known) else None
        result[name] = {"value": value, "standard_deviation": deviation, "lower": lower, "upper": upper}
    return result


def by_group(metric: str, rows: Rows, predicted: Predictions) -> list[dict[str, Any]]:
    """The metric for every category of every categorical column with enough rows: a good average can hide a bad part."""
    return [{"column": column, "value": name, **_group(metric, rows.target, predicted, mask)} for column, name, mask in groups(rows)]


def groups(rows: Rows) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    """Column, category and rows of each group that is judged by itself."""
    for column, (distinct, codes) in rows.categorical.items():
        counts = np.bincount(codes, minlength=len(distinct))
        for code in np.argsort(-counts, kind="stable")[:MOST_GROUPS]:
            if counts[code] >= FEWEST_IN_GROUP:
                yield column, "missing" if distinct[code] is None else str(distinct[code]), codes == code


def _group(metric: str, target: Floats, predicted: Predictions, mask: NDArray[np.bool_]) -> dict[str, Any]:
    answers, guesses = target[mask], predicted.take(mask)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = float(METRICS[metric](answers, guesses, np.ones((1, len(answers))))[0])
        sampled = bootstrap({metric: lambda weight: METRICS[metric](answers, guesses, weight)}, len(answers), GROUP_RESAMPLES)
    lower, upper = interval(sampled[metric])
    return {"rows": int(mask.sum()), "metric_value": value if np.isfinite(value) else None, "lower": lower, "upper": upper}


def confusion(target: Floats, decided: Floats, classes: list[str]) -> dict[str, dict[str, int]]:
    """Rows by true class, then by decided class: SageMaker's `confusion_matrix`. Of more than MOST_CLASSES, those with the most rows."""
    pairs = np.zeros((len(classes), len(classes)), dtype=np.int64)
    np.add.at(pairs, (target.astype(np.int64), decided.astype(np.int64)), 1)
    shown = np.sort(np.argsort(-pairs.sum(axis=1), kind="stable")[:MOST_CLASSES]).tolist()
    return {classes[i]: {classes[j]: int(pairs[i, j]) for j in shown} for i in shown}


def scatter(target: Floats, scores: Floats) -> dict[str, list[float]]:
    """Every n-th row's answer and prediction, at least MOST_POINTS where there are as many."""
    step = max(1, len(target) // MOST_POINTS)
    return {"target": target[::step].tolist(), "predicted": scores[::step].tolist()}


def roc(target: Floats, scores: Floats) -> dict[str, list[float]]:
    """False and true positive rates at thresholds from the strictest to the loosest."""
    positives, negatives = _cumulated(target, scores)
    return {
        "false_positive_rates": [0.0, *(negatives / max(negatives[-1], 1)).tolist()],
        "true_positive_rates": [0.0, *(positives / max(positives[-1], 1)).tolist()],
    }


def precision_recall(target: Floats, scores: Floats) -> dict[str, list[float]]:
    positives, negatives = _cumulated(target, scores)
    return {
        "precisions": (positives / (positives + negatives)).tolist(),
        "recalls": (positives / max(positives[-1], 1)).tolist(),
    }


def _cumulated(target: Floats, scores: Floats) -> tuple[Floats, Floats]:
    """Positive and negative rows from each distinct score on, highest first; at most MOST_POINTS, the last one among them."""
    order = np.argsort(-scores, kind="stable")
    ranked, positive = scores[order], target[order] == 1
    ends = np.flatnonzero(np.r_[np.diff(ranked) != 0, True])
    kept = ends[np.unique(np.linspace(0, len(ends) - 1, min(len(ends), MOST_POINTS)).round().astype(int))]
    return np.cumsum(positive)[kept].astype(float), np.cumsum(~positive)[kept].astype(float)
