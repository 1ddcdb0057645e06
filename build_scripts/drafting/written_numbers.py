"""How the numbers of a column are written: 1234.5, 1.234,5 or 1,234.5; and how to write them as programs do.

Input: the texts of a column. Output: the ways in which all of them can be read, and a converter. Used by `columns.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from enum import StrEnum

from build_scripts.step_modules import load

_CELLS, _GAPS = load("cells"), load("number_texts").GAPS
_GROUPS = {",": r".\s'’", ".": r",\s'’"}


class Way(StrEnum):
    """As programs write, or with this decimal sign and perhaps separators of thousands."""

    PLAIN = "plain"
    COMMA = ","
    POINT = "."

    @property
    def in_words(self) -> str:
        return {Way.PLAIN: "decimals with '.'", Way.COMMA: "decimals with ','", Way.POINT: "thousands separated"}[self]


def _pattern(decimal: str) -> re.Pattern[str]:
    grouped = rf"[1-9][0-9]{{0,2}}(?:[{_GROUPS[decimal]}][0-9]{{3}})+"
    return re.compile(rf"[+-]?(?:(?:{grouped}|[0-9]+)(?:[{decimal}][0-9]+)?|[{decimal}][0-9]+)(?:[eE][+-]?[0-9]+)?")


_PATTERNS = {Way.PLAIN: _CELLS.NUMBER, Way.COMMA: _pattern(","), Way.POINT: _pattern(".")}
_POINTS_BETWEEN_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:\.[0-9]{3})+")


def ways(texts: Iterable[str]) -> set[Way]:
    """Those that read every text, of which signs for a missing value are left out; none where nothing is left."""
    present = [text for text in texts if not is_missing(text)]
    return {way for way, pattern in _PATTERNS.items() if present and all(map(pattern.fullmatch, present))}


def are_thousands(texts: Iterable[str]) -> bool:
    """Whether every point stands where one between thousands would: beside decimals with commas it is one."""
    pointed = [text for text in texts if "." in text]
    return bool(pointed) and all(map(_POINTS_BETWEEN_THOUSANDS.fullmatch, pointed))


def is_missing(text: str) -> bool:
    """An empty cell, or a sign for one: `-`, `n.a.`."""
    return text in _CELLS.MISSING or text.lower() in _GAPS


def converter(way: Way) -> Callable[[str], str]:
    """A cell as `cells.number` reads it; what is no number stays what it is, and is refused by the contract."""
    pattern, groups = _PATTERNS[way], None if way is Way.PLAIN else re.compile(f"[{_GROUPS[way.value]}]")

    def convert(cell: str) -> str:
        text = cell.strip(_CELLS.WHITE_SPACE)
        if is_missing(text):
            return ""
        if groups is None or not pattern.fullmatch(text):
            return cell
        return groups.sub("", text).replace(",", ".")

    return convert
