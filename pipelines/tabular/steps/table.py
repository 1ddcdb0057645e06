"""Reads the data: one CSV or Parquet file, or a folder of them, as columns.

Input: a path. Output: a `Table` of pyarrow columns with where each row came from, and the hash of the bytes.
Next: `contract.py` checks it.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from cells import MISSING, category
from failure import BadInput
from numpy.typing import NDArray

SUFFIXES = (".csv", ".parquet")


@dataclass(frozen=True)
class Source:
    name: str
    rows: int


@dataclass(frozen=True)
class Table:
    """Columns by name, the files they came from in order, and the SHA-256 of those files' names and bytes."""

    columns: pa.Table
    sources: tuple[Source, ...]
    sha256: str

    @property
    def rows(self) -> int:
        return int(self.columns.num_rows)

    def locate(self, row: int) -> str:
        """Where row `row` (from 0) is, as a person finds it: `part.csv line 12` or `part.parquet row 11`."""
        for source in self.sources:
            if row < source.rows:
                return f"{source.name} line {row + 2}" if source.name.lower().endswith(".csv") else f"{source.name} row {row + 1}"
            row -= source.rows
        raise IndexError(row)


def read(path: str | Path) -> Table:
    """All CSV and Parquet files at `path`, in the order of their names. Raises BadInput naming the file."""
    files = _files(Path(path))
    parts = [_read_file(file) for file in files]
    names = parts[0].column_names
    for file, part in zip(files, parts, strict=True):
        if part.column_names != names:
            different = sorted(set(names) ^ set(part.column_names)) or ["their order"]
            raise BadInput(f"{file.name}: columns differ from {files[0].name}: {', '.join(different)}; give all files the same header")
    sources = tuple(Source(file.name, part.num_rows) for file, part in zip(files, parts, strict=True))
    return Table(_together(files, parts), sources, _sha256(files))


def _together(files: Sequence[Path], parts: Sequence[pa.Table]) -> pa.Table:
    try:
        return pa.concat_tables(parts, promote_options="permissive").combine_chunks()
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        first = parts[0].schema
        file, part = next((file, part) for file, part in zip(files, parts, strict=True) if not part.schema.equals(first))
        field = next(field for field in part.schema if not field.type.equals(first.field(field.name).type))
        given = f"{file.name}: column {field.name!r} holds {field.type}, but {first.field(field.name).type} in {files[0].name}"
        raise BadInput(f"{given}; give all files the same types (the cells of a CSV file are text)") from None


def floats(column: pa.ChunkedArray | pa.Array) -> NDArray[np.float64]:
    """A numeric column as float64 with NaN for missing. Raises pyarrow's ArrowInvalid for text that is no number."""
    if pa.types.is_boolean(column.type):
        raise pa.ArrowInvalid("booleans are not numbers")
    if pa.types.is_string(column.type):
        # The same texts are missing as in a request: compare `cells.number`.
        trimmed = pc.utf8_trim_whitespace(column)
        column = pc.if_else(pc.is_in(trimmed, value_set=pa.array(sorted(MISSING))), pa.scalar(None, pa.string()), trimmed)
    values = (
        column.cast(pa.float64()).to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else column.cast(pa.float64()).to_numpy()
    )
    return np.asarray(values, dtype=np.float64)


def labels(column: pa.ChunkedArray | pa.Array) -> tuple[Sequence[str | None], NDArray[np.int64]]:
    """A categorical column as its distinct values and, for each row, the index of its value."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    encoded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode(null_encoding="encode")
    raw = [category(value) for value in encoded.dictionary.to_pylist()]
    indices = encoded.indices.fill_null(len(raw)).to_numpy(zero_copy_only=False).astype(np.int64)
    values: list[str | None] = [*raw, None]
    distinct = list(dict.fromkeys(values))
    position = {value: index for index, value in enumerate(distinct)}
    return distinct, np.array([position[value] for value in values], dtype=np.int64)[indices]


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise BadInput(f"no data at {path.name!r}; upload a .csv or .parquet file to the prefix that InputDataUrl names")
    files = sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith((".", "_")))
    data = [file for file in files if file.suffix.lower() in SUFFIXES]
    other = [file.name for file in files if file.suffix.lower() not in SUFFIXES]
    if other:
        raise BadInput(f"{other[0]} is neither .csv nor .parquet; keep only data files in the prefix that InputDataUrl names")
    if not data:
        raise BadInput("no .csv or .parquet file in the data folder; upload one to the prefix that InputDataUrl names")
    return data


def _read_file(file: Path) -> pa.Table:
    if file.suffix.lower() not in SUFFIXES:
        raise BadInput(f"{file.name} is neither .csv nor .parquet; convert it")
    if file.stat().st_size == 0:
        raise BadInput(f"{file.name} is empty (0 bytes); upload it again")
    table = _read_csv(file) if file.suffix.lower() == ".csv" else _read_parquet(file)
    repeated = sorted({name for name in table.column_names if table.column_names.count(name) > 1})
    if repeated:
        raise BadInput(f"{file.name}: column {repeated[0]!r} appears twice; rename one")
    return table


def _read_csv(file: Path) -> pa.Table:
    """Every column as text: what a cell means is decided in one place, `cells.py`."""
    from pyarrow import csv

    try:
        with csv.open_csv(file) as head:
            names = head.schema.names
        return csv.read_csv(
            file,
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), null_values=sorted(MISSING), strings_can_be_null=True
            ),
        )
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise BadInput(f"{file.name}: {_csv_problem(file, error)}") from None


def _csv_problem(file: Path, error: Exception) -> str:
    content = file.read_bytes()
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as problem:
        line = content.count(b"\n", 0, problem.start) + 1
        return f"line {line} is not UTF-8 (byte {content[problem.start]:#x}); save the file as UTF-8"
    if "Empty CSV file" in str(error):
        return f"{'there is no row below the header' if content.strip() else 'there is no header line'}; upload it again"
    wrong = _first_wrong_row(file)
    if wrong is None:
        return f"not a CSV table: {str(error).splitlines()[0]}"
    hint = "separate cells with commas, and put text with a comma in double quotes"
    return f"line {wrong.number} has {wrong.actual_columns} cells, the header {wrong.expected_columns}; {hint}"


def _first_wrong_row(file: Path) -> Any:
    """The first row with another number of cells than the header: pyarrow's InvalidRow, or None."""
    from pyarrow import csv

    found: list[Any] = []

    def keep(row: Any) -> str:
        found.append(row)
        return "error"

    with contextlib.suppress(pa.ArrowInvalid):
        csv.read_csv(
            file,
            read_options=csv.ReadOptions(use_threads=False),  # only then are rows numbered
            parse_options=csv.ParseOptions(newlines_in_values=True, invalid_row_handler=keep),
        )
    return found[0] if found else None


def _read_parquet(file: Path) -> pa.Table:
    from pyarrow import parquet

    try:
        return parquet.read_table(file)
    except (pa.ArrowInvalid, OSError):
        raise BadInput(f"{file.name} is not a Parquet file, or a part of it is missing; upload it again") from None


def _sha256(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0")
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
