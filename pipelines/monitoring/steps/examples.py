"""Requests that show what moved: those in the part of a feature's distribution that grew most.

Input: the window's sample, and a feature's counts at training and in the window. Output: positions in the sample. Next: watch_report.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from dataset import Rows
from numpy.typing import NDArray

MOST_EXAMPLES = 5
#: Columns that an example shows beside the one that moved.
MOST_COLUMNS = 6

Floats = NDArray[np.float64]


def of_number(values: Floats, edges: Floats, before: Floats, now: Floats, missing: tuple[int, int]) -> NDArray[np.int64]:
    """Positions of the values in the bin whose share grew most; of the missing ones, if those did.

    edges: the inner ones, ascending, so that a bin is `edges[i - 1] <= value < edges[i]`. before, now: counts by bin. missing: the same.
    """
    growth = _growth(np.append(before, missing[0]), np.append(now, missing[1]))
    most = int(np.argmax(growth))
    if most == len(before):
        return np.flatnonzero(np.isnan(values))
    return np.flatnonzero(~np.isnan(values) & (np.searchsorted(edges, values, side="right") == most))


def of_category(
    values: Sequence[str | None], before: tuple[Mapping[str, float], int], now: tuple[Mapping[str, float], int]
) -> NDArray[np.int64]:
    """Positions of the category whose share grew most, or of the missing cells. before, now: counts by category, and of missing cells."""
    known: list[str | None] = [*sorted({*before[0], *now[0]}), None]
    first, second = (np.array([*(counts.get(str(value), 0) for value in known[:-1]), missing]) for counts, missing in (before, now))
    most = known[int(np.argmax(_growth(first, second)))]
    return np.array([place for place, value in enumerate(values) if value == most], dtype=np.int64)


def _growth(before: NDArray[Any], now: NDArray[Any]) -> Floats:
    return np.asarray(now / max(now.sum(), 1) - before / max(before.sum(), 1), dtype=np.float64)


def shown(rows: Rows, place: int, first: str | None) -> dict[str, float | str | None]:
    """Cells of one row: of the column that moved, and of the next ones in the order of the contract. A missing cell is None."""
    columns = [*rows.numeric, *rows.categorical]
    names = [name for name in (first,) if name in columns]
    names += [name for name in columns if name not in names][: MOST_COLUMNS - len(names)]
    return {name: _cell(rows, place, name) for name in names}


def _cell(rows: Rows, place: int, name: str) -> float | str | None:
    if name in rows.categorical:
        distinct, codes = rows.categorical[name]
        category: str | None = distinct[codes[place]]
        return category
    value = float(rows.numeric[name][place])
    return None if np.isnan(value) else value
