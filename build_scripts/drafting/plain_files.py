"""Writes a file as training reads it: CSV in UTF-8, cells separated by commas, decimals with a point.

Input: a .csv, .csv.gz, .parquet or .xlsx file, or a folder of them. Output: `Plain`, the very files where they are so already. What the
steps refuse they refuse in their own words, when the table is read. Next: `columns.py`.
"""

from __future__ import annotations

import csv
import datetime
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from build_scripts.command_line import ProblemError
from build_scripts.drafting import layout
from build_scripts.drafting.layout import Layout, bad_input
from build_scripts.step_modules import load

SUFFIXES = (".csv", ".csv.gz", ".parquet", ".xlsx")
_ALLOWED = "give a .csv, .csv.gz, .parquet or .xlsx file, or a folder of them"
Converter = Callable[[str], str]


@dataclass(frozen=True)
class Plain:
    """`path`: a file, or a folder. `is_copy`: it was written anew, below the folder given for that. `said`: how files are written."""

    path: Path
    is_copy: bool
    is_text: bool  # all of it, so that it can be written anew
    said: list[str] = field(default_factory=list)


def of(path: Path, folder: Path) -> Plain:
    """Raises ProblemError, or BadInput of the steps. What is written anew is below `folder`, which is the caller's to remove."""
    files = _listed(path)
    layouts = {file: layout.of(file) for file in files if _kind(file) in (".csv", ".csv.gz")}
    said = list(dict.fromkeys([found.in_words for found in layouts.values()]))
    said += ["the first sheet of an Excel workbook"] * any(_kind(file) == ".xlsx" for file in files)
    is_text = all(_kind(file) != ".parquet" for file in files)
    said += ["Parquet"] * (not is_text)
    if all(_kind(file) == ".parquet" or (file in layouts and layouts[file].is_plain and not _is_padded(file)) for file in files):
        return Plain(path, is_copy=False, is_text=is_text, said=said)
    target = folder / _stem(path) if path.is_dir() else folder
    target.mkdir(parents=True, exist_ok=True)
    written = [_written(file, layouts.get(file), target) for file in files]
    return Plain(target if path.is_dir() else written[0], is_copy=True, is_text=is_text, said=said)


def rewrite(plain: Plain, folder: Path, converters: Mapping[str, Converter]) -> Plain:
    """CSV files with some columns converted, cell by cell."""
    files = _listed(plain.path)
    target = folder / "converted" / (plain.path.name if plain.path.is_dir() else "")
    target.mkdir(parents=True)
    for file in files:
        _write(target / file.name, _converted(_records(file, Layout()), converters))
    return Plain(target if plain.path.is_dir() else target / plain.path.name, is_copy=True, is_text=True, said=plain.said)


def _listed(path: Path) -> list[Path]:
    if path.is_file():
        if not _kind(path):
            load("table_files").require_kind(path)
        return [path]
    if not path.is_dir():
        raise ProblemError(f"{path} is neither a file nor a folder; {_ALLOWED}")
    files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith((".", "_")))
    other = [file.name for file in files if not _kind(file)]
    if other or not files:
        raise ProblemError(f"{path} has {f'{other[0]}, which is no table' if other else 'no file'}; {_ALLOWED}")
    return files


def _kind(file: Path) -> str:
    return next((suffix for suffix in SUFFIXES if file.name.lower().endswith(suffix)), "")


def _stem(file: Path) -> str:
    return file.name[: len(file.name) - len(_kind(file))]


def _is_padded(file: Path) -> bool:
    """Names are exact in requests, so that white space around them would have to be sent."""
    return any(name != name.strip() for name in load("csv_files").names(file))


def _written(file: Path, found: Layout | None, folder: Path) -> Path:
    if _kind(file) == ".parquet":
        (folder / file.name).symlink_to(file.resolve())
        return folder / file.name
    target = folder / f"{_stem(file)}.csv"
    if target.exists():
        raise ProblemError(f"{file.parent} has two files that are {_stem(file)}.csv as plain text; remove one of them")
    rows = _sheet(file) if found is None else _records(file, found)
    _write(target, ([cell.strip() for cell in row] if place == 0 else row for place, row in enumerate(rows)))
    return target


def _write(target: Path, rows: Iterable[Sequence[str]]) -> None:
    with target.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)


def _records(file: Path, found: Layout) -> Iterator[list[str]]:
    with layout.opened(file, found.encoding, is_compressed=found.is_compressed) as stream, _cells_of_any_length():
        reader, begun = csv.reader(stream, delimiter=found.delimiter, strict=True), 1
        try:
            for record in reader:
                if record:
                    yield record
                begun = reader.line_num + 1
        except csv.Error as error:
            what = "opens a double quote that nothing closes" if "unexpected end" in str(error) else f"is malformed ({error})"
            raise bad_input(f'{file.name}: the row on line {begun} {what}; close it, or double it ("") where it is text') from None


@contextmanager
def _cells_of_any_length() -> Iterator[None]:
    longest = csv.field_size_limit(sys.maxsize)  # as csv_files.py reads
    try:
        yield
    finally:
        csv.field_size_limit(longest)


def _converted(rows: Iterator[list[str]], converters: Mapping[str, Converter]) -> Iterator[list[str]]:
    header = next(rows)
    by_place = {place: converters[name] for place, name in enumerate(header) if name in converters}
    yield header
    for row in rows:
        yield [by_place[place](cell) if place in by_place else cell for place, cell in enumerate(row)]


def _sheet(file: Path) -> Iterator[list[str]]:
    """The rows of the first sheet, without those and the columns beside the table that are empty."""
    try:
        from openpyxl import load_workbook
    except ImportError:
        advice = "`.venv/bin/python -m pip install openpyxl` reads it, or save the sheet as 'CSV UTF-8' in Excel"
        raise ProblemError(f"{file.name} is an Excel workbook; {advice}") from None
    try:
        book = load_workbook(file, read_only=True, data_only=True)
    except Exception as error:  # whatever a damaged archive makes of it
        raise ProblemError(f"{file.name} is not an Excel workbook (.xlsx), or a part of it is missing: {error}") from error
    width = 0
    for row in book.worksheets[0].iter_rows(values_only=True):
        cells = list(map(_cell, row))
        width = width or max((place for place, cell in enumerate(cells, start=1) if cell), default=0)
        if any(cells):
            yield cells[:width] + [""] * (width - len(cells)) + [cell for cell in cells[width:] if cell]
    book.close()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        value = value.date()
    return value.isoformat() if isinstance(value, datetime.date | datetime.time) else str(value)
