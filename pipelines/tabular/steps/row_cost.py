"""What a row alone will cost of one or several models, and how large they are: told from the models, since a time is another one each time.

Input: models, and how many columns a request has. Output: microseconds on the machine of benchmarks/README.md, which say how much more one
choice costs than another; bytes. Used by `blending.py`, so that a version is chosen alike wherever it is chosen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from leaf_bits import WORD_BITS
from margins import answer_of
from numpy.typing import NDArray
from one_row import MOST_BYTES

#: Of a row that is looked up: whatever the table, and for each word of it that is read (a column has a line of words). A line through the
#: measured ones of docs/decisions/0176-one-row-is-looked-up.md: 19, 29 and 34 microseconds for about 5,500, 12,000 and 19,200 words.
TABLE_MICROSECONDS, WORD_MICROSECONDS = 14.0, 0.0011
#: Of a row that is not: to prepare it, and to ask one model (there 511 and 766 microseconds with one model of trees).
PREPARED_MICROSECONDS, ASKED_MICROSECONDS = 250.0, 250.0


@dataclass(frozen=True)
class Size:
    """`words`: of a line of the table that the model would be looked up in (leaf_bits.py), None where it is not; `edges`: between the
    classes of values that it tells apart, as pairs of column and threshold.
    """

    words: int | None
    edges: NDArray[np.float64]


def size(model: Any) -> Size:
    booster = getattr(model, "booster", None)
    learner = {} if booster is None else json.loads(booster.save_raw("json"))["learner"]
    has_table = booster is not None and answer_of(learner["objective"]["name"]) is not None
    if not has_table or learner["gradient_booster"]["name"] != "gbtree":
        return Size(None, np.empty((0, 2)))
    trees: list[Mapping[str, Any]] = learner["gradient_booster"]["model"]["trees"]
    words = sum(-(-(1 + len(tree["left_children"])) // 2 // WORD_BITS) for tree in trees)
    columns, thresholds, left = (np.concatenate([tree[name] for tree in trees]) for name in _OF_NODES)
    return Size(words, np.unique(np.column_stack([columns, thresholds])[left >= 0], axis=0))


_OF_NODES = ("split_indices", "split_conditions", "left_children")


def microseconds(sizes: Sequence[Size], columns: int) -> float:
    """Of a row that is asked of all the models together. A table is of all of them, or of none (one_row.py)."""
    words = [size.words for size in sizes if size.words is not None]
    edges = np.unique(np.concatenate([size.edges for size in sizes]), axis=0)
    table_bytes = (len(edges) + 2 * columns) * sum(words) * 8
    if len(words) == len(sizes) and table_bytes <= MOST_BYTES:
        return TABLE_MICROSECONDS + WORD_MICROSECONDS * sum(words) * columns
    return PREPARED_MICROSECONDS + ASKED_MICROSECONDS * len(sizes)
