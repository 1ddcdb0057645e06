"""Checks the data against the contract of the model's file before anything is learned from it.

Input: a `Table` and the specification. Output: warnings, which are printed and kept with the evidence; or BadInput, which stops the
pipeline, with everything that is wrong: what is there, what is allowed, the column and the rows. Next: `prepare.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import column_checks
import header_checks
import numpy as np
import other_rows
import table_checks
import time_checks
from cells import shown
from failure import BadInput
from findings import Finding, plural
from specification import Specification
from table import Table

FEWEST_ROWS = 6
#: A table with more problems than this has one, which these show.
MOST_FINDINGS = 10


def require(table: Table, specification: Specification) -> list[str]:
    """The warnings as text. Raises BadInput with every error."""
    findings = check(table, specification)
    errors = [finding for finding in findings if finding.is_error]
    if errors:
        count = f"{len(errors)} problems: " if len(errors) > 1 else ""
        texts = "; ".join(finding.text(table) for finding in errors[:MOST_FINDINGS])
        more = f"; and {len(errors) - MOST_FINDINGS} more" if len(errors) > MOST_FINDINGS else ""
        raise BadInput(f"the data breaks the contract of {specification.file}: {count}{texts}{more}")
    return [finding.text(table) for finding in findings]


def check(table: Table, specification: Specification) -> list[Finding]:
    """Everything that is wrong. Columns first: the other checks need them. Then the rows that explain the rest, which is judged without."""
    unusable = list(header_checks.of_columns(table, specification)) or list(header_checks.of_types(table, specification))
    if unusable:
        return unusable
    if table.rows == 0:
        return [Finding("", f"the table has a header and no rows; give at least {FEWEST_ROWS}")]
    foreign = list(other_rows.foreign(table, specification))
    rows = _without(table, foreign)
    certain, unsure = _totals(rows, specification)
    observations = _without(rows, certain)
    findings = _moved([*_rows(observations), *_of_columns(observations, specification)], observations)
    if certain:
        certain = _explaining(certain, _moved(_of_columns(rows, specification), rows), findings)
    found = [*foreign, *_moved(certain, rows), *findings]
    if any(finding.is_error for finding in findings):
        return found
    alike = _without(rows, [*certain, *unsure])
    checks = (table_checks.leakage, table_checks.copies)
    return [*found, *(finding for look in checks for finding in _moved(look(alike, specification), alike)), *_moved(unsure, rows)]


def _of_columns(table: Table, specification: Specification) -> list[Finding]:
    return [
        *column_checks.of_identifier(table, specification),
        *(finding for column in specification.dataset["numeric"] for finding in column_checks.of_numeric(table, column)),
        *(finding for column in specification.dataset["categorical"] for finding in column_checks.of_categorical(table, column)),
        *column_checks.of_target(table, specification),
        *time_checks.of_time(table, specification),
    ]


def _totals(table: Table, specification: Specification) -> tuple[list[Finding], list[Finding]]:
    """Those that are totals for sure, and those that are only unlike all other rows."""
    found = list(other_rows.totals(table, specification))
    return [finding for finding, is_certain in found if is_certain], [finding for finding, is_certain in found if not is_certain]


def _explaining(totals: Sequence[Finding], with_them: Sequence[Finding], without: Sequence[Finding]) -> list[Finding]:
    """Totals are errors where they are why the contract is broken; what is then wrong stands beside them, once."""
    known = {(finding.column, finding.problem) for finding in without}
    caused = [finding for finding in with_them if finding.is_error and (finding.column, finding.problem) not in known]
    if len([finding for finding in with_them if finding.is_error]) <= len([finding for finding in without if finding.is_error]):
        return list(totals)
    because = f": with it, column {shown(caused[0].column)}: {caused[0].problem}"
    return [replace(finding, problem=finding.problem + because * (finding is totals[0]), is_error=True) for finding in totals]


def _without(table: Table, findings: Sequence[Finding]) -> Table:
    """The table without the rows that the findings are about, unless none would be left."""
    rows = {row for finding in findings for row in finding.rows}
    return table.without(sorted(rows)) if 0 < len(rows) < table.rows else table


def _moved(findings: Iterable[Finding], seen: Table) -> list[Finding]:
    """Findings about a part of the table, by the places of its rows in the whole."""
    left = seen.left
    return [finding if left is None else replace(finding, rows=left[np.asarray(finding.rows, dtype=np.int64)]) for finding in findings]


def _rows(table: Table) -> list[Finding]:
    if table.rows >= FEWEST_ROWS:
        return []
    needed = f"training, validation and test need two each, so give at least {FEWEST_ROWS}"
    return [Finding("", f"the table has {plural(table.rows, 'row')}; {needed}")]


@dataclass(frozen=True)
class Copies:
    """How many rows there are, and how many of them are different ones to the split."""

    rows: int
    different: int

    def obstacle(self, whose: str) -> str:
        """Why these rows cannot be on every side of the split and what to do, or nothing where it is not because they are equal."""
        if self.different > self.rows / 2:
            return ""
        kinds = "all equal" if self.different == 1 else f"only {self.different} different ones"
        remedy = "tell them apart by an identifier (DataSet.identifier), or give rows that differ"
        return f"{whose} {plural(self.rows, 'row')} are {kinds}, and equal rows stay on one side; {remedy}"


def require_usable_split(
    counts: Mapping[str, int],
    classes: Mapping[str, Sequence[str]] | None,
    copies: Callable[[str], Copies] | None = None,
    by_time: str | None = None,
) -> None:
    """Every part has at least two rows and, for a classification, every class. Raises BadInput naming the part.

    `copies`: tells those of a class, and for "" of the whole table. `by_time`: the column by which the split goes.
    """
    remedy = "Split.salt in the model's file"
    if by_time is not None:
        remedy = f"the shares of Split in the model's file: the split goes by {by_time!r}, and the class is of another time"
    for part, rows in counts.items():
        if rows < 2:
            why = copies("").obstacle("the table's") if copies else ""
            given = f"the {part} split has {plural(rows, 'row')} of {sum(counts.values())}"
            raise BadInput(f"{given}: {why}" if why else f"{given}; give more data, or change Split in the model's file")
    if classes is None:
        return
    everything = sorted(set().union(*classes.values()))
    for part, present in classes.items():
        absent = [name for name in everything if name not in present]
        if absent:
            why = copies(absent[0]).obstacle("its") if copies else ""
            given = f"class {shown(absent[0])} does not occur in the {part} split"
            raise BadInput(f"{given}: {why}" if why else f"{given}; give more rows of it, or change {remedy}")
