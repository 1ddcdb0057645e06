"""Transforms the rows of a table batch by batch, and writes them: prepared training and validation rows, and the test rows as they are.

Input: what `parts.py` decided. Output: folders of shards (dataset.py), and one Parquet file. Memory holds a batch. Used by `prepare.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import dataset
import features
import numpy as np
import pyarrow as pa
import side_by_side
from dataset import Rows
from encoded_rows import EncodedRows
from features import Floats, Preparer
from numpy.typing import NDArray
from parts import Parts
from specification import Specification
from table import Table
from target_values import Folds

Mask = NDArray[np.bool_]
BATCH_ROWS = 16_384
#: Of test rows, which are a part of them.
RAW_BATCH_ROWS = 262_144
#: For the choice of columns by mutual information, whose neighbours take long to find among more rows.
MOST_ROWS_TO_SELECT_BY = 100_000


def encoded(rows: Rows, preparer: Preparer, specification: Specification, folds: Folds | None) -> EncodedRows:
    numeric = features.stack(rows.numeric, specification.numeric, rows.count)
    return preparer.encode(numeric, [rows.categorical[name] for name in specification.categorical], folds)


def select(cut: Parts, specification: Specification, count: int) -> list[str]:
    """The `count` prepared columns with the most mutual information with the target, in their old order.

    Of a large table by evenly spaced training rows, `MOST_ROWS_TO_SELECT_BY` of them.
    """
    from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

    preparer = Preparer(cut.fitted.state, cut.fitted.out_of_fold)
    places = np.flatnonzero(cut.learned_from)
    chosen = np.zeros(len(cut.learned_from), dtype=bool)
    chosen[places[:: -(-len(places) // MOST_ROWS_TO_SELECT_BY)]] = True
    some = cut.rows.take(chosen)
    measure = mutual_info_regression if specification.problem == "regression" else mutual_info_classif
    folds = None if cut.folds is None else cut.folds[chosen]
    information = measure(encoded(some, preparer, specification, folds).dense(), some.target, random_state=0)
    best = np.argsort(-information, kind="stable")[:count]
    return [preparer.outputs[index] for index in sorted(best)]


def write(cut: Parts, state: Mapping[str, Any], specification: Specification, output: Path, about: Mapping[str, Any], table: Table) -> None:
    """The shards of `train` and `validation`, and the rows of `test` as they are, below `output`; several at a time."""
    preparer = Preparer(state, cut.fitted.out_of_fold)
    parts = [("train", cut.learned_from, cut.folds), ("validation", cut.masks["validation"], None)]
    tasks = [partial(write_raw, table, cut.masks["test"][: table.rows], output / "test" / "test.parquet")]
    for name, mask, folds in parts:
        (output / name).mkdir(parents=True, exist_ok=True)
        for number, rows in enumerate(shard_slices(mask)):
            own = cut.weights[name][number * dataset.ROWS_PER_SHARD :]
            tasks.append(partial(_write_shard, cut.rows, mask, folds, rows, own, output / name, number, preparer, specification))
    side_by_side.results(tasks, cut.rows.count)
    for name, mask, _ in parts:
        dataset.write_about(output / name, about, int(np.count_nonzero(mask)), len(shard_slices(mask)))


def shard_slices(mask: Mask) -> list[slice]:
    """Among which rows of the table those of each shard are, of a part with these rows. At least one."""
    begun, seen = [0], 0
    for first in range(0, len(mask), dataset.ROWS_PER_SHARD):
        places = np.flatnonzero(mask[first : first + dataset.ROWS_PER_SHARD])
        next_begins = -seen % dataset.ROWS_PER_SHARD
        if next_begins < len(places) and seen + next_begins:
            begun.append(first + int(places[next_begins]))
        seen += len(places)
    return [slice(first, end) for first, end in pairwise([*begun, len(mask)])]


def _write_shard(
    rows: Rows,
    mask: Mask,
    folds: Folds | None,
    within: slice,
    weight: Floats,
    folder: Path,
    number: int,
    preparer: Preparer,
    specification: Specification,
) -> None:
    features, targets, begun = [], [], within.start
    for batch in rows.batches(BATCH_ROWS, within):
        own = mask[begun : begun + batch.count]
        taken = batch.take(own)
        of_batch = None if folds is None else folds[begun : begun + batch.count][own]
        features.append(encoded(taken, preparer, specification, of_batch))
        targets.append(taken.target)
        begun += batch.count
    target = np.concatenate(targets)
    dataset.write_shard(folder, number, EncodedRows.together(features), target, np.array(weight[: len(target)]))


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
