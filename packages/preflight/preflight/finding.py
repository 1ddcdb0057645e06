"""What one check found: a line of the table, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Sign(StrEnum):
    """FAILED alone makes preflight end with 1: what could not be seen may be all right."""

    PASSED = "✓"
    FAILED = "✗"
    UNSEEN = "?"


@dataclass(frozen=True, slots=True)
class Finding:
    """`what` was looked at and what was `found`; `advice` in words, and `commands` to paste."""

    sign: Sign
    what: str
    found: str
    advice: str = ""
    commands: tuple[str, ...] = ()


class NotSeenError(Exception):
    """The account did not say. `reason` in one line; `permission` is the IAM action that is lacking, if that is why."""

    def __init__(self, reason: str, permission: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.permission = permission


def passed(what: str, found: str, advice: str = "", *commands: str) -> Finding:
    return Finding(Sign.PASSED, what, found, advice, commands)


def failed(what: str, found: str, advice: str, *commands: str) -> Finding:
    return Finding(Sign.FAILED, what, found, advice, commands)


def unseen(what: str, found: str, advice: str = "", *commands: str) -> Finding:
    return Finding(Sign.UNSEEN, what, found, advice, commands)


def not_seen(what: str, error: NotSeenError, instead: str = "") -> Finding:
    """The line of a check that could not look. `instead`: what a person can do without."""
    allow = f"allow {error.permission} (--policy prints all that is read)" if error.permission else ""
    return unseen(what, error.reason, "; ".join(part for part in (allow, instead) if part))
