"""Who is better on a set, by a paired bootstrap of its test rows.

Input: of each split the answers and two sets of predictions. Output: the ratio of the losses (less than 1: ours is better) with its
interval, and the verdict. A loss is the metric where less is better, and 1 - metric otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from build_scripts.step_modules import load

Floats = NDArray[np.float64]
#: Of a loss in a ratio: a handful of rows may be told without an error.
LEAST_LOSS = 1e-3


@dataclass(frozen=True)
class Predicted:
    """The test rows of one split: answers, and what ours and another say of them."""

    target: Floats
    ours: Floats
    theirs: Floats


def losses(metric: str, target: Floats, scores: Floats, weight: Floats) -> Floats:
    """One for each set of weights."""
    measured = load("measures").METRICS[metric](target, load("decisions").Predictions.of(scores, None), weight)
    return np.asarray(1 - measured if metric == "auc" else measured, dtype=np.float64)


def loss(metric: str, target: Floats, scores: Floats) -> float:
    return float(losses(metric, target, scores, np.ones((1, len(target))))[0])


def compare(metric: str, splits: Sequence[Predicted]) -> dict[str, Any]:
    """`verdict` of the mean losses over all splits, `splits` of each alone. Splits share rows: the mean looks a little surer than it is."""
    both = [_losses(metric, split, load("resampling").resamples(len(split.target))) for split in splits]
    whole = np.mean([_losses(metric, split, [np.ones((1, len(split.target)))]) for split in splits], axis=0)
    lower, upper = load("resampling").interval(_log_ratio(np.mean(both, axis=0)))
    return {
        "ratio": float(np.exp(_log_ratio(whole)[0])),
        "lower": float(np.exp(lower)),
        "upper": float(np.exp(upper)),
        "verdict": verdict(lower, upper),
        "splits": [verdict(*load("resampling").interval(_log_ratio(each))) for each in both],
    }


def verdict(lower: float, upper: float) -> str:
    """Of an interval of the logarithm of the ratio."""
    if upper < 0:
        return "win"
    return "loss" if lower > 0 else "tie"


def _losses(metric: str, split: Predicted, weights: Iterable[Floats]) -> Floats:
    """Ours and theirs, of the same resamples: 2 x resamples."""
    found = [[losses(metric, split.target, scores, weight) for scores in (split.ours, split.theirs)] for weight in weights]
    return np.concatenate(found, axis=1)


def _log_ratio(both: Floats) -> Floats:
    own, other = np.maximum(both, LEAST_LOSS)
    return np.asarray(np.log(own / other), dtype=np.float64)
