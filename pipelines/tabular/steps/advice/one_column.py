"""How well a single column tells the target: a model of that column alone, judged on rows that it has not learned from.

The model is the mean answer of each bin (quantiles of a numeric column, categories, and one for missing values), drawn a little to the
mean of all. It learns from one half and is judged on the other, and the other way round. Answers of a regression are taken by rank, for
a heavy tail then hides no monotone relation. Input: arrays of the same rows. Output: a share; of the constant it is 0, or half an AUC.
Used by `leaks.py`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

MOST_BINS = 64
#: Rows of a half for each bin.
_BIN_ROWS = 10
#: As many rows of the mean of all count for each bin.
_PRIOR = 1.0
#: Of a bin and a class, 40 MB.
_MOST_PAIRS = 5_000_000


def bins_of(values: Floats) -> Codes:
    """The bin of each value; missing ones have the last. At most `MOST_BINS` values have a bin each."""
    known = values[~np.isnan(values)]
    most = max(2, min(MOST_BINS, len(values) // (2 * _BIN_ROWS)))
    distinct = np.unique(known)
    edges = distinct[1:] if len(distinct) <= most else np.unique(np.quantile(known, np.linspace(0, 1, most + 1)[1:-1]))
    bins = np.searchsorted(edges, values, side="right")
    bins[np.isnan(values)] = len(edges) + 1
    return bins.astype(np.int64)


def regression(bins: Codes, target: Floats, in_first: NDArray[np.bool_]) -> float:
    """R² of the ranks of the answers."""
    ranks = _ranks(target)
    predicted = _means(bins, ranks, in_first)
    spread = float(np.sum((ranks - ranks.mean()) ** 2))
    return 1 - float(np.sum((ranks - predicted) ** 2)) / spread if spread else 0.0


def binary(bins: Codes, target: Floats, in_first: NDArray[np.bool_]) -> float:
    """Area under the ROC curve; `target`: 0 or 1. 0.5 where a class has no row."""
    scores = _ranks(_means(bins, target, in_first))
    positive = target == 1
    ones, zeros = int(positive.sum()), int((~positive).sum())
    if not (ones and zeros):
        return 0.5
    # Mann and Whitney: ranks here are midranks less a half, over the number of rows.
    return (float(scores[positive].sum()) * len(target) - ones * ones / 2) / (ones * zeros)


def multiclass(bins: Codes, target: Floats, in_first: NDArray[np.bool_]) -> float:
    """Of the answers that the most frequent class does not get right, the share that the column does (Goodman and Kruskal's lambda)."""
    classes = target.astype(np.int64)
    count, size = int(classes.max()) + 1, int(bins.max()) + 1
    usual = np.bincount(classes, minlength=count)
    if size * count > _MOST_PAIRS or usual.max() == len(classes):
        return 0.0
    predicted = np.empty(len(classes), dtype=np.int64)
    for learns in (in_first, ~in_first):
        pairs = np.bincount(bins[learns] * count + classes[learns], minlength=size * count).reshape(size, count)
        of_bin = np.where(pairs.any(axis=1), np.argmax(pairs, axis=1), np.argmax(usual))
        predicted[~learns] = of_bin[bins[~learns]]
    wrong = len(classes) - int(usual.max())
    return (int(np.count_nonzero(predicted == classes)) - int(usual.max())) / wrong


def _means(bins: Codes, answers: Floats, in_first: NDArray[np.bool_]) -> Floats:
    """Of each row, what the other half says of its bin."""
    found, size = np.empty(len(answers)), int(bins.max()) + 1
    for learns in (in_first, ~in_first):
        counts, sums = (np.bincount(bins[learns], weights=weights, minlength=size) for weights in (None, answers[learns]))
        overall = float(answers[learns].mean()) if learns.any() else 0.0
        found[~learns] = ((sums + _PRIOR * overall) / (counts + _PRIOR))[bins[~learns]]
    return found


def _ranks(values: Floats) -> Floats:
    """Midranks in (0, 1); equal values have one."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return ((np.cumsum(counts) - counts / 2) / len(values))[places]
