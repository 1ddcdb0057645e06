"""Which features, and whether the predictions, are distributed otherwise than in the evaluation of the version.

An alarm needs both: an effect above the team's limit, and a test that rules chance out over all features of the window together.
A limit alone cries wolf in small windows, a test alone in large ones. Input: `FeatureCounts` of baseline and window. Output: one
`FeatureDrift` each. Drift of several features together: `joint_drift.py`. Next: `monitor.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import two_samples
from feature_counts import FeatureCounts, Floats, Pair, pair

__all__ = ["FALSE_ALARMS", "FeatureCounts", "FeatureDrift", "drifts"]

#: Of the windows in which nothing has drifted, the share in which any feature may alarm. With that of `joint_drift.py` 1 in 100.
FALSE_ALARMS = 0.008
#: Rows of the smaller side that a cell needs before its share says something. A number has ten cells, more where each has a hundred.
LEAST_ROWS, CELLS, ENOUGH_ROWS = 10, 10, 100
#: How the chance of a false alarm is shared out between the tests of a number: most changes move it. Other tests find theirs well below.
LOCATION, OTHER = 0.7, 0.1


@dataclass(frozen=True)
class FeatureDrift:
    """`effect`: Jensen-Shannon distance to the baseline (base 2, 0 to 1), what chance adds to it removed. `psi`: likewise.

    `p_value`: that the same distribution gives counts as different; `q_value`: adjusted for all features of the window.
    `limit`: of the effect. `rows`: of the window.
    """

    feature: str
    effect: float
    psi: float
    p_value: float
    q_value: float
    limit: float
    breached: bool
    rows: int


def drifts(baselines: Mapping[str, FeatureCounts], window: Mapping[str, FeatureCounts], limits: Mapping[str, Any]) -> list[FeatureDrift]:
    """Of every feature of the baseline, in its order. Reads `max_drift` of the limits.

    Raises ValueError, naming the features, where the window lacks one or counted it in other bins.
    """
    lacking = [name for name in baselines if name not in window]
    if lacking:
        raise ValueError(f"the window has no counts of {', '.join(map(repr, lacking))}; count every feature of the baseline")
    limit = float(limits["max_drift"])
    pairs = {name: pair(baseline, window[name]) for name, baseline in baselines.items()}
    p_values = [_p_value(both) for both in pairs.values()]
    found = []
    for (name, both), p_value, q_value in zip(pairs.items(), p_values, two_samples.benjamini_hochberg(p_values), strict=True):
        effect, psi = effects(both)
        breached = effect > limit and q_value <= FALSE_ALARMS
        found.append(FeatureDrift(name, effect, psi, p_value, q_value, limit, breached, window[name].rows))
    return found


def _p_value(both: Pair) -> float:
    """The smallest of a few tests that see different things, each over its weight (Bonferroni; the weights sum to one).

    Kolmogorov and Smirnov's test is not among them: it needs more rows for a shift, and several times as many for a change of spread
    or a value that has become frequent.
    """
    baseline, window = both.cells
    if not baseline.sum() or not window.sum():
        return 1.0
    unordered = two_samples.table(*_cells(both, rare=False)), two_samples.cells(baseline, window)
    moved = two_samples.location_and_spread(both.baseline, both.window) if both.ordered else None
    if moved is None:
        return min(1.0, 2 * min(unordered))
    return min(1.0, moved[0] / LOCATION, min(moved[1], *unordered) / OTHER)


def _cells(both: Pair, *, rare: bool) -> tuple[Floats, Floats]:
    """Counts over merged cells. `rare`: also what is too rare for a test: a few missing values, categories that few rows have."""
    baseline, window = both.cells
    smaller = min(baseline.sum(), window.sum())
    to_pooled = (baseline.sum() + window.sum()) / smaller
    pooled = both.baseline + both.window
    if both.ordered:
        # Finer cells drown a small effect in what chance adds, coarser ones hide a narrow one.
        places = two_samples.merged(pooled, float(np.clip(smaller / CELLS, LEAST_ROWS, ENOUGH_ROWS)) * to_pooled)
    else:
        places = two_samples.pooled_rare(pooled, LEAST_ROWS * to_pooled)
    sides = [np.append(np.bincount(places, side[:-1]) if len(places) else np.zeros(0), side[-1]) for side in (baseline, window)]
    kept = sides[0] + sides[1] > (0 if rare else LEAST_ROWS * to_pooled)
    return sides[0][kept], sides[1][kept]


def effects(both: Pair) -> tuple[float, float]:
    """Jensen-Shannon distance and population stability index, without what two samples of one distribution would show.

    Their expectations there are (cells - 1) (1/n + 1/m), times 1/8 nats for the divergence: both are chi-squared in the limit.
    """
    if not all(side.sum() for side in both.cells):
        return 0.0, 0.0
    baseline, window = _cells(both, rare=True)
    base, rows = baseline.sum(), window.sum()
    chance = (len(baseline) - 1) * (1 / base + 1 / rows)
    first, second = baseline / base, window / rows
    middle = (first + second) / 2
    divergence = (_relative_entropy(first, middle) + _relative_entropy(second, middle)) / 2
    distance = np.sqrt(min(1.0, max(0.0, divergence - chance / 8 / np.log(2))))
    # Half a row in each cell keeps the index finite where one side has none.
    first, second = ((side + 0.5) / (side.sum() + 0.5 * len(side)) for side in (baseline, window))
    psi = float(np.sum((second - first) * np.log(second / first)))
    return float(distance), max(0.0, psi - float(chance))


def _relative_entropy(share: Floats, reference: Floats) -> float:
    """In bits."""
    present = share > 0
    return float(np.sum(share[present] * np.log2(share[present] / reference[present])))
