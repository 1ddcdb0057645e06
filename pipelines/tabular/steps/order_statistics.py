"""The values at given ranks of a column, exactly, without sorting the column: from counts that parts of it are added up in, in any order.

First round: how many values begin with each of the 65,536 leading patterns of 16 bits (sign, exponent and four bits of the fraction),
which are in the order of the values. Second: the values that begin as those at the wanted ranks do, with how often each occurs. Memory:
the counts, and the different values of the wanted patterns. Used by `numeric_summary.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from features import Floats
from numpy.typing import NDArray

Counts = NDArray[np.int64]

_PATTERNS = 1 << 16
#: Of each pattern its place in the order of the values: negative ones come first, in the opposite order of their bits.
_PLACE = np.where(np.arange(_PATTERNS) < _PATTERNS // 2, np.arange(_PATTERNS) + _PATTERNS // 2, _PATTERNS - 1 - np.arange(_PATTERNS))


def count(values: Floats) -> Counts:
    """The first round of one part, which has no missing value: counts by place. Those of parts are added."""
    counts: Counts = np.bincount(_patterns(values), minlength=_PATTERNS)[_PLACE_TO_PATTERN]
    return counts


def wanted(counts: Counts, ranks: Sequence[int]) -> NDArray[np.bool_]:
    """The places in which the values at these ranks (from 0) are, of the counts of all parts."""
    places = np.zeros(_PATTERNS, dtype=bool)
    places[np.searchsorted(np.cumsum(counts), ranks, side="right")] = True
    return places


def candidates(values: Floats, places: NDArray[np.bool_]) -> tuple[Floats, Counts]:
    """The second round of one part: the values of these places, in their order, and how often each is there."""
    is_wanted = places[_PLACE][_patterns(values)]
    found, counts = np.unique(values[is_wanted], return_counts=True)
    return found + 0.0, counts  # of zeros only one sign


@dataclass(frozen=True)
class Ordered:
    """Values in their order with how many of the column are smaller than each; those at the wanted ranks are among them."""

    values: Floats
    below: Counts

    @classmethod
    def of(cls, parts: Iterable[tuple[Floats, Counts]], counts: Counts, places: NDArray[np.bool_]) -> Ordered:
        """`parts`: the second rounds of all."""
        found, times = (np.concatenate(column) for column in zip(*parts, strict=True))
        values, positions = np.unique(found, return_inverse=True)
        times = np.bincount(positions, weights=times, minlength=len(values)).astype(np.int64)
        before = np.cumsum(counts) - counts
        first = np.concatenate([[0], np.cumsum(times)[:-1]]) if len(times) else times
        of_place = np.unique(np.flatnonzero(places & (counts > 0)))
        sizes = counts[of_place]
        begun = np.cumsum(sizes) - sizes
        which = np.searchsorted(begun, first, side="right") - 1
        return cls(values, first - begun[which] + before[of_place][which])

    def at(self, rank: int) -> float:
        return float(self.values[np.searchsorted(self.below, rank, side="right") - 1])

    def smaller(self, value: float) -> int:
        """How many values of the column are smaller than one that lies between two at wanted ranks that follow each other."""
        return int(self.below[np.searchsorted(self.values, value, side="left")])


def _patterns(values: Floats) -> NDArray[np.uint16]:
    """Of 0.0 and -0.0 the same."""
    bits = (values + 0.0).view(np.uint16)
    return bits[3::4] if sys.byteorder == "little" else bits[::4]


_PLACE_TO_PATTERN = np.argsort(_PLACE)
