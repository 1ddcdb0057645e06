"""Transforms the rows of a table batch by batch, and writes them: prepared training and validation rows, and the test rows as they are.

Input: what `parts.py` decided. Output: folders of shards (dataset.py), and one Parquet file. Memory holds a batch. Used by `prepare.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dataset
import features
import numpy as np
import pyarrow as pa
from dataset import Part, Rows
from numpy.typing import NDArray
from parts import Parts
from specification import Specification
from table import Table

Mask = NDArray[np.bool_]
BATCH_ROWS = 16_384
#: Of test rows, which are a part of them.
RAW_BATCH_ROWS = 262_144
#: For the choice of columns by mutual information, whose neighbours take long to find among more rows.
MOST_ROWS_TO_SELECT_BY = 100_000


def transform(rows: Rows, preparer: features.Preparer, specification: Specification) -> features.Matrix:
    numeric = features.stack(rows.numeric, specification.numeric, rows.count)
    return preparer.transform(numeric, [rows.categorical[name] for name in specification.categorical])


def select(cut: Parts, specification: Specification, count: int) -> list[str]:
    """The `count` prepared columns with the most mutual information with the target, in their old order.

    Of a large table by evenly spaced training rows, `MOST_ROWS_TO_SELECT_BY` of them.
    """
    from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

    preparer = features.Preparer(cut.fitted.state)
    places = np.flatnonzero(cut.learned_from)
    chosen = np.zeros(len(cut.learned_from), dtype=bool)
    chosen[places[:: -(-len(places) // MOST_ROWS_TO_SELECT_BY)]] = True
    some = cut.rows.take(chosen)
    measure = mutual_info_regression if specification.problem == "regression" else mutual_info_classif
    information = measure(transform(some, preparer, specification), some.target, random_state=0)
    best = np.argsort(-information, kind="stable")[:count]
    return [preparer.outputs[index] for index in sorted(best)]


def write(cut: Parts, state: Mapping[str, Any], specification: Specification, output: Path, about: Mapping[str, Any]) -> None:
    """The shards of `train` and `validation` below `output`."""
    preparer = features.Preparer(state)
    masks = {"train": cut.learned_from, "validation": cut.masks["validation"]}
    writers = {name: dataset.PartWriter(output / name, about) for name in masks}
    begun, written = 0, dict.fromkeys(masks, 0)
    for rows in cut.rows.batches(BATCH_ROWS):
        batch = slice(begun, begun + rows.count)
        for name, mask in masks.items():
            part = _prepared(rows, mask[batch], preparer, specification)
            count = len(part.target)
            writers[name].append(part.features, part.target, cut.weights[name][written[name] : written[name] + count])
            written[name] += count
        begun = batch.stop
    for writer in writers.values():
        writer.close()


def _prepared(rows: Rows, mask: Mask, preparer: features.Preparer, specification: Specification) -> Part:
    taken = rows.take(mask)
    return Part(transform(taken, preparer, specification), taken.target, np.empty(0))


def write_raw(table: Table, mask: Mask, path: Path) -> None:
    """The rows of the mask as they were uploaded, a row group for each batch that has one."""
    from pyarrow import parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    schema = table.columns.schema
    with parquet.ParquetWriter(path, schema) as writer:
        for begun in range(0, table.rows, RAW_BATCH_ROWS):
            chosen = mask[begun : begun + RAW_BATCH_ROWS]
            columns = [table.columns[name].slice(begun, RAW_BATCH_ROWS).filter(pa.array(chosen)) for name in schema.names]
            writer.write_table(pa.table(columns, schema=schema))
