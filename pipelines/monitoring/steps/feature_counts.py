"""What drift is judged by: how often each value of a feature occurred, in the baseline or in a window.

Counts are all that is kept of a window, so its memory does not grow with its rows. Missing values and categories that the baseline
does not have are cells like any other. Input: counts by bin or category. Output: two aligned rows of counts. Next: `drift.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class FeatureCounts:
    """`counts`: rows per category, or per bin in rising order. `edges`: between the bins, one fewer than they are; None for categories.

    `kind` "prediction": what the model answered, in bins (values, probabilities) or as categories (decided classes).
    `missing`: rows without a value, which are in no bin and no category.
    """

    name: str
    kind: Literal["numeric", "categorical", "prediction"]
    counts: Mapping[str, float] | Floats
    edges: Floats | None
    missing: int

    @property
    def ordered(self) -> bool:
        return not isinstance(self.counts, Mapping)

    @property
    def rows(self) -> int:
        present = self.counts.values() if isinstance(self.counts, Mapping) else self.counts
        return int(sum(present)) + self.missing


@dataclass(frozen=True)
class Pair:
    """The same cells counted twice: `baseline` and `window` without the missing values, which come last in `cells`."""

    baseline: Floats
    window: Floats
    missing: tuple[float, float]
    ordered: bool

    @property
    def cells(self) -> tuple[Floats, Floats]:
        return np.append(self.baseline, self.missing[0]), np.append(self.window, self.missing[1])


def pair(baseline: FeatureCounts, window: FeatureCounts) -> Pair:
    """Both over the same cells. Raises ValueError, naming the feature, where they were counted in different bins."""
    missing = float(baseline.missing), float(window.missing)
    if isinstance(baseline.counts, Mapping) and isinstance(window.counts, Mapping):
        categories = sorted({*baseline.counts, *window.counts})
        rows = [np.array([float(side.get(category, 0)) for category in categories]) for side in (baseline.counts, window.counts)]
        return Pair(rows[0], rows[1], missing, ordered=False)
    if isinstance(baseline.counts, Mapping) or isinstance(window.counts, Mapping) or not _same_bins(baseline, window):
        raise ValueError(f"{baseline.name!r} was not counted in the bins of its baseline; count it with the baseline's edges")
    return Pair(np.asarray(baseline.counts, dtype=np.float64), np.asarray(window.counts, dtype=np.float64), missing, ordered=True)


def _same_bins(baseline: FeatureCounts, window: FeatureCounts) -> bool:
    edges = [side.edges for side in (baseline, window) if side.edges is not None]
    return len(baseline.counts) == len(window.counts) and (len(edges) < 2 or np.array_equal(edges[0], edges[1]))
