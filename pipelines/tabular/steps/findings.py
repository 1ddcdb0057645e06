"""One thing that the check of the data found. Made by the checks that `contract.py` calls, and put into words here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from cells import shown
from numpy.typing import NDArray
from table import Table

#: Rows, of which there may be as many as the table has: a list takes five times as much.
Places: TypeAlias = NDArray[np.int64]
#: As many values of a column are shown.
SHOWN_VALUES = 5


@dataclass(frozen=True)
class Finding:
    """Where (column, empty for the table; rows from 0), what is there, and what to do. An error stops the pipeline, a warning is kept."""

    column: str
    problem: str
    rows: Sequence[int] | Places = ()
    is_error: bool = True

    def text(self, table: Table) -> str:
        column = f"column {shown(self.column)}: " if self.column else ""
        return f"{column}{self.problem}" + (f" ({table.places(self.rows)})" if len(self.rows) else "")


def listed(values: Sequence[object]) -> str:
    """The first few values, each as a message shows it."""
    more = f" and {len(values) - SHOWN_VALUES} more" if len(values) > SHOWN_VALUES else ""
    return ", ".join(map(shown, values[:SHOWN_VALUES])) + more


def plural(count: int, one: str) -> str:
    """`1 row`, `2 rows`; in the plural the words after the noun are the caller's."""
    return f"{count} {one}{'' if count == 1 else 's'}"
