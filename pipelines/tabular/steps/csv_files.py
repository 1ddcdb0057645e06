"""Reads a CSV file as columns of text, and says on which line of the file a row begins.

Input: a path. Output: a pyarrow table in which every column is text: what a cell means is decided in one place, `cells.py`.
Next: `table.py`. What is wrong with a file that is no table: `csv_layout.py`.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import csv_layout
import pyarrow as pa
from cells import MISSING
from failure import BadInput

#: pyarrow's own size. A row that is longer is read in one block, which is as large as its file.
_BLOCK_BYTES = 1 << 20
_LARGEST_BLOCK_BYTES = 2**31 - 1
#: Of what is read a part at a time; where a row is longer, parts become larger.
_PART_BYTES = 1 << 22
_LARGER = 16
_READ_BYTES = 1 << 24


def read(file: Path) -> pa.Table:
    """Every column as text, null where a cell is missing. Raises BadInput naming the file and the line."""
    try:
        columns = _read(file)
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise BadInput(f"{file.name}: {_unreadable(file, error)}") from None
    problem = csv_layout.of_names(columns.column_names, records(file), file.name) or _open_quote(file)
    if problem:
        raise BadInput(f"{file.name}: {problem}")
    return columns


def parts(file: Path) -> Iterator[pa.RecordBatch]:
    """The same a part at a time, for files that are larger than memory; what is wrong with one may be found at its end."""
    problem = csv_layout.of_names(names(file), records(file), file.name) or _open_quote(file)
    if problem:
        raise BadInput(f"{file.name}: {problem}")
    try:
        yield from _parts(file, _PART_BYTES)
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise BadInput(f"{file.name}: {_unreadable(file, error)}") from None


def _parts(file: Path, block_bytes: int, rows_known: int = 0) -> Iterator[pa.RecordBatch]:
    """From row `rows_known` on. pyarrow refuses a row that is longer than a block: then it goes on with larger ones."""
    known = rows_known
    try:
        with _opened(file, block_bytes) as reader:
            for part in reader:
                skipped = min(rows_known, part.num_rows)
                rows_known -= skipped
                if skipped < part.num_rows:
                    yield part.slice(skipped)
                    known += part.num_rows - skipped
    except pa.ArrowInvalid as error:
        if "straddl" not in str(error) or block_bytes >= min(file.stat().st_size + 1, _LARGEST_BLOCK_BYTES):
            raise
        yield from _parts(file, min(block_bytes * _LARGER, _LARGEST_BLOCK_BYTES), known)


def names(file: Path) -> list[str]:
    """The column names. Raises BadInput."""
    try:
        try:
            return _names(file, _PART_BYTES)
        except pa.ArrowInvalid:
            return _names(file, min(file.stat().st_size + 1, _LARGEST_BLOCK_BYTES))
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise BadInput(f"{file.name}: {_unreadable(file, error)}") from None


def _unreadable(file: Path, error: Exception) -> str:
    return _not_utf8(file) or _open_quote(file) or csv_layout.problem(records(file), str(error), file.name)


def _read(file: Path) -> pa.Table:
    try:
        return _columns(file, _BLOCK_BYTES)
    except pa.ArrowInvalid:
        if file.stat().st_size <= _BLOCK_BYTES:
            raise
        return _columns(file, min(file.stat().st_size + 1, _LARGEST_BLOCK_BYTES))


def _columns(file: Path, block_bytes: int) -> pa.Table:
    from pyarrow import csv as arrow

    return arrow.read_csv(file, **_options(file, block_bytes))


def _opened(file: Path, block_bytes: int) -> Any:
    from pyarrow import csv as arrow

    return arrow.open_csv(file, **_options(file, block_bytes))


def _names(file: Path, block_bytes: int) -> list[str]:
    from pyarrow import csv as arrow

    with arrow.open_csv(file, read_options=arrow.ReadOptions(block_size=block_bytes)) as head:
        return list(head.schema.names)


def _options(file: Path, block_bytes: int) -> dict[str, Any]:
    """Every column is text."""
    from pyarrow import csv as arrow

    reading, types = arrow.ReadOptions(block_size=block_bytes), dict.fromkeys(_names(file, block_bytes), pa.string())
    as_text = arrow.ConvertOptions(column_types=types, null_values=sorted(MISSING), strings_can_be_null=True)
    return {"read_options": reading, "parse_options": arrow.ParseOptions(newlines_in_values=True), "convert_options": as_text}


def records(file: Path) -> Iterator[tuple[int, list[str]]]:
    """(line on which it begins, cells) of each record that pyarrow reads, the column names first. Blank lines are none."""
    longest = csv.field_size_limit(sys.maxsize)  # its default would refuse a cell of more than 128 KiB
    try:
        with file.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
            reader = csv.reader(stream)
            line = 1
            for cells in reader:
                if cells:
                    yield line, cells
                line = reader.line_num + 1
    finally:
        csv.field_size_limit(longest)


def under_another_name(file: Path) -> str:
    """How a file of text that is not called .csv is laid out and what to do, for the end of a sentence; of other files what they may be."""
    first = list(islice(records(file), csv_layout.LOOKED_AT)) if not _not_utf8(file) else []
    delimiter = csv_layout.delimiter(first, file.name) if first else None
    if delimiter:
        return f"; {delimiter}"
    return "; give its name the ending .csv" if first and len(first[0][1]) > 1 else "; write the table as CSV or Parquet"


def first_lines(file: Path, rows: int) -> list[int] | range | None:
    """The line on which each of the file's `rows` rows begins; None if that cannot be told."""
    if _count(file, b"\n") == rows + 1:  # a line for each record, the column names included
        return range(2, rows + 2)
    lines = [line for line, _ in records(file)][1:]
    return lines if len(lines) == rows else None


def _count(file: Path, text: bytes) -> int:
    """How often it occurs; of line ends, the missing one after the last line too."""
    found, last = 0, b"\n"
    with file.open("rb") as stream:
        while block := stream.read(_READ_BYTES):
            found, last = found + block.count(text), block[-1:]
    return found + (text == b"\n" and last != b"\n")


def _not_utf8(file: Path) -> str | None:
    with file.open("rb") as stream:
        for number, line in enumerate(stream, start=1):  # no character has the byte of a line's end in it
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as problem:
                return f"line {number} is not UTF-8 (byte {line[problem.start]:#x}); save the file as UTF-8"
    return None


def _open_quote(file: Path) -> str | None:
    """A double quote without its partner swallows the rows after it, and they would be one long category."""
    if _count(file, b'"') % 2 == 0:
        return None
    begun = 1
    with file.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream, strict=True)
        try:
            for _ in reader:
                begun = reader.line_num + 1
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                return f'the row on line {begun} opens a double quote that nothing closes; close it, or double it ("") where it is text'
    return None
