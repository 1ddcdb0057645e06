"""Rows that are no observations: a second header, a note, an empty line, a total. They explain what other checks would complain of.

Input: a `Table` that has the columns of the model's file. Output: findings, each with its rows; `contract.py` puts them first, and
judges the table without these rows.
"""

from __future__ import annotations

from collections.abc import Iterator

import number_texts
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from allowed import in_digits
from cells import WHITE_SPACE, shown
from column_values import UnreadableError, is_text
from features import Labels
from findings import Finding, listed
from numpy.typing import NDArray
from specification import Specification
from table import Table

#: What a spreadsheet calls a row that sums up the others.
TOTALS = frozenset(
    {"total", "totals", "grand total", "subtotal", "sub total", "sum", "average", "mean", "total general", "suma", "summe", "gesamt"}
)
#: More rows of a kind than this share, and than a few, are what the data are.
MOST = 0.02
FEW = 3
#: A value this many times as far from all others as they are from each other is no observation like them.
FAR = 100.0
FEWEST_ROWS_FOR_TOTALS = 20


def foreign(table: Table, specification: Specification) -> Iterator[Finding]:
    """Rows that cannot be observations: column names once more, text wherever a number belongs, a note, nothing at all."""
    given = {name: table.columns[name] for name in _columns(specification)}
    repeated = _where(pc.equal(pc.utf8_trim(cells, WHITE_SPACE), name) for name, cells in given.items() if is_text(cells.type))
    if len(repeated) and all(is_text(cells.type) for cells in given.values()):
        yield Finding("", "the column names again; remove them, such as where files were joined", repeated)
    else:
        yield from _second_header(table, specification)
    present = np.sum([np.asarray(pc.is_valid(cells)) for cells in given.values()], axis=0)
    empty = np.flatnonzero(present == 0).tolist()
    if 0 < len(empty) < table.rows:
        yield Finding("", f"empty row{'s' if len(empty) > 1 else ''}; remove {'them' if len(empty) > 1 else 'it'}", empty)
    has_answer = np.asarray(pc.is_valid(given[specification.target]))
    notes = np.flatnonzero((present == 1) & ~has_answer).tolist() if len(given) > 2 else []
    if _are_few(len(notes), table):
        for row in notes:
            text = next(cells[row].as_py() for cells in given.values() if cells[row].is_valid)
            yield Finding("", f"a row of one cell, {shown(text)}, without an answer: a note, and no observation; remove it", [row])


def _second_header(table: Table, specification: Specification) -> Iterator[Finding]:
    """A line of units or of names in words, by a word in every column of numbers; one such column alone is no sign."""
    texts: list[dict[int, str]] = []
    for name in _numbers(specification):
        try:
            table.numbers(name)
            return
        except UnreadableError as error:
            texts.append(dict(zip(error.rows, error.texts, strict=True)))
    rows = sorted(set.intersection(*map(set, texts))) if len(texts) > 1 else []
    if _are_few(len(rows), table):
        for row in rows:
            cells = [found[row] for found in texts]
            if all(map(_is_word, cells)):
                problem = f"text in every column of numbers, {listed(cells)}: a second header or a note, and no observation; remove it"
                yield Finding("", problem, [row])


def _is_word(text: str) -> bool:
    """What is nothing like a number: no kind that is known, and no digit where it begins. m2 and °C are such words."""
    return number_texts.of(text) == number_texts.ANY and not text.strip(WHITE_SPACE)[:1].isdigit()


def totals(table: Table, specification: Specification) -> Iterator[tuple[Finding, bool]]:
    """A row of sums or means at the end of a spreadsheet, and whether it is one for sure; or a value in another unit. All are warnings:

    - A category, a class or the identifier is called Total or the like, in few rows; or a number is ten times the largest of all
      others and equal to their sum. This is a total.
    - One number is far outside of all others: `FAR` times the distance between their smallest and largest. Of heavy-tailed
      columns (incomes, city sizes) the largest value is rarely that far.
    """
    reasons: dict[int, list[str]] = {}
    certain: set[int] = set()
    for name in _columns(specification):
        if name in _numbers(specification):
            for row, reason, is_sum in _far(name, table):
                reasons.setdefault(row, []).append(reason)
                certain |= {row} if is_sum else set()
            continue
        distinct, codes = _labels(table, name)
        called = [code for code, value in enumerate(distinct) if value is not None and value.casefold().rstrip(" :.") in TOTALS]
        rows = np.flatnonzero(np.isin(codes, called)).tolist()
        if len(rows) <= max(1, MOST * table.rows):
            for row in rows:
                reasons.setdefault(row, []).append(f"{name} is {distinct[codes[row]]!r}")
                certain.add(row)
    for row, found in sorted(reasons.items()):
        problem = f"a row unlike all others, perhaps a total: {', '.join(found)}; remove it if it is no observation"
        yield Finding("", problem, [row], is_error=False), row in certain


def _far(name: str, table: Table) -> Iterator[tuple[int, str, bool]]:
    """Of each file and of all: the row of the value farthest outside, what is wrong with it, and whether it is the sum of the others."""
    try:
        values = table.numbers(name)
    except UnreadableError:
        return
    found: dict[int, tuple[str, bool]] = {}
    file_of = table.file_of_row
    of_files = [np.flatnonzero(file_of == file) for file in range(len(table.sources))] if len(table.sources) > 1 else []
    for rows in (np.arange(table.rows), *of_files):
        present = rows[np.isfinite(values[rows])]
        if len(present) >= FEWEST_ROWS_FOR_TOTALS:
            row = int(present[np.argmax(np.abs(values[present] - np.median(values[present])))])
            reason, is_sum = _of_value(float(values[row]), values[present[present != row]])
            if reason:
                found.setdefault(row, (f"{name} is {in_digits(float(values[row]))}, {reason}", is_sum))
    yield from ((row, *said) for row, said in found.items())


def _of_value(value: float, others: NDArray[np.float64]) -> tuple[str, bool]:
    with np.errstate(over="ignore"):  # infinite sums and distances are no reason, and compare as they should
        span, total = float(np.ptp(others)), float(others.sum())
        distance = max(float(others.min()) - value, value - float(others.max()))
    if np.isclose(value, total, rtol=1e-3, atol=0) and abs(value) > 10 * float(np.abs(others).max()) > 0:
        return "the sum of all others", True
    if span > 0 and distance > FAR * span:
        return f"{distance / span:.0f} times as far from the others as they are from each other", False
    return "", False


def _columns(specification: Specification) -> list[str]:
    return [*specification.features, specification.target, *([specification.identifier] if specification.identifier else [])]


def _numbers(specification: Specification) -> list[str]:
    return [*specification.numeric, *([specification.target] if specification.problem == "regression" else [])]


def _labels(table: Table, name: str) -> Labels:
    try:
        return table.categories(name)
    except UnreadableError:
        return [], np.zeros(table.rows, dtype=np.int64)


def _where(conditions: Iterator[pa.ChunkedArray]) -> list[int]:
    """The rows in which every condition holds."""
    held = [np.asarray(pc.fill_null(condition, False)) for condition in conditions]
    return np.flatnonzero(np.all(held, axis=0)).tolist() if held else []


def _are_few(count: int, table: Table) -> bool:
    return 0 < count <= max(FEW, MOST * table.rows) and count < table.rows
