"""How a version's own predictions are spread over bins, and how far production's are from that.

Input: predictions on the validation rows (`train.py`), which no tree and no coefficient was fitted to. Output: `predictions.json`, a few
numbers that travel with the version; and, on the endpoint, the standardised distance of a hundred requests' predictions from them
(`live_metrics.py`), on which an alarm undoes a rollout if the team says so.

The distance is the chi-squared statistic of two samples, as a standard normal deviate (Wilson and Hilferty 1931): of requests that are like
the validation rows, one block in 30,000 is beyond 4. It counts no more than a hundred requests however many there were, so that a small
difference does not alarm because there is much traffic: what is beyond 4 has moved about a quarter of the population stability index.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from decisions import Floats
from numpy.typing import NDArray

FILE = "predictions.json"
BINS = 10
#: Of the validation rows, in a bin: five of a hundred requests are then expected there, as the test wants (Cochran 1954).
SMALLEST_SHARE = 0.05
#: Fewer validation rows say too little of what is usual.
FEWEST_ROWS = 50
#: The unit of evidence is a request: its rows come from one client and are rarely independent.
BLOCK_REQUESTS = 100


def describe(scores: Floats) -> dict[str, Any]:
    """`edges` between bins of about equally many predictions (none for several classes, whose bins they are), and their `counts`."""
    if scores.ndim == 2:
        return {"edges": None, "counts": np.bincount(scores.argmax(axis=1), minlength=scores.shape[1]).tolist()}
    # Rounded: the last bits of a score may differ between machines, and an edge among equal scores must not depend on them.
    edges = [float(f"{edge:.6g}") for edge in np.quantile(scores, np.linspace(0, 1, BINS + 1)[1:-1])]
    edges = sorted(set(edges))
    return {"edges": edges, "counts": np.bincount(np.searchsorted(edges, scores, side="right"), minlength=len(edges) + 1).tolist()}


@dataclass(frozen=True)
class PredictionShares:
    """The bins of `predictions.json`, the small ones put together. `group_of`: of each bin as described; `counts`: of each group."""

    edges: Floats | None
    group_of: NDArray[np.int64]
    counts: Floats

    @classmethod
    def of(cls, described: Mapping[str, Any] | None) -> PredictionShares | None:
        """None where nothing can be told from them: an older version, too few rows, or one prediction for nearly all of them."""
        counts = np.array((described or {}).get("counts") or [], dtype=np.float64)
        if described is None or counts.sum() < FEWEST_ROWS:
            return None
        edges = described["edges"]
        # Neighbours are put together; of classes, which have none, the rarest.
        order = np.arange(len(counts)) if edges is not None else np.argsort(counts, kind="stable")
        group_of = _grouped(counts, order)
        if group_of.max() == 0:
            return None
        grouped = np.bincount(group_of, weights=counts).astype(np.float64)
        return cls(None if edges is None else np.array(edges, dtype=np.float64), group_of, grouped)

    def of_requests(self, scores: Floats, rows: NDArray[np.int64]) -> Floats:
        """How many requests are in each group; one with rows in several counts in each by their share. `rows`: of each request."""
        bins = scores.argmax(axis=1) if self.edges is None else np.searchsorted(self.edges, scores, side="right")
        return np.bincount(self.group_of[bins], weights=np.repeat(1.0 / rows, rows), minlength=len(self.counts)).astype(np.float64)

    def distance(self, requests: Floats) -> float:
        """Of what `of_requests` counted, in standard deviations of what the same distribution would show."""
        seen, usual = requests * min(1.0, BLOCK_REQUESTS / requests.sum()), self.counts
        ratio = math.sqrt(usual.sum() / seen.sum())
        statistic = float(((seen * ratio - usual / ratio) ** 2 / (seen + usual)).sum())
        spread = 2 / (9 * (len(usual) - 1))
        return float(((statistic / (len(usual) - 1)) ** (1 / 3) - (1 - spread)) / math.sqrt(spread))


def _grouped(counts: Floats, order: NDArray[np.int64]) -> NDArray[np.int64]:
    """The group of each bin: one after the other until a group is large enough; what is left over joins the last."""
    smallest, groups, held = SMALLEST_SHARE * counts.sum(), np.zeros(len(counts), dtype=np.int64), 0.0
    group = 0
    for index in order.tolist():
        groups[index] = group
        held += counts[index]
        if held >= smallest:
            group, held = group + 1, 0.0
    return np.minimum(groups, max(group - 1, 0))
