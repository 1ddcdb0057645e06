"""The test rows, however many there are: read from test.parquet a batch at a time, so that memory holds a batch and some bytes a row.

Input: the folder that `prepare.py` wrote and the served version. Output: what a function says of every row; and `sample`, whole rows for
what would take hours or gigabytes of all of them: every row, or the sample of more that resamples are drawn from. Used by `evaluate.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dataset
import numpy as np
import pyarrow as pa
import table as tables
import time_column
from column_values import UnreadableError
from dataset import Rows
from features import stack
from numpy.typing import NDArray
from pyarrow import parquet
from resampling import sample
from served import Served

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: 16 MB of 31 columns; enough for every thread that predicts.
BATCH_ROWS = 65_536


@dataclass(frozen=True)
class HeldOut:
    """`target`: the answers of all rows, values or indices of classes. `in_sample`: which rows are in `sample`."""

    file: Path
    served: Served
    target: Floats
    sample: Rows
    in_sample: Mask

    @property
    def count(self) -> int:
        return len(self.target)

    def batches(self, wanted: Mask | None = None) -> Iterator[Rows]:
        """All rows in their order, or those that are wanted."""
        begin = 0
        for columns in _tables(self.file):
            rows = _typed(columns, self.served)
            yield rows if wanted is None else rows.take(wanted[begin : begin + rows.count])
            begin += rows.count

    def times(self, column: str) -> tuple[Floats | None, str]:
        """What a column says of all rows' time, whether or not it is a feature, with its form; None where it holds none or is gone."""
        if column not in parquet.read_schema(self.file).names:
            return None, ""
        cells = parquet.read_table(self.file, columns=[column])[column]
        try:
            return np.concatenate(list(time_column.of_chunks(cells))), time_column.form_of(cells)
        except UnreadableError:
            return None, ""

    def of_rows(self, *functions: Callable[[Rows], NDArray[Any]]) -> list[NDArray[Any]]:
        """What each function says of every row, asked for a batch at a time."""
        whole: list[NDArray[Any]] = []
        begin = 0
        for rows in self.batches():
            said = [function(rows) for function in functions]
            whole = whole or [np.empty((self.count, *values.shape[1:]), values.dtype) for values in said]
            for values, kept in zip(said, whole, strict=True):
                kept[begin : begin + rows.count] = values
            begin += rows.count
        return whole


def read(folder: Path, served: Served) -> HeldOut:
    file = folder / "test.parquet"
    target = np.empty(parquet.read_metadata(file).num_rows)
    in_sample, kept, begin = sample(len(target)), [], 0
    for columns in _tables(file):
        end = begin + columns.num_rows
        target[begin:end] = _answers(columns, served)
        kept.append(columns.filter(pa.array(in_sample[begin:end])))
        begin = end
    return HeldOut(file, served, target, _typed(pa.concat_tables(kept), served), in_sample)


def raw(rows: Rows, served: Served) -> tuple[Floats, list[Any]]:
    """Rows in the form that `Served.predict` takes."""
    numeric = stack(rows.numeric, served.preparer.numeric, rows.count)
    return numeric, [rows.categorical[name] for name in served.preparer.categorical]


def _tables(file: Path) -> Iterator[pa.Table]:
    with parquet.ParquetFile(file) as stored:
        for batch in stored.iter_batches(batch_size=BATCH_ROWS):
            yield pa.Table.from_batches([batch])


def _typed(columns: pa.Table, served: Served) -> Rows:
    """Typed columns; the classes in the order that the model knows."""
    numeric = {name: tables.floats(columns[name]) for name in served.preparer.numeric}
    categorical = {name: tables.labels(columns[name]) for name in served.preparer.categorical}
    return Rows(numeric, categorical, _answers(columns, served), columns.num_rows)


def _answers(columns: pa.Table, served: Served) -> Floats:
    target, classes = columns[served.dataset["target"]], served.about["classes"]
    return tables.floats(target) if classes is None else dataset.class_index(tables.labels(target), classes)
