"""What is in each column of a table, counted over all rows.

Input: a `table.Table` of the steps. Output: a `Column` for each. What a cell means is decided by the steps (column_values.py). Memory holds
one column at a time. Next: `sample.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from build_scripts.drafting import texts
from build_scripts.step_modules import load

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


def of(table: Any) -> list[Column]:
    """Every column of the table, in its order."""
    return [_column(table, name) for name in table.columns.column_names]


def _column(table: Any, name: str) -> Column:
    values = load("column_values")
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
    cells = load("cells")
    present = [text for text in texts.few(table, name) if text not in cells.MISSING]
    if not present:
        return Column(name, Kind.EMPTY, table.rows)
    numbers = [text for text in present if cells.NUMBER.fullmatch(text)]
    if 2 * len(numbers) > len(present) and not any(map(_has_leading_zero, texts.different(table, name))):
        return _numbers(table, name)
    dates = load("number_texts").DATE
    if all(map(dates.fullmatch, present)):
        return Column(name, Kind.DATE, table.rows, known=table.rows - table.columns[name].null_count, example=present[0])
    return _categories(table, name, Kind.CATEGORY)


def _has_leading_zero(text: str) -> bool:
    return len(text) > 1 and text[0] == "0" and text.isdigit()


def _numbers(table: Any, name: str) -> Column:
    """Cells that are no numbers are the contract's to refuse, with their lines: here they are missing."""
    values = floats(table, name)
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


def floats(table: Any, name: str) -> NDArray[np.float64]:
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
        return Column(name, kind, table.rows, known=known, different=error.different, example=texts.few(table, name)[0])
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
