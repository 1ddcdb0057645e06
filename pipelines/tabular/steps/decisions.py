"""From scores to classes: the decision threshold, and how good decisions are.

Input: answers, scores, weights. Output: `Predictions`; metrics of decisions by scikit-learn's definitions; a threshold fitted on
validation rows (`train.py`), which travels with the version and decides on the endpoint (`inference.py`). Next: `measures.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from ranking import Ranking
from resampling import resamples

Floats = NDArray[np.float64]

#: Where nothing was fitted: the more probable class.
HALF = 0.5
#: Scores closer than this are the same: the last bits of a score may differ between machines.
CLOSEST_SCORES = 1e-6
RESAMPLES = 200
#: Rows times resamples: with many rows few resamples say the same.
MOST_RESAMPLED = 2_000_000
#: Rows times classes that are compared at once: 16 MB as floats.
MOST_CELLS = 2_000_000


@dataclass(frozen=True)
class Predictions:
    """What a model says about rows. `scores`: values, probabilities of the positive class, or rows x classes.

    `decided`: the index of each row's class; of a regression the values.
    """

    scores: Floats
    decided: Floats

    @classmethod
    def of(cls, scores: Floats, threshold: float | None) -> Predictions:
        """`threshold` None: of a regression, or of several classes, where the most probable one is decided."""
        return cls(scores, scores if scores.ndim == 1 and threshold is None else decide(scores, threshold))

    def take(self, mask: NDArray[np.bool_]) -> Predictions:
        return Predictions(self.scores[mask], self.decided[mask])


def decide(scores: Floats, threshold: float | None = None) -> Floats:
    """The index of the class: 1 from the threshold (None: one half) on, or the most probable of several."""
    if scores.ndim == 1:
        return (scores >= (HALF if threshold is None else threshold)).astype(np.float64)
    return np.asarray(scores.argmax(axis=1), dtype=np.float64)


@dataclass(frozen=True)
class Tally:
    """Weighted rows, the last axis by class: decided rightly, decided so, and truly so. `present`: classes of any row."""

    right: Floats
    decided: Floats
    true: Floats
    present: NDArray[np.bool_]


def tally(target: Floats, decided: Floats, weight: Floats) -> Tally:
    """Resamples x classes. Rows are counted in blocks, which changes no bit: counts are whole numbers."""
    classes = np.arange(max(1, int(target.max()), int(decided.max())) + 1)
    right, decided_so, truly_so = (np.zeros((len(weight), len(classes))) for _ in range(3))
    present, block = np.zeros(len(classes), dtype=bool), max(1, MOST_CELLS // len(classes))
    for start in range(0, len(target), block):
        rows = slice(start, start + block)
        chosen, true = decided[rows, None] == classes, target[rows, None] == classes
        for counted, part in ((right, chosen & true), (decided_so, chosen), (truly_so, true)):
            counted += weight[:, rows] @ part.astype(np.float64)
        present |= (chosen | true).any(axis=0)
    return Tally(right, decided_so, truly_so, present)


def accuracy(counted: Tally) -> Floats:
    return np.asarray(counted.right.sum(axis=-1) / counted.true.sum(axis=-1), dtype=np.float64)


def balanced_accuracy(counted: Tally) -> Floats:
    """The mean of the classes' recalls (Brodersen et al. 2010): one half for whatever answers one of two classes to everyone."""
    occurs = counted.true > 0
    return np.asarray(_ratio(counted.right, counted.true).sum(axis=-1) / occurs.sum(axis=-1), dtype=np.float64)


def precision(counted: Tally) -> Floats:
    return _ratio(counted.right, counted.decided)[..., 1]


def recall(counted: Tally) -> Floats:
    return _ratio(counted.right, counted.true)[..., 1]


def f1(counted: Tally) -> Floats:
    return _f1_by_class(counted)[..., 1]


def macro_f1(counted: Tally) -> Floats:
    """The mean of the classes' F1."""
    return np.asarray(_f1_by_class(counted)[..., counted.present].mean(axis=-1), dtype=np.float64)


def _f1_by_class(counted: Tally) -> Floats:
    return _ratio(2 * counted.right, counted.decided + counted.true)


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    """0 where nothing was predicted or true, as scikit-learn's zero_division=0."""
    return np.asarray(np.where(denominator > 0, numerator / np.where(denominator > 0, denominator, 1), 0.0), dtype=np.float64)


#: Metrics that judge decisions. A threshold can be fitted for those that a model may be judged by; precision or recall alone are no aim.
DECIDED: dict[str, Callable[[Tally], Floats]] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "precision": precision,
    "recall": recall,
    "f1": f1,
    "macro_f1": macro_f1,
}


def fit_threshold(metric: str, target: Floats, scores: Floats) -> float:
    """The threshold that is best by `metric`, for probabilities of the positive class.

    The best threshold of a few hundred rows is in part luck, so it is the mean of the best ones of bootstrap resamples (bagging,
    Breiman 1996). It lies between two scores that differ, so each class is decided for some row; one half where no scores differ.
    """
    ranking = Ranking(target, scores)
    lower, upper = ranking.values[:-1], ranking.values[1:]
    usable = np.flatnonzero(upper - lower > CLOSEST_SCORES)
    if not len(usable):
        return HALF
    lower, upper = lower[usable], upper[usable]
    middle = (lower + upper) / 2
    best = []
    for weight in resamples(len(target), max(1, min(RESAMPLES, MOST_RESAMPLED // len(target)))):
        positives, negatives = ranking.counts(weight)
        both = (positives.sum(axis=1) > 0) & (negatives.sum(axis=1) > 0)
        measured = DECIDED[metric](_between_scores(positives[both], negatives[both]))[:, usable]
        highest = measured >= measured.max(axis=1, keepdims=True) - 1e-12
        # Rows that a resample did not draw leave thresholds between which nothing differs: the middle of those.
        best.append((middle[highest.argmax(axis=1)] + middle[::-1][highest[:, ::-1].argmax(axis=1)]) / 2)
    nearest = int(np.argmin(np.abs(middle - np.concatenate(best).mean())))
    return _shortest(float(lower[nearest]), float(upper[nearest]))


def _between_scores(positives: Floats, negatives: Floats) -> Tally:
    """Decisions for every threshold between two neighbouring scores: resamples x thresholds x classes."""
    below = np.stack([np.cumsum(negatives, axis=1), np.cumsum(positives, axis=1)], axis=-1)
    total = below[:, -1:]
    below = below[:, :-1]
    above = total - below
    right = np.stack([below[..., 0], above[..., 1]], axis=-1)
    decided = np.stack([below.sum(axis=-1), above.sum(axis=-1)], axis=-1)
    return Tally(right, decided, np.broadcast_to(total, right.shape), np.array([True, True]))


def _shortest(lower: float, upper: float) -> float:
    """The number with the fewest decimals in the middle half between the two: a person can read it, and rounding cannot flip a row."""
    middle, room = (lower + upper) / 2, (upper - lower) / 4
    shortened = (round(middle, decimals) for decimals in range(1, 17))
    return next((number for number in shortened if abs(number - middle) <= room), middle)
