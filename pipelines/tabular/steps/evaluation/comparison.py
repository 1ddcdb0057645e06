"""Two models on the same rows, compared by a paired bootstrap: their errors are alike, so their difference is surer than either.

Input: answers and both models' predictions. Output: the gain with its interval. Used for the version in production and for the
models of `yardsticks.py`. Next: `gate.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from dataset import Rows
from decisions import Predictions
from measures import METRICS
from numpy.typing import NDArray
from resampling import RESAMPLES, bootstrap, interval

from evaluation.quality import GROUP_RESAMPLES, groups

Floats = NDArray[np.float64]


def compare(
    metric: str, target: Floats, ours: Predictions, theirs: Predictions, *, more_is_better: bool, count: int = RESAMPLES
) -> dict[str, float | None]:
    """`gain`: how much better ours are (positive is better, in the metric's units), with its interval. `value`: theirs.

    `p_not_worse`, `p_better`: the share of paired resamples in which ours are at least as good, or better (one-sided).
    """
    sign = 1.0 if more_is_better else -1.0

    def gain(weight: Floats) -> Floats:
        return np.asarray(sign * (METRICS[metric](target, ours, weight) - METRICS[metric](target, theirs, weight)))

    ones = np.ones((1, len(target)))
    sampled = bootstrap({"gain": gain}, len(target), count)["gain"]
    known = sampled[np.isfinite(sampled)]
    lower, upper = interval(sampled)
    return {
        "value": float(METRICS[metric](target, theirs, ones)[0]),
        "gain": float(gain(ones)[0]),
        "lower": lower,
        "upper": upper,
        "p_not_worse": float((known >= 0).mean()) if len(known) else None,
        "p_better": float((known > 0).mean()) if len(known) else None,
    }


def by_group(metric: str, rows: Rows, ours: Predictions, theirs: Predictions, *, more_is_better: bool) -> list[dict[str, Any]]:
    """The same for each group by itself: what is better on average can be worse for some. `production`: theirs; None: undefined there."""
    found = []
    for column, value, mask in groups(rows):
        with np.errstate(invalid="ignore", divide="ignore"):
            known = compare(
                metric, rows.target[mask], ours.take(mask), theirs.take(mask), more_is_better=more_is_better, count=GROUP_RESAMPLES
            )
        gain = {name: known[name] for name in ("gain", "lower", "upper")}
        found.append({"column": column, "value": value, "rows": int(mask.sum()), "production": known["value"], **gain})
    return found
