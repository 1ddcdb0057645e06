"""The rows that are looked at: all of a small table, and of a large one those whose hash is small, whatever the order of rows and files."""

from __future__ import annotations

from dataclasses import dataclass

import identifiers
import numpy as np
import row_words
import split
import time_column
from numpy.typing import NDArray
from sides import Sides
from specification import Specification
from table import Table

#: About as many of a larger table.
MOST_ROWS = 50_000
_HALVES = 1 << 40


@dataclass(frozen=True)
class Sample:
    """`places`: of the rows in the table, in their order. `in_first`: the half that a model of one column learns from in turn."""

    places: NDArray[np.int64]
    in_first: NDArray[np.bool_]
    of: int

    @property
    def rows(self) -> int:
        return len(self.places)

    @property
    def words(self) -> str:
        return f"all {self.of} rows" if self.rows == self.of else f"{self.rows} of {self.of} rows, drawn by their hash"


def of(table: Table, placing: Sides, specification: Specification) -> Sample:
    """Equal rows are in one half, unless the split takes them for observations of their own."""
    buckets = placing.buckets if placing.buckets is not None else split.buckets(_words(table, specification))
    places = np.arange(table.rows) if table.rows <= MOST_ROWS else np.flatnonzero(buckets < MOST_ROWS / table.rows)
    return Sample(places, np.floor(buckets[places] * _HALVES) % 2 == 0, table.rows)


def _words(table: Table, specification: Specification) -> split.Words:
    """Of a table that time splits."""
    if specification.identifier is not None:
        return identifiers.of(table, specification).words
    return split.answered(row_words.of_features(table, specification), time_column.of(table, str(specification.by_time)))
