"""The classes that the cells of a column fall into, of which each is one and the same to a model of trees.

Input: the fitted preparation, the contract, and the thresholds of the model's splits. Output: for each raw column the values at which
another class begins, and a raw value of each class; for a row the classes of its cells. Next: `one_row.py`.

A number is prepared by steps that keep order (clip, centre, scale, round), so there is one smallest raw number that reaches a threshold.
It is found by halving the numbers between the smallest and the largest, with the preparation itself to ask.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from allowed import LARGEST, Allowed
from cells import SIGNS_OF_NUMBERS, category, number
from features import Labels, Matrix, Preparer
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_SIGN = np.int64(-(2**63))


class Numeric(NamedTuple):
    """`edges`: where another class begins, upwards; `first`: the place of the class below all of them."""

    lowest: float
    highest: float
    edges: list[float]
    first: int
    missing: int

    @property
    def values(self) -> list[float]:
        """One of each class, in the order of their places."""
        return [-LARGEST, *self.edges, np.nan]


class Categorical(NamedTuple):
    """`known`: the place of each category, also of a missing one; `others`: that of all others. `allowed` None: any."""

    known: Mapping[str | None, int]
    others: int
    allowed: frozenset[str | None] | None

    @property
    def values(self) -> list[str | None]:
        unknown = next(text for text in map(str, range(len(self.known) + 1)) if text not in self.known)
        return [*self.known, unknown]

    def place_of(self, category: str | None) -> int:
        """-1 for one that is not allowed."""
        return self.known.get(category, self.others) if self.allowed is None or category in self.allowed else -1


class Row(NamedTuple):
    """What the cells of a row hold, and the place of the class of each."""

    numbers: list[float]
    categories: list[str | None]
    places: list[int]


class Classes:
    """Of all raw columns; their places follow one another."""

    def __init__(self, preparer: Preparer, allowed: Allowed, thresholds: Mapping[str, NDArray[np.float32]]) -> None:
        """`thresholds`: by numeric column, those on its prepared value."""
        self.numeric: list[Numeric] = []
        self.categorical: list[Categorical] = []
        self.count = 0
        bounds = zip(allowed.lowest.tolist(), allowed.highest.tolist(), _edges(preparer, thresholds), strict=True)
        for low, high, edges in bounds:
            self.numeric.append(Numeric(low, high, edges, self.count, self.count + len(edges) + 1))
            self.count += len(edges) + 2
        for known, permitted in zip(preparer.known, allowed.categories, strict=True):
            places = {value: self.count + place for place, value in enumerate([*sorted(known), None])}
            self.categorical.append(Categorical(places, self.count + len(places), permitted))
            self.count += len(places) + 1
        # By text, those that are written in their one form, so that they need not be read.
        self._as_written = [
            {text: place for text, place in kind.known.items() if text and category(text) == text and kind.place_of(text) >= 0}
            for kind in self.categorical
        ]

    def of_row(self, cells: Sequence[Any]) -> Row | None:
        """None where a cell is refused or may have to be."""
        try:
            numbers = _numbers(cells[: len(self.numeric)])
            places = [
                first + bisect_right(edges, value) if lowest <= value <= highest else missing if value != value else -1
                for (lowest, highest, edges, first, missing), value in zip(self.numeric, numbers, strict=True)
            ]
            categories = []
            for kind, as_written, cell in zip(self.categorical, self._as_written, cells[len(numbers) :], strict=True):
                is_known = type(cell) is str and cell in as_written
                text = cell if is_known else category(cell)
                categories.append(text)
                places.append(as_written[cell] if is_known else kind.place_of(text))
        except ValueError:
            return None
        return None if -1 in places else Row(numbers, categories, places)


def _numbers(cells: Sequence[Any]) -> list[float]:
    """`cells.number` of each. Raises ValueError."""
    try:
        if not "".join(cells).strip(SIGNS_OF_NUMBERS):
            return [*map(float, cells)]
    except (TypeError, ValueError):  # no texts, or one that is empty
        pass
    return [number(cell) for cell in cells]


def _edges(preparer: Preparer, thresholds: Mapping[str, NDArray[np.float32]]) -> list[list[float]]:
    """Of each numeric column the smallest raw numbers whose prepared value reaches a threshold, where one does."""
    found = [thresholds.get(name, np.empty(0, dtype=np.float32)) for name in preparer.numeric]
    wanted = np.full((max(map(len, found), default=0), len(found)), np.inf, dtype=np.float32)
    for column, values in enumerate(found):
        wanted[: len(values), column] = values
    outputs = [preparer.outputs.index(name) if len(values) else -1 for name, values in zip(preparer.numeric, found, strict=True)]
    low, high = (np.full(wanted.shape, _key(np.array(end))) for end in (-LARGEST, LARGEST))
    high += 1  # none reaches it
    while (low < high).any():
        middle = (low >> 1) + (high >> 1) + (low & high & 1)
        reached = prepared(preparer, _number(middle))[:, outputs] >= wanted
        high = np.where(reached, middle, high)
        low = np.where(reached, low, np.minimum(middle + 1, high))
    numbers = _number(low)
    return [[edge for edge in numbers[: len(values), column].tolist() if edge <= LARGEST] for column, values in enumerate(found)]


def prepared(preparer: Preparer, numeric: Floats, categorical: Sequence[Labels] | None = None) -> Matrix:
    """What is larger than the model calculates with is infinite, as it is to the model. Categories: by default all missing."""
    none: Labels = ([None], np.zeros(len(numeric), dtype=np.int64))
    with np.errstate(over="ignore"):
        return preparer.transform(numeric, [none] * len(preparer.categorical) if categorical is None else categorical)


def _key(numbers: Floats) -> NDArray[np.int64]:
    """Whole numbers in the order of the numbers (IEEE 754: bits without the sign are in order); both zeros have the same."""
    bits = numbers.astype(np.float64).view(np.int64)
    return np.where(bits >= 0, bits, _SIGN - bits)


def _number(keys: NDArray[np.int64]) -> Floats:
    return np.where(keys >= 0, keys, _SIGN - keys).view(np.float64)
