"""The patterns of trigger filters: globs of branches, tags and file paths.

The rules are those of the CodePipeline user guide, "Working with glob patterns in syntax", which has them, word by word, from Java's
`FileSystem.getPathMatcher`; where the guide says nothing, Java decides (inferred). So `*` and `?` stay within one part of a path, `**` runs
over its slashes and may be empty, and `**/README.md` is not the README.md at the top: its slash is one. Used by `triggers.py`.
"""

from __future__ import annotations

import functools
import re

_SIGN = re.compile(r"\\(?P<escaped>.)|\[(?P<set>[^\]]*)\]|(?P<plain>\*\*|.)", re.DOTALL)
_MEANING = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
_INCOMPLETE = {"\\": "a backslash needs a character after it", "[": "'[' has no ']'"}


@functools.lru_cache(maxsize=1024)
def compiled(pattern: str) -> re.Pattern[str]:
    """Matches whole names. Raises ValueError for a pattern that is none: what it lacks."""
    parts, in_group = list[str](), False
    for sign in _SIGN.finditer(pattern):
        if sign["escaped"] is not None:
            parts.append(re.escape(sign["escaped"]))
        elif sign["set"] is not None:
            parts.append(_set(sign["set"]))
        else:
            text, in_group = _plain(sign["plain"], in_group)
            parts.append(text)
    if in_group:
        raise ValueError("'{' has no '}'")
    return re.compile("".join(parts), re.DOTALL)


def _plain(sign: str, in_group: bool) -> tuple[str, bool]:
    """The expression for a sign, and whether what follows is in a group."""
    if sign in _INCOMPLETE:
        raise ValueError(_INCOMPLETE[sign])
    if sign == "{":
        if in_group:
            raise ValueError("groups cannot be nested")
        return "(?:(?:", True
    if in_group and sign in ",}":
        return (")|(?:", True) if sign == "," else ("))", False)
    return _MEANING.get(sign) or re.escape(sign), in_group


def _set(content: str) -> str:
    """The expression for what is between brackets, which never stands for a slash."""
    negated, content = content.startswith("!"), content.removeprefix("!")
    if not content or "/" in content:
        raise ValueError("brackets need a character, and no slash")
    first = "\\-" if content.startswith("-") else ""
    text = first + re.sub(r"([\\\[\]^&~|])", r"\\\1", content[1:] if first else content)
    expression = f"(?!/)[{'^' if negated else ''}{text}]"
    try:
        re.compile(expression)
    except re.error as error:  # such as a range that ends before it begins
        raise ValueError(f"brackets: {error}") from error
    return expression
