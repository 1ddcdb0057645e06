"""One look at the data: what was looked at, and what was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from findings import Finding
from table import Table


@dataclass(frozen=True)
class Look:
    """`about`: the question, as a heading. `at`: what was looked at, in words. `found`: each with what it costs and what to change."""

    about: str
    at: str
    found: Sequence[Finding] = ()

    def texts(self, table: Table) -> list[str]:
        return [finding.text(table) for finding in self.found]

    def facts(self, table: Table) -> dict[str, Any]:
        """For the lineage and the report."""
        return {"about": self.about, "looked_at": self.at, "found": self.texts(table)}


def advice(column: str, problem: str) -> Finding:
    return Finding(column, problem, is_error=False)
