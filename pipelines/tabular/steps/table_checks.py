"""What only several columns or rows together show: leakage, copies of rows.

Input: a `Table` whose columns are as the model's file says. Output: findings. Used by `contract.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import split
from findings import Finding, plural
from numpy.typing import NDArray
from specification import Specification
from table import Table

LEAKING_CORRELATION = 0.999
FEWEST_ROWS_FOR_LEAKAGE = 20


def leakage(table: Table, specification: Specification) -> Iterator[Finding]:
    """A feature that almost equals the target is usually recorded after it: the model would fail in production.

    Few different rows say nothing of it: through two of them goes a straight line, whatever they are.
    """
    suspects = list(_suspects(table, specification)) if table.rows >= FEWEST_ROWS_FOR_LEAKAGE else []
    if suspects and _different(table, specification)[1].num_rows >= FEWEST_ROWS_FOR_LEAKAGE:
        yield from suspects


def _suspects(table: Table, specification: Specification) -> Iterator[Finding]:
    advice = "it may be known only after the event; remove it from the model's file"
    target = _target(table, specification)
    for name in specification.numeric:
        values = table.numbers(name)
        known = ~np.isnan(values)
        if np.count_nonzero(known) < FEWEST_ROWS_FOR_LEAKAGE or np.ptp(values[known]) == 0 or np.ptp(target[known]) == 0:
            continue
        correlation = abs(float(np.corrcoef(values[known], target[known])[0, 1]))
        if correlation >= LEAKING_CORRELATION:
            yield Finding(name, f"leakage suspect: correlation {correlation:.4f} with the target; {advice}")
    if specification.problem == "regression":
        return
    for name in specification.categorical:
        _, codes = table.categories(name)
        pairs = set(zip(codes.tolist(), target.tolist(), strict=True))
        used = len(set(codes.tolist()))
        if used > 1 and len(pairs) == used and used <= table.rows / 10:
            yield Finding(name, f"leakage suspect: each of its {used} values determines the class; {advice}")


def copies(table: Table, specification: Specification) -> Iterator[Finding]:
    """Equal rows are no error without an identifier (two people may be alike), but a person should know."""
    if specification.identifier is not None:
        return
    different, grouped = _different(table, specification)
    if split.is_coarse(table.rows, different, grouped.num_rows, specification.problem):
        problem = f"the {table.rows} rows are only {different} different ones by their features, so equal rows count as observations of"
        problem += " their own and stand on every side of the split; remove those that are copies of one observation"
        yield Finding("", problem, is_error=False)
        return
    repeated = table.rows - grouped.num_rows
    if repeated:
        is_copy = np.ones(table.rows, dtype=bool)
        is_copy[grouped["row_min"].to_numpy()] = False
        problem = (
            f"{plural(repeated, 'row')} {'repeats' if repeated == 1 else 'repeat'} another row; all copies stay on one side of the split"
        )
        advice = "remove them if they are one observation, or tell them apart by DataSet.identifier"
        yield Finding("", f"{problem}; {advice}", np.flatnonzero(is_copy).tolist(), is_error=False)


def _different(table: Table, specification: Specification) -> tuple[int, pa.Table]:
    """How many rows differ by their features; and those that differ by features and answer, with the first place (`row_min`) of each."""
    columns = {f"number {name}": pa.array(table.numbers(name) + 0.0, from_pandas=True) for name in specification.numeric}
    columns |= {f"category {name}": pa.array(table.categories(name)[1]) for name in specification.categorical}
    rows = pa.table({**columns, "target": _target(table, specification), "row": np.arange(table.rows)})
    return rows.group_by(list(columns)).aggregate([]).num_rows, rows.group_by([*columns, "target"]).aggregate([("row", "min")])


def _target(table: Table, specification: Specification) -> NDArray[np.float64]:
    """Values, or the indices of classes."""
    if specification.problem == "regression":
        return table.numbers(specification.target)
    return table.categories(specification.target)[1].astype(np.float64)
