"""The one preparation, used by training and serving: applies the state that was fitted on training rows (fitting.py) to any rows.

Input: numeric columns as float64 with NaN for missing, categorical ones as distinct values and codes.
Output: a float32 matrix (rows x prepared columns). The order of operations on a number is fixed (fill, clip,
centre, scale, round to float32), so one row alone and the same row among a million give the same bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from encoded_rows import EncodedRows
from encoded_rows import Matrix as Matrix
from numpy.typing import NDArray
from target_values import Folds, TargetValues

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Labels = tuple[Sequence[str | None], Codes]

OTHER = "<other>"
MISSING = "<missing>"
#: Rows per chunk of a large table: keeps the working set inside the processor's cache.
CHUNK_ROWS = 32_768


def labels(values: Sequence[str | None]) -> Labels:
    """Each value once, in the order in which they come, and which of them each row has."""
    place: dict[str | None, int] = {}
    codes = [place.setdefault(value, len(place)) for value in values]
    return list(place), np.array(codes, dtype=np.int64)


class Preparer:
    """Applies a fitted state. Cheap to call for one row: everything that can be is computed here, once."""

    def __init__(self, state: Mapping[str, Any], out_of_fold: Mapping[str, Sequence[Mapping[str, Any]]] | None = None) -> None:
        """`out_of_fold`: of the columns that were encoded by the target, for rows that are learned from."""
        columns = state["numeric"]
        self.numeric: list[str] = [column["name"] for column in columns]
        self.categorical: list[str] = [column["name"] for column in state["categorical"]]
        self._lower = np.array([-np.inf if column["lower"] is None else column["lower"] for column in columns])
        self._upper = np.array([np.inf if column["upper"] is None else column["upper"] for column in columns])
        self._fill = np.array([column["fill"] for column in columns])
        self._centre = np.array([column["centre"] for column in columns])
        self._scale = np.array([column["scale"] for column in columns])
        self._indicators = np.array([index for index, column in enumerate(columns) if column["indicator"]], dtype=np.int64)
        kinds = list(enumerate(state["categorical"]))
        valued = [(index, column) for index, column in kinds if column.get("encoding") == "target"]
        one_hot = [(index, column) for index, column in kinds if column.get("encoding") != "target"]
        self._valued = [(index, TargetValues(column, (out_of_fold or {}).get(column["name"], ()))) for index, column in valued]
        valued_names = [name for _, values in self._valued for name in values.outputs]
        self._numbers = len(columns) + len(self._indicators) + len(valued_names)
        self._places, encoded = self._encoding(one_hot, self._numbers)
        self.known = [frozenset(column["categories"]) for column in state["categorical"]]  # of each categorical column
        everything = [*self.numeric, *(f"{self.numeric[index]}=<missing>" for index in self._indicators), *valued_names, *encoded]
        self._width = len(everything)
        self._selected = None if state["selected"] is None else np.array([everything.index(name) for name in state["selected"]])
        self.outputs: list[str] = everything if state["selected"] is None else list(state["selected"])
        self.sources = self._sources(everything)

    def _sources(self, everything: Sequence[str]) -> list[str]:
        """The raw column that each prepared column comes from."""
        origin = [*self.numeric, *(self.numeric[index] for index in self._indicators)]
        origin += [self.categorical[index] for index, values in self._valued for _ in values.outputs]
        for index, known, _ in self._places:
            origin += [self.categorical[index]] * (len(known) + 1)
        return [origin[everything.index(name)] for name in self.outputs]

    @staticmethod
    def _encoding(
        columns: Sequence[tuple[int, Mapping[str, Any]]], first: int
    ) -> tuple[list[tuple[int, dict[str | None, int], int]], list[str]]:
        """For each column, by its index: the matrix column of every known value, and the one of all others."""
        places: list[tuple[int, dict[str | None, int], int]] = []
        names: list[str] = []
        for index, column in columns:
            known: dict[str | None, int] = {value: first + place for place, value in enumerate(column["categories"])}
            other = first + len(known)
            first = other + 1
            names += [f"{column['name']}={value}" for value in [*column["categories"], OTHER]]
            if column["indicator"]:
                known[None] = first
                first += 1
                names.append(f"{column['name']}={MISSING}")
            places.append((index, known, other))
        return places, names

    def transform(self, numeric: Floats, categorical: Sequence[Labels], folds: Folds | None = None) -> Matrix:
        """numeric: rows x numeric columns; categorical: one pair of distinct values and codes per column. Returns rows x outputs.

        `folds`: of rows that are learned from (target_values.py).
        """
        rows = len(numeric)
        places = [_columns_of(known, other, categorical[index]) for index, known, other in self._places]
        result = np.zeros((rows, self._width), dtype=np.float32)
        self._write_values(categorical, folds, result)
        for chunk in _chunks(rows):
            self._write_numbers(numeric[chunk], result[chunk])
            row = np.arange(chunk.stop - chunk.start)
            for columns in places:
                result[chunk][row, columns[chunk]] = 1.0
        return result if self._selected is None else np.ascontiguousarray(result[:, self._selected])

    def encode(self, numeric: Floats, categorical: Sequence[Labels], folds: Folds | None = None) -> EncodedRows:
        """The same rows without the zeros of one-hot columns; dense where columns are selected, which are few."""
        if self._selected is not None:
            return EncodedRows.of_dense(self.transform(numeric, categorical, folds))
        numbers = np.empty((len(numeric), self._numbers), dtype=np.float32)
        self._write_values(categorical, folds, numbers)
        for chunk in _chunks(len(numeric)):
            self._write_numbers(numeric[chunk], numbers[chunk])
        ones = np.empty((len(numeric), len(self._places)), dtype=np.int32)
        for place, (index, known, other) in enumerate(self._places):
            ones[:, place] = _columns_of(known, other, categorical[index])
        return EncodedRows(numbers, ones, self._width)

    def _write_values(self, categorical: Sequence[Labels], folds: Folds | None, result: Matrix) -> None:
        """The columns of categories as what they were answered, which follow those of numbers."""
        first = len(self.numeric) + len(self._indicators)
        for index, values in self._valued:
            last = first + len(values.outputs)
            result[:, first:last] = values.of(categorical[index], folds)
            first = last

    def _write_numbers(self, numeric: Floats, result: Matrix) -> None:
        """The columns of numbers and those that say where one is missing: the first ones of `result`."""
        gaps = np.isnan(numeric)
        values = np.where(gaps, self._fill, numeric)
        np.clip(values, self._lower, self._upper, out=values)
        values -= self._centre
        values /= self._scale
        count = values.shape[1]
        result[:, :count] = values
        result[:, count : count + len(self._indicators)] = gaps[:, self._indicators]


def _columns_of(known: Mapping[str | None, int], other: int, labels: Labels) -> Codes:
    """The matrix column that each row sets to one."""
    distinct, codes = labels
    return np.array([known.get(value, other) for value in distinct], dtype=np.int64)[codes]


def _chunks(rows: int) -> Iterator[slice]:
    return (slice(begun, min(begun + CHUNK_ROWS, rows)) for begun in range(0, rows, CHUNK_ROWS))


def stack(columns: Mapping[str, Floats], names: Sequence[str], rows: int) -> Floats:
    """Named columns as one matrix in the order of `names`."""
    matrix = np.empty((rows, len(names)), dtype=np.float64)
    for index, name in enumerate(names):
        matrix[:, index] = columns[name]
    return matrix
