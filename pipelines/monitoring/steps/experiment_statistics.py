"""How two versions compare by their labelled answers, and whether requests were divided as they should be: pure.

What is random is the version that a request goes to, so the request is the unit: its rows are drawn together. Both versions answered
different requests, so each is resampled by itself (Efron & Tibshirani 1993, "An Introduction to the Bootstrap", chapter 8: two samples;
chapter 13: percentile intervals). Input: answers with their truth. Output: values, the difference and its interval. Used by experiment.py;
deploy_scripts/experiment_plan.py says before an experiment what it can find, by the same arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from dataset import Rows
from decisions import Predictions
from measures import METRICS
from numpy.typing import NDArray
from resampling import SEED, interval, resamples

Floats = NDArray[np.float64]

CHAMPION, CHALLENGER = "champion", "challenger"
NEITHER = "neither"
#: Counts that are so unlikely at the weights are no chance: what divided the requests is broken, and so is the comparison.
#: Source: Kohavi, Tang & Xu 2020, "Trustworthy Online Controlled Experiments", chapter 21.
MISMATCH = 0.001


@dataclass(frozen=True)
class Answers:
    """Of one version: rows with their truth. `requests`: which request each row is of."""

    rows: Rows
    predicted: Predictions
    requests: Sequence[str]

    @property
    def count(self) -> int:
        return self.rows.count


@dataclass(frozen=True)
class Difference:
    """Challenger minus champion, in the metric. `favours`: CHAMPION or CHALLENGER where the 95 % interval is beyond 0; else NEITHER."""

    values: Mapping[str, float | None]
    difference: float | None
    lower: float | None
    upper: float | None
    favours: str


def difference(metric: str, answers: Mapping[str, Answers], *, more_is_better: bool) -> Difference:
    """`answers`: by CHAMPION and CHALLENGER, at least one row of each. Undefined where the metric is (one class only, say)."""
    values = {name: _defined(_metric(metric, item, np.ones((1, item.count)))[0]) for name, item in answers.items()}
    champion, challenger = values[CHAMPION], values[CHALLENGER]
    if champion is None or challenger is None:
        return Difference(values, None, None, None, NEITHER)
    sampled = {name: _resampled(metric, answers[name], SEED + place) for place, name in enumerate((CHAMPION, CHALLENGER))}
    lower, upper = interval(sampled[CHALLENGER] - sampled[CHAMPION])
    return Difference(values, challenger - champion, lower, upper, _favours(lower, upper, more_is_better=more_is_better))


def _favours(lower: float | None, upper: float | None, *, more_is_better: bool) -> str:
    if lower is None or upper is None or lower <= 0 <= upper:
        return NEITHER
    return CHALLENGER if (lower > 0) == more_is_better else CHAMPION


def _resampled(metric: str, answers: Answers, seed: int) -> Floats:
    """The metric of each resample of whole requests."""
    _, request = np.unique(np.asarray(answers.requests, dtype=object).astype(str), return_inverse=True)
    blocks = [_metric(metric, answers, drawn[:, request]) for drawn in resamples(int(request.max()) + 1, seed=seed)]
    return np.concatenate(blocks)


def _metric(metric: str, answers: Answers, weights: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = METRICS[metric](answers.rows.target, answers.predicted, weights)
    return found


def _defined(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def sample_ratio(champion: int, challenger: int, challenger_share: float) -> float:
    """How likely it is that so many requests or more unlikely numbers of them go to each version: p of Pearson's chi-square test.

    One degree of freedom, whose tail is erfc(sqrt(x / 2)). 1 without requests.
    """
    total = champion + challenger
    if not total:
        return 1.0
    expected = total * challenger_share
    statistic = (challenger - expected) ** 2 * (1 / expected + 1 / (total - expected))
    return math.erfc(math.sqrt(statistic / 2))
