"""What a cell may hold, by the contract that a version was trained for: declared categories, and the range of a number.

Input: the data set of `preparation.json` or `specification.json`. Output: the first value outside, with what is allowed in words.
Used by `inference.py` (each request) and the project's batch_rows.py, which refuse what training refuses (`contract.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from cells import category, shown
from features import Codes, Labels
from numpy.typing import NDArray

#: Models calculate in single precision: a larger number is infinite to them.
LARGEST = float(np.finfo(np.float32).max)
_SHOWN_VALUES = 20
_MOST_DIGITS = 20


@dataclass(frozen=True)
class Outside:
    """A value that is not allowed: its row (from 0), its column, the cell as text, and what is allowed."""

    row: int
    column: str
    cell: str
    allowed: str


class Allowed:
    """The contract of the columns of a request. Cheap to ask for one row: everything that can be is computed here, once."""

    def __init__(self, dataset: Mapping[str, Any], numeric: Sequence[str], categorical: Sequence[str]) -> None:
        declared = {column["name"]: column for column in (*dataset.get("numeric", ()), *dataset.get("categorical", ()))}
        self._numeric = [declared.get(name, {"name": name}) for name in numeric]
        self._categorical = [(name, values_of(declared.get(name, {}))) for name in categorical]
        self.categories = [None if values is None else frozenset((*values, None)) for _, values in self._categorical]
        bounds = [_bounds(column) for column in self._numeric]
        self.lowest = np.array([max(low, -LARGEST) for low, _ in bounds], dtype=np.float64)
        self.highest = np.array([min(high, LARGEST) for _, high in bounds], dtype=np.float64)

    def first_outside(self, numeric: NDArray[np.float64], categorical: Sequence[Labels]) -> Outside | None:
        """numeric: rows x columns, NaN where missing; categorical: distinct values and codes. A missing value is allowed."""
        wrong = (numeric < self.lowest) | (numeric > self.highest)
        strange = [
            index for index, known in enumerate(self.categories) if known is not None and not known.issuperset(categorical[index][0])
        ]
        if not (strange or np.count_nonzero(wrong)):
            return None
        found = [*self._numbers(numeric, wrong), *(self._category(index, *categorical[index]) for index in strange)]
        return min(found, key=lambda outside: outside.row)

    def _numbers(self, numeric: NDArray[np.float64], wrong: NDArray[np.bool_]) -> Iterator[Outside]:
        for row, index in np.argwhere(wrong)[:1].tolist():
            value = float(numeric[row, index])
            yield Outside(row, self._numeric[index]["name"], in_digits(value), range_in_words(self._numeric[index], value))

    def _category(self, index: int, distinct: Sequence[str | None], codes: Codes) -> Outside:
        name, values = self._categorical[index]
        strange = [code for code, value in enumerate(distinct) if value is not None and value not in (values or ())]
        row = int(np.flatnonzero(np.isin(codes, strange))[0])
        return Outside(row, name, shown(distinct[codes[row]]), in_words(values or ()))


def declared_of(column: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The declared categories of a column, each in its one form; None where there are none."""
    values = column.get("values")
    return None if values is None else tuple(str(category(value)) for value in values)


def values_of(column: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The only categories that a column may hold; None allows any: none is declared, or what is not is scored as `<other>`.

    A contract from before there was a choice (`Categorical.unlisted`) refuses, as its version did.
    """
    return None if column.get("unlisted") == "other" else declared_of(column)


def in_words(values: Sequence[str]) -> str:
    more = f" and {len(values) - _SHOWN_VALUES} more" if len(values) > _SHOWN_VALUES else ""
    return ", ".join(values[:_SHOWN_VALUES]) + more


def range_in_words(column: Mapping[str, Any], value: float) -> str:
    """The bound that `value` breaks is among them: the column's own, or the one of all numbers."""
    low, high = _bounds(column)
    if low <= value <= high:
        return f"-{LARGEST:.2g} to {LARGEST:.2g}, which models calculate with"
    if low > -np.inf and high < np.inf:
        return f"{in_digits(low)} to {in_digits(high)}"
    return f"at least {in_digits(low)}" if low > -np.inf else f"at most {in_digits(high)}"


def in_digits(value: float) -> str:
    """A number as people write it: 4 for 4.0, and 1e+39 for what has too many digits."""
    text = str(category(value))
    return text if len(text) <= _MOST_DIGITS else f"{value:g}"


def _bounds(column: Mapping[str, Any]) -> tuple[float, float]:
    low, high = column.get("minimum"), column.get("maximum")
    return (-np.inf if low is None else float(low)), (np.inf if high is None else float(high))
