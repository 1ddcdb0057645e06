"""A fixed sample of the rows, in which columns are looked at side by side.

Input: a `table.Table` of the steps and its columns. Output: `Sample`. Next: `targets.py` and `roles.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from build_scripts.drafting.columns import Column, Kind, floats

#: Evenly spaced rows, the first and the last among them.
MOST_ROWS = 20_000


@dataclass(frozen=True)
class Sample:
    """Some rows of the table, by their places. `numbers`: NaN where missing. `categories`: codes, -1 where missing."""

    places: NDArray[np.int64]
    of_rows: int
    numbers: Mapping[str, NDArray[np.float64]]
    categories: Mapping[str, NDArray[np.int64]]

    @property
    def rows(self) -> int:
        return len(self.places)

    @property
    def in_words(self) -> str:
        return "all rows" if self.rows == self.of_rows else f"{self.rows:,} evenly spaced rows of {self.of_rows:,}"

    def codes(self, name: str) -> NDArray[np.int64]:
        """Equal for equal values, in the order in which they come: two columns that say the same have the same."""
        values = self.numbers[name] if name in self.numbers else self.categories[name].astype(np.float64)
        _, first, inverse = np.unique(values, return_index=True, return_inverse=True)
        return np.asarray(np.argsort(np.argsort(first))[inverse], dtype=np.int64)


def of(table: Any, columns: Sequence[Column]) -> Sample:
    """The columns of numbers and of categories that are not too many, in the same rows."""
    places = np.unique(np.linspace(0, table.rows - 1, min(MOST_ROWS, table.rows)).astype(np.int64))
    numbers, categories = {}, {}
    for column in columns:
        if column.kind is Kind.NUMBER:
            values = floats(table, column.name)[places]
            numbers[column.name] = np.where(np.isfinite(values), values, np.nan)
        elif column.values is not None:
            distinct, codes = table.categories(column.name)
            is_missing = np.array([value is None for value in distinct])
            categories[column.name] = np.where(is_missing[codes[places]], -1, codes[places])
    return Sample(places, table.rows, numbers, categories)
