"""Policy variables: `${aws:username}` in a statement becomes the value that the request has, when it is asked.

Source: IAM user guide, "IAM policy elements: Variables and tags": only in policies of version 2012-10-17, in the last part of a resource's
ARN and in the values of string and ARN operators; `${key, 'default'}`; `${*}`, `${?}` and `${$}` are the characters themselves. A value
with a wildcard in it is that value, not a pattern. Input: elements of a statement, a look-up of context keys. Output: the same
elements, filled in. Used by `statements.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

VERSION = "2012-10-17"
#: Wildcards that match only themselves, marked by characters of Unicode's private use area, which no name in AWS has.
LITERAL = {"*": "\ue02a", "?": "\ue03f"}
_PLAIN = {mark: character for character, mark in LITERAL.items()}
_VARIABLE = re.compile(r"\$\{\s*([^},]*?)\s*(?:,\s*'([^']*)'\s*)?\}")
_CHARACTERS = ("*", "?", "$")
_ARN_PARTS_BEFORE = 5
_OPERATOR = re.compile(r"(?:forallvalues:|foranyvalue:)?(string|arn)(not)?(equals|like|equalsignorecase)(ifexists)?", re.IGNORECASE)

#: The value of a context key; None for one that the request does not have, a list for one that has several values.
Values = Callable[[str], Any]


def occur_in(elements: Any) -> bool:
    if isinstance(elements, Mapping):
        return any(occur_in(value) for value in elements.values())
    if isinstance(elements, str):
        return "${" in elements
    return isinstance(elements, Iterable) and any(occur_in(value) for value in elements)


def resources(patterns: Sequence[str], values: Values) -> list[str]:
    """Without those that need a value that is not there."""
    found = []
    for pattern in patterns:
        *front, last = pattern.split(":", _ARN_PARTS_BEFORE)
        filled = _filled(last, values) if len(front) == _ARN_PARTS_BEFORE else pattern
        if filled is not None:
            found.append(":".join([*front, filled]) if len(front) == _ARN_PARTS_BEFORE else filled)
    return found


def conditions(blocks: Mapping[str, Any], values: Values) -> dict[str, Any] | None:
    """None if one cannot be met: a negated operator lacks a value. An affirmative one is left with the values that are there."""
    found: dict[str, Any] = {}
    for operator, keys in blocks.items():
        kind = _OPERATOR.fullmatch(operator)
        found[operator] = keys
        if kind is None or not isinstance(keys, Mapping):
            continue
        found[operator] = {}
        for key, expected in keys.items():
            listed = [str(value) for value in (expected if isinstance(expected, list) else [expected])]
            filled = [value for value in (_filled(each, values) for each in listed) if value is not None]
            is_satisfied_by_absence = kind[4] and values(key) is None
            if kind[2] and len(filled) < len(listed) and not is_satisfied_by_absence:
                return None
            has_patterns = kind[3].lower() == "like" or kind[1].lower() == "arn"
            found[operator][key] = filled if has_patterns else [unmarked(value) for value in filled]
    return found


def unmarked(text: str) -> str:
    return "".join(_PLAIN.get(character, character) for character in text)


def _filled(text: str, values: Values) -> str | None:
    """A text with its variables' values; None if one has none, and no default either."""
    parts, end = [], 0
    for match in _VARIABLE.finditer(text):
        value = match[1] if match[1] in _CHARACTERS else values(match[1])
        if value is None or isinstance(value, list | tuple | Mapping):
            value = match[2]
        if value is None:
            return None
        parts += [text[end : match.start()], "".join(LITERAL.get(character, character) for character in str(value))]
        end = match.end()
    return "".join([*parts, text[end:]])
