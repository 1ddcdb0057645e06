"""How two versions compare by their labelled answers, and whether requests were divided as they should be: pure.

What is random is the version that a request goes to, so the request is the unit: its rows are drawn together. How large the difference is
says a bootstrap: both versions answered different requests, so each is resampled by itself (Efron & Tibshirani 1993, "An Introduction to
the Bootstrap", chapter 8: two samples; chapter 13: percentile intervals). Whether it is more than chance says a permutation test: had the
same requests been divided otherwise, how often were the difference as large (the same book, chapter 15)? For equal versions that one is
exact, however few requests there are and however rare large errors; the interval alone finds a difference in up to one of five then.
Input: answers with their truth. Output: values, the difference, its interval and p. Used by experiment.py;
deploy_scripts/experiment_power.py says before an experiment what it can find, by the same arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from dataset import Rows
from decisions import Predictions
from measures import METRICS
from numpy.typing import NDArray
from resampling import CONFIDENCE, LARGEST_BLOCK, RESAMPLES, SEED, interval, resamples

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

    @cached_property
    def request(self) -> NDArray[np.int64]:
        """Of each row, as a number from 0."""
        _, request = np.unique(np.asarray(self.requests, dtype=object).astype(str), return_inverse=True)
        numbers: NDArray[np.int64] = request.astype(np.int64)
        return numbers

    @property
    def asked(self) -> int:
        """How many requests they are of."""
        return int(self.request.max()) + 1


@dataclass(frozen=True)
class Difference:
    """Challenger minus champion, in the metric. `p`: how often requests that are divided by chance differ as much; None as the difference.

    `favours`: CHAMPION or CHALLENGER where the 95 % interval is beyond 0 and p is below 5 %; else NEITHER.
    """

    values: Mapping[str, float | None]
    difference: float | None
    lower: float | None
    upper: float | None
    p: float | None
    favours: str


def difference(metric: str, answers: Mapping[str, Answers], *, more_is_better: bool) -> Difference:
    """`answers`: by CHAMPION and CHALLENGER, at least one row of each. Undefined where the metric is (one class only, say)."""
    values = {name: _defined(_metric(metric, item, np.ones((1, item.count)))[0]) for name, item in answers.items()}
    champion, challenger = values[CHAMPION], values[CHALLENGER]
    if champion is None or challenger is None:
        return Difference(values, None, None, None, None, NEITHER)
    sampled = {name: _resampled(metric, answers[name], SEED + place) for place, name in enumerate((CHAMPION, CHALLENGER))}
    found, (lower, upper) = challenger - champion, interval(sampled[CHALLENGER] - sampled[CHAMPION])
    p = _by_chance(metric, answers, found)
    favours = _favours(lower, upper, more_is_better=more_is_better) if p < 1 - CONFIDENCE else NEITHER
    return Difference(values, found, lower, upper, p, favours)


def _favours(lower: float | None, upper: float | None, *, more_is_better: bool) -> str:
    if lower is None or upper is None or lower <= 0 <= upper:
        return NEITHER
    return CHALLENGER if (lower > 0) == more_is_better else CHAMPION


def _resampled(metric: str, answers: Answers, seed: int) -> Floats:
    """The metric of each resample of whole requests."""
    blocks = (part for drawn in resamples(answers.asked, seed=seed) for part in _held(drawn, answers.count))
    return np.concatenate([_metric(metric, answers, drawn[:, answers.request]) for drawn in blocks])


def _by_chance(metric: str, answers: Mapping[str, Answers], found: float) -> float:
    """p of both sides: what was found counts as one of the divisions, so it is never 0. One of which the metric is undefined does not."""
    champion, challenger = answers[CHAMPION], answers[CHALLENGER]
    both, request = together([champion, challenger]), np.concatenate([champion.request, challenger.request + champion.asked])
    generator, every = np.random.default_rng(SEED), max(1, LARGEST_BLOCK // both.count)
    differences = []
    for start in range(0, RESAMPLES, every):
        places = np.tile(np.arange(champion.asked + challenger.asked), (min(every, RESAMPLES - start), 1))
        goes = (generator.permuted(places, axis=1) >= champion.asked).astype(np.float64)[:, request]
        differences.append(_metric(metric, both, goes) - _metric(metric, both, 1 - goes))
    known = np.concatenate(differences)
    known = known[np.isfinite(known)]
    as_much = np.abs(known) >= abs(found) * (1 - 1e-9)  # sums in another order are not the same to the last digit
    return float((1 + np.count_nonzero(as_much)) / (1 + len(known)))


def together(parts: Sequence[Answers]) -> Answers:
    """Truth and predictions of several: what a metric goes by."""
    first = parts[0]
    target = np.concatenate([part.rows.target for part in parts])
    scores, decided = (np.concatenate([getattr(part.predicted, name) for part in parts]) for name in ("scores", "decided"))
    requests = [request for part in parts for request in part.requests]
    return Answers(type(first.rows)({}, {}, target, len(target)), type(first.predicted)(scores, decided), requests)


def _held(drawn: Floats, rows: int) -> Sequence[Floats]:
    """In parts whose weights of all rows fit into memory: a request may have many rows."""
    return np.array_split(drawn, math.ceil(len(drawn) * rows / LARGEST_BLOCK))


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
