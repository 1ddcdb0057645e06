"""The values at given ranks of a column, exactly, without sorting the column: from counts that parts of it are added up in, in any order.

First round: how many values begin with each of the 262,144 leading patterns of 18 bits (sign, exponent and six bits of the fraction),
which are in the order of the values. Second: the values that begin as those at the wanted ranks do, with how often each occurs. Memory:
the counts, and the different values of the wanted patterns. Used by `numeric_summary.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from features import Floats
from numpy.typing import NDArray

Counts = NDArray[np.int64]

_BITS = 18
_PATTERNS = 1 << _BITS
#: Of positive numbers; those of negative ones are as many.
_POSITIVE = _PATTERNS // 2
#: Rows that are looked at at once: their patterns stay in a processor's cache.
_BLOCK_ROWS = 1 << 18


def count(values: Floats) -> Counts:
    """The first round of one part, which has no missing value: counts by place. Those of parts are added."""
    counts = np.zeros(_PATTERNS, dtype=np.int64)
    for begun in range(0, len(values), _BLOCK_ROWS):
        counts += np.bincount(_patterns(values[begun : begun + _BLOCK_ROWS]), minlength=_PATTERNS)
    return np.concatenate([counts[_POSITIVE:][::-1], counts[:_POSITIVE]])  # negative ones first, in the opposite order of their bits


def wanted(counts: Counts, ranks: Sequence[int]) -> NDArray[np.bool_]:
    """The places in which the values at these ranks (from 0) are, of the counts of all parts."""
    places = np.zeros(_PATTERNS, dtype=bool)
    places[np.searchsorted(np.cumsum(counts), ranks, side="right")] = True
    return places


def candidates(values: Floats, places: NDArray[np.bool_]) -> tuple[Floats, Counts]:
    """The second round of one part: the values of these places, in their order, and how often each is there."""
    is_wanted = np.concatenate([places[_POSITIVE:], places[:_POSITIVE][::-1]])  # by pattern
    blocks = (values[begun : begun + _BLOCK_ROWS] for begun in range(0, len(values), _BLOCK_ROWS))
    chosen = [block[is_wanted[_patterns(block)]] for block in blocks]
    found, counts = np.unique(np.concatenate(chosen) if chosen else values, return_counts=True)
    return found + 0.0, counts  # of zeros only one sign


def _together(parts: Sequence[tuple[Floats, Counts]]) -> tuple[Floats, Counts]:
    if len(parts) == 1:
        return parts[0]
    found, times = (np.concatenate(column) for column in zip(*parts, strict=True))
    values, positions = np.unique(found, return_inverse=True)
    return values, np.bincount(positions, weights=times, minlength=len(values)).astype(np.int64)


@dataclass(frozen=True)
class Ordered:
    """Values in their order with how many of the column are smaller than each; those at the wanted ranks are among them."""

    values: Floats
    below: Counts

    @classmethod
    def of(cls, parts: Sequence[tuple[Floats, Counts]], counts: Counts, places: NDArray[np.bool_]) -> Ordered:
        """`parts`: the second rounds of all."""
        values, times = _together(parts)
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


def _patterns(values: Floats) -> NDArray[np.int64]:
    """Of 0.0 and -0.0 the same."""
    return ((values + 0.0).view(np.uint64) >> np.uint64(64 - _BITS)).view(np.int64)
