"""From a score to the probability that it stands for, and how sure that is: curves fitted on counted scores.

Input: scores and what was true. Output: `Counted`, which is small enough to travel with a version; from it a curve, and curves of
bootstrap resamples of the rows. A curve is a line in log-odds (Platt 1999) and, where rows show it, a correction at each bin that makes
it the isotonic one (Zadrozny & Elkan 2002), drawn towards the line where rows are few. Used by `estimator.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

IDENTITY, LINE, ISOTONIC = KINDS = ("identity", "line", "isotonic")

MOST_BINS = 60
FEWEST_ROWS_IN_BIN = 15
FOLDS = 5
SEED = 20
#: Nearer to 0 and 1 than this, scores say the same.
SMALLEST = 1e-6
#: The line is drawn towards the identity by a normal prior of this width, as if few rows had been seen before.
PRIOR_DEVIATION = 2.0
#: Rows that the line counts for in each bin of the isotonic curve.
PRIOR_ROWS = 2.0
NEWTON_STEPS = 25


@dataclass(frozen=True)
class Curve:
    """log-odds of the probability = intercept + slope x + correction, where x is the score's log-odds."""

    intercept: float
    slope: float
    places: Floats
    corrections: Floats

    def __call__(self, log_odds: Floats) -> Floats:
        moved = self.intercept + self.slope * log_odds
        if len(self.places):
            moved = moved + np.interp(log_odds, self.places, self.corrections)
        return expit(moved)


@dataclass(frozen=True)
class Counted:
    """Rows in bins of about equally many: mean log-odds of the score, rows, and rows for which it happened. `kind`: the curve that fits."""

    kind: str
    places: Floats
    rows: Floats
    happened: Floats

    def curve(self) -> Curve:
        return fitted(self.kind, self.places, self.rows, self.happened)

    def resampled(self, generator: np.random.Generator) -> Curve:
        """The curve of a bootstrap resample of the rows."""
        cells = np.concatenate([self.happened, self.rows - self.happened])
        drawn = generator.multinomial(int(cells.sum()), cells / cells.sum()).astype(np.float64)
        happened, others = np.split(drawn, 2)
        return fitted(self.kind, self.places, happened + others, happened)

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        places = [round(place, 6) for place in self.places.tolist()]
        return {"kind": self.kind, "places": places, "rows": self.rows.tolist(), "happened": self.happened.tolist()}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Counted:
        return cls(document["kind"], *(np.array(document[name], dtype=np.float64) for name in ("places", "rows", "happened")))


def count(scores: Floats, happened: NDArray[np.bool_]) -> Counted:
    """`kind` is the one that says most about rows that it was not fitted on (the lowest logarithmic loss over FOLDS folds)."""
    log_odds = logit(scores)
    order = np.argsort(log_odds, kind="stable")
    bins = max(1, min(MOST_BINS, len(scores) // FEWEST_ROWS_IN_BIN))
    bin_of = np.empty(len(scores), dtype=np.int64)
    bin_of[order] = np.arange(len(scores)) * bins // len(scores)
    total = np.bincount(bin_of, minlength=bins).astype(np.float64)
    places = np.bincount(bin_of, log_odds, minlength=bins) / total
    fold = np.random.default_rng(SEED).permutation(len(scores)) % FOLDS
    by_fold = [
        (
            np.bincount(bin_of[fold == index], minlength=bins).astype(np.float64),
            np.bincount(bin_of[(fold == index) & happened], minlength=bins).astype(np.float64),
        )
        for index in range(FOLDS)
    ]
    positive = np.bincount(bin_of[happened], minlength=bins).astype(np.float64)

    def loss(kind: str) -> float:
        losses = 0.0
        for rows, yes in by_fold:
            probability = fitted(kind, places, total - rows, positive - yes)(places)
            losses -= float(yes @ np.log(probability) + (rows - yes) @ np.log1p(-probability))
        return losses

    return Counted(min(KINDS, key=loss), places, total, positive)


def fitted(kind: str, places: Floats, rows: Floats, happened: Floats) -> Curve:
    none = np.empty(0)
    if kind == IDENTITY:
        return Curve(0.0, 1.0, none, none)
    intercept, slope = _line(places, rows, happened)
    if kind == LINE:
        return Curve(intercept, slope, none, none)
    line = intercept + slope * places
    weight = rows + PRIOR_ROWS
    raised = _pooled((happened + PRIOR_ROWS * expit(line)) / weight, weight)
    return Curve(intercept, slope, places, logit(raised) - line)


def logit(probability: Floats) -> Floats:
    clipped = np.clip(probability, SMALLEST, 1 - SMALLEST)
    return np.asarray(np.log(clipped) - np.log1p(-clipped), dtype=np.float64)


def expit(log_odds: Floats) -> Floats:
    """Never 0 or 1, so that its logarithm is finite."""
    return np.asarray(np.clip(1 / (1 + np.exp(-np.clip(log_odds, -500, 500))), SMALLEST, 1 - SMALLEST), dtype=np.float64)


def _line(places: Floats, rows: Floats, happened: Floats) -> tuple[float, float]:
    """Intercept and slope of the most probable line (Newton's method), given the prior."""
    found = np.array([0.0, 1.0])
    design = np.column_stack([np.ones(len(places)), places])
    prior = np.eye(2) / PRIOR_DEVIATION**2
    for _ in range(NEWTON_STEPS):
        probability = expit(design @ found)
        gradient = design.T @ (happened - rows * probability) - prior @ (found - [0.0, 1.0])
        curvature = (design.T * (rows * probability * (1 - probability))) @ design + prior
        step = np.linalg.solve(curvature, gradient)
        # Far from the answer a whole step may lead away from it.
        found = found + step / max(1.0, float(np.abs(step).max()))
        if float(np.abs(step).max()) < 1e-9:
            break
    return float(found[0]), float(found[1])


def _pooled(values: Floats, weight: Floats) -> Floats:
    """The nearest values that never fall (pool adjacent violators, Ayer et al. 1955)."""
    blocks: list[list[float]] = []  # mean, weight, length
    for value, heavy in zip(values.tolist(), weight.tolist(), strict=True):
        blocks.append([value, heavy, 1])
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            mean, other, length = blocks.pop()
            before = blocks[-1]
            before[0] = (before[0] * before[1] + mean * other) / (before[1] + other)
            before[1] += other
            before[2] += length
    return np.repeat([block[0] for block in blocks], [int(block[2]) for block in blocks])
