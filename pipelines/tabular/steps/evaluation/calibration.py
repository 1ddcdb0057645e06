"""Whether probabilities mean what they say: of the rows with 30 %, about 30 % should be positive.

Input: answers and predictions of a classification. Output: the reliability curve, and the expected calibration error beside what
chance alone would show. Bins hold equally many rows, which biases the error less than bins of equal width (Nixon et al. 2019,
"Measuring Calibration in Deep Learning"; Roelofs et al. 2022, "Mitigating Bias in Calibration Error Estimation").
"""

from __future__ import annotations

import numpy as np
from decisions import Predictions
from numpy.typing import NDArray
from resampling import LARGEST_BLOCK

Floats = NDArray[np.float64]

MOST_BINS = 10
FEWEST_ROWS_IN_BIN = 10
SIMULATIONS = 1000
#: Share of calibrated models of this size that are called uncalibrated.
FALSE_ALARMS = 0.01
SEED = 20


def curve(target: Floats, scores: Floats) -> dict[str, list[float]]:
    """Mean prediction and share of positive rows in each bin: on the diagonal where predictions mean what they say."""
    parts = _bins(scores)
    return {"predicted": [float(scores[part].mean()) for part in parts], "observed": [float(target[part].mean()) for part in parts]}


def error(target: Floats, predicted: Predictions) -> dict[str, float]:
    """`error`: the expected calibration error (Naeini et al. 2015), of several classes that of the decided one (Guo et al. 2017).

    `by_chance`: what 99 % of perfectly calibrated models with these probabilities stay below, on as many rows: answers drawn from the
    predictions themselves ("consistency resampling", Bröcker & Smith 2007; as a test: Vaicenavicius et al. 2019).
    """
    several = predicted.scores.ndim == 2
    scores = predicted.scores.max(axis=1) if several else predicted.scores
    happened = predicted.decided == target if several else target == 1
    bins = _bins(scores)
    order = np.concatenate(bins)
    starts = np.cumsum([0, *map(len, bins)])[:-1]

    def errors(answers: NDArray[np.bool_]) -> Floats:
        gaps = np.add.reduceat((answers - scores)[:, order], starts, axis=1)
        return np.asarray(np.abs(gaps).sum(axis=1) / len(scores), dtype=np.float64)

    generator = np.random.default_rng(SEED)
    block = max(1, min(SIMULATIONS, LARGEST_BLOCK // len(scores)))
    simulated = [errors(generator.random((block, len(scores))) < scores) for _ in range(0, SIMULATIONS, block)]
    return {"error": float(errors(happened[None, :])[0]), "by_chance": float(np.quantile(np.concatenate(simulated), 1 - FALSE_ALARMS))}


def _bins(scores: Floats) -> list[NDArray[np.int64]]:
    """Positions of the rows of each bin, lowest scores first. Each has FEWEST_ROWS_IN_BIN rows, or there is one bin."""
    count = max(1, min(MOST_BINS, len(scores) // FEWEST_ROWS_IN_BIN))
    return np.array_split(np.argsort(scores, kind="stable"), count)
