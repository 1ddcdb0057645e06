"""Quality metrics as weighted formulas on arrays, so that a whole bootstrap is a few matrix products.

Input: answers (rows), predictions (rows, or rows x classes) and weights (rows, or resamples x rows, which hold
how often a resample drew each row). Output: one value per set of weights. The definitions are scikit-learn's
(`sklearn.metrics`, with `sample_weight`); `tests/steps/test_measures.py` compares every one with it. Written
here because scikit-learn takes seconds to import and takes one set of weights at a time.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Metric = Callable[[Floats, Floats, Floats], Floats]

SMALLEST_PROBABILITY = float(np.finfo(np.float64).eps)
#: Metrics of settings.METRICS where less is better.
LESS_IS_BETTER = frozenset({"mse", "rmse", "mae", "log_loss"})


def measure(name: str, target: Floats, predicted: Floats, weight: Floats | None = None) -> float:
    """One metric of one set of predictions."""
    ones = np.ones((1, len(target))) if weight is None else weight[None, :]
    return float(METRICS[name](target, np.asarray(predicted, dtype=np.float64), ones)[0])


def _mean(values: Floats, weight: Floats) -> Floats:
    return np.asarray(weight @ values / weight.sum(axis=1), dtype=np.float64)


def mse(target: Floats, predicted: Floats, weight: Floats) -> Floats:
    return _mean((target - predicted) ** 2, weight)


def rmse(target: Floats, predicted: Floats, weight: Floats) -> Floats:
    return np.asarray(np.sqrt(mse(target, predicted, weight)), dtype=np.float64)


def mae(target: Floats, predicted: Floats, weight: Floats) -> Floats:
    return _mean(np.abs(target - predicted), weight)


def r2(target: Floats, predicted: Floats, weight: Floats) -> Floats:
    """1 - MSE / variance; 0 where the answers do not vary (scikit-learn's convention)."""
    centred = target - target.mean()  # subtracting a constant first keeps the variance exact
    variance = _mean(centred**2, weight) - _mean(centred, weight) ** 2
    safe = np.where(variance > 0, variance, 1.0)
    return np.asarray(np.where(variance > 0, 1 - mse(target, predicted, weight) / safe, 0.0), dtype=np.float64)


def auc(target: Floats, predicted: Floats, weight: Floats) -> Floats:
    """Area under the ROC curve: the share of (positive, negative) pairs in the right order, ties counting half."""
    order = np.argsort(predicted, kind="stable")
    ranked, positive = predicted[order], target[order] == 1
    starts = np.flatnonzero(np.r_[True, np.diff(ranked) != 0])
    drawn = weight[:, order]
    positives = np.add.reduceat(drawn * positive, starts, axis=1)
    negatives = np.add.reduceat(drawn * ~positive, starts, axis=1)
    below = np.cumsum(negatives, axis=1) - negatives
    pairs = positives.sum(axis=1) * negatives.sum(axis=1)
    return np.asarray((positives * (below + negatives / 2)).sum(axis=1) / np.where(pairs > 0, pairs, np.nan), dtype=np.float64)


def log_loss(target: Floats, predicted: Floats, weight: Floats) -> Floats:
    probability = _of_true_class(target, predicted)
    return _mean(-np.log(np.clip(probability, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)), weight)


def accuracy(target: Floats, predicted: Floats, weight: Floats) -> Floats:
    return _mean((decide(predicted) == target).astype(np.float64), weight)


def f1(target: Floats, predicted: Floats, weight: Floats) -> Floats:
    return _f1_of(1, target, decide(predicted), weight)


def precision(target: Floats, predicted: Floats, weight: Floats) -> Floats:
    chosen = decide(predicted) == 1
    return _ratio(weight @ (chosen & (target == 1)), weight @ chosen.astype(np.float64))


def recall(target: Floats, predicted: Floats, weight: Floats) -> Floats:
    chosen = decide(predicted) == 1
    return _ratio(weight @ (chosen & (target == 1)), weight @ (target == 1).astype(np.float64))


def macro_f1(target: Floats, predicted: Floats, weight: Floats) -> Floats:
    decided = decide(predicted)
    classes = np.unique(np.concatenate([target, decided]))
    return np.asarray(np.mean([_f1_of(label, target, decided, weight) for label in classes], axis=0), dtype=np.float64)


def decide(predicted: Floats) -> Floats:
    """The index of the class: probability of the positive class at least one half, or the most probable of several."""
    if predicted.ndim == 1:
        return (predicted >= 0.5).astype(np.float64)
    return np.asarray(predicted.argmax(axis=1), dtype=np.float64)


def _of_true_class(target: Floats, predicted: Floats) -> Floats:
    if predicted.ndim == 1:
        return np.asarray(np.where(target == 1, predicted, 1 - predicted), dtype=np.float64)
    return np.asarray(predicted[np.arange(len(target)), target.astype(np.int64)], dtype=np.float64)


def _f1_of(label: float, target: Floats, decided: Floats, weight: Floats) -> Floats:
    chosen, true = decided == label, target == label
    return _ratio(2 * (weight @ (chosen & true)), weight @ (chosen.astype(np.float64) + true))


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    """0 where nothing was predicted or true, as scikit-learn's zero_division=0."""
    return np.asarray(np.where(denominator > 0, numerator / np.where(denominator > 0, denominator, 1), 0.0), dtype=np.float64)


METRICS: dict[str, Metric] = {
    "mse": mse,
    "rmse": rmse,
    "mae": mae,
    "r2": r2,
    "auc": auc,
    "accuracy": accuracy,
    "precision": precision,
    "recall": recall,
    "f1": f1,
    "macro_f1": macro_f1,
    "log_loss": log_loss,
}

#: What is reported for each problem, the settings' metric among them.
REPORTED = {
    "regression": ("mse", "rmse", "mae", "r2"),
    "binary": ("auc", "accuracy", "precision", "recall", "f1", "log_loss"),
    "multiclass": ("accuracy", "macro_f1", "log_loss"),
}
