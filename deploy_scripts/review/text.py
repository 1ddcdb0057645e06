"""The view as text for a terminal: the same sentences and cells as the page. Output: lines. Used by approve.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from deploy_scripts.review.sections import BAD, WARN, Section
from deploy_scripts.review.view import View

_MARKS = {BAD: "!", WARN: "?"}
_WIDEST_CELL = 60


def lines(view: View) -> Iterator[str]:
    yield from (view.title, view.subtitle, "", view.verdict)
    for section in view.sections:
        yield from ("", section.title.upper(), *(f"  {line}" for line in section.lines))
        yield from _table(section)


def _table(section: Section) -> Iterator[str]:
    """A long last cell is not cut, and widens nothing. What an approver should look at has a mark before it."""
    if not section.rows:
        return
    cells = [section.headers, *(row.cells for row in section.rows)]
    widths = [min(_WIDEST_CELL, max(len(row[index]) for row in cells)) for index in range(len(section.headers))]
    marks = ["", *(_MARKS.get(row.tone, "") for row in section.rows)]
    for mark, row in zip(marks, cells, strict=True):
        yield f"{mark or ' '} {_line(row, widths)}".rstrip()


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
