"""Quality metrics as weighted formulas on arrays, so that a whole bootstrap is a few matrix products.

Input: answers (rows), predictions and weights (rows, or resamples x rows, which hold how often a resample drew each row).
Output: one value per set of weights. The definitions are scikit-learn's (`sklearn.metrics`, with `sample_weight`);
`tests/steps/test_measures.py` compares every one with it. Written here because scikit-learn takes seconds to import and
takes one set of weights at a time. Ranks are in `ranking.py`, decided classes in `decisions.py`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import objectives
import ranking
from decisions import DECIDED, Predictions, Tally, tally
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Metric = Callable[[Floats, Predictions, Floats], Floats]

SMALLEST_PROBABILITY = float(np.finfo(np.float64).eps)


def measure(name: str, target: Floats, predicted: Predictions, weight: Floats | None = None) -> float:
    """One metric of one set of predictions."""
    ones = np.ones((1, len(target))) if weight is None else weight[None, :]
    return float(METRICS[name](target, predicted, ones)[0])


def _mean(values: Floats, weight: Floats) -> Floats:
    return np.asarray(weight @ values / weight.sum(axis=1), dtype=np.float64)


def mse(target: Floats, predicted: Predictions, weight: Floats) -> Floats:
    return _mean((target - predicted.scores) ** 2, weight)


def rmse(target: Floats, predicted: Predictions, weight: Floats) -> Floats:
    return np.asarray(np.sqrt(mse(target, predicted, weight)), dtype=np.float64)


def mae(target: Floats, predicted: Predictions, weight: Floats) -> Floats:
    return _mean(np.abs(target - predicted.scores), weight)


def r2(target: Floats, predicted: Predictions, weight: Floats) -> Floats:
    """1 - MSE / variance; 0 where the answers do not vary (scikit-learn's convention)."""
    centred = target - target.mean()  # subtracting a constant first keeps the variance exact
    variance = _mean(centred**2, weight) - _mean(centred, weight) ** 2
    safe = np.where(variance > 0, variance, 1.0)
    return np.asarray(np.where(variance > 0, 1 - mse(target, predicted, weight) / safe, 0.0), dtype=np.float64)


def pinball(share: float) -> Metric:
    """The loss that the quantile of this share has least of (Koenker and Bassett 1978); half of `mae` for one half."""
    return lambda target, predicted, weight: _mean(
        np.maximum(share * (target - predicted.scores), (share - 1) * (target - predicted.scores)), weight
    )


def share_below(target: Floats, predicted: Predictions, weight: Floats) -> Floats:
    """Of answers that are at most what was predicted: of a good quantile its share."""
    return _mean((target <= predicted.scores).astype(np.float64), weight)


def auc(target: Floats, predicted: Predictions, weight: Floats) -> Floats:
    return ranking.auc(target, predicted.scores, weight)


def average_precision(target: Floats, predicted: Predictions, weight: Floats) -> Floats:
    return ranking.average_precision(target, predicted.scores, weight)


def log_loss(target: Floats, predicted: Predictions, weight: Floats) -> Floats:
    probability = _of_true_class(target, predicted.scores)
    return _mean(-np.log(np.clip(probability, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)), weight)


def _of_true_class(target: Floats, scores: Floats) -> Floats:
    if scores.ndim == 1:
        return np.asarray(np.where(target == 1, scores, 1 - scores), dtype=np.float64)
    return np.asarray(scores[np.arange(len(target)), target.astype(np.int64)], dtype=np.float64)


def _of_decisions(formula: Callable[[Tally], Floats]) -> Metric:
    return lambda target, predicted, weight: formula(tally(target, predicted.decided, weight))


#: In percent: those that can be predicted (settings_schema/metrics.py).
QUANTILES = (1, 5, 10, 25, 50, 75, 90, 95, 99)

METRICS: dict[str, Metric] = {
    "mse": mse,
    "rmse": rmse,
    "mae": mae,
    "r2": r2,
    **{f"pinball_{share}": pinball(share / 100) for share in QUANTILES},
    "share_below": share_below,
    "auc": auc,
    "average_precision": average_precision,
    "log_loss": log_loss,
    **{name: _of_decisions(formula) for name, formula in DECIDED.items()},
}

#: What is reported for each problem, the model's metric among them unless it is of a quantile.
_REPORTED = {
    "regression": ("mse", "rmse", "mae", "r2"),
    "binary": ("auc", "average_precision", "log_loss", "accuracy", "balanced_accuracy", "precision", "recall", "f1", "macro_f1"),
    "multiclass": ("accuracy", "balanced_accuracy", "macro_f1", "log_loss"),
}


def reported(problem: str, metric: str) -> tuple[str, ...]:
    """The names of what is reported of a model that is judged by `metric`. Squared errors say nothing of a quantile."""
    return _REPORTED[problem] if objectives.quantile_of(metric) is None else (metric, "share_below", "mae")
