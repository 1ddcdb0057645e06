"""Reads the data: one CSV or Parquet file, or a folder of them, as columns.

Input: a path. Output: a `Table` of pyarrow columns with where each row came from, and the hash of the bytes.
How a CSV file is read: `csv_files.py`; what cells are: `column_values.py`. Next: `contract.py` checks the table.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from pathlib import Path

import csv_files
import file_kinds
import numpy as np
import pyarrow as pa
import sources
from cells import shown
from column_values import floats as floats
from column_values import labels as labels
from column_values import plain
from failure import BadInput
from features import Floats, Labels
from numpy.typing import NDArray

SUFFIXES = (".csv", ".parquet")
#: As many places of a finding are shown.
SHOWN_ROWS = 5
SHOWN_COLUMNS = 20


@dataclass(frozen=True)
class Source:
    """A file and how many rows it has."""

    file: Path
    rows: int

    def place(self, row: int) -> str:
        """Row `row` (from 0) as a person finds it: `line 12` of a CSV file, `row 11` of another."""
        lines = self._lines
        return f"row {row + 1}" if lines is None else f"line {lines[row]}"

    @cached_property
    def _lines(self) -> Sequence[int] | None:
        return csv_files.first_lines(self.file, self.rows) if self.file.suffix.lower() == ".csv" else None


@dataclass(frozen=True)
class Table:
    """Columns by name, the files they came from in order, and the SHA-256 of those files' names and bytes.

    `widened`: the columns of numbers whose files hold different types, and those types. `left`: where some rows were taken out, the
    places of the others in the files, counted from 0 through all of them.
    """

    columns: pa.Table
    sources: tuple[Source, ...]
    sha256: str
    widened: dict[str, list[str]] = field(default_factory=dict)
    left: NDArray[np.int64] | None = None
    _numbers: dict[str, Floats] = field(default_factory=dict, repr=False, compare=False)
    _categories: dict[str, Labels] = field(default_factory=dict, repr=False, compare=False)

    @property
    def rows(self) -> int:
        return int(self.columns.num_rows)

    def numbers(self, name: str) -> Floats:
        """`floats` of a column, which is read once."""
        if name not in self._numbers:
            self._numbers[name] = floats(self.columns[name])
        return self._numbers[name]

    def categories(self, name: str) -> Labels:
        """`labels` of a column, which is read once."""
        if name not in self._categories:
            self._categories[name] = labels(self.columns[name])
        return self._categories[name]

    @property
    def file_of_row(self) -> NDArray[np.int64]:
        """The index of each row's file in `sources`."""
        files = np.repeat(np.arange(len(self.sources)), [source.rows for source in self.sources])
        return files if self.left is None else files[self.left]

    def without(self, rows: Sequence[int]) -> Table:
        """The table without some of its rows; the others are found where they are."""
        stays = np.ones(self.rows, dtype=bool)
        stays[list(rows)] = False
        left = np.arange(self.rows) if self.left is None else self.left
        return Table(self.columns.filter(pa.array(stays)), self.sources, self.sha256, self.widened, left[stays])

    def locate(self, row: int) -> str:
        """Where row `row` (from 0) is: `part.csv line 12` or `part.parquet row 11`."""
        return self.places([row])

    def places(self, rows: Sequence[int]) -> str:
        """Where rows are, the first few, each file named once: `a.csv line 3, line 7, b.csv line 2 and 12 more`."""
        found = groupby(map(self._find, rows[:SHOWN_ROWS]), key=lambda place: place[0])
        files = [f"{source.file.name} {', '.join(source.place(row) for _, row in places)}" for source, places in found]
        return ", ".join(files) + (f" and {len(rows) - SHOWN_ROWS} more" if len(rows) > SHOWN_ROWS else "")

    def _find(self, row: int) -> tuple[Source, int]:
        row = row if self.left is None else int(self.left[row])
        for source in self.sources:
            if row < source.rows:
                return source, row
            row -= source.rows
        raise IndexError(row)


def read(path: str | Path) -> Table:
    """All CSV and Parquet files that were uploaded to `path`, in the order of their names. Raises BadInput naming the file.

    What production learned is beside them (sources.py), and is read by learned_rows.py.
    """
    files = _files(Path(path))
    parts = [_read_file(file) for file in files]
    names = parts[0].column_names
    for file, part in zip(files, parts, strict=True):
        if part.column_names != names:
            different = sorted(set(names) ^ set(part.column_names))
            listed = ", ".join(map(shown, different[:SHOWN_COLUMNS])) or "their order"
            raise BadInput(f"{file.name}: columns differ from {files[0].name}: {listed}; give all files the same header")
    origins = tuple(Source(file, part.num_rows) for file, part in zip(files, parts, strict=True))
    return Table(_together(files, parts), origins, sha256(files), _widened(parts))


def _together(files: Sequence[Path], parts: Sequence[pa.Table]) -> pa.Table:
    try:
        return pa.concat_tables(parts, promote_options="permissive").combine_chunks()
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        first = parts[0].schema
        file, part = next((file, part) for file, part in zip(files, parts, strict=True) if not part.schema.equals(first))
        field = next(field for field in part.schema if not field.type.equals(first.field(field.name).type))
        given = f"{file.name}: column {shown(field.name)} holds {field.type}, but {first.field(field.name).type} in {files[0].name}"
        raise BadInput(f"{given}; give all files the same types (the cells of a CSV file are text)") from None


def _widened(parts: Sequence[pa.Table]) -> dict[str, list[str]]:
    """In single precision 0.1 is another number than in double precision, and a whole number of 17 digits is none in either."""
    found = {}
    for name in parts[0].column_names:
        types = list(dict.fromkeys(part.schema.field(name).type for part in parts if not pa.types.is_null(part.schema.field(name).type)))
        if len(types) > 1 and any(map(pa.types.is_floating, types)):
            found[name] = list(map(str, types))
    return found


def _files(path: Path) -> list[Path]:
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


def parts(file: Path) -> Iterator[pa.RecordBatch]:
    """A CSV file a part at a time, each column as text. Raises BadInput naming the file."""
    _require_kind(file)
    yield from csv_files.parts(file)


def _read_file(file: Path) -> pa.Table:
    _require_kind(file)
    return csv_files.read(file) if file.suffix.lower() == ".csv" else _read_parquet(file)


def _require_kind(file: Path) -> None:
    if file.stat().st_size == 0:
        raise BadInput(f"{file.name} is empty (0 bytes); upload it again")
    what, remedy = file_kinds.mistaken(file) or ("", "")
    if file.suffix.lower() not in SUFFIXES:
        further = f", but {what}; {remedy}" if what else csv_files.under_another_name(file)
        raise BadInput(f"{file.name} is neither .csv nor .parquet{further}")
    is_csv = file.suffix.lower() == ".csv"
    if what:
        raise BadInput(f"{file.name} is not {'CSV' if is_csv else 'Parquet'}, but {what}; {remedy}")


def _read_parquet(file: Path) -> pa.Table:
    """Without dictionaries, in which the same values are another type."""
    from pyarrow import parquet

    try:
        table = parquet.read_table(file)
    except (pa.ArrowInvalid, OSError):
        raise BadInput(f"{file.name} is not a Parquet file, or a part of it is missing; upload it again") from None
    repeated = [name for name, count in Counter(table.column_names).items() if count > 1]
    if repeated:
        raise BadInput(f"{file.name}: column {shown(repeated[0])} appears twice; rename one")
    dictionaries = [field.name for field in table.schema if pa.types.is_dictionary(field.type)]
    for name in dictionaries:
        table = table.set_column(table.column_names.index(name), name, plain(table[name]))
    return table


def sha256(files: Sequence[Path]) -> str:
    """Of the files' names and bytes, in their order."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0")
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
