"""Two models on the same rows, compared by a paired bootstrap: their errors are alike, so their difference is surer than either.

Input: answers and both models' predictions. Output: the gain with its interval. Used for the version in production and for the
models of `yardsticks.py`. Next: `gate.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from dataset import Rows
from decisions import Predictions
from measures import METRICS, measure
from numpy.typing import NDArray
from resampling import RESAMPLES, as_of_all, bootstrap, interval, sample

from evaluation.quality import GROUP_RESAMPLES, groups

Floats = NDArray[np.float64]


def compare(
    metric: str, target: Floats, ours: Predictions, theirs: Predictions, *, more_is_better: bool, count: int = RESAMPLES
) -> dict[str, float | None]:
    """`gain`: how much better ours are (positive is better, in the metric's units), with its interval. `value`: theirs.

    `p_not_worse`, `p_better`: the share of paired resamples in which ours are at least as good, or better (one-sided).
    """
    sign, rows = 1.0 if more_is_better else -1.0, sample(len(target))
    answers, own, others = target[rows], ours.take(rows), theirs.take(rows)

    def gain(weight: Floats) -> Floats:
        return np.asarray(sign * (METRICS[metric](answers, own, weight) - METRICS[metric](answers, others, weight)))

    value = measure(metric, target, theirs)
    whole = sign * (measure(metric, target, ours) - value)
    sampled = bootstrap({"gain": gain}, len(answers), count)["gain"]
    resampled = as_of_all(sampled, float(gain(np.ones((1, len(answers))))[0]), whole, len(answers) / len(target))
    known = resampled[np.isfinite(resampled)]
    lower, upper = interval(resampled)
    return {
        "value": value,
        "gain": whole,
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
