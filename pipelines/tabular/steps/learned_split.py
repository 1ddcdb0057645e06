"""Where learned rows go: they train or validate, and never test; what could be a test row's double trains nothing.

Input: the uploaded rows with their parts, and the learned ones. Output: `Placed`. The test rows stay the uploaded ones, so that a version
and the one in production are compared on what neither has learned from. Used by `parts.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import split
from dataset import Rows
from findings import plural
from numpy.typing import NDArray
from sides import Sides
from specification import Specification
from time_split import Ends

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class By:
    """What decides about a row's place. `shares`: of the parts, with their salt; `split_by`: what tells uploaded rows apart (sides.py).

    `ends`: where that is time, which the column `by_time` has.
    """

    target: str
    classes: Sequence[str] | None
    shares: Mapping[str, Any]
    split_by: str
    by_time: str | None = None
    ends: Ends | None = None

    @classmethod
    def of(cls, specification: Specification, classes: Sequence[str] | None, placing: Sides) -> By:
        shares = specification.preparation["split"]
        return cls(specification.target, classes, shares, placing.split_by, specification.by_time, placing.ends)


@dataclass(frozen=True)
class Placed:
    """The uploaded rows and behind them the learned ones, with the parts of all. `used`: learned rows that are in one."""

    rows: Rows
    masks: dict[str, Mask]
    used: int
    warnings: list[str]


def place(uploaded: Rows, masks: Mapping[str, Mask], learned: Rows, by: By) -> Placed:
    """By the hash that places uploaded rows. A learned row whose place is among the test rows is in no part, whether or not such a row was
    uploaded: uploaded later, it would be a test row of which production knew the answer.

    An identifier tells rows apart, which requests have none of: then content places the learned ones, and those equal to a test row are
    in no part either. In a coarse table every row is an observation of its own, and the learned ones are further copies. Where time
    decides, an answer that was asked before the test rows' time trains or validates; nothing is learned of a later time, which the test
    is to stand for.
    """
    rows = uploaded.followed_by(learned)
    content = split.content_buckets(rows.numeric, rows.categorical, by.shares["salt"])
    train, validation = _places(rows, content, by)
    own, others = content[: uploaded.count], content[uploaded.count :]
    is_double = np.zeros(learned.count, dtype=bool) if by.split_by == "copy" else np.isin(others, own[masks["test"]])
    sides = {"train": train[uploaded.count :] & ~is_double, "validation": validation[uploaded.count :] & ~is_double}
    nowhere = np.zeros(learned.count, dtype=bool)
    together = {name: np.concatenate([mask, sides.get(name, nowhere)]) for name, mask in masks.items()}
    used = sides["train"] | sides["validation"]
    return Placed(rows, together, int(np.count_nonzero(used)), _twice(np.isin(others, own) & used, by))


def _places(rows: Rows, content: split.Buckets, by: By) -> tuple[Mask, Mask]:
    """Of all rows, those that would train and validate."""
    if by.ends is not None:
        train, validation, _ = by.ends.sides(rows.numeric[str(by.by_time)])
    else:
        buckets = split.spread(_answered(rows, by)) if by.split_by == "copy" else content
        train, validation, _ = split.sides(buckets, by.shares["validation"], by.shares["test"])
    return train, validation


def _answered(rows: Rows, by: By) -> split.Buckets:
    """Of features and answer, as parts.py tells the copies of a coarse table apart."""
    numeric, categorical = dict(rows.numeric), dict(rows.categorical)
    if by.classes is None:
        numeric[by.target] = rows.target
    else:
        categorical[by.target] = (list(by.classes), rows.target.astype(np.int64))
    return split.content_buckets(numeric, categorical, by.shares["salt"])


def _twice(is_known: Mask, by: By) -> list[str]:
    count = int(np.count_nonzero(is_known))
    if not count or by.split_by == "copy":
        return []
    return [f"{plural(count, 'answered row')} asked what an uploaded row holds too; if they are one observation, it counts twice"]
