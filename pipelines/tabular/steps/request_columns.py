"""The rows of a request as the columns that the preparation takes.

Input: cells as they came (`request_forms.py`), and the version that they are for. Output: a matrix of numbers, and categories column by
column; or a 400 that names row and column. Used by `inference.py` and the watch (bodies.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence, Set
from typing import Any

import number_texts
import numpy as np
from cells import SIGNS_OF_NUMBERS, category, number, shown
from features import Labels, labels
from numpy.typing import NDArray
from request_forms import RequestError, Row
from served import Served

Floats = NDArray[np.float64]


def columns(rows: Sequence[Row], model: Served) -> tuple[Floats, list[Labels]]:
    """Raises a 400 for a row with other columns and for a cell that cannot be read: the numbers' first, row by row."""
    names, count = model.features, len(model.preparer.numeric)
    by_column = list(zip(*ordered(rows, model), strict=True)) or [()] * len(names)
    numeric = np.empty((len(rows), count), dtype=np.float64)
    try:
        for column in range(count):
            numeric[:, column] = _numbers(by_column[column])
    except ValueError:
        for row, cells in enumerate(zip(*by_column[:count], strict=True)):
            for cell, name in zip(cells, names, strict=False):
                _cell(number, cell, row, name)
    return numeric, [_categories(cells, name) for cells, name in zip(by_column[count:], names[count:], strict=True)]


def ordered(rows: Sequence[Row], model: Served) -> list[Sequence[Any]]:
    """The cells of each row in the order of the contract. Raises a 400."""
    names, dataset = model.features, model.dataset
    takes_all = dataset.get("extra_in_requests") == "ignore"
    unread = None if takes_all else {*dataset.get("ignore", ()), dataset.get("identifier")}
    return [_ordered(row, index, names, unread) for index, row in enumerate(rows)]


def _ordered(row: Row, index: int, names: list[str], unread: Set[str | None] | None) -> Sequence[Any]:
    """`unread`: names that a row may carry beside those of the contract; None for any."""
    if isinstance(row, dict):
        further = row.keys() - names
        unknown = set() if unread is None else further - unread
        # A row of which nothing is known is no row, but another form of request.
        if unknown or (further and len(further) == len(row)):
            first = min(unknown or further)
            raise RequestError(400, f"row {index + 1}: unknown column {shown(first)}; the columns are {', '.join(names)}")
        return [row.get(name) for name in names]
    if len(row) != len(names):
        is_other_sign = len(row) == 1 and isinstance(row[0], str) and re.search(r"[;\t|]", row[0])
        hint = "; separate cells with commas" if is_other_sign else ""
        raise RequestError(400, f"row {index + 1} has {len(row)} columns instead of {len(names)}: {', '.join(names)}{hint}")
    return row


def _numbers(cells: Sequence[Any]) -> Floats:
    """`cells.number` of each; where all are texts as programs write numbers, with the same result at once. Raises ValueError."""
    if set(map(type, cells)) == {str}:
        text = "".join(cells)
        if text.isascii() and not text.encode().translate(None, SIGNS_OF_NUMBERS.encode()):
            numbers = np.array([float(cell) if cell else np.nan for cell in cells])
            if not np.isinf(numbers).any():
                return numbers
    return np.array([number(cell) for cell in cells])


def _categories(cells: Sequence[Any], name: str) -> Labels:
    """A text that occurs more than once is read once. Raises a 400."""
    try:
        if set(map(type, cells)) == {str}:
            read = {cell: category(cell) for cell in set(cells)}
            return labels([read[cell] for cell in cells])
    except ValueError:
        pass
    return labels([_cell(category, cell, row, name) for row, cell in enumerate(cells)])


def _cell(read: Callable[[Any], Any], cell: Any, row: int, name: str) -> Any:
    try:
        return read(cell)
    except ValueError:
        pass
    if cell == name:
        raise RequestError(400, f"row {row + 1} holds column names ({name}); send the rows without them")
    kind = number_texts.of(cell) if read is number and isinstance(cell, str) else number_texts.ANY
    sentence = kind.sentence("not a number" if read is number else "not a category")
    given = "a list" if isinstance(cell, list) else "an object" if isinstance(cell, dict) else shown(cell)
    raise RequestError(400, f"row {row + 1}: {name} is {given}, {sentence}")
