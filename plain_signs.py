"""Printing that no terminal can end: a sign that its encoding lacks is written in plain ones instead of raising UnicodeEncodeError.

`print_anywhere()` is the first line of every program here that prints. Terminals without UTF-8 are a matter of the machine (`LANG=C`,
`PYTHONIOENCODING`, a code page of Windows), and names in the data are a matter of the team: neither is a reason to fail.
Standard library only, since `build_scripts/install.py` uses it before anything is installed.
"""

from __future__ import annotations

import codecs
import io
import sys

_HANDLER = "plain-signs"
_SIGNS = {
    "✓": "+", "✅": "+", "✗": "x", "❌": "x", "×": "x", "⚠": "!", "•": "*", "·": "-", "…": "...",
    "–": "-", "—": "-", "→": "->", "←": "<-", "►": ">", "▼": "v", "≤": "<=", "≥": ">=", "±": "+-", "µ": "u", "μ": "u",
    "‘": "'", "’": "'", "“": '"', "”": '"', "\N{NO-BREAK SPACE}": " ", "\N{VARIATION SELECTOR-16}": "",
}  # fmt: skip
#: Box drawing: lines keep their direction, whatever joins them is a cross. One sign each, so that tables stay tables.
_HORIZONTAL, _VERTICAL = frozenset("─━┄┅┈┉╌╍═╴╶╸╺╼╾"), frozenset("│┃┆┇┊┋╎╏║╵╷╹╻╽╿")


def print_anywhere() -> None:
    """From here on, standard output and error take any text. Safe to repeat; a stream that is no terminal or file is left alone."""
    codecs.register_error(_HANDLER, _in_plain_signs)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_HANDLER)


def _in_plain_signs(error: UnicodeError) -> tuple[str, int]:
    """A codec's error handler: text for the signs that could not be encoded, and where to go on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_plain(sign) for sign in error.object[error.start : error.end]), error.end


def _plain(sign: str) -> str:
    """What stands for a sign. Letters of other scripts are escaped as Python does, so that no two names look the same."""
    if sign in _SIGNS:
        return _SIGNS[sign]
    if "\u2500" <= sign <= "\u257f":
        return "-" if sign in _HORIZONTAL else "|" if sign in _VERTICAL else "+"
    if "\u2580" <= sign <= "\u259f":  # blocks, of which bars are made
        return "#"
    if "\u2800" <= sign <= "\u28ff":  # braille, of which spinners are made
        return "*"
    return sign.encode("ascii", "backslashreplace").decode("ascii")
