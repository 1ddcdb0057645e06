"""Models that are worth nothing or little, to measure the chosen one against: a constant, and a plain linear model.

Input: prepared training rows. Output: the constant's predictions, and the linear model. Next: `comparison.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import objectives
from algorithms import linear as linear_models
from combined_rows import Together
from dataset import Part
from decisions import DECIDED, Predictions, fit_threshold
from measures import measure
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MOST_TRAINING_ROWS = 200_000


def constant(metric: str, target: Floats, about: Mapping[str, Any], rows: int) -> Predictions:
    """The same answer for all `rows`: the class shares, or of the training answers `target` the mean, the median for `mae`, the quantile.

    The decided class is the one that is best by the metric on the training rows; the most frequent one otherwise.
    """
    if about["problem"] == "regression":
        share = 0.5 if metric == "mae" else objectives.quantile_of(metric)
        return Predictions.of(np.full(rows, target.mean() if share is None else np.quantile(target, share)), None)
    counts = np.bincount(target.astype(np.int64), minlength=len(about["classes"]))
    decided = max(range(len(counts)), key=lambda label: (_if_always(metric, target, label), counts[label]))
    shares = counts / len(target)
    scores = np.full(rows, shares[1]) if about["problem"] == "binary" else np.broadcast_to(shares, (rows, len(shares)))
    return Predictions(scores, np.full(rows, float(decided)))


def _if_always(metric: str, target: Floats, label: int) -> float:
    """The metric if everyone gets this class; 0 for a metric that does not look at decisions."""
    return measure(metric, target, Predictions(target, np.full(len(target), float(label)))) if metric in DECIDED else 0.0


def learned_by_linear(rows: int) -> NDArray[np.int64]:
    """Which of `rows` training rows the linear model learns from. A part is enough: its coefficients hardly move any more."""
    return np.arange(0, rows, -(-rows // MOST_TRAINING_ROWS))


def linear(
    train: Part, validation: Part, about: Mapping[str, Any], decision_metric: str | None, *, refitted: bool
) -> tuple[Any, float | None]:
    """A linear model with its default regularisation, on the same prepared rows; the threshold that it decides by is fitted as the
    version's was, and then, where the version was `refitted`, so is it.
    """
    threshold = None
    if decision_metric or not refitted:
        model = linear_models.fit(train, None, about, {})
    if decision_metric:
        threshold = fit_threshold(decision_metric, validation.target, model.predict(validation.features))
    if refitted:
        model = linear_models.fit(Together(train, validation), None, about, {})
    return model, threshold
