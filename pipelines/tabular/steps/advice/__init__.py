"""What the data need before any model: looks at a table that keeps its contract, each with what it found, what it costs and what to change.

Nothing here stops a training. `parts.py` calls `looks`, so the check at upload and Prepare say the same; the lineage keeps it, and the
report shows it (evaluation/report.py). On what rows: `sample.py`. Limits and why: docs/decisions/0192-advice-that-does-not-cry-wolf.md.
"""

from __future__ import annotations

from collections.abc import Sequence

from dataset import Rows
from sides import Sides
from specification import Specification
from table import Table

from advice import answers, copies, leaks, over_time, sample
from advice.look import Look


def looks(table: Table, rows: Rows, classes: Sequence[str] | None, placing: Sides, specification: Specification) -> list[Look]:
    """`rows`: the uploaded ones, whose sides `placing` has; `classes`: as in `Parts`."""
    seen = sample.of(table, placing, specification)
    return [
        copies.look(table, rows, placing, specification),
        leaks.look(table, rows, classes, seen, specification),
        over_time.look(table, rows, classes, seen, specification),
        answers.look(rows, classes, placing, seen, specification),
    ]
