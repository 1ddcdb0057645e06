"""How one cell of a table is read: the one rule for training, serving, batch and settings.

Used by `table.py` (whole files), `inference.py` (requests) and the project's settings_schema/steps.py (declared values), so that a value
means the same wherever it comes from. Standard library only, because settings are read where nothing else is installed.
"""

from __future__ import annotations

import math
import re
import unicodedata
from decimal import Decimal
from numbers import Real

#: A cell with one of these texts is missing: what pandas reads as missing (`na_values` of `pandas.read_csv`, pandas 2.2).
#: `table.py` gives the same list to the CSV reader.
MISSING = frozenset({"", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"}) | frozenset(
    {"#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"}
)
#: Trimmed from both ends of a text: Unicode's white space (`str.isspace`), and the marks of no width that copying brings along.
WHITE_SPACE = (
    "".join(map(chr, [*range(0x09, 0x0E), *range(0x1C, 0x21), 0x85, 0xA0, 0x1680, *range(0x2000, 0x200C), 0x2028, 0x2029, 0x202F, 0x205F]))
    + "\u2060\u3000\ufeff"
)
#: Longer cells are cut where a message shows them.
LONGEST_SHOWN = 40

#: What `number` reads.
NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
#: A text of nothing but these that `float` reads is a number by this pattern, and the same one.
SIGNS_OF_NUMBERS = "0123456789.eE+-"
#: How programs write a number in full: no plus and no leading zeros, which make a code. `.5` is SQL Server's 0.5.
_IN_FULL = re.compile(r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]+)?|\.[0-9]+)")
#: How they write a large or small one: 1e+16 (Python), 1e-7 (JavaScript), 1.2E7 (Java and Spark). 1e3 may be a code.
_WITH_EXPONENT = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+[eE][+-]?|[eE][+-])[0-9]{1,3}")


def number(cell: object) -> float:
    """A numeric cell as the nearest float, NaN when missing. Raises ValueError for text, dates, truth values and infinities."""
    if cell is None:
        return math.nan
    if isinstance(cell, str):
        text = cell.strip(WHITE_SPACE)
        if text in MISSING:
            return math.nan
        if not NUMBER.fullmatch(text):
            raise ValueError(cell)
        value = float(text)
    elif isinstance(cell, bool) or not isinstance(cell, Real | Decimal):
        raise ValueError(cell)
    else:
        try:
            value = float(cell)
        except OverflowError:
            raise ValueError(cell) from None
    if math.isinf(value):
        raise ValueError(cell)
    return value


def category(cell: object) -> str | None:
    """A categorical cell in its one form, None when missing. Raises ValueError for infinities, dates, bytes, lists, objects and what is no
    text in Unicode.

    Text is trimmed and in Unicode's NFC; `true` and `false` are in lower case; a number is written in full without needless zeros.
    So 4, 4.0, "4.0" and Decimal("4.00") are the category 4, and True, "True" and "TRUE" are true. A float has the digits that its own
    width needs: 0.1 in single precision is 0.1. Codes stay text: "007", "+4", "1e3".
    """
    if cell is None:
        return None
    if isinstance(cell, str):
        return _of_text(cell)
    if not isinstance(cell, Real | Decimal) and getattr(getattr(cell, "dtype", None), "str", "") != "|b1":  # NumPy's bool is no Real
        raise ValueError(cell)
    value = _of_text(format(cell, "f") if isinstance(cell, Decimal) else str(cell))
    if value is not None and value not in ("true", "false") and not _IN_FULL.fullmatch(value):
        raise ValueError(cell)
    return value


def is_number(text: str) -> bool:
    """Whether a category is a number: then other texts may mean the same one."""
    return _IN_FULL.fullmatch(text) is not None


def shown(cell: object) -> str:
    """A cell as a message shows it: quoted, in one line, and cut where it is long."""
    text = str(cell)
    return repr(text) if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]!r}... ({len(text)} characters)"


def _of_text(text: str) -> str | None:
    text = text.strip(WHITE_SPACE)
    if not text.isascii():
        text.encode()  # half of a surrogate pair, which JSON can hold, is no text: no file takes it, and so no training has seen it
        text = unicodedata.normalize("NFC", text)
    if text in MISSING:
        return None
    if text[-1].isdigit():
        return _in_full(text)
    if text[-1] in "eE" and text.lower() in ("true", "false"):
        return text.lower()
    return text


def _in_full(text: str) -> str:
    """A number's text without exponent and needless zeros; any other text as it is.

    A whole number keeps all of its digits. One with a fraction is the double that a JSON reader makes of it, in its shortest digits:
    0.10000000000000001 (`%.17g`) is 0.1.
    """
    if _IN_FULL.fullmatch(text):
        whole, _, fraction = text.partition(".")
        if not fraction.strip("0") and whole[-1:].isdigit():
            return "0" if whole == "-0" else whole
    elif not _WITH_EXPONENT.fullmatch(text):
        return text
    digits = repr(float(text))
    if digits in ("inf", "-inf"):
        return text
    digits = (format(Decimal(digits), "f") if "e" in digits else digits).removesuffix(".0")
    return "0" if digits == "-0" else digits
