"""What a version is judged by, and how good is good enough: between one answer for everyone and what a small model reaches at once.

Input: `Sample`, `Target`, the features. Output: `Yardstick`. Metrics are those of the steps (measures.py). Next: `model_file.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from build_scripts.drafting.sample import Sample
from build_scripts.drafting.targets import Target
from build_scripts.step_modules import load
from settings_schema import METRICS, Problem

Floats = NDArray[np.float64]

#: Third standardised moment of the answers: beyond it a few far ones decide a squared error.
_SKEWED = 2.0
#: Shares of the rarer of two classes, and of the rarest of several as a part of what it would have if all were as common.
_RARE, _UNEVEN = 0.1, 0.5
#: A trial on fewer rows, or a class of fewer in a part of them, says nothing.
_FEWEST_ROWS, _FEWEST_OF_A_CLASS = 40, 2


@dataclass(frozen=True)
class Yardstick:
    metric: str
    metric_reason: str
    threshold: float
    threshold_reason: str


def of(sample: Sample, target: Target, answers: Floats, features: Sequence[str]) -> Yardstick:
    """`answers`: values, or the indices of classes with the positive one last; NaN where missing."""
    metric, reason = _metric(target, answers[np.isfinite(answers)])
    constant, reached = _tried(sample, target, answers, features, metric)
    more_is_better = METRICS[target.problem][metric].more_is_better
    everyone = f"one answer for everyone is at {constant:.3g}"
    if reached is None:
        return Yardstick(metric, reason, _rounded(constant, down=more_is_better), f"{everyone}, and the rows are too few to try more")
    if (reached <= constant) if more_is_better else (reached >= constant):
        why = f"{everyone}, and a small model is no better: these columns may say nothing of the target"
        return Yardstick(metric, reason, _rounded(constant, down=more_is_better), why)
    halfway = (constant + reached) / 2
    said = f"halfway: {everyone}, a small model reaches {reached:.3g} on rows that it has not seen, of {sample.in_words}"
    return Yardstick(metric, reason, _rounded(halfway, down=more_is_better), said)


def _metric(target: Target, answers: Floats) -> tuple[str, str]:
    if target.problem is Problem.REGRESSION:
        deviation = float(answers.std())
        skew = float(np.mean(((answers - answers.mean()) / deviation) ** 3)) if deviation else 0.0
        if abs(skew) > _SKEWED:
            return "mae", f"the answers are skewed ({skew:.1f}): a few far ones would decide rmse"
        return "rmse", f"the answers are not very skewed ({skew:.1f}); mae where a few far ones shall not count more"
    share = min(target.counts.values()) / sum(target.counts.values())
    if target.problem is Problem.BINARY:
        if share < _RARE:
            return "average_precision", f"one class is rare ({share:.1%}), and auc hardly sees the errors about it"
        return "auc", f"both classes are common ({share:.0%} are the rarer)"
    if share < _UNEVEN / len(target.counts):
        return "balanced_accuracy", f"the classes are uneven ({share:.1%} are the rarest): accuracy would hardly see it"
    return "accuracy", f"the classes are about as common ({share:.0%} are the rarest)"


def _tried(sample: Sample, target: Target, answers: Floats, features: Sequence[str], metric: str) -> tuple[float, float | None]:
    """The metric of one answer for everyone, and of a small model on every fourth row; None where these are too few."""
    known, classes = np.flatnonzero(np.isfinite(answers)), len(target.counts)
    held_out = known[3::4]
    fit, truth = np.setdiff1d(known, held_out), answers[held_out]
    counts = [np.bincount(answers[rows].astype(np.int64), minlength=classes).min() for rows in (fit, held_out)] if classes else []
    if len(known) < _FEWEST_ROWS or not features or min(counts, default=_FEWEST_OF_A_CLASS) < _FEWEST_OF_A_CLASS:
        return _constant(answers[known], answers[known], classes, metric), None
    reached = _measured(metric, truth, _predicted(_matrix(sample, features), answers, fit, held_out, classes))
    return _constant(answers[fit], truth, classes, metric), reached


def _constant(answers: Floats, truth: Floats, classes: int, metric: str) -> float:
    if not classes:
        middle = np.median(answers) if metric == "mae" else answers.mean()
        return _measured(metric, truth, np.full(len(truth), middle))
    shares = np.bincount(answers.astype(np.int64), minlength=classes) / len(answers)
    return _measured(metric, truth, np.full(len(truth), shares[1]) if classes == 2 else np.tile(shares, (len(truth), 1)))


def _matrix(sample: Sample, features: Sequence[str]) -> Floats:
    """Categories in the order in which they come; a missing one is a missing number."""

    def column(name: str) -> Floats:
        if name in sample.numbers:
            return sample.numbers[name]
        return np.where(sample.categories[name] < 0, np.nan, sample.categories[name])

    return np.column_stack(list(map(column, features)))


def _predicted(matrix: Floats, answers: Floats, fit: NDArray[np.int64], held_out: NDArray[np.int64], classes: int) -> Floats:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    size = {"max_iter": 40, "learning_rate": 0.15, "early_stopping": False, "random_state": 0}
    with threadpool_limits(1):  # threads that wait for each other cost more than they bring to so few rows
        if not classes:
            return np.asarray(HistGradientBoostingRegressor(**size).fit(matrix[fit], answers[fit]).predict(matrix[held_out]))
        scores = HistGradientBoostingClassifier(**size).fit(matrix[fit], answers[fit]).predict_proba(matrix[held_out])
    return np.asarray(scores[:, 1] if classes == 2 else scores)


def _measured(metric: str, truth: Floats, scores: Floats) -> float:
    predictions: Any = load("decisions").Predictions
    return float(load("measures").measure(metric, truth, predictions.of(scores, None)))


def _rounded(value: float, *, down: bool) -> float:
    """To two digits, towards what is easier to reach."""
    if value == 0 or not math.isfinite(value):
        return value
    digits = 1 - math.floor(math.log10(abs(value)))
    step = (math.floor if down else math.ceil)(value * 10.0**digits)
    return round(step / 10.0**digits, max(digits, 0))
