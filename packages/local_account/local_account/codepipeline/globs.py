"""The patterns of trigger filters: globs of branches, tags and file paths.

The rules are those of the CodePipeline user guide, "Working with glob patterns in syntax", which has them, word by word, from Java's
`FileSystem.getPathMatcher`; where the guide says nothing, Java decides (inferred). So `*` and `?` stay within one part of a path, `**` runs
over its slashes and may be empty, and `**/README.md` is not the README.md at the top: its slash is one. Used by `triggers.py`.
"""

from __future__ import annotations

import functools
import re


@functools.lru_cache(maxsize=1024)
def compiled(pattern: str) -> re.Pattern[str]:
    """Matches whole names. Raises ValueError for a pattern that is none: what it lacks."""
    parts, index, in_group = [], 0, False
    while index < len(pattern):
        sign = pattern[index]
        index += 1
        if sign == "\\":
            if index == len(pattern):
                raise ValueError("a backslash needs a character after it")
            parts.append(re.escape(pattern[index]))
            index += 1
        elif sign == "*":
            crosses = pattern.startswith("*", index)
            index += crosses
            parts.append(".*" if crosses else "[^/]*")
        elif sign == "?":
            parts.append("[^/]")
        elif sign == "[":
            text, index = _bracket(pattern, index)
            parts.append(text)
        elif sign == "{":
            if in_group:
                raise ValueError("groups cannot be nested")
            parts.append("(?:(?:")
            in_group = True
        elif sign == "}" and in_group:
            parts.append("))")
            in_group = False
        elif sign == "," and in_group:
            parts.append(")|(?:")
        else:
            parts.append(re.escape(sign))
    if in_group:
        raise ValueError("'{' has no '}'")
    return re.compile("".join(parts), re.DOTALL)


def _bracket(pattern: str, start: int) -> tuple[str, int]:
    """The expression for what is between brackets, and where the pattern goes on. It never stands for a slash."""
    end = pattern.find("]", start)
    if end < 0:
        raise ValueError("'[' has no ']'")
    content = pattern[start:end]
    negated = content.startswith("!")
    content = content.removeprefix("!")
    if not content or "/" in content:
        raise ValueError("brackets need a character, and no slash")
    leading = "\\-" if content.startswith("-") else ""
    text = leading + re.sub(r"([\\\[\]^&~|])", r"\\\1", content[1:] if leading else content)
    expression = f"(?!/)[{'^' if negated else ''}{text}]"
    try:
        re.compile(expression)
    except re.error as error:  # such as a range that ends before it begins
        raise ValueError(f"brackets: {error}") from error
    return expression, end + 1
