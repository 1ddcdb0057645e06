"""What becomes of each column: a number with its range, a category, the identifier, or nothing; each with the reason.

Input: columns, target, sample. Output: `Role`s in the order of the file. Next: `model_file.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from build_scripts.drafting import leaks, ranges
from build_scripts.drafting.columns import Column, Kind
from build_scripts.drafting.sample import Sample
from build_scripts.drafting.targets import Target
from build_scripts.step_modules import load
from settings_schema import Problem

#: Categories are listed where they are few, short, and none is there only once: the share of those estimates how probable a new one is
#: (I. J. Good, "The population frequencies of species", 1953).
_MOST_LISTED, _LONGEST_LISTED = 20, 40
#: Words of an answer to a question: a truth value.
_TRUTHS = frozenset({"true", "false", "yes", "no", "y", "n", "t", "f", "si", "sí", "ja", "nein", "oui", "non", "on", "off"})
#: More different texts than this share of the rows are names or free text; beyond a hundred the contract's own rule is stricter.
_MOSTLY_DIFFERENT, _FEWEST_TEXTS = 0.9, 10
_FEWEST_KNOWN_SHARE = 0.01
_IDENTIFIER = re.compile(r"(.*[\W_])?(id|ids|uuid|guid|key|code|nr|no|number|ref|reference|isbn|vin|sku)", re.IGNORECASE)
_OF_DATES = "derive a number, such as the year or an age in days; the rows have an order of time"
_INDEX = re.compile(r"|index|Unnamed: \d+|__index_level_\d+__")
_FEWEST_ROWS_FOR_COPIES = 20


class Place(StrEnum):
    """Where a column stands in the model's file."""

    TARGET = "target"
    NUMERIC = "numeric"
    CATEGORICAL = "categorical"
    IDENTIFIER = "identifier"
    IGNORE = "ignore"


@dataclass(frozen=True)
class Role:
    """`settings`: what is written beside the name, as Python: `minimum=0`."""

    column: Column
    place: Place
    reason: str
    settings: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)


def of(columns: Sequence[Column], target: Target, sample: Sample, answers: NDArray[np.float64]) -> list[Role]:
    """`answers`: of the sampled rows, NaN where missing."""
    others = [column for column in columns if column.name != target.column.name]
    left_out = _without_knowledge(others)
    identifier = _identifier([column for column in others if column.name not in left_out or column.counts_rows])
    left_out |= _texts([column for column in others if column.name not in left_out])
    left_out |= _telling([column.name for column in others if column.name not in left_out], target, sample, answers)
    left_out |= _copies([column.name for column in others if column.name not in left_out], sample)
    if identifier is not None:
        left_out.pop(identifier.name, None)
    roles = []
    for column in columns:
        if column is target.column:
            roles.append(Role(column, Place.TARGET, target.reason))
        elif column is identifier:
            roles.append(Role(column, Place.IDENTIFIER, f"another value in each row ({_shown(column.example)}); the split goes by it"))
        elif column.name in left_out:
            roles.append(Role(column, Place.IGNORE, left_out[column.name]))
        else:
            roles.append(_feature(column))
    return roles


def _without_knowledge(columns: Sequence[Column]) -> dict[str, str]:
    """What no model could learn from."""
    found = {}
    for column in columns:
        if column.kind is Kind.EMPTY:
            found[column.name] = "every value is missing"
        elif column.kind is Kind.OTHER:
            found[column.name] = f"holds {column.held or _shown(column.example)}: no text, number or truth value"
        elif column.kind is Kind.DATE:
            found[column.name] = f"dates such as {_shown(column.example)}: {_OF_DATES}"
        elif column.is_constant:
            found[column.name] = f"every row is {_shown(column.example)}"
        elif column.counts_rows or (_INDEX.fullmatch(column.name) and column.is_unique):
            found[column.name] = "counts the rows: an index is no knowledge about a row"
        elif column.known < _FEWEST_KNOWN_SHARE * column.rows or column.known < 2:
            found[column.name] = f"only {column.known:,} of {column.rows:,} rows have a value"
    return found


def _identifier(columns: Sequence[Column]) -> Column | None:
    """The first column whose name and values say that each row has its own; else the first whose texts look like codes."""
    unique = [column for column in columns if column.is_unique and not _INDEX.fullmatch(column.name) and _can_identify(column)]
    named = [column for column in unique if _IDENTIFIER.fullmatch(column.name)]
    coded = [column for column in unique if column.kind is Kind.CATEGORY and re.fullmatch(r"(?=.*\d)[\w:.-]{5,64}", column.example)]
    return next(iter([*named, *coded]), None)


def _can_identify(column: Column) -> bool:
    is_odd = load("odd_values").is_odd
    return (column.kind is Kind.NUMBER and column.is_whole) or (
        column.kind is Kind.CATEGORY and not any(map(is_odd, column.values or [column.example]))
    )


def _texts(columns: Sequence[Column]) -> dict[str, str]:
    """Texts that are no categories: names, notes, identifiers. The contract would refuse most of them (column_checks.py)."""
    checks, found = load("column_checks"), {}
    for column in columns:
        if column.kind is Kind.NUMBER:
            if column.is_unique and column.is_whole and _IDENTIFIER.fullmatch(column.name):
                found[column.name] = "another whole number in each row, and called like an identifier"
            continue
        is_various = column.different > _MOSTLY_DIFFERENT * column.known and column.different >= _FEWEST_TEXTS
        is_refused = column.different > checks.FREE_TEXT_FROM and column.different > column.rows / 2
        if is_various or is_refused or column.values is None:
            how = _number_kind(column) or "an identifier or free text"
            found[column.name] = f"{column.different:,} different texts in {column.rows:,} rows, such as {_shown(column.example)}: {how}"
        elif any("\n" in value or "\r" in value or len(value) > load("odd_values").LONGEST_CATEGORY for value in column.values):
            found[column.name] = "line breaks in its texts, or very long ones: free text"
    return found


def _number_kind(column: Column) -> str:
    """What the contract says of such numbers: a unit, a currency sign."""
    kind = load("number_texts").of(column.example)
    return f"{kind.what}; {kind.in_data or kind.remedy}, to learn from it" if kind.what else ""


def _telling(names: Sequence[str], target: Target, sample: Sample, answers: NDArray[np.float64]) -> dict[str, str]:
    """Leak suspects."""
    are_classes, found = target.problem is not Problem.REGRESSION, {}
    looked_at = [name for name in names if name in sample.numbers or name in sample.categories]
    for name, explained in leaks.alone(sample, answers, are_classes=are_classes, names=looked_at).items():
        if explained >= leaks.ALMOST_ALONE:
            what = "of the classes are right" if are_classes else "of the variance is explained"
            found[name] = f"leak suspect: by it alone {explained:.1%} {what} in rows that were held out; is it known before the target?"
    if not are_classes:
        numbers = {name: sample.numbers[name] for name in names if name in sample.numbers}
        for one, sign, other in leaks.parts(numbers, answers):
            for name in (one, other):
                found.setdefault(name, f"leak suspect: {_shown(one)} {sign} {_shown(other)} is the target; is it known before?")
    return found


def _copies(names: Sequence[str], sample: Sample) -> dict[str, str]:
    """Columns that say the same as one before them, perhaps in other words."""
    known: dict[bytes, str] = {}
    found = {}
    for name in names if sample.rows >= _FEWEST_ROWS_FOR_COPIES else ():
        if name in sample.numbers or name in sample.categories:
            codes = sample.codes(name)
            first = known.setdefault(codes.tobytes(), name)
            if first != name and codes.max() > 0:
                found[name] = f"says the same as {_shown(first)}, in {sample.in_words}"
    return found


def _feature(column: Column) -> Role:
    if column.kind is Kind.NUMBER and not column.are_two_numbers:
        minimum, maximum, why = ranges.of(column)
        few = f"; Categorical if its {column.different} numbers are names" if column.is_whole and column.different <= 10 else ""
        return Role(column, Place.NUMERIC, f"{why}{few}{_gaps(column)}", {"minimum": minimum, "maximum": maximum})
    return Role(column, Place.CATEGORICAL, *_listed(column))


def _listed(column: Column) -> tuple[str, Mapping[str, tuple[str, ...]]]:
    values = column.values or {}
    are_truths = column.kind is Kind.TRUTH or column.are_two_numbers or {value.lower() for value in values} <= _TRUTHS
    once = sum(count == 1 for count in values.values())
    if are_truths or (len(values) <= _MOST_LISTED and not once and max(map(len, values)) <= _LONGEST_LISTED):
        what = "a truth value" if are_truths else "listed: few, and none only once, so that another one is an error"
        return f"{what}{_gaps(column)}", {"values": tuple(sorted(values))}
    why = f"{once:,} of them only once" if once else "too many or too long to list"
    return f"{len(values):,} different, {why}: any is allowed, and new ones count as <other>{_gaps(column)}", {}


def _gaps(column: Column) -> str:
    share = 1 - column.known / column.rows
    return f"; {max(share, 0.001):.1%} missing" if share else ""


def _shown(value: str) -> str:
    return str(load("cells").shown(value))
