"""Asks a person before something goes for good."""

from __future__ import annotations

import sys

from build_scripts.command_line import ProblemError


def person_agrees(question: str, *, asked: bool) -> bool:
    """`asked`: --yes has said it. Raises ProblemError where nobody is there to ask."""
    if asked:
        return True
    if not sys.stdin.isatty():
        raise ProblemError("this is no terminal, so nobody can confirm it; nothing changed. Add --yes if it is meant")
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
