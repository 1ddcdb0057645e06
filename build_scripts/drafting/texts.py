"""The texts of a column of text, without the white space around them. Used by `rewriting.py` and `columns.py`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from build_scripts.step_modules import load

#: As many cells tell what a column of text may hold.
_LOOKED_AT = 2_000


def different(table: Any, name: str) -> Iterator[str]:
    """Of each chunk those that are different, without missing cells."""
    for part in load("column_values").chunks(table.columns[name]):
        yield from pc.unique(pc.utf8_trim(part.drop_null(), characters=load("cells").WHITE_SPACE)).to_pylist()


def few(table: Any, name: str) -> list[str]:
    """Evenly spaced ones among the cells that are not missing; none of a column that holds no text."""
    if not load("column_values").is_text(table.columns.schema.field(name).type):
        return []
    cells, white_space = table.columns[name].drop_null(), load("cells").WHITE_SPACE
    places = np.unique(np.linspace(0, max(len(cells) - 1, 0), min(_LOOKED_AT, len(cells))).astype(np.int64))
    return [text.strip(white_space) for text in load("column_values").plain(cells.take(pa.array(places))).to_pylist()]
