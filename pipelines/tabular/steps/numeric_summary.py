"""What is known of a numeric column after two looks at it: counts, ends, quantiles, mean and deviation. The same bytes in any parts.

Input: the column in parts, in any order and of any size. Output: a `Summary`, from which `fitting.py` and `baseline.py` take what they
keep. All of it comes from results of each part that are added exactly (order_statistics.py, exact_sums.py), so that one engine with the
whole column and another with its partitions fit the same: docs/decisions/0170-what-is-fitted-is-exact.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import reduce
from operator import add

import exact_sums
import numpy as np
import order_statistics
from features import Floats
from order_statistics import Ordered


@dataclass(frozen=True)
class Summary:
    """`lowest` to `ordered` are of the values that are there; a column without any has count 0 and nothing else."""

    parts: Sequence[Floats]
    count: int
    missing: int
    lowest: float
    highest: float
    ordered: Ordered
    _moments: dict[tuple[float, float], tuple[float, float]] = field(default_factory=dict, repr=False, compare=False)

    def quantile(self, share: float, lower: float = -math.inf, upper: float = math.inf) -> float:
        """Between the two values around it (type 7 of Hyndman and Fan 1996, as NumPy), which are first clipped to `lower` and `upper`."""
        place = share * (self.count - 1)
        low, high = (min(max(self.ordered.at(rank), lower), upper) for rank in _around(place, self.count))
        beyond = place - math.floor(place)
        return high - (high - low) * (1 - beyond) if beyond >= 0.5 else low + (high - low) * beyond

    def moments(self, lower: float = -math.inf, upper: float = math.inf) -> tuple[float, float]:
        """Mean and standard deviation (of the population) of the values, clipped."""
        bounds = max(lower, self.lowest), min(upper, self.highest)
        if bounds not in self._moments:
            self._moments[bounds] = self._added_up(*bounds)
        return self._moments[bounds]

    def _added_up(self, lower: float, upper: float) -> tuple[float, float]:
        centre = min(max(self.ordered.at((self.count - 1) // 2), lower), upper)
        reach = max(abs(min(max(end, lower), upper) - centre) for end in (self.lowest, self.highest))
        of_distances, of_squares = exact_sums.exponent(reach), exact_sums.exponent(reach * reach)
        distances = squares = 0
        for part in self.parts:
            for begun in range(0, len(part), exact_sums.BLOCK_ROWS):
                block = part[begun : begun + exact_sums.BLOCK_ROWS]
                distance = np.clip(block, lower, upper) - centre
                distances += exact_sums.total(distance, of_distances)
                squares += exact_sums.total(distance * distance, of_squares)
        mean = exact_sums.as_fraction(distances, of_distances) / self.count
        variance = exact_sums.as_fraction(squares, of_squares) / self.count - mean * mean
        return float(Fraction(centre) + mean), math.sqrt(max(float(variance), 0.0))


def of(parts: Sequence[Floats], shares: Sequence[float]) -> Summary:
    """`shares`: of the quantiles that will be asked for. NaN where a value is missing, and no infinite ones."""
    present = [_present(part) for part in parts]
    count = sum(map(len, present))
    if not count:
        return Summary([], 0, sum(map(len, parts)), math.nan, math.nan, Ordered(np.empty(0), np.empty(0, dtype=np.int64)))
    counts = reduce(add, map(order_statistics.count, present))
    ranks = sorted({(count - 1) // 2, *(rank for share in shares for rank in _around(share * (count - 1), count))})
    places = order_statistics.wanted(counts, ranks)
    ordered = Ordered.of([order_statistics.candidates(part, places) for part in present], counts, places)
    ends = [float(end(part)) + 0.0 for end in (np.min, np.max) for part in present if len(part)]
    return Summary(present, count, sum(map(len, parts)) - count, min(ends), max(ends), ordered)


def _present(part: Floats) -> Floats:
    is_missing = np.isnan(part)
    return part[~is_missing] if is_missing.any() else part


def _around(place: float, count: int) -> tuple[int, int]:
    return math.floor(place), min(math.floor(place) + 1, count - 1)
