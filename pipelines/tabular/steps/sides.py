"""Which side of the split each uploaded row is on, and what decides it: an identifier, its content, or time.

Input: a `Table` that keeps the contract, its typed rows and the specification. Output: `Sides`. Used by `parts.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import identifiers
import numpy as np
import row_words
import split
import time_column
import time_split
from dataset import Rows
from numpy.typing import NDArray
from specification import Specification
from table import Table
from time_split import Ends

PARTS = ("train", "validation", "test")
Mask = NDArray[np.bool_]
BY_TIME = "time"


@dataclass(frozen=True)
class Sides:
    """`split_by`: what decides: identifier, features, copy (`split.spread`), or time. `ends`: where time does; `facts`: for the lineage.

    `buckets`: what counts as one row shares one; None where time decides, and nothing is one row.
    """

    masks: Mapping[str, Mask]
    split_by: str
    buckets: split.Buckets | None
    ends: Ends | None
    facts: Mapping[str, str]


def of(table: Table, rows: Rows, specification: Specification) -> Sides:
    shares = specification.preparation["split"]
    if specification.by_time is not None:
        return _by_time(table, specification.by_time, shares)
    buckets, split_by = _buckets(table, rows, specification)
    masks = dict(zip(PARTS, split.sides(buckets, shares["validation"], shares["test"]), strict=True))
    return Sides(masks, split_by, buckets, None, {"by": split_by})


def _by_time(table: Table, column: str, shares: Mapping[str, Any]) -> Sides:
    times, form = time_column.of(table, column), time_column.form_of(table.columns[column])
    ends = time_split.ends(times, shares["validation"], shares["test"], form)
    begins = {f"{part}_from": time_column.shown(end, form) for part, end in (("validation", ends.validation), ("test", ends.test))}
    facts = {"by": BY_TIME, "column": column, **begins}
    return Sides(dict(zip(PARTS, ends.sides(times), strict=True)), BY_TIME, None, ends, facts)


def _buckets(table: Table, rows: Rows, specification: Specification) -> tuple[split.Buckets, str]:
    salt = specification.preparation["split"]["salt"]
    if specification.identifier:
        return split.buckets(identifiers.of(table, specification).words), "identifier"
    words = row_words.of_features(table, specification)
    by_features = split.different(words)
    if not split.is_coarse(rows.count, by_features, rows.count, specification.problem):  # nor with fewer by everything
        return split.buckets(words), "features"
    numeric, categorical, name = dict(rows.numeric), dict(rows.categorical), specification.target
    if specification.problem == "regression":
        numeric[name] = rows.target
    else:
        categorical[name] = table.categories(name)
    answered = split.content_words(numeric, categorical, salt)
    is_coarse = split.is_coarse(rows.count, by_features, split.different(answered), specification.problem)
    return (split.spread(split.buckets(answered)), "copy") if is_coarse else (split.buckets(words), "features")
