"""Two models on the same rows, compared by a paired bootstrap: their errors are alike, so their difference is surer than either.

Input: answers and both models' predictions. Output: the gain with its interval. Used for the version in production and for the
models of `yardsticks.py`. Next: `gate.py`.
"""

from __future__ import annotations

import numpy as np
from decisions import Predictions
from measures import METRICS
from numpy.typing import NDArray
from resampling import bootstrap, interval

Floats = NDArray[np.float64]


def compare(metric: str, target: Floats, ours: Predictions, theirs: Predictions, *, more_is_better: bool) -> dict[str, float | None]:
    """`gain`: how much better ours are (positive is better, in the metric's units), with its interval. `value`: theirs.

    `p_not_worse`, `p_better`: the share of paired resamples in which ours are at least as good, or better (one-sided).
    """
    sign = 1.0 if more_is_better else -1.0

    def gain(weight: Floats) -> Floats:
        return np.asarray(sign * (METRICS[metric](target, ours, weight) - METRICS[metric](target, theirs, weight)))

    ones = np.ones((1, len(target)))
    sampled = bootstrap({"gain": gain}, len(target))["gain"]
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
