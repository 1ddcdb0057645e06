"""Which rows train, validate and test where time decides: the newest test, those before validate, the others train.

Rows of one time are on one side, so a part may have more or fewer rows than its share: of the two ends of such rows the nearer is taken.
The order of the rows and the files does not matter. As data grow the ends move on, and rows with them: from the test to the validation to
the training, and not back while only newer rows come. Input: the times of all rows (time_column.py) and the shares. Output: `Ends`.
docs/decisions/0166-a-split-by-time.md. Used by `parts.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import order_statistics
from features import Floats
from numpy.typing import NDArray
from order_statistics import Ordered

Mask = NDArray[np.bool_]
FEWEST_TIMES = 3


@dataclass(frozen=True)
class Ends:
    """The oldest time that validates, and the oldest that tests. `form`: of the column's cells (time_column.py)."""

    validation: float
    test: float
    form: str

    def sides(self, times: Floats) -> tuple[Mask, Mask, Mask]:
        """Masks of the training, validation and test rows; a row without a time is none of them."""
        return times < self.validation, (times >= self.validation) & (times < self.test), times >= self.test


def has_enough(times: Floats) -> bool:
    """Whether there are three different times: each part needs one of its own."""
    return bool(np.any((times > times.min()) & (times < times.max())))


def ends(times: Floats, validation: float, test: float, form: str) -> Ends:
    """`validation`, `test`: shares of the rows. `times`: of at least three different ones."""
    count = len(times)
    begins_test = _end(times, count, _rows(count, test), leaves=2)
    begins_validation = _end(times, int(np.count_nonzero(times < begins_test)), _rows(count, validation), leaves=1)
    return Ends(begins_validation, begins_test, form)


def _rows(count: int, share: float) -> int:
    return max(1, round(count * share))


def _end(times: Floats, count: int, wanted: int, leaves: int) -> float:
    """Of the `count` oldest rows, where the newest begin so that about `wanted` are in, and older rows of `leaves` times are left."""
    value = _at(times, max(0, count - wanted))
    later = times[times > value]
    ways = [(value, int(np.count_nonzero(times < value)))]
    if len(later):
        following = float(later.min())
        ways.append((following, int(np.count_nonzero(times < following))))
    while not (possible := [way for way in ways if way[1] < count and _leaves(times, way[0], leaves)]):
        value = float(times[times > value].min())  # too near to the beginning: only newer rows can be the part
        ways = [(value, int(np.count_nonzero(times < value)))]
    return min(possible, key=lambda way: (abs(count - way[1] - wanted), way[0]))[0]


def _leaves(times: Floats, end: float, different: int) -> bool:
    older = times[times < end]
    return len(older) > 0 and (different == 1 or bool(older.min() < older.max()))


def _at(times: Floats, rank: int) -> float:
    """The time at a rank in their order, without sorting them."""
    counts = order_statistics.count(times)
    places = order_statistics.wanted(counts, [rank])
    return Ordered.of([order_statistics.candidates(times, places)], counts, places).at(rank)
