"""Prints the findings: a sign, what was looked at, what was found, and below it what to do. 100 columns; commands are never cut in two."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console
from rich.text import Text

from preflight.finding import Finding, Sign

WIDTH = 100
_WHAT_WIDTH = 24
_INDENT = " " * (4 + _WHAT_WIDTH)
_COLOURS = {Sign.PASSED: "green", Sign.FAILED: "bold red", Sign.UNSEEN: "yellow"}


def show(title: str, sections: Mapping[str, Sequence[Finding]]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    console.print(title, style="bold", markup=False)
    for name, findings in sections.items():
        if findings:
            console.print(f"\n{name}", style="bold", markup=False)
        for finding in findings:
            first, *rest = lines(finding)
            console.print(Text(f"  {finding.sign}", style=_COLOURS[finding.sign]).append(first[3:], style="default not bold"))
            for line in rest:
                console.print(line, markup=False)


def lines(finding: Finding) -> Iterator[str]:
    """The line of a finding and those below it; none is wider than WIDTH, unless a single word is."""
    head = f"  {finding.sign} {finding.what:<{_WHAT_WIDTH - 1}} "
    yield from _wrapped(finding.found, head, _INDENT) or [head.rstrip()]
    if finding.advice:
        yield from _wrapped(finding.advice, f"{_INDENT}→ ", f"{_INDENT}  ")
    for command in finding.commands:
        yield from command_lines(command)


def _wrapped(text: str, first: str, others: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=others, break_long_words=False, break_on_hyphens=False)


def command_lines(command: str) -> Iterator[str]:
    """To paste as it is: broken before an option, with the shell's backslash."""
    indent, line = " " * 6, ""
    for part in command.replace(" --", "\0--").split("\0"):
        if line and len(indent) + len(line) + len(part) + 3 > WIDTH:
            yield f"{indent}{line} \\"
            indent, line = " " * 10, part
        else:
            line = f"{line} {part}".strip()
    yield f"{indent}{line}"


def summary(findings: Sequence[Finding]) -> str:
    count = {sign: sum(finding.sign is sign for finding in findings) for sign in Sign}
    parts = f"{count[Sign.PASSED]} ✓, {count[Sign.FAILED]} ✗, {count[Sign.UNSEEN]} not seen (?)"
    if count[Sign.FAILED]:
        return f"{parts}: a deployment would fail; → says what to do"
    return f"{parts}: nothing that was seen stands in the way"
