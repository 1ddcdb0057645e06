"""What is in each column of a table: counted over all rows, and looked at more closely in a fixed sample of them.

Input: a `table.Table` of the steps. Output: a `Column` for each, and `Sample`. What a cell means is decided by the steps
(column_values.py). Memory holds one column at a time. Next: `targets.py` and `roles.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from build_scripts.drafting.written_numbers import Way, are_thousands, ways
from build_scripts.step_modules import load

#: Evenly spaced rows, the first and the last among them.
MOST_SAMPLED_ROWS = 20_000
#: As many cells tell what a column of text holds.
_CELLS_LOOKED_AT = 2_000
#: Above so many, categories and numbers are not told apart one by one.
_MOST_VALUES, _MOST_NUMBERS = 10_000, 20


class Kind(StrEnum):
    NUMBER = "number"
    CATEGORY = "text"
    TRUTH = "truth value"
    DATE = "date"
    EMPTY = "empty"
    OTHER = "other"


@dataclass(frozen=True)
class Column:
    """`known`: cells that are not missing. `different`: of those. `values`: as categories, with their counts, where they are not too many.

    `example`: a cell as text. `held`: the type of a Parquet column. `counts_rows`: 0, 1, 2, ... or 1, 2, 3, ...
    """

    name: str
    kind: Kind
    rows: int
    known: int = 0
    different: int = 0
    lowest: float = np.nan
    highest: float = np.nan
    is_whole: bool = False
    values: Mapping[str, int] | None = None
    example: str = ""
    held: str = ""
    counts_rows: bool = False

    @property
    def is_constant(self) -> bool:
        return self.different == 1 and self.known == self.rows

    @property
    def is_unique(self) -> bool:
        return self.rows > 1 and self.different == self.known == self.rows

    @property
    def are_two_numbers(self) -> bool:
        """0 and 1, and nothing else."""
        return self.kind is Kind.NUMBER and set(self.values or ()) == {"0", "1"}


@dataclass(frozen=True)
class Sample:
    """Some rows of the table, by their places. `numbers`: NaN where missing. `categories`: codes, -1 where missing."""

    places: NDArray[np.int64]
    of_rows: int
    numbers: Mapping[str, NDArray[np.float64]]
    categories: Mapping[str, NDArray[np.int64]]

    @property
    def rows(self) -> int:
        return len(self.places)

    @property
    def in_words(self) -> str:
        return "all rows" if self.rows == self.of_rows else f"{self.rows:,} evenly spaced rows of {self.of_rows:,}"

    def codes(self, name: str) -> NDArray[np.int64]:
        """Equal for equal values, in the order in which they come: two columns that say the same have the same."""
        values = self.numbers[name] if name in self.numbers else self.categories[name].astype(np.float64)
        _, first, inverse = np.unique(values, return_index=True, return_inverse=True)
        return np.asarray(np.argsort(np.argsort(first))[inverse], dtype=np.int64)


def rewritten(table: Any) -> dict[str, Way]:
    """The columns of text whose numbers are not written as programs write them, and how they are."""
    may_be = {name: ways(few) for name in table.columns.column_names if (few := _few_texts(table, name))}
    are_plain = [name for name, possible in may_be.items() if Way.PLAIN in possible and _are_numbers(table, name)]
    found = {name: ways(_texts(table, name)) for name, possible in may_be.items() if possible and name not in are_plain}
    has_commas = {Way.COMMA} in found.values()
    chosen = {name: Way.COMMA for name in are_plain if has_commas and are_thousands(_texts(table, name))}
    for name, possible in found.items():
        if Way.PLAIN in possible:  # beside signs for a missing value
            chosen[name] = Way.COMMA if has_commas and are_thousands(_texts(table, name)) else Way.PLAIN
        elif possible:
            preferred = Way.COMMA if has_commas else Way.POINT
            chosen[name] = preferred if preferred in possible else next(iter(possible))
    return {name: chosen[name] for name in may_be if name in chosen}


def _few_texts(table: Any, name: str) -> list[str]:
    """Most columns of words are no numbers at a glance. None of a column that holds no text."""
    return _few(table, name) if load("column_values").is_text(table.columns.schema.field(name).type) else []


def _are_numbers(table: Any, name: str) -> bool:
    try:
        table.numbers(name)
    except load("column_values").UnreadableError:
        return False
    return True


def _texts(table: Any, name: str) -> Iterator[str]:
    for part in load("column_values").chunks(table.columns[name]):
        yield from pc.unique(pc.utf8_trim(part.drop_null(), characters=load("cells").WHITE_SPACE)).to_pylist()


def _few(table: Any, name: str) -> list[str]:
    """Cells of a column of text, evenly spaced."""
    cells = table.columns[name]
    places = np.unique(np.linspace(0, max(len(cells) - 1, 0), min(_CELLS_LOOKED_AT, len(cells))).astype(np.int64))
    taken = load("column_values").plain(cells.take(pa.array(places)))
    white_space = load("cells").WHITE_SPACE
    return [text.strip(white_space) for text in taken.drop_null().to_pylist()]


def of(table: Any) -> list[Column]:
    """Every column of the table, in its order."""
    return [_column(table, name) for name in table.columns.column_names]


def _column(table: Any, name: str) -> Column:
    held, values = table.columns.schema.field(name).type, load("column_values")
    held = values.plain(table.columns[name].slice(0, 0)).type
    if table.columns[name].null_count == table.rows:
        return Column(name, Kind.EMPTY, table.rows)
    if pa.types.is_temporal(held):
        return Column(name, Kind.DATE, table.rows, held=str(held), example=str(table.columns[name].drop_null()[0]))
    if pa.types.is_boolean(held):
        return _categories(table, name, Kind.TRUTH)
    if values.is_text(held):
        return _of_text(table, name)
    if pa.types.is_integer(held) or pa.types.is_floating(held) or pa.types.is_decimal(held):
        return _numbers(table, name)
    return Column(name, Kind.OTHER, table.rows, held=str(held))


def _of_text(table: Any, name: str) -> Column:
    """Numbers, unless some have leading zeros, which codes have; dates; or words."""
    few, cells = _few(table, name), load("cells")
    present = [text for text in few if text not in cells.MISSING]
    if not present:
        return Column(name, Kind.EMPTY, table.rows) if not _known(table, name) else _categories(table, name, Kind.CATEGORY)
    numbers = [text for text in present if cells.NUMBER.fullmatch(text)]
    if 2 * len(numbers) > len(present) and not any(map(_has_leading_zero, _texts(table, name))):
        return _numbers(table, name)
    dates = load("number_texts").DATE
    if all(map(dates.fullmatch, present)):
        return Column(name, Kind.DATE, table.rows, known=_known(table, name), example=present[0])
    return _categories(table, name, Kind.CATEGORY)


def _has_leading_zero(text: str) -> bool:
    return len(text) > 1 and text[0] == "0" and text.isdigit()


def _known(table: Any, name: str) -> int:
    missing = load("cells").MISSING
    return sum(text not in missing for text in _texts(table, name))


def _numbers(table: Any, name: str) -> Column:
    """Cells that are no numbers are the contract's to refuse, with their lines: here they are missing."""
    values = _floats(table, name)
    known = values[np.isfinite(values)]
    if not len(known):
        return Column(name, Kind.EMPTY, table.rows)
    different = len(np.unique(known))
    return Column(
        name,
        Kind.NUMBER,
        table.rows,
        known=len(known),
        different=different,
        values=_categories(table, name, Kind.NUMBER).values if different <= _MOST_NUMBERS else None,
        lowest=float(known.min()),
        highest=float(known.max()),
        is_whole=bool(np.all(known == np.floor(known))),
        example=f"{known[0]:.10g}",
        counts_rows=load("header_checks").counts_rows(table, name),
    )


def _floats(table: Any, name: str) -> NDArray[np.float64]:
    values = load("column_values")
    try:
        return np.asarray(table.numbers(name))
    except values.UnreadableError as error:
        wrong = np.zeros(table.rows, dtype=bool)
        wrong[list(error.rows)] = True
        left = pc.if_else(pa.array(wrong), pa.scalar(None, pa.string()), table.columns[name].cast(pa.string()).combine_chunks())
        return np.asarray(values.floats(left))


def _categories(table: Any, name: str, kind: Kind) -> Column:
    values = load("column_values")
    try:
        distinct, codes = table.categories(name)
    except values.TooManyError as error:
        known = table.rows - table.columns[name].null_count
        return Column(name, kind, table.rows, known=known, different=error.different, example=_few(table, name)[0])
    except values.UnreadableError as error:
        return Column(name, Kind.OTHER, table.rows, example=error.texts[0])
    counts = np.bincount(codes, minlength=len(distinct)).tolist()
    present = {value: count for value, count in zip(distinct, counts, strict=True) if value is not None}
    if not present:
        return Column(name, Kind.EMPTY, table.rows)
    return Column(
        name,
        kind,
        table.rows,
        known=sum(present.values()),
        different=len(present),
        values=present if len(present) <= _MOST_VALUES else None,
        example=next(iter(present)),
    )


def sample(table: Any, columns: list[Column]) -> Sample:
    """The columns of numbers and of categories that are not too many, in the same rows."""
    places = np.unique(np.linspace(0, table.rows - 1, min(MOST_SAMPLED_ROWS, table.rows)).astype(np.int64))
    numbers, categories = {}, {}
    for column in columns:
        if column.kind is Kind.NUMBER:
            values = _floats(table, column.name)[places]
            numbers[column.name] = np.where(np.isfinite(values), values, np.nan)
        elif column.values is not None:
            distinct, codes = table.categories(column.name)
            is_missing = np.array([value is None for value in distinct])
            categories[column.name] = np.where(is_missing[codes[places]], -1, codes[places])
    return Sample(places, table.rows, numbers, categories)
