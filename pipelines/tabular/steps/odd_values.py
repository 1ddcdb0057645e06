"""Texts that stand where a category or an identifier should, and are none: damaged, far too long, or the name of a total.

Used by `column_checks.py`, `other_rows.py` and `identifiers.py`.
"""

from __future__ import annotations

import re

#: Longer categories are free text, or several rows between quotes.
LONGEST_CATEGORY = 1000
#: Characters that nobody writes: controls of ASCII but for tab and line breaks, and the sign for text that was lost.
DAMAGE = {
    re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"): "control characters, as damaged files do",
    # The model server cannot tell it from a request that is not UTF-8, so that a category with it could never be asked for.
    re.compile("\ufffd"): "U+FFFD, which stands where a program could not read the text",
}
#: What a spreadsheet calls a row that sums up the others.
TOTALS = frozenset(
    {"total", "totals", "grand total", "subtotal", "sub total", "sum", "average", "mean", "total general", "suma", "summe", "gesamt"}
)


def is_total(value: str) -> bool:
    return value.casefold().rstrip(" :.") in TOTALS


def is_odd(value: str) -> bool:
    return len(value) > LONGEST_CATEGORY or is_total(value) or any(marks.search(value) for marks in DAMAGE)
