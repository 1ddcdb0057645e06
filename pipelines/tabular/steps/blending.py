"""Which candidates are blended, how much of each, and whether that is better than the best one alone by more than noise.

Input: what each candidate says of the validation rows, best first. Output: weights, and the paired comparison. Greedy selection with
replacement (Caruana et al. 2004, "Ensemble Selection from Libraries of Models"): from the best one on, each step adds the candidate that
makes the mean best, and the best mean of all steps is kept. Weights are found anew for each fold of the rows without it, so that what is
compared is said of rows that the weights have not seen. Used by `choose.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
from decisions import DECIDED, Floats, Predictions, fit_threshold
from evaluation.comparison import compare
from measures import measure

#: Draws: a weight is a multiple of one in so many at most.
STEPS = 20
FOLDS = 5
SEED = 20
#: Less is the last bits of a score, and no gain.
SMALLEST_GAIN = 1e-9
#: By which members are drawn where the metric judges decisions: those need a threshold, and this is what the candidates learned by.
BY_PROBABILITIES = "log_loss"

#: Whether these candidates, by their place, may be members together.
Allowed = Callable[[Collection[int]], bool]


@dataclass(frozen=True)
class Judge:
    """Of predictions: `metric`, and of decisions that for which thresholds are fitted (of two classes)."""

    metric: str
    more_is_better: bool
    decision_metric: str | None = None

    def predictions(self, target: Floats, scores: Floats) -> tuple[Predictions, float | None]:
        """With the threshold that is best for these rows."""
        threshold = None if self.decision_metric is None else fit_threshold(self.decision_metric, target, scores)
        return Predictions.of(scores, threshold), threshold


def weights(target: Floats, scores: Sequence[Floats], judge: Judge, is_allowed: Allowed) -> Floats:
    """Of each candidate, adding up to 1."""
    drawn = np.zeros(len(scores), dtype=np.int64)
    drawn[0] = 1
    summed, best, kept = scores[0].copy(), _loss(target, scores[0], judge), drawn.copy()
    for step in range(1, STEPS):
        members = set(np.flatnonzero(drawn).tolist())
        may_join = [place for place in range(len(scores)) if place in members or is_allowed(members | {place})]
        losses = {place: _loss(target, (summed + scores[place]) / (step + 1), judge) for place in may_join}
        chosen = min(losses, key=lambda place: (losses[place], place))
        drawn[chosen] += 1
        summed = summed + scores[chosen]
        if losses[chosen] < best - SMALLEST_GAIN * abs(best):
            best, kept = losses[chosen], drawn.copy()
    return np.asarray(kept / kept.sum(), dtype=np.float64)


def gain(target: Floats, scores: Sequence[Floats], judge: Judge, is_allowed: Allowed) -> dict[str, float | None]:
    """How much better the blend is than the first candidate, on rows that its weights have not seen (`compare` says the names)."""
    fold = np.random.default_rng(SEED).permutation(len(target)) % FOLDS
    blended = np.empty_like(scores[0])
    for index in range(min(FOLDS, len(target))):
        rows = fold == index
        found = weights(target[~rows], [values[~rows] for values in scores], judge, is_allowed)
        blended[rows] = mean(found, [values[rows] for values in scores])
    (ours, _), (theirs, _) = (judge.predictions(target, values) for values in (blended, scores[0]))
    return compare(judge.metric, target, ours, theirs, more_is_better=judge.more_is_better)


def mean(found: Floats, scores: Sequence[Floats]) -> Floats:
    return np.asarray(np.tensordot(found, np.stack(scores), axes=1), dtype=np.float64)


def _loss(target: Floats, scores: Floats, judge: Judge) -> float:
    """Less is better."""
    if judge.metric in DECIDED:
        return measure(BY_PROBABILITIES, target, Predictions(scores, scores))
    value = measure(judge.metric, target, Predictions(scores, scores))
    return -value if judge.more_is_better else value
