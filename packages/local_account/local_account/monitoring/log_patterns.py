"""The part of CloudWatch Logs' filter patterns that is about plain terms. Pure, but for `install`.

`ERROR` and `ERROR 400` (all of them), `?ERROR ?WARN` (any), `-DEBUG` (none), `"two words"` as one term; upper and lower case differ.
Patterns of JSON, of columns and of regular expressions are refused by `api/rules/logs.py`: all or nothing of a log would be made up.
Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from local_account.context import Context

_TERM = re.compile(r'\s*([-?]?)(?:"((?:[^"\\]|\\.)*)"|([^\s"]+))(?=\s|$)')
_PLAIN = re.compile(r"[A-Za-z0-9_]+")


class PatternError(ValueError):
    """A pattern of another kind; the message quotes it."""


@dataclass(frozen=True)
class Pattern:
    """`every` and no one of `none` must be in a message, and one of `some` if there are any."""

    every: tuple[str, ...] = ()
    some: tuple[str, ...] = ()
    none: tuple[str, ...] = ()

    def matches(self, message: str) -> bool:
        return (
            all(term in message for term in self.every)
            and not any(term in message for term in self.none)
            and (not self.some or any(term in message for term in self.some))
        )


def parse(text: str) -> Pattern:
    """Raises PatternError."""
    found: dict[str, list[str]] = {"": [], "?": [], "-": []}
    position, text = 0, text.strip()
    while position < len(text):
        match = _TERM.match(text, position)
        if match is None or (match[3] is not None and not _PLAIN.fullmatch(match[3])):
            raise PatternError(f"{text[:80]!r}; implemented: terms of letters, digits and _, or in quotation marks, also with - or ?")
        found[match[1]].append(re.sub(r"\\(.)", r"\1", match[2]) if match[2] is not None else match[3])
        position = match.end()
    if found["?"] and (found[""] or found["-"]):
        raise PatternError(f"{text[:80]!r}, which mixes terms with ? and others")
    return Pattern(tuple(found[""]), tuple(found["?"]), tuple(found["-"]))


def install(context: Context) -> None:
    """MiniStack compares without regard to case, and its two readers of patterns differ."""
    from ministack.services import cloudwatch_logs

    def compiled(text: str) -> Callable[[str], bool]:
        return parse(text or "").matches

    cloudwatch_logs._compile_filter_pattern = compiled
    cloudwatch_logs._subscription_pattern_matches = lambda text, message: parse(text or "").matches(message or "")
