"""Rows that are no observations: a second header, a note, an empty line, a total. They explain what other checks would complain of.

Input: a `Table` that has the columns of the model's file. Output: findings, each with its rows; `contract.py` puts them first, and
judges the table without these rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import identifiers
import number_texts
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from allowed import in_digits
from cells import WHITE_SPACE, shown
from column_values import TooManyError, UnreadableError, is_text
from findings import Finding, listed
from numpy.typing import NDArray
from odd_values import is_total
from specification import Specification
from table import Table

#: More rows of a kind than this share, and than a few, are what the data are.
MOST = 0.02
FEW = 3
#: A value this many times as far from all others as they are from each other is no observation like them.
FAR = 100.0
FEWEST_ROWS_FOR_TOTALS = 20


def foreign(table: Table, specification: Specification) -> Iterator[Finding]:
    """Rows that cannot be observations: column names once more, text wherever a number belongs, a note, nothing at all."""
    names = _columns(specification)
    repeated = _headers(table, names)
    if repeated:
        yield Finding("", "the column names again; remove them, such as where files were joined", repeated)
    else:
        yield from _second_header(table, specification)
    present = _present(table, names)
    empty = np.flatnonzero(present == 0).tolist()
    if 0 < len(empty) < table.rows:
        yield Finding("", f"empty row{'s' if len(empty) > 1 else ''}; remove {'them' if len(empty) > 1 else 'it'}", empty)
    has_answer = np.asarray(pc.is_valid(table.columns[specification.target]))
    notes = np.flatnonzero((present == 1) & ~has_answer).tolist() if len(names) > 2 else []
    if _are_few(len(notes), table):
        cells = {row: next(cell.as_py() for name in names if (cell := table.columns[name][row]).is_valid) for row in notes}
        for row, text in cells.items():
            yield Finding("", f"a row of one cell, {shown(text)}, without an answer: a note, and no observation; remove it", [row])


def _headers(table: Table, names: Sequence[str]) -> list[int]:
    """The rows in which every cell is the name of its column; none where a column holds no text."""
    if not all(is_text(table.columns.schema.field(name).type) for name in names):
        return []
    rows = np.arange(table.rows)
    for name in names:
        cells = table.columns[name] if len(rows) == table.rows else table.columns[name].take(pa.array(rows))
        rows = rows[np.asarray(pc.fill_null(pc.equal(pc.utf8_trim(cells, WHITE_SPACE), name), False))]
        if not len(rows):
            break
    return rows.tolist()  # type: ignore[no-any-return]  # of integers


def _present(table: Table, names: Sequence[str]) -> NDArray[Any]:
    """How many cells of each row are there."""
    present = np.zeros(table.rows, dtype=np.min_scalar_type(len(names)))
    for name in names:
        cells = table.columns[name]
        present += np.asarray(pc.is_valid(cells)) if cells.null_count else 1
    return present


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
        called = _called_totals(name, table, specification)
        if len(called) <= max(1, MOST * table.rows):
            for row, value in called.items():
                reasons.setdefault(row, []).append(f"{name} is {value!r}")
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
    files = table.rows_of_files if len(table.sources) > 1 else []
    for rows in (slice(0, table.rows), *files):
        if rows.stop - rows.start >= FEWEST_ROWS_FOR_TOTALS:
            place, reason, is_sum = _farthest(values[rows])
            if reason:
                row = rows.start + place
                found.setdefault(row, (f"{name} is {in_digits(float(values[row]))}, {reason}", is_sum))
    yield from ((row, *said) for row, said in found.items())


def _farthest(values: NDArray[np.float64]) -> tuple[int, str, bool]:
    """The value farthest from the median, which is the smallest or the largest: its place, and the reason where there is one."""
    is_finite = np.isfinite(values)
    present = values if is_finite.all() else values[is_finite]
    if len(present) < FEWEST_ROWS_FOR_TOTALS:
        return 0, "", False
    ends = [int(np.argmin(present)), int(np.argmax(present))]
    said = [_of_value(float(present[end]), (present[:end], present[end + 1 :])) for end in ends]
    if not any(reason for reason, _ in said):
        return 0, "", False
    middle = np.median(present)
    distances = [abs(float(present[end] - middle)) for end in ends]
    chosen = max((0, 1), key=lambda side: (distances[side], -ends[side]))
    return int(np.flatnonzero(is_finite)[ends[chosen]]), *said[chosen]


def _of_value(value: float, others: Sequence[NDArray[np.float64]]) -> tuple[str, bool]:
    """`others`: in parts."""
    lowest, highest = min(float(part.min(initial=np.inf)) for part in others), max(float(part.max(initial=-np.inf)) for part in others)
    largest = max(-lowest, highest)
    with np.errstate(over="ignore"):  # infinite sums and distances are no reason, and compare as they should
        if abs(value) > 10 * largest > 0 and np.isclose(value, sum(float(part.sum()) for part in others), rtol=1e-3, atol=0):
            return "the sum of all others", True
        span, distance = float(np.float64(highest) - lowest), max(lowest - value, value - highest)
    if span > 0 and distance > FAR * span:
        return f"{distance / span:.0f} times as far from the others as they are from each other", False
    return "", False


def _columns(specification: Specification) -> list[str]:
    return [*specification.features, specification.target, *([specification.identifier] if specification.identifier else [])]


def _numbers(specification: Specification) -> list[str]:
    return [*specification.numeric, *([specification.target] if specification.problem == "regression" else [])]


def _called_totals(name: str, table: Table, specification: Specification) -> dict[int, str]:
    """The rows whose category, class or identifier is the name of a total, and that name."""
    try:
        if name == specification.identifier:
            odd = identifiers.of(table, specification).odd
            return {row: value for value, rows in odd.items() if is_total(value) for row in rows}
        distinct, codes = table.categories(name)
    except (UnreadableError, TooManyError):
        return {}
    called = [code for code, value in enumerate(distinct) if value is not None and is_total(value)]
    rows = np.flatnonzero(np.isin(codes, called)).tolist() if called else []
    return {row: str(distinct[codes[row]]) for row in rows}


def _are_few(count: int, table: Table) -> bool:
    return 0 < count <= max(FEW, MOST * table.rows) and count < table.rows
