"""Whether a column holds times, by which the rows can be split. Used by `contract.py`.

Input: a `Table` that has the columns of the model's file. Output: findings.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import time_column
import time_split
from cells import shown
from column_values import UnreadableError
from findings import Finding
from specification import Specification
from table import Table

_WRITE = "write ISO 8601 (2024-01-31, or 2024-01-31T08:00 with or without an offset such as +02:00), or a number"


def of_time(table: Table, specification: Specification) -> Iterator[Finding]:
    """A column is split by only if every row has a time, of one form, and there are three different ones."""
    name = specification.by_time
    if name is None:
        return
    try:
        times = time_column.of(table, name)
    except UnreadableError as error:
        yield Finding(name, _not_times(table, name, error), error.rows)
        return
    missing = np.flatnonzero(np.isnan(times))
    infinite = np.flatnonzero(np.isinf(times))
    if len(missing):
        yield Finding(name, "a time is missing, and the split goes by it (Split.by_time); fill it in, or remove the row", missing.tolist())
    if len(infinite):
        yield Finding(name, "an infinite time, and the split goes by it (Split.by_time); repair it", infinite.tolist())
    if not (len(missing) or len(infinite) or time_split.has_enough(times)):
        problem = "fewer than three different times; training, validation and test need one each, so give more, or leave Split.by_time out"
        yield Finding(name, problem)


def _not_times(table: Table, name: str, error: UnreadableError) -> str:
    form = time_column.form_of(table.columns[name])
    first = next((text for text in _texts(table, name) if text not in error.texts), None)
    told = f"{shown(error.texts[0])} is no time, and the split goes by it (Split.by_time)"
    if first is None:
        return f"{told}; {_WRITE}"
    return f"{told}; the column begins with {form} such as {shown(first)}, and has one form: write all cells so"


def _texts(table: Table, name: str) -> Iterator[str]:
    """Cells, the first ones: one of them decides about the form."""
    for chunk in table.columns[name].chunks:
        yield from (str(cell) for cell in chunk.drop_null().slice(0, 1).to_pylist())
