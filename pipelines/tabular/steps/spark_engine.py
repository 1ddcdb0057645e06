"""Prepares on a Spark cluster: workers read, say what cells mean, fit and write; the driver judges, splits and puts together.

Every rule is the one-machine engine's code, run on pieces whose results are put together in the table's order: so bytes and words are the
same (docs/decisions/0180-one-preparation-two-engines.md). Input: the files, which each host has in the same place. The driver keeps the
columns on its disk, since the contract looks at whole ones. What workers do: `spark_tasks.py`. Used by `prepare_on_spark.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import column_store
import dataset
import large_files
import numpy as np
import prepared_rows
import pyarrow as pa
import spark_shares
import spark_tasks
import table_files
from column_store import Arrays
from dataset import Rows
from failure import BadInput
from fitting import Column, Fitted, fit_by_target, together
from parts import Parts
from sides import Mask
from spark_columns import GatheredColumns
from spark_tasks import Report, Taken
from specification import Specification
from table import Source, Table
from table_files import Head
from target_statistics import Answers

#: So many pieces are in memory at once: some 16 MB each, and what they mean as much again.
_PIECES_IN_PARTITION = 4


class SparkEngine:
    """`context`: a SparkContext. `read` comes first: the others work on the pieces that it leaves on the cluster's disks."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._pieces: Any = None
        self._rows_of_pieces: list[int] = []

    def read(self, path: Path, scratch: Path, specification: Specification) -> Table:
        files = table_files.listed(path)
        heads = large_files.judged(files, scratch)
        schema = large_files.common_schema(heads)
        rows = self._spread(heads, schema, specification)
        gathered, arrays, remembered = GatheredColumns(scratch / "gathered", specification), Arrays(scratch / "arrays"), dict[str, Any]()
        columns = column_store.store(self._cells(gathered), schema, scratch / "columns")
        gathered.hand_over(arrays, remembered)
        digests = self._context.parallelize(list(map(str, files)), min(len(files), 1000)).map(spark_tasks.digest).collect()
        widened = table_files.widened([head.schema for head in heads])
        return Table(
            columns, tuple(map(Source, files, rows)), table_files.sha256_of(files, digests), widened, arrays=arrays, remembered=remembered
        )

    def _spread(self, heads: Sequence[Head], schema: pa.Schema, specification: Specification) -> list[int]:
        """Reads every file. Leaves pieces in the table's order on the cluster's disks, and gives the rows of each file."""
        shares = list(enumerate(spark_shares.of(heads)))
        found = self._context.parallelize(shares, len(shares)).flatMap(partial(spark_tasks.read, schema=schema)).persist(_on_disk())
        reports: list[Report] = [report for _, _, report in sorted(found.filter(spark_tasks.is_report).collect())]
        _require_read(reports, heads)
        first = [0, *accumulate(report.pieces for report in reports)]
        placed = found.filter(spark_tasks.is_piece).map(partial(spark_tasks.in_table, first=first))
        spread = placed.partitionBy(max(1, -(-first[-1] // _PIECES_IN_PARTITION)), partial(_quotient, by=_PIECES_IN_PARTITION))
        self._pieces = spread.mapPartitions(partial(spark_tasks.in_order, specification=specification)).persist(_on_disk())
        self._pieces.count()
        found.unpersist()
        return [sum(report.rows.get(place, 0) for report in reports) for place in range(len(heads))]

    def _cells(self, gathered: GatheredColumns) -> Iterator[pa.RecordBatch]:
        for _, piece in self._pieces.toLocalIterator(prefetchPartitions=True):
            self._rows_of_pieces.append(piece.batch.num_rows)
            yield gathered.add(piece)

    def _by_piece(self, mask: Mask) -> list[Mask]:
        """Of the uploaded rows."""
        ends = list(accumulate(self._rows_of_pieces))
        return np.split(mask[: ends[-1]], ends[:-1])

    def fit(self, rows: Rows, is_training: Mask, specification: Specification, by_target: Mapping[str, Answers]) -> Fitted:
        """Columns that are encoded by the answers are fitted by the driver, which has both and the folds."""
        training = self._context.broadcast(list(map(spark_tasks.bits, self._by_piece(is_training))))
        columns = self._pieces.flatMap(partial(spark_tasks.training_columns, training=training, specification=specification))
        if rows.pieces:  # what production learned is behind what was uploaded, and with the driver
            learned = rows.pieces[1]
            given = spark_tasks.columns_of(learned.numeric, learned.categorical, is_training[rows.pieces[0].count :], specification)
            columns = columns.union(self._context.parallelize(list(given), 1))
        places = len(specification.features)
        fitted: dict[int, Column] = dict(
            columns.groupByKey(places, int).map(partial(spark_tasks.fit, specification=specification)).collect()
        )
        numbers = len(specification.numeric)
        train = rows.take(is_training)
        for name, answers in by_target.items():
            place = specification.features.index(name)
            fitted[place] = fit_by_target(name, train.categorical[name], specification.declared[name], answers)
        return together([fitted[place] for place in range(numbers)], [fitted[place] for place in range(numbers, places)])

    def write(
        self, cut: Parts, state: dict[str, Any], specification: Specification, output: Path, about: dict[str, Any], table: Table
    ) -> None:
        """Shards, each by a worker, below its own host's output, which SageMaker uploads; the test rows by the driver."""
        masks = {"train": cut.learned_from, "validation": cut.masks["validation"]}
        rows = {name: int(np.count_nonzero(mask)) for name, mask in masks.items()}
        shards = {name: max(1, -(-count // dataset.ROWS_PER_SHARD)) for name, count in rows.items()}
        files = [str(output / name / dataset.SHARD_FILE.format(shard)) for name, count in shards.items() for shard in range(count)]
        self._given(cut, masks, specification, [0, shards["train"]]).groupByKey(len(files), int).foreach(
            partial(spark_tasks.write_shard, files=files, state=state, out_of_fold=cut.fitted.out_of_fold, specification=specification)
        )
        for name in masks:
            (output / name).mkdir(parents=True, exist_ok=True)
            dataset.write_about(output / name, about, rows[name], shards[name])
        prepared_rows.write_raw(table, cut.masks["test"][: table.rows], output / "test" / "test.parquet")

    def _given(self, cut: Parts, masks: Mapping[str, Mask], specification: Specification, first_shards: Sequence[int]) -> Any:
        """What each shard gets, of uploaded and of learned rows."""
        learned = list(cut.rows.pieces[1].batches(column_store.BATCH_ROWS)) if cut.rows.pieces else []
        sizes = [*self._rows_of_pieces, *(rows.count for rows in learned)]
        taken = _taken(cut, masks, sizes)
        of_pieces = self._context.broadcast(taken[: len(self._rows_of_pieces)])
        fragments = partial(
            spark_tasks.fragments, taken=of_pieces, specification=specification, classes=cut.classes, first_shards=first_shards
        )
        given = self._pieces.flatMap(fragments)
        if not learned:
            return given
        behind = list(zip(map(_in_hand, learned), taken[len(self._rows_of_pieces) :], strict=True))
        return given.union(
            self._context.parallelize(behind, len(behind)).flatMap(partial(spark_tasks.fragments_of, first_shards=first_shards))
        )


def _taken(cut: Parts, masks: Mapping[str, Mask], sizes: Sequence[int]) -> list[list[Taken]]:
    """Of each piece, of each part. `sizes`: rows of the pieces."""
    ends = list(accumulate(sizes))
    of_parts = []
    for name, mask in masks.items():
        pieces = np.split(mask, ends[:-1])
        first = [0, *accumulate(int(np.count_nonzero(piece)) for piece in pieces)]
        of_part = None if np.all(cut.weights[name] == 1.0) else cut.weights[name]
        folds = cut.folds[mask] if name == "train" and cut.folds is not None else None
        of_parts.append(
            [
                Taken(
                    spark_tasks.bits(piece),
                    begun,
                    None if of_part is None else of_part[begun:end],
                    None if folds is None else folds[begun:end],
                )
                for piece, begun, end in zip(pieces, first, first[1:], strict=False)
            ]
        )
    return [list(of_piece) for of_piece in zip(*of_parts, strict=True)]


def _in_hand(rows: Rows) -> Rows:
    """Without what is read on demand, which cannot be sent."""
    return Rows(dict(rows.numeric), dict(rows.categorical), rows.target, rows.count)


def _require_read(reports: Sequence[Report], heads: Sequence[Head]) -> None:
    """Raises BadInput with the first problem in the order of the table, which is the one that a single machine meets."""
    for report in reports:
        if report.problem is not None:
            raise BadInput(report.problem)
        if report.are_types:
            raise large_files.different_types(heads)


def _quotient(place: int, by: int) -> int:
    return place // by


def _on_disk() -> Any:
    from pyspark import StorageLevel

    return StorageLevel.DISK_ONLY
