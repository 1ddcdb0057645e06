"""Rows in the order of their scores: what AUC, average precision and the search for a threshold count by.

Input: answers (1: positive), scores and weights (rows, or resamples x rows). Output: one value per set of weights, by
scikit-learn's definitions. Used by `measures.py` and `decisions.py`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Ranking:
    """`values`: the distinct scores, lowest first. Ties share a place, so no metric depends on the order of the rows."""

    def __init__(self, target: Floats, scores: Floats) -> None:
        self._order = np.argsort(scores, kind="stable")
        ranked = scores[self._order]
        self._starts = np.flatnonzero(np.r_[True, np.diff(ranked) != 0])
        self._positive = target[self._order] == 1
        self.values = ranked[self._starts]

    def counts(self, weight: Floats) -> tuple[Floats, Floats]:
        """Weighted positive and negative rows at each distinct score: two arrays of resamples x values."""
        drawn = weight[:, self._order]
        positives = np.add.reduceat(drawn * self._positive, self._starts, axis=1)
        return positives, np.add.reduceat(drawn * ~self._positive, self._starts, axis=1)


def auc(target: Floats, scores: Floats, weight: Floats) -> Floats:
    """Area under the ROC curve: the share of (positive, negative) pairs in the right order, ties counting half; NaN without a pair."""
    positives, negatives = Ranking(target, scores).counts(weight)
    below = np.cumsum(negatives, axis=1) - negatives
    pairs = positives.sum(axis=1) * negatives.sum(axis=1)
    return np.asarray((positives * (below + negatives / 2)).sum(axis=1) / np.where(pairs > 0, pairs, np.nan), dtype=np.float64)


def average_precision(target: Floats, scores: Floats, weight: Floats) -> Floats:
    """The mean of the precisions at each score, weighted by the recall that it adds: sum of (R_n - R_(n-1)) P_n.

    Not interpolated (scikit-learn's `average_precision_score`); NaN without a positive row, where that gives 0 and a warning.
    """
    positives, negatives = (counted[:, ::-1] for counted in Ranking(target, scores).counts(weight))
    found = np.cumsum(positives, axis=1)
    chosen = found + np.cumsum(negatives, axis=1)
    precision = found / np.where(chosen > 0, chosen, 1)
    total = positives.sum(axis=1)
    return np.asarray((positives * precision).sum(axis=1) / np.where(total > 0, total, np.nan), dtype=np.float64)
