"""Checks the data against the contract of `settings.py` before anything is learned from it.

Input: a `Table` and the specification. Output: findings, each naming the column and the rows. An error stops
the pipeline; a warning is printed and kept with the evidence. Next: `prepare.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from failure import BadInput
from numpy.typing import NDArray
from specification import Specification
from table import Table, floats, labels

MOST_CATEGORIES = 10_000
LEAKING_CORRELATION = 0.999
FEWEST_ROWS_FOR_LEAKAGE = 20
SHOWN_ROWS = 5
SHOWN_COLUMNS = 20
FEWEST_ROWS = 6
LARGEST = float(np.finfo(np.float32).max)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ].*)?|\d{1,2}[/.]\d{1,2}[/.]\d{2,4}")


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: where (column, empty for the table; rows from 0) and what to do."""

    column: str
    problem: str
    rows: Sequence[int] = ()
    is_error: bool = True

    def text(self, table: Table) -> str:
        places = ", ".join(table.locate(int(row)) for row in self.rows[:SHOWN_ROWS])
        more = f" and {len(self.rows) - SHOWN_ROWS} more" if len(self.rows) > SHOWN_ROWS else ""
        column = f"column {self.column!r}: " if self.column else ""
        return f"{column}{self.problem}" + (f" ({places}{more})" if places else "")


def require(table: Table, specification: Specification) -> list[str]:
    """The warnings as text. Raises BadInput with every error."""
    findings = check(table, specification)
    errors = [finding.text(table) for finding in findings if finding.is_error]
    if errors:
        count = f"{len(errors)} problems: " if len(errors) > 1 else ""
        raise BadInput(
            f"the data breaks the contract of settings.py DataSet({specification.dataset['name']!r}): {count}{'; '.join(errors)}"
        )
    return [finding.text(table) for finding in findings]


def check(table: Table, specification: Specification) -> list[Finding]:
    """Everything that is wrong. Columns first: the other checks need them."""
    unusable = list(_columns(table, specification)) or list(_types(table, specification))
    if unusable:
        return unusable
    if table.rows == 0:
        return [Finding("", "the table has a header and no rows")]
    findings = [
        *_rows(table),
        *_identifier(table, specification),
        *(finding for column in specification.dataset["numeric"] for finding in _numeric(table, column)),
        *(finding for column in specification.dataset["categorical"] for finding in _categorical(table, column)),
        *_target(table, specification),
    ]
    if any(finding.is_error for finding in findings):
        return findings
    return [*findings, *_leakage(table, specification), *_duplicates(table, specification)]


def _columns(table: Table, specification: Specification) -> Iterator[Finding]:
    given = table.columns.column_names
    expected = [*specification.features, specification.target, *([specification.identifier] if specification.identifier else [])]
    missing = [name for name in expected if name not in given]
    there = f"the table has {', '.join(map(repr, given[:SHOWN_COLUMNS]))}"
    if len(missing) == len(expected):
        columns = ", ".join(map(repr, expected[:SHOWN_COLUMNS]))
        yield Finding("", f"none of {columns} is there: {there}; begin with a line of column names, and separate cells with commas")
        return
    for name in missing:
        yield Finding(name, f"missing; {there}" if name == missing[-1] else "missing")
    for name in given:
        if name not in expected:
            yield Finding(name, "not in settings.py; add it to the DataSet or remove it from the data")


def _types(table: Table, specification: Specification) -> Iterator[Finding]:
    """Categories, classes and identifiers are text, numbers or truth values; dates have findings of their own."""
    names = [*specification.categorical, *([specification.identifier] if specification.identifier else [])]
    for name in names if specification.problem == "regression" else [*names, specification.target]:
        held = table.columns.schema.field(name).type
        value = held.value_type if pa.types.is_dictionary(held) else held
        checks = (pa.types.is_string, pa.types.is_large_string, pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating)
        is_date = pa.types.is_temporal(value) and name != specification.target
        if not (is_date or pa.types.is_null(value) or any(check(value) for check in checks)):
            yield Finding(name, f"holds {held}; derive text or a number from it, or remove it")


def _rows(table: Table) -> Iterator[Finding]:
    if table.rows < FEWEST_ROWS:
        rows = f"{table.rows} row{'s' if table.rows > 1 else ''}"
        yield Finding("", f"the table has {rows}; training, validation and test need two each, so give at least {FEWEST_ROWS}")


def _identifier(table: Table, specification: Specification) -> Iterator[Finding]:
    if specification.identifier is None:
        return
    distinct, codes = labels(table.columns[specification.identifier].cast(pa.string()))
    if None in distinct and np.any(codes == distinct.index(None)):
        yield Finding(specification.identifier, "an identifier is missing", np.flatnonzero(codes == distinct.index(None)).tolist())
    repeated = np.flatnonzero(np.bincount(codes, minlength=len(distinct))[codes] > 1)
    if len(repeated):
        yield Finding(specification.identifier, "identifiers appear more than once; each row needs its own", repeated.tolist())


def _numeric(table: Table, column: dict[str, Any]) -> Iterator[Finding]:
    name = str(column["name"])
    raw = table.columns[name]
    if pa.types.is_temporal(raw.type):
        yield Finding(name, f"holds {raw.type}, not numbers; derive a number such as the year or an age in days")
        return
    try:
        values = floats(raw)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        yield _not_numbers(name, raw)
        return
    if np.all(np.isnan(values)):
        yield Finding(name, "every value is missing; remove the column from settings.py or repair the data")
        return
    if np.any(np.isinf(values)):
        yield Finding(name, "infinite values; leave the cell empty where a value is unknown", np.flatnonzero(np.isinf(values)).tolist())
    beyond = np.flatnonzero(np.isfinite(values) & (np.abs(values) > LARGEST))
    if len(beyond):
        yield Finding(name, f"values such as {values[beyond[0]]:g}, beyond the {LARGEST:.1e} that models calculate with", beyond.tolist())
    yield from _range(name, values, column)


def _not_numbers(name: str, raw: pa.ChunkedArray) -> Finding:
    rows: list[int] = []
    texts: list[str] = []
    for row, value in enumerate(raw.to_pylist()):
        try:
            floats(pa.array([value], raw.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            rows.append(row)
            texts.append(str(value))
    dates = bool(texts) and all(_DATE.fullmatch(text) for text in texts)
    hint = (
        "dates; derive a number such as the year or an age in days"
        if dates
        else "not numbers; make it categorical in settings.py or repair the data"
    )
    return Finding(name, f"values such as {texts[0]!r} are {hint}", rows)


def _range(name: str, values: NDArray[np.float64], column: dict[str, Any]) -> Iterator[Finding]:
    for bound, word in (("minimum", "below"), ("maximum", "above")):
        limit = column.get(bound)
        if limit is None:
            continue
        outside = values < limit if bound == "minimum" else values > limit
        rows = np.flatnonzero(outside & np.isfinite(values))
        if len(rows):
            yield Finding(name, f"{word} the {bound} {limit:g} of settings.py, such as {values[rows[0]]:g}", rows.tolist())


def _categorical(table: Table, column: dict[str, Any]) -> Iterator[Finding]:
    name = str(column["name"])
    raw = table.columns[name]
    if pa.types.is_temporal(raw.type):
        yield Finding(name, f"holds {raw.type}; derive a category such as the month, or a number")
        return
    distinct, codes = labels(raw)
    present = [value for value in distinct if value is not None]
    if not present:
        yield Finding(name, "every value is missing; remove the column from settings.py or repair the data")
        return
    if len(present) > MOST_CATEGORIES or (len(present) > 100 and len(present) > table.rows / 2):
        yield Finding(
            name,
            f"{len(present)} different values in {table.rows} rows: an identifier or free text; remove it or group its values",
        )
        return
    if len(present) > 1 and all(_DATE.fullmatch(value) for value in present):
        yield Finding(name, f"holds dates such as {present[0]!r}; derive a category such as the month, or a number")
        return
    allowed = column["values"]
    if isinstance(allowed, list):
        unseen = sorted(set(present) - set(allowed))
        if unseen:
            positions = [index for index, value in enumerate(distinct) if value in unseen]
            rows = np.flatnonzero(np.isin(codes, positions)).tolist()
            yield Finding(name, f"values {unseen[:5]} are not among {allowed} of settings.py", rows)


def _target(table: Table, specification: Specification) -> Iterator[Finding]:
    name = specification.target
    raw = table.columns[name]
    if specification.problem == "regression":
        errors = list(_numeric(table, {"name": name}))
        yield from errors
        if not errors:
            values = floats(raw)
            yield from _gaps(name, np.isnan(values))
            if np.nanmin(values) == np.nanmax(values):
                yield Finding(name, f"constant: every row is {values[0]:g}; there is nothing to predict")
        return
    distinct, codes = labels(raw)
    yield from _gaps(name, np.array([value is None for value in distinct])[codes])
    classes = sorted(value for value in distinct if value is not None)
    if len(classes) < 2:
        yield Finding(name, f"constant: every row is {classes[0]!r}; there is nothing to predict" if classes else "every value is missing")
        return
    if specification.problem == "binary":
        positive = specification.dataset["positive_class"]
        if len(classes) > 2:
            yield Finding(name, f"{len(classes)} classes {classes[:5]} in a binary problem; set Problem.MULTICLASS or repair the data")
        elif positive not in classes:
            yield Finding(name, f"the positive class {positive!r} of settings.py does not occur; the classes are {classes}")


def _gaps(name: str, missing: NDArray[np.bool_]) -> Iterator[Finding]:
    rows = np.flatnonzero(missing)
    if len(rows):
        yield Finding(name, "the target is missing; remove these rows or fill them in", rows.tolist())


def _leakage(table: Table, specification: Specification) -> Iterator[Finding]:
    """A feature that almost equals the target is usually recorded after it: the model would fail in production."""
    if table.rows < FEWEST_ROWS_FOR_LEAKAGE:
        return
    advice = "it may be known only after the event; remove it from settings.py"
    if specification.problem == "regression":
        target = floats(table.columns[specification.target])
    else:
        target = labels(table.columns[specification.target])[1].astype(np.float64)
    for name in specification.numeric:
        values = floats(table.columns[name])
        known = ~np.isnan(values)
        if np.count_nonzero(known) < FEWEST_ROWS_FOR_LEAKAGE or np.ptp(values[known]) == 0 or np.ptp(target[known]) == 0:
            continue
        correlation = abs(float(np.corrcoef(values[known], target[known])[0, 1]))
        if correlation >= LEAKING_CORRELATION:
            yield Finding(name, f"leakage suspect: correlation {correlation:.4f} with the target; {advice}")
    if specification.problem == "regression":
        return
    for name in specification.categorical:
        _, codes = labels(table.columns[name])
        pairs = set(zip(codes.tolist(), target.tolist(), strict=True))
        used = len(set(codes.tolist()))
        if used > 1 and len(pairs) == used and used <= table.rows / 10:
            yield Finding(name, f"leakage suspect: each of its {used} values determines the class; {advice}")


def _duplicates(table: Table, specification: Specification) -> Iterator[Finding]:
    """Equal rows are no error without an identifier (two people may be alike), but a person should know."""
    if specification.identifier is not None:
        return
    names = [*specification.features, specification.target]
    grouped = (
        table.columns.select(names).append_column("_row", pa.array(np.arange(table.rows))).group_by(names).aggregate([("_row", "min")])
    )
    repeated = table.rows - grouped.num_rows
    if repeated:
        copies = np.ones(table.rows, dtype=bool)
        copies[grouped["_row_min"].to_numpy()] = False
        problem = f"{repeated} rows repeat another row; all copies stay on one side of the split"
        yield Finding(names[0], problem, np.flatnonzero(copies).tolist(), is_error=False)


def require_usable_split(counts: Mapping[str, int], classes: Mapping[str, Sequence[str]] | None) -> None:
    """Every part has at least two rows and, for a classification, every class. Raises BadInput naming the part."""
    for part, rows in counts.items():
        if rows < 2:
            raise BadInput(
                f"the {part} split has {rows} row{'s' if rows != 1 else ''} of {sum(counts.values())}; "
                "give more data, or change Split in settings.py"
            )
    if classes is None:
        return
    everything = sorted(set().union(*classes.values()))
    for part, present in classes.items():
        absent = [name for name in everything if name not in present]
        if absent:
            raise BadInput(
                f"class {absent[0]!r} does not occur in the {part} split; give more rows of it, or change Split.salt in settings.py"
            )
