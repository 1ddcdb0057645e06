"""The files of a table: which there are, and what is in them as columns, at once or a batch at a time.

Input: a path. Output: pyarrow columns in the order of the files' names; every cell of a CSV file is text. Raises BadInput naming the file.
Used by `table.py`.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import csv_files
import file_kinds
import pyarrow as pa
import sources
from cells import shown
from column_store import BATCH_ROWS
from column_values import plain
from failure import BadInput

SUFFIXES = (".csv", ".parquet")
SHOWN_COLUMNS = 20
#: Of one batch of a Parquet file: a row of many columns makes it shorter.
_BATCH_CELLS = 1 << 22
_FEWEST_BATCH_ROWS = 1024


@dataclass(frozen=True)
class Head:
    """What a file says of itself before its cells are read. `rows`: None of a CSV file."""

    file: Path
    schema: pa.Schema
    rows: int | None = None


def listed(path: Path) -> list[Path]:
    """The files that people uploaded."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise BadInput(f"no data at {path.name!r}; upload a .csv or .parquet file to the prefix that InputDataUrl names")
    files = sorted(file for file in sources.files(path) if not sources.is_learned(file.relative_to(path).as_posix()))
    data = [file for file in files if file.suffix.lower() in SUFFIXES]
    other = [file.name for file in files if file.suffix.lower() not in SUFFIXES]
    if other:
        raise BadInput(f"{other[0]} is neither .csv nor .parquet; keep only data files in the prefix that InputDataUrl names")
    if not data:
        raise BadInput("no .csv or .parquet file in the data folder; upload one to the prefix that InputDataUrl names")
    return data


def exceed(files: Sequence[Path], most_bytes: int) -> bool:
    """Whether the columns of all files take more in memory: text as it is, eight bytes for a cell of a Parquet file."""
    held = sum(file.stat().st_size for file in files)
    for file in files:
        if held > most_bytes:
            break
        known = None if is_csv(file) else head(file)
        held += 8 * (known.rows or 0) * len(known.schema) if known else 0
    return held > most_bytes


def read(file: Path) -> pa.Table:
    """All of a file."""
    if is_csv(file):
        require_kind(file)
        return csv_files.read(file)
    columns = head(file)
    return pa.Table.from_batches(batches(file, columns.schema), columns.schema).combine_chunks()


def head(file: Path) -> Head:
    require_kind(file)
    if is_csv(file):
        return Head(file, pa.schema([(name, pa.string()) for name in csv_files.names(file)]))
    from pyarrow import parquet

    try:
        given = parquet.ParquetFile(file)
    except (pa.ArrowInvalid, OSError):
        raise _damaged(file) from None
    repeated = [name for name, count in Counter(given.schema_arrow.names).items() if count > 1]
    if repeated:
        raise BadInput(f"{file.name}: column {shown(repeated[0])} appears twice; rename one")
    # Without dictionaries, in which the same values are another type.
    fields = [field.with_type(plain(pa.array([], field.type)).type) for field in given.schema_arrow]
    return Head(file, pa.schema(fields), given.metadata.num_rows)


def batches(file: Path, schema: pa.Schema, groups: Sequence[int] | None = None) -> Iterator[pa.RecordBatch]:
    """The rows of a file as columns of these types. Memory holds a batch, however large the file's row groups are.

    `groups`: of a Parquet file, only these row groups.
    """
    for batch in csv_files.parts(file) if is_csv(file) else _of_parquet(file, len(schema), groups):
        columns = [plain(column).cast(held) for column, held in zip(batch.columns, schema.types, strict=True)]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


def parts(file: Path) -> Iterator[pa.RecordBatch]:
    """A CSV file a part at a time, each column as text."""
    require_kind(file)
    yield from csv_files.parts(file)


def _of_parquet(file: Path, columns: int, groups: Sequence[int] | None) -> Iterator[pa.RecordBatch]:
    from pyarrow import parquet

    rows = max(_FEWEST_BATCH_ROWS, min(BATCH_ROWS, _BATCH_CELLS // max(columns, 1)))
    try:
        yield from parquet.ParquetFile(file, buffer_size=1 << 20, pre_buffer=False).iter_batches(rows, groups)
    except (pa.ArrowInvalid, OSError):
        raise _damaged(file) from None


def _damaged(file: Path) -> BadInput:
    return BadInput(f"{file.name} is not a Parquet file, or a part of it is missing; upload it again")


def is_csv(file: Path) -> bool:
    return file.suffix.lower() == ".csv"


def require_kind(file: Path) -> None:
    """The file is what its name says."""
    if file.stat().st_size == 0:
        raise BadInput(f"{file.name} is empty (0 bytes); upload it again")
    what, remedy = file_kinds.mistaken(file) or ("", "")
    if file.suffix.lower() not in SUFFIXES:
        further = f", but {what}; {remedy}" if what else csv_files.under_another_name(file)
        raise BadInput(f"{file.name} is neither .csv nor .parquet{further}")
    if what:
        raise BadInput(f"{file.name} is not {'CSV' if is_csv(file) else 'Parquet'}, but {what}; {remedy}")


def require_same_names(names: Sequence[tuple[Path, Sequence[str]]]) -> None:
    first, expected = names[0]
    for file, given in names:
        if list(given) != list(expected):
            different = sorted(set(expected) ^ set(given))
            said = ", ".join(map(shown, different[:SHOWN_COLUMNS])) or "their order"
            raise BadInput(f"{file.name}: columns differ from {first.name}: {said}; give all files the same header")


def different_types(schemas: Sequence[tuple[Path, pa.Schema]]) -> BadInput:
    """Of files whose columns cannot be put together."""
    first = schemas[0][1]
    file, schema = next((file, schema) for file, schema in schemas if not schema.equals(first))
    field = next(field for field in schema if not field.type.equals(first.field(field.name).type))
    given = f"{file.name}: column {shown(field.name)} holds {field.type}, but {first.field(field.name).type} in {schemas[0][0].name}"
    return BadInput(f"{given}; give all files the same types (the cells of a CSV file are text)")


def widened(schemas: Sequence[pa.Schema]) -> dict[str, list[str]]:
    """In single precision 0.1 is another number than in double precision, and a whole number of 17 digits is none in either."""
    found = {}
    for name in schemas[0].names:
        types = [held for held in dict.fromkeys(schema.field(name).type for schema in schemas) if not pa.types.is_null(held)]
        if len(types) > 1 and any(map(pa.types.is_floating, types)):
            found[name] = list(map(str, types))
    return found


def sha256(files: Sequence[Path]) -> str:
    """Of the files' names and bytes, in their order."""
    return sha256_of(files, map(digest, files))


def digest(file: Path) -> bytes:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()


def sha256_of(files: Sequence[Path], digests: Iterable[bytes]) -> str:
    """Of the files' names and what `digest` says of each."""
    together = hashlib.sha256()
    for file, one in zip(files, digests, strict=True):
        together.update(file.name.encode() + b"\0" + one)
    return together.hexdigest()
