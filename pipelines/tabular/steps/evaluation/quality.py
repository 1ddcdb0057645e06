"""How good the predictions are, how sure that is, and for whom.

Input: answers, predictions and the raw test rows. Output: metrics with percentile bootstrap intervals
(Efron & Tibshirani 1993, chapter 13), overall and for each group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from dataset import Rows
from measures import METRICS, REPORTED
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RESAMPLES = 1000
GROUP_RESAMPLES = 200
CONFIDENCE = 0.95
SEED = 20
LARGEST_BLOCK = 4_000_000  # weights held at once: 32 MB
FEWEST_IN_GROUP = 10
MOST_GROUPS = 12


def resamples(rows: int, count: int = RESAMPLES, seed: int = SEED) -> Iterator[Floats]:
    """Blocks of bootstrap weights (resamples x rows): how often each row was drawn. The same for the same rows, count and seed."""
    generator = np.random.default_rng(seed)
    block = max(1, min(count, LARGEST_BLOCK // max(rows, 1)))
    for start in range(0, count, block):
        size = min(block, count - start)
        drawn = generator.integers(0, rows, (size, rows)) + np.arange(size)[:, None] * rows
        yield np.bincount(drawn.ravel(), minlength=size * rows).reshape(size, rows).astype(np.float64)


def bootstrap(statistics: Mapping[str, Callable[[Floats], Floats]], rows: int, count: int = RESAMPLES) -> dict[str, Floats]:
    """Each statistic of the same resamples, so that differences between them are paired."""
    blocks = [{name: statistic(weight) for name, statistic in statistics.items()} for weight in resamples(rows, count)]
    return {name: np.concatenate([block[name] for block in blocks]) for name in statistics}


def interval(values: Floats) -> tuple[float | None, float | None]:
    """The central 95 % of the resampled values; None where a metric is undefined."""
    known = values[np.isfinite(values)]
    if not len(known):
        return None, None
    tail = (1 - CONFIDENCE) / 2
    lower, upper = np.quantile(known, [tail, 1 - tail])
    return float(lower), float(upper)


def overall(problem: str, target: Floats, predicted: Floats) -> dict[str, dict[str, float | None]]:
    """SageMaker's metrics schema (value, standard_deviation) with the interval's ends beside it."""
    names = REPORTED[problem]
    ones = np.ones((1, len(target)))

    def statistic(name: str) -> Callable[[Floats], Floats]:
        return lambda weight: METRICS[name](target, predicted, weight)

    sampled = bootstrap({name: statistic(name) for name in names}, len(target))
    result = {}
    for name in names:
        lower, upper = interval(sampled[name])
        known = sampled[name][np.isfinite(sampled[name])]
        deviation = float(np.std(known)) if len(known) else None
        value = float(statistic(name)(ones)[0])
        result[name] = {"value": value, "standard_deviation": deviation, "lower": lower, "upper": upper}
    return result


def by_group(metric: str, rows: Rows, predicted: Floats) -> list[dict[str, Any]]:
    """The metric for every category of every categorical column with enough rows: a good average can hide a bad part."""
    groups = []
    for column, (distinct, codes) in rows.categorical.items():
        counts = np.bincount(codes, minlength=len(distinct))
        for code in np.argsort(-counts, kind="stable")[:MOST_GROUPS]:
            if counts[code] >= FEWEST_IN_GROUP:
                name = "missing" if distinct[code] is None else str(distinct[code])
                groups.append({"column": column, "value": name, **_group(metric, rows.target, predicted, codes == code)})
    return groups


def _group(metric: str, target: Floats, predicted: Floats, mask: NDArray[np.bool_]) -> dict[str, Any]:
    answers, guesses = target[mask], predicted[mask]
    with np.errstate(invalid="ignore", divide="ignore"):
        value = float(METRICS[metric](answers, guesses, np.ones((1, len(answers))))[0])
        sampled = bootstrap({metric: lambda weight: METRICS[metric](answers, guesses, weight)}, len(answers), GROUP_RESAMPLES)
    lower, upper = interval(sampled[metric])
    return {"rows": int(mask.sum()), "metric_value": value if np.isfinite(value) else None, "lower": lower, "upper": upper}


def confusion(target: Floats, decided: Floats, classes: list[str]) -> dict[str, dict[str, int]]:
    """Rows by true class, then by decided class: SageMaker's `confusion_matrix`."""
    pairs = np.zeros((len(classes), len(classes)), dtype=np.int64)
    np.add.at(pairs, (target.astype(np.int64), decided.astype(np.int64)), 1)
    return {true: {guess: int(pairs[i, j]) for j, guess in enumerate(classes)} for i, true in enumerate(classes)}


def roc(target: Floats, predicted: Floats) -> dict[str, list[float]]:
    """False and true positive rates at every threshold, from strictest to loosest."""
    positives, negatives, _ = _cumulated(target, predicted)
    return {
        "false_positive_rates": [0.0, *(negatives / max(negatives[-1], 1)).tolist()],
        "true_positive_rates": [0.0, *(positives / max(positives[-1], 1)).tolist()],
    }


def precision_recall(target: Floats, predicted: Floats) -> dict[str, list[float]]:
    positives, negatives, _ = _cumulated(target, predicted)
    return {
        "precisions": (positives / (positives + negatives)).tolist(),
        "recalls": (positives / max(positives[-1], 1)).tolist(),
    }


def _cumulated(target: Floats, predicted: Floats) -> tuple[Floats, Floats, Floats]:
    order = np.argsort(-predicted, kind="stable")
    ranked, positive = predicted[order], target[order] == 1
    ends = np.flatnonzero(np.r_[np.diff(ranked) != 0, True])
    return np.cumsum(positive)[ends].astype(float), np.cumsum(~positive)[ends].astype(float), ranked[ends]


def calibration(target: Floats, predicted: Floats, bins: int = 10) -> dict[str, list[float]]:
    """Mean prediction and mean answer in bins of equally many rows: on the diagonal where predictions mean what they say."""
    parts = np.array_split(np.argsort(predicted, kind="stable"), min(bins, len(predicted)))
    return {"predicted": [float(predicted[part].mean()) for part in parts], "observed": [float(target[part].mean()) for part in parts]}
