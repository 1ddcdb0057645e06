"""Java's regular expressions, in which AWS writes the patterns of its models, as Python's package `regex` reads them.

In: a pattern of botocore's model or of a CloudFormation schema. Out: a compiled pattern that a value must match as a whole.
`regex` has what Java has and Python's `re` lacks (`\\p{L}`, possessive quantifiers); what is left to translate is where the two mean
different things: `\\w`, `\\d` and `\\s` are ASCII in Java, `.` stops at five line ends, `\\p{Print}` and its like are POSIX's, a character
beyond U+FFFF is two escapes, and `\\z` ends. Source: https://docs.oracle.com/en/java/javase/21/docs/api/java.base/java/util/regex/Pattern.html.
Used by `constraints.py` and `cloudformation/schemas.py`.
"""

from __future__ import annotations

import functools
from typing import Any

import regex

_LINE_ENDS = r"\n\r\u0085\u2028\u2029"
#: What stands within brackets for a class of Java's.
_CLASSES = {"w": "a-zA-Z0-9_", "d": "0-9", "s": r" \t\n\x0B\f\r"}
_POSIX = {
    "Print": r"\x20-\x7E",
    "ASCII": r"\x00-\x7F",
    "Alnum": "a-zA-Z0-9",
    "Alpha": "a-zA-Z",
    "Digit": "0-9",
    "Lower": "a-z",
    "Upper": "A-Z",
    "Graph": r"\x21-\x7E",
    "Space": r" \t\n\x0B\f\r",
}
_TOKEN = regex.compile(
    r"\\u(?P<high>[dD][89abAB][0-9a-fA-F]{2})\\u(?P<low>[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|\\(?P<kind>[pP])\{(?P<posix>" + "|".join(_POSIX) + r")\}"
    r"|\\(?P<class>[wdsWDS])"
    r"|\\(?P<end>z)"
    r"|\\(?P<escaped>.)"
    r"|(?P<sign>[\[\].])",
    regex.DOTALL,
)


@functools.lru_cache(maxsize=4096)
def compiled(pattern: str) -> Any:
    """A compiled pattern; ask it for a `fullmatch`. Raises regex.error for one that is none."""
    return regex.compile(_translated(pattern), regex.V1)


def _translated(pattern: str) -> str:
    parts, at, depth = [], 0, 0
    for token in _TOKEN.finditer(pattern):
        parts.append(pattern[at : token.start()])
        at = token.end()
        if token["sign"] in ("[", "]"):
            depth += 1 if token["sign"] == "[" else -1
        parts.append(_meaning(token, is_in_brackets=depth > 0))
    return "".join(parts) + pattern[at:]


def _meaning(token: Any, *, is_in_brackets: bool) -> str:
    if token["high"]:
        return f"\\U{0x10000 + (int(token['high'], 16) - 0xD800) * 0x400 + int(token['low'], 16) - 0xDC00:08X}"
    members = _POSIX.get(token["posix"] or "") or _CLASSES.get((token["class"] or "").lower())
    if members:  # within brackets, too: as in Java, a class in a class joins it
        is_negated = (token["kind"] or token["class"]).isupper()
        return f"[{'^' if is_negated else ''}{members}]"
    if token["end"]:
        return r"\Z"
    if token["sign"] == "." and not is_in_brackets:
        return f"[^{_LINE_ENDS}]"
    return str(token[0])
