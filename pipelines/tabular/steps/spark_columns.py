"""What the cells of whole columns mean, put together on the driver's disk from the pieces that workers have read.

Input: pieces in the table's order. Output: their cells, and arrays in the place where `Table` looks for numbers and categories before it
reads them itself. A column that some piece could not read is left to it: the contract then says why. Used by `spark_engine.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import spark_tasks
import table as tables
from column_store import Arrays
from features import Labels
from numpy.typing import NDArray
from spark_tasks import Piece
from specification import Specification


class GatheredColumns:
    def __init__(self, folder: Path, specification: Specification) -> None:
        folder.mkdir()
        numbers, categories = spark_tasks.numbers_of(specification), spark_tasks.categories_of(specification)
        self._numbers = {name: folder / f"number-{place}" for place, name in enumerate(numbers)}
        self._categories = {name: folder / f"category-{place}" for place, name in enumerate(categories)}
        self._distinct: dict[str, dict[str | None, int]] = {name: {} for name in categories}

    def add(self, piece: Piece) -> pa.RecordBatch:
        """Gives its cells."""
        for name, file in list(self._numbers.items()):
            values = piece.texts_as_numbers.get(name)
            if values is None:
                del self._numbers[name]
            else:
                _append(file, values)
        for name, file in list(self._categories.items()):
            labels = piece.categories.get(name)
            if labels is None or not self._merge(name, file, labels):
                del self._categories[name]
        return piece.batch

    def _merge(self, name: str, file: Path, labels: Labels) -> bool:
        """False for more categories than `Table` tells apart."""
        values, codes = labels
        distinct = self._distinct[name]
        places = np.array([distinct.setdefault(value, len(distinct)) for value in values], dtype=np.int64)
        _append(file, places[codes])
        return len(distinct) <= tables.MOST_CATEGORIES_TOLD_APART

    def hand_over(self, arrays: Arrays, remembered: dict[str, Any]) -> None:
        for name, file in self._numbers.items():
            arrays.keep(f"number {name}", file, np.float64)
        for name, file in self._categories.items():
            arrays.keep(f"category {name}", file, np.int64)
            remembered[name] = self._distinct[name]


def _append(file: Path, values: NDArray[Any]) -> None:
    with file.open("ab") as opened:
        opened.write(np.ascontiguousarray(values).data)
