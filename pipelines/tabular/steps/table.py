"""Reads the data: one CSV or Parquet file, or a folder of them, as columns.

Input: a path. Output: a `Table` of pyarrow columns with where each row came from, and the hash of the bytes.
Which files are read and how: `table_files.py`; what cells are: `column_values.py`. A table that is larger than `MOST_BYTES_IN_MEMORY` is
read a batch at a time into columns on disk (`large_files.py`), where the caller has a folder for it. Next: `contract.py` checks the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import csv_files
import large_files
import numpy as np
import pyarrow as pa
import table_files
from column_store import Arrays, Columns
from column_values import codes_of_chunks, floats_of_chunks
from column_values import floats as floats
from column_values import labels as labels
from features import Floats, Labels
from numpy.typing import NDArray
from table_files import SHOWN_COLUMNS as SHOWN_COLUMNS
from table_files import parts as parts
from table_files import sha256 as sha256

#: As many places of a finding are shown.
SHOWN_ROWS = 5
#: Of all files together: of CSV as they are, of Parquet, which is packed, eight for a cell.
MOST_BYTES_IN_MEMORY = 1 << 26
#: A column of categories with more is refused anyway (column_checks.py), and all of its values need not be held for it.
MOST_CATEGORIES_TOLD_APART = 100_000


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

    columns: Columns
    sources: tuple[Source, ...]
    sha256: str
    widened: dict[str, list[str]] = field(default_factory=dict)
    left: NDArray[np.int64] | None = None
    arrays: Arrays = field(default_factory=Arrays, repr=False, compare=False)
    remembered: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def rows(self) -> int:
        return int(self.columns.num_rows)

    def numbers(self, name: str) -> Floats:
        """`floats` of a column, which is read once."""
        return self.arrays.get(f"number {name}", lambda: floats_of_chunks(self.columns[name]))

    def categories(self, name: str) -> Labels:
        """`labels` of a column, which is read once. Raises TooManyError, too."""
        codes = self.arrays.get(f"category {name}", lambda: self._codes(name))
        return list(self.remembered[name]), codes

    def _codes(self, name: str) -> Iterator[NDArray[np.int64]]:
        distinct = self.remembered[name] = dict[str | None, int]()
        return codes_of_chunks(self.columns[name], distinct, MOST_CATEGORIES_TOLD_APART)

    @property
    def rows_of_files(self) -> list[slice]:
        """Where the rows of each of `sources` are."""
        ends = np.cumsum([0, *(source.rows for source in self.sources)])
        bounds = (ends if self.left is None else np.searchsorted(self.left, ends)).tolist()
        return [slice(begun, end) for begun, end in pairwise(bounds)]

    def without(self, rows: Sequence[int]) -> Table:
        """The table without some of its rows; the others are found where they are."""
        stays = np.ones(self.rows, dtype=bool)
        stays[list(rows)] = False
        left = np.arange(self.rows) if self.left is None else self.left
        others = self.columns.filter(pa.array(stays))
        return Table(others, self.sources, self.sha256, self.widened, left[stays], self.arrays.further())

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


def read(path: str | Path, scratch: Path | None = None) -> Table:
    """All CSV and Parquet files that were uploaded to `path`, in the order of their names. Raises BadInput naming the file.

    What production learned is beside them (sources.py), and is read by learned_rows.py. `scratch`: a folder, which the caller removes,
    for a table that is too large for memory; None for a table that fits.
    """
    files = table_files.listed(Path(path))
    if scratch is not None and table_files.exceed(files, MOST_BYTES_IN_MEMORY):
        return _read_large(files, scratch)
    parts = [table_files.read(file) for file in files]
    origins = tuple(Source(file, part.num_rows) for file, part in zip(files, parts, strict=True))
    return Table(_together(files, parts), origins, sha256(files), table_files.widened([part.schema for part in parts]))


def _read_large(files: Sequence[Path], scratch: Path) -> Table:
    heads = large_files.judged(files, scratch)
    with ThreadPoolExecutor(1) as hashing:
        digest = hashing.submit(sha256, files)
        columns, rows = large_files.store(heads, scratch)
    widened = table_files.widened([head.schema for head in heads])
    return Table(columns, tuple(map(Source, files, rows)), digest.result(), widened, arrays=Arrays(scratch / "arrays"))


def _together(files: Sequence[Path], parts: Sequence[pa.Table]) -> pa.Table:
    table_files.require_same_names([(file, part.column_names) for file, part in zip(files, parts, strict=True)])
    try:
        return pa.concat_tables(parts, promote_options="permissive").combine_chunks()
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        raise table_files.different_types([(file, part.schema) for file, part in zip(files, parts, strict=True)]) from None
