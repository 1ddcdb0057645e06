"""How good a window's answers probably were, although their truth is not known yet.

Input: a version's estimator.json (fitted by evaluation/estimator.py on its test rows), the window's sample and the model's limits.
Output: `Estimate`, or one without a number and the reason. The metric is measured on answers as they may turn out, again and again: the
mean is the estimate, and the central 95 % its interval, for chance in the window and for what the fit does not know. Next: findings.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from dataset import Rows
from decisions import Predictions
from evaluation import estimator as estimators
from measures import measure
from numpy.typing import NDArray
from resampling import interval

Floats = NDArray[np.float64]

DRAWS = 200
#: Where the metric is undefined more often than this, it cannot be estimated: a window without a positive row has no AUC.
MOST_UNDEFINED = 0.5
ASSUMPTION = "no concept drift: rows of one kind still have the answers that they had when the version was evaluated; only labels can tell"


class Sampled(Protocol):
    """Rows of a window that one version answered (sketch.py)."""

    @property
    def rows(self) -> Rows: ...

    @property
    def predicted(self) -> Predictions: ...


@dataclass(frozen=True)
class Estimate:
    """`lower`, `upper`: 95 %. `limit`: what the whole interval must be worse than to be a breach. No `value`: `assumption` says why."""

    metric: str
    value: float | None
    lower: float | None
    upper: float | None
    at_evaluation: float | None
    limit: float | None
    method: str | None
    assumption: str
    breached: bool

    def document(self) -> dict[str, Any]:
        return asdict(self)


def estimate(estimator: Mapping[str, Any], sample: Sampled, limits: Mapping[str, Any]) -> Estimate:
    """`limits`: reads `max_quality_loss`, the share of the metric's value at evaluation that may be lost."""
    metric, before = estimator["metric"], estimator["at_evaluation"]
    more_is_better = bool(estimator["more_is_better"])
    limit = limit_of(before, more_is_better=more_is_better, max_loss=float(limits["max_quality_loss"]))

    def without_number(why: str) -> Estimate:
        return Estimate(metric, None, None, None, before, limit, estimator["method"], f"not estimated: {why}", breached=False)

    if estimator["method"] is None:
        return without_number(estimator["why"])
    if not sample.rows.count:
        return without_number("the window has no rows")
    with np.errstate(invalid="ignore", divide="ignore"):
        drawn = estimators.draws(estimator, sample.rows, sample.predicted, DRAWS)
        values = np.array([measure(metric, answers, sample.predicted) for answers in drawn])
    known = values[np.isfinite(values)]
    if len(known) < (1 - MOST_UNDEFINED) * len(values):
        return without_number(f"{metric} is undefined for most answers that these {sample.rows.count} rows may have")
    lower, upper = interval(known)
    breached = is_breached(lower, upper, limit, more_is_better=more_is_better)
    return Estimate(metric, float(known.mean()), lower, upper, before, limit, estimator["method"], ASSUMPTION, breached)


def limit_of(before: float | None, *, more_is_better: bool, max_loss: float) -> float | None:
    """What the metric may become: its value at evaluation, worse by a share of it."""
    if before is None:
        return None
    return before - abs(before) * max_loss if more_is_better else before + abs(before) * max_loss


def is_breached(lower: float | None, upper: float | None, limit: float | None, *, more_is_better: bool) -> bool:
    """Only if the whole interval is worse than the limit."""
    if lower is None or upper is None or limit is None:
        return False
    return upper < limit if more_is_better else lower > limit
