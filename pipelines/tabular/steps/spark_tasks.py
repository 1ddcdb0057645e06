"""What Spark's workers do: read a share of the files, say what cells mean, fit a column, write a shard.

Each function is a task's, of plain values, and calls the code of the one-machine engine: no rule stands here. A piece is some rows that
follow each other in the table, and has its place among all. In: what spark_engine.py hands out. Out: what it puts together.
"""

from __future__ import annotations

import spark_packages as spark_packages  # isort: skip - before anything that the image lacks

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import column_store
import dataset
import fitting
import numpy as np
import prepared_rows
import pyarrow as pa
import shard_file
import table_files
from column_values import UnreadableError, floats, is_text, labels
from dataset import Rows
from encoded_rows import EncodedRows
from failure import BadInput
from features import Floats, Labels, Preparer
from numpy.typing import NDArray
from specification import Specification
from target_values import Folds

#: A file's place among all and its path, and of a Parquet file which row groups; None for all of it.
Share = Sequence[tuple[int, str, Sequence[int] | None]]


@dataclass(frozen=True)
class Report:
    """What one task read: rows of each file, by its place, and how many pieces; or why it could not."""

    rows: Mapping[int, int]
    pieces: int
    problem: str | None = None
    are_types: bool = False


def read(numbered: tuple[int, Share], schema: pa.Schema) -> Iterator[tuple[int, int, bytes | Report]]:
    """(number of the task, place in it, cells) of each piece, and a report at the end. A problem is no exception: Spark would try again."""
    number, share = numbered
    rows: dict[int, int] = {}
    pieces = 0

    def batches() -> Iterator[pa.RecordBatch]:
        for place, path, groups in share:
            for batch in table_files.batches(Path(path), schema, groups):
                rows[place] = rows.get(place, 0) + batch.num_rows
                yield batch

    problem, are_types = None, False
    try:
        for batch in column_store.together(batches()):
            if batch.num_rows:
                yield number, pieces, _cells_of(batch)
                pieces += 1
    except BadInput as bad:
        problem = str(bad)
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        are_types = True
    yield number, -1, Report(rows, pieces, problem, are_types)


def _cells_of(batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    return bytes(sink.getvalue())


def is_report(found: tuple[int, int, bytes | Report]) -> bool:
    return isinstance(found[2], Report)


def is_piece(found: tuple[int, int, bytes | Report]) -> bool:
    return not is_report(found)


def in_table(found: tuple[int, int, bytes], first: Sequence[int]) -> tuple[int, bytes]:
    """`first`: of each task the place of its first piece among all."""
    number, place, cells = found
    return first[number] + place, cells


@dataclass(frozen=True)
class Piece:
    """Cells as they are, and what they mean where they do not hold it already: numbers in columns of text, and all categories.

    A column that cannot be read is not among them.
    """

    cells: bytes
    texts_as_numbers: Mapping[str, Floats]
    categories: Mapping[str, Labels]

    @cached_property
    def batch(self) -> pa.RecordBatch:
        return pa.ipc.open_stream(self.cells).read_next_batch()

    def numbers(self, name: str) -> Floats:
        known = self.texts_as_numbers.get(name)
        return floats(self.batch.column(name)) if known is None else known

    def rows(self, specification: Specification, classes: Sequence[str] | None) -> Rows:
        """Of a table that keeps the contract."""
        numeric = {name: self.numbers(name) for name in specification.numeric}
        categorical = {name: self.categories[name] for name in specification.categorical}
        target = specification.target
        answers = self.numbers(target) if classes is None else dataset.class_index(self.categories[target], classes)
        return Rows(numeric, categorical, answers, self.batch.num_rows)


def numbers_of(specification: Specification) -> list[str]:
    return [*specification.numeric, *([specification.target] if specification.problem == "regression" else [])]


def categories_of(specification: Specification) -> list[str]:
    return [*specification.categorical, *([] if specification.problem == "regression" else [specification.target])]


def in_order(pieces: Iterable[tuple[int, bytes]], specification: Specification) -> Iterator[tuple[int, Piece]]:
    """The pieces of a partition, which come as they were sent."""
    for place, cells in sorted(pieces, key=lambda piece: piece[0]):
        yield place, typed(cells, specification)


def typed(cells: bytes, specification: Specification) -> Piece:
    batch = Piece(cells, {}, {}).batch
    there = set(batch.schema.names)
    texts = {name: batch.column(name) for name in numbers_of(specification) if name in there and is_text(batch.schema.field(name).type)}
    numbers = {name: _readable(floats, column) for name, column in texts.items()}
    categories = {name: _readable(labels, batch.column(name)) for name in categories_of(specification) if name in there}
    return Piece(cells, _there(numbers), _there(categories))


def _readable(read_as: Any, column: pa.Array) -> Any:
    try:
        return read_as(column)
    except (UnreadableError, pa.ArrowNotImplementedError):  # such as infinities, or lists: the contract says what is wrong with them
        return None


def _there(columns: Mapping[str, Any]) -> dict[str, Any]:
    return {name: column for name, column in columns.items() if column is not None}


def bits(mask: NDArray[np.bool_]) -> tuple[NDArray[np.uint8], int]:
    return np.packbits(mask), len(mask)


def mask_of(packed: tuple[NDArray[np.uint8], int]) -> NDArray[np.bool_]:
    return np.unpackbits(packed[0], count=packed[1]).astype(bool)


def training_columns(placed: tuple[int, Piece], training: Any, specification: Specification) -> Iterator[tuple[int, Any]]:
    """(place among the features, values of the training rows) of each feature. `training`: broadcast, the bits of each piece's mask."""
    place, piece = placed
    numeric = {name: piece.numbers(name) for name in specification.numeric}
    return columns_of(numeric, piece.categories, mask_of(training.value[place]), specification)


def columns_of(
    numeric: Mapping[str, Floats], categorical: Mapping[str, Labels], mask: NDArray[np.bool_], specification: Specification
) -> Iterator[tuple[int, Any]]:
    for place, name in enumerate(specification.numeric):
        yield place, numeric[name][mask]
    for place, name in enumerate(specification.categorical, start=len(specification.numeric)):
        distinct, codes = categorical[name]
        yield place, (distinct, codes[mask])


def fit(column: tuple[int, Iterable[Any]], specification: Specification) -> tuple[int, fitting.Column]:
    """One feature, by all training rows: as much memory as a column takes the one-machine engine."""
    place, parts = column
    name, preparation = specification.features[place], specification.preparation
    if place < len(specification.numeric):
        return place, fitting.fit_numeric(name, list(parts), preparation)
    return place, fitting.fit_categorical(name, list(parts), preparation, specification.declared[name])


@dataclass(frozen=True)
class Taken:
    """Which rows of a piece are in a part (bits), the place of the first of them in it, their weights (None: each 1), and their folds."""

    mask: tuple[NDArray[np.uint8], int]
    first: int
    weight: Floats | None
    folds: Folds | None = None


@dataclass(frozen=True)
class Fragment:
    """Some rows of a shard, and the place of the first of them in it."""

    first: int
    rows: Rows
    weight: Floats
    folds: Folds | None


def fragments(
    placed: tuple[int, Piece], taken: Any, specification: Specification, classes: Sequence[str] | None, first_shards: Sequence[int]
) -> Iterator[tuple[int, Fragment]]:
    """`taken`: broadcast, what each part takes of each piece. `first_shards`: of each part the number of its first shard among all."""
    place, piece = placed
    return fragments_of((piece.rows(specification, classes), taken.value[place]), first_shards)


def fragments_of(given: tuple[Rows, Sequence[Taken]], first_shards: Sequence[int]) -> Iterator[tuple[int, Fragment]]:
    rows, taken = given
    for part, first_shard in zip(taken, first_shards, strict=True):
        places = np.flatnonzero(mask_of(part.mask))
        begun = 0
        while begun < len(places):
            shard, first = divmod(part.first + begun, dataset.ROWS_PER_SHARD)
            end = min(begun + dataset.ROWS_PER_SHARD - first, len(places))
            mask = np.zeros(rows.count, dtype=bool)
            mask[places[begun:end]] = True
            weight = np.ones(end - begun) if part.weight is None else part.weight[begun:end]
            folds = None if part.folds is None else part.folds[begun:end]
            yield first_shard + shard, Fragment(first, rows.take(mask), weight, folds)
            begun = end


def write_shard(
    numbered: tuple[int, Iterable[Fragment]],
    files: Sequence[str],
    state: Mapping[str, Any],
    out_of_fold: Mapping[str, Sequence[Mapping[str, Any]]],
    specification: Specification,
) -> None:
    """Whole or not at all, so that a host whose worker died uploads no half of one."""
    number, given = numbered
    file, preparer, ordered = Path(files[number]), Preparer(state, out_of_fold), sorted(given, key=lambda fragment: fragment.first)
    features = EncodedRows.together([prepared_rows.encoded(fragment.rows, preparer, specification, fragment.folds) for fragment in ordered])
    target = np.concatenate([fragment.rows.target for fragment in ordered])
    weight = np.concatenate([fragment.weight for fragment in ordered])
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".shard-", dir=file.parents[2]) as beside_the_output:
        written = Path(beside_the_output) / file.name
        shard_file.write(written, features, target, weight)
        written.replace(file)


def digest(file: str) -> bytes:
    return table_files.digest(Path(file))
