"""What is in each column: numbers in their range, declared categories, a target that can be learned.

Input: a `Table` that has the columns of the model's file. Output: findings. Used by `contract.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import identifiers
import number_texts
import numpy as np
import objectives
import pyarrow as pa
import split
from allowed import LARGEST, declared_of, in_digits, values_of
from cells import category, is_number
from column_values import TooManyError, UnreadableError, spellings
from findings import Finding, listed, plural
from header_checks import counts_rows
from numpy.typing import NDArray
from odd_values import DAMAGE, LONGEST_CATEGORY
from specification import Specification
from table import Table

MOST_CATEGORIES = 10_000
FREE_TEXT_FROM = 100


def of_identifier(table: Table, specification: Specification) -> Iterator[Finding]:
    name = specification.identifier
    if name is None:
        return
    try:
        found = identifiers.of(table, specification)
    except UnreadableError as error:
        yield _not_categories(name, error)
        return
    yield from _damaged(name, list(found.odd), lambda values: sorted(row for value in values for row in found.odd[value]))
    if found.missing:
        yield Finding(name, "an identifier is missing; each row needs its own", found.missing)
    repeated = _repeated(found.words, found.missing)
    if len(repeated):
        same = [texts for texts in spellings(table.columns[name]).values() if len(texts) > 1]
        why = f": {listed(same[0])} are one number, so write them as text, such as with a letter in front" if same else ""
        yield Finding(name, f"identifiers appear more than once; each row needs its own{why}", repeated)


def _repeated(words: split.Words, missing: Sequence[int]) -> list[int]:
    """The rows that share their identifier with another one."""
    known = np.delete(words, missing) if missing else words
    if split.different(known) == len(known):
        return []
    values, counts = np.unique(known, return_counts=True)
    is_repeated = np.isin(words, values[counts > 1])
    is_repeated[missing] = False
    rows: list[int] = np.flatnonzero(is_repeated).tolist()
    return rows


def of_numeric(table: Table, column: dict[str, Any], if_text: str = "make it categorical") -> Iterator[Finding]:
    name = str(column["name"])
    if pa.types.is_temporal(table.columns[name].type):
        yield Finding(name, f"holds {table.columns[name].type}, not numbers; derive a number such as the year or an age in days")
        return
    try:
        values = table.numbers(name)
    except UnreadableError as error:
        yield from _not_numbers(name, error, table.rows - table.columns[name].null_count, if_text)
        return
    lowest, highest = float(np.fmin.reduce(values)), float(np.fmax.reduce(values))
    if np.isnan(lowest):
        yield Finding(name, "every value is missing; remove the column from the model's file or repair the data")
        return
    if max(-lowest, highest) > LARGEST:
        yield from _too_large(name, values)
    yield from _range(name, values, column)
    if counts_rows(table, name):
        yield Finding(name, "counts the rows: an index is no knowledge about a row; remove it from the model's file", is_error=False)


def _too_large(name: str, values: NDArray[np.float64]) -> Iterator[Finding]:
    infinite = np.flatnonzero(np.isinf(values)).tolist()
    if infinite:
        yield Finding(name, "infinite values; leave the cell empty where a value is unknown", infinite)
    beyond = np.flatnonzero(np.isfinite(values) & (np.abs(values) > LARGEST))
    if len(beyond):
        problem = f"values such as {values[beyond[0]]:g}, beyond the {LARGEST:.1e} that models calculate with; repair the data"
        yield Finding(name, problem, beyond.tolist())


def _not_numbers(name: str, error: UnreadableError, present: int, if_text: str) -> Iterator[Finding]:
    """Only where most cells are no kind of number is the column none of numbers; elsewhere, it has bad cells."""
    for kind, places in number_texts.kinds(error.texts).items():
        rows, example = [error.rows[place] for place in places], listed([error.texts[places[0]]])
        if kind.what == number_texts.INFINITE:
            yield Finding(name, f"infinite values such as {example}; {kind.remedy}", rows)
        elif kind == number_texts.ANY and len(rows) > present / 2:
            yield Finding(name, f"values such as {example} are not numbers; {if_text} in the model's file or repair the data", rows)
        else:
            sentence = kind.sentence(f"values such as {example} are not numbers", in_data=True)
            classes = kind.what == number_texts.TRUTH and len(rows) > present / 2
            yield Finding(name, f"{sentence}, or {if_text} in the model's file" if classes else sentence, rows)


def _range(name: str, values: NDArray[np.float64], column: dict[str, Any]) -> Iterator[Finding]:
    for bound, word in (("minimum", "below"), ("maximum", "above")):
        limit = column.get(bound)
        if limit is None:
            continue
        outside = values < limit if bound == "minimum" else values > limit
        rows = np.flatnonzero(outside & np.isfinite(values))
        if len(rows):
            problem = f"{word} the {bound} {in_digits(limit)} of the model's file, such as {in_digits(float(values[rows[0]]))}"
            yield Finding(name, f"{problem}; repair the data, or change Numeric.{bound}", rows.tolist())


def of_categorical(table: Table, column: dict[str, Any]) -> Iterator[Finding]:
    name = str(column["name"])
    if pa.types.is_temporal(table.columns[name].type):
        yield Finding(name, f"holds {table.columns[name].type}; derive a category such as the month, or a number")
        return
    try:
        distinct, codes = table.categories(name)
    except UnreadableError as error:
        yield _not_categories(name, error)
        return
    except TooManyError as error:
        yield _free_text(name, error.different, table)
        return
    yield from _damaged(name, distinct, partial(_rows_of, distinct=distinct, codes=codes))
    present = [value for value in distinct if value is not None]
    if not present:
        yield Finding(name, "every value is missing; remove the column from the model's file or repair the data")
    elif len(present) > MOST_CATEGORIES or (len(present) > FREE_TEXT_FROM and len(present) > table.rows / 2):
        yield _free_text(name, len(present), table)
    elif len(present) > 1 and all(number_texts.DATE.fullmatch(value) for value in present):
        yield Finding(name, f"holds dates such as {listed(present[:1])}; derive a category such as the month, or a number")
    else:
        declared, only = declared_of(column), values_of(column)
        if declared is not None:
            yield from _undeclared(name, present, declared, distinct, codes, is_error=only is not None)
        if only is None:
            yield from _suspicious(table, name, present, distinct, codes)
        yield from _merged(table, name)


def _free_text(name: str, different: int, table: Table) -> Finding:
    return Finding(name, f"{different} different values in {table.rows} rows: an identifier or free text; remove it or group its values")


def _not_categories(name: str, error: UnreadableError) -> Finding:
    problem = f"values such as {listed(error.texts[:1])} are no categories; leave the cell empty where a value is unknown"
    return Finding(name, problem, error.rows)


def _damaged(name: str, distinct: Sequence[str | None], rows_of: Callable[[Sequence[str]], list[int]]) -> Iterator[Finding]:
    """Characters that no keyboard writes, and cells that no category fills."""
    present = [value for value in distinct if value is not None]
    for marks, what in DAMAGE.items():
        damaged = [value for value in present if marks.search(value)]
        if damaged:
            yield Finding(name, f"values such as {listed(damaged[:1])} hold {what}; repair the data", rows_of(damaged))
    long = [value for value in present if len(value) > LONGEST_CATEGORY]
    if long:
        problem = f"values such as {listed(long[:1])} are free text, or rows between quotes; shorten them, or close the quotes"
        yield Finding(name, problem, rows_of(long), is_error=False)


def _rows_of(values: Sequence[str], distinct: Sequence[str | None], codes: NDArray[np.int64]) -> list[int]:
    wanted = frozenset(values)
    positions = [index for index, value in enumerate(distinct) if value in wanted]
    rows: list[int] = np.flatnonzero(np.isin(codes, positions)).tolist()
    return rows


def _undeclared(
    name: str, present: Sequence[str], declared: Sequence[str], distinct: Sequence[str | None], codes: NDArray[np.int64], *, is_error: bool
) -> Iterator[Finding]:
    """`is_error` False: the model's file takes them as `<other>`."""
    unseen = sorted(set(present) - set(declared))
    if unseen:
        problem = f"values [{listed(unseen)}] are not among {listed(declared)} of the model's file"
        remedy = "repair the data, or add them to Categorical.values" if is_error else "each of them counts as <other>"
        yield Finding(name, f"{problem}; {remedy}", _rows_of(unseen, distinct, codes), is_error=is_error)


def _suspicious(
    table: Table, name: str, present: Sequence[str], distinct: Sequence[str | None], codes: NDArray[np.int64]
) -> Iterator[Finding]:
    """Where the model's file does not list the categories, a slip of the pen is one: warn."""
    gaps = [value for value in present if number_texts.is_gap(value)]
    if gaps:
        problem = f"the category {listed(gaps)} looks like a missing value; leave the cell empty where a value is unknown"
        yield Finding(name, problem, _rows_of(gaps, distinct, codes), is_error=False)
    folded: dict[str, list[str]] = {}
    for value in present:
        folded.setdefault(" ".join(value.casefold().split()), []).append(value)
    for alike in (values for values in folded.values() if len(values) > 1):
        problem = f"{listed(alike)} differ in capitals or spaces only, and are different categories; write one of them everywhere"
        yield Finding(name, problem, _rows_of(alike[1:], distinct, codes), is_error=False)


def _merged(table: Table, name: str) -> Iterator[Finding]:
    """1.1 and 1.10 are one number, and two versions of a program."""
    for value, texts in spellings(table.columns[name]).items():
        if len(texts) > 1 and is_number(value):
            problem = f"{listed(texts)} are one category, the number {value}; write them as text, such as v{texts[0]}, if they are not"
            yield Finding(name, problem, is_error=False)
            return


def of_target(table: Table, specification: Specification) -> Iterator[Finding]:
    name = specification.target
    if specification.problem == "regression":
        errors = list(of_numeric(table, {"name": name}, "set Problem.BINARY or Problem.MULTICLASS"))
        yield from errors
        if not any(finding.is_error for finding in errors):
            values = table.numbers(name)
            yield from _gaps(name, np.isnan(values))
            yield from _unlearnable(name, values, specification.objective)
            if np.nanmin(values) == np.nanmax(values):
                yield Finding(name, f"constant: every row is {values[~np.isnan(values)][0]:g}; there is nothing to predict")
        return
    try:
        distinct, codes = table.categories(name)
    except UnreadableError as error:
        yield _not_categories(name, error)
        return
    except TooManyError as error:
        yield Finding(
            name, f"{error.different} different values in {table.rows} rows: no classes; set Problem.REGRESSION or repair the data"
        )
        return
    yield from _damaged(name, distinct, partial(_rows_of, distinct=distinct, codes=codes))
    yield from _gaps(name, np.array([value is None for value in distinct])[codes])
    classes = sorted(value for value in distinct if value is not None)
    if len(classes) < 2:
        every = f"constant: every row is {listed(classes)}; there is nothing to predict" if classes else "every value is missing"
        yield Finding(name, every)
    elif specification.problem == "binary":
        yield from _binary(name, classes, str(category(specification.dataset["positive_class"])))
    yield from _merged(table, name)


def _unlearnable(name: str, values: NDArray[np.float64], objective: str) -> Iterator[Finding]:
    rows = np.flatnonzero(objectives.unlearnable(objective, values))
    if len(rows):
        problem = f"{plural(len(rows), 'answer')} cannot be learned with DataSet.objective={objective!r}, such as {values[rows[0]]:g}"
        yield Finding(name, f"{problem}; allowed: {objectives.allowed(objective)}, or objective='mean'", rows.tolist())


def _binary(name: str, classes: Sequence[str], positive: str) -> Iterator[Finding]:
    if len(classes) > 2:
        yield Finding(name, f"{len(classes)} classes [{listed(classes)}] in a binary problem; set Problem.MULTICLASS or repair the data")
    elif positive not in classes:
        problem = f"the positive class {positive!r} of the model's file does not occur; the classes are {listed(classes)}"
        yield Finding(name, f"{problem}; set DataSet.positive_class to one of them, or repair the data")


def _gaps(name: str, missing: NDArray[np.bool_]) -> Iterator[Finding]:
    rows = np.flatnonzero(missing)
    if len(rows):
        yield Finding(name, "the target is missing; remove these rows or fill them in", rows.tolist())
