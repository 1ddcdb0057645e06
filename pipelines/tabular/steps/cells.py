"""How one cell of a table is read, in training and in serving alike.

Shared by `table.py` (whole files) and `inference.py` (requests), so that a value means the same in both.
"""

from __future__ import annotations

import math

#: A cell with one of these texts is missing. `table.py` gives the same list to the CSV reader.
MISSING = frozenset({"", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"})


def number(cell: object) -> float:
    """A numeric cell as float, NaN when missing. Raises ValueError for text, dates, booleans and infinities."""
    if cell is None:
        return math.nan
    if isinstance(cell, str):
        text = cell.strip()
        if text in MISSING:
            return math.nan
        if "_" in text or not text.isascii():  # Python reads 1_000 and digits of other scripts; the file reader does not
            raise ValueError(cell)
        value = float(text)
    elif isinstance(cell, bool) or not isinstance(cell, int | float):
        raise ValueError(cell)
    else:
        value = float(cell)
    if math.isinf(value):
        raise ValueError(cell)
    return value


def category(cell: object) -> str | None:
    """A categorical cell as text, None when missing. 1, 1.0 and "1" are the same category. Raises ValueError for lists and objects."""
    if cell is None:
        return None
    if isinstance(cell, str):
        return None if cell in MISSING else cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, int | float):
        if isinstance(cell, float) and math.isnan(cell):
            return None
        return str(int(cell)) if float(cell).is_integer() else repr(cell)
    raise ValueError(cell)
