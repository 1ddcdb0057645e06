"""Bins of the baseline that a version's requests are counted in.

A numeric column has as many bins as quantiles of its rows differ, at most 100; one of few values a bin for each, and one below and above
them. The outermost bins are open. Input: the evaluation's reference rows where a version has them, else the ten buckets of
statistics.json. Used by `sketch.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from features import Floats
from numpy.typing import NDArray

MOST_BINS = 100
#: Categories of a window that were too many to tell apart stand together under this name, which no cell can have: cells are trimmed.
UNCOUNTED = " (others)"


@dataclass(frozen=True)
class NumericBins:
    """`edges`: between the bins, rising; a value on one belongs to the bin above. `counts`, `missing`: of the baseline."""

    edges: Floats
    counts: Floats
    missing: int

    def places(self, present: Floats) -> NDArray[np.int64]:
        return np.searchsorted(self.edges, present, side="right")

    def count(self, present: Floats) -> NDArray[np.int64]:
        return np.bincount(self.places(present), minlength=len(self.edges) + 1)


def of_values(values: Floats) -> NumericBins:
    present = values[~np.isnan(values)]
    distinct = np.unique(present)
    if len(distinct) <= MOST_BINS:  # with an empty bin at each end, for values that the baseline does not have
        edges = np.r_[distinct[0], (distinct[:-1] + distinct[1:]) / 2, np.nextafter(distinct[-1], np.inf)]
    else:
        edges = np.unique(np.quantile(present, np.linspace(0, 1, MOST_BINS + 1)[1:-1]))
    bins = NumericBins(edges, np.zeros(len(edges) + 1), len(values) - len(present))
    return NumericBins(edges, bins.count(present).astype(np.float64), bins.missing)


def of_statistics(feature: Mapping[str, Any]) -> NumericBins:
    """The buckets of a numeric feature of statistics.json."""
    facts = feature["numerical_statistics"]
    buckets = facts["distribution"]["kll"]["buckets"]
    edges = np.array([bucket["lower_bound"] for bucket in buckets[1:]], dtype=np.float64)
    return NumericBins(edges, np.array([bucket["count"] for bucket in buckets], dtype=np.float64), facts["common"]["num_missing"])


def categories(feature: Mapping[str, Any]) -> dict[str, int]:
    """The counts of a feature of text of statistics.json."""
    buckets = feature["string_statistics"]["distribution"]["categorical"]["buckets"]
    return {str(bucket["value"]): int(bucket["count"]) for bucket in buckets}
