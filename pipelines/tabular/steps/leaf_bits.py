"""A booster's trees as bits, one for each leaf: which leaves a value leaves within reach.

Input: XGBoost's own JSON of a model ("Introduction to Model IO" of its documentation). Output: `LeafBits`. Next: `one_row.py`.
Each split of a tree takes away the leaves on the side that a row does not go to. The bits that all splits leave are one leaf in each tree
(QuickScorer, Lucchese et al. 2015). In which order the splits are asked makes no difference, so those on one column are asked at once.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from margins import margin_of
from numpy.typing import NDArray

Words = NDArray[np.uint64]

#: Leaves that share a word. A tree with more has several words, and in one of them its leaf is found.
WORD_BITS = 64
_ALL = (1 << WORD_BITS) - 1


@dataclass(frozen=True)
class Splits:
    """On one prepared column, each once for every word that it takes bits from.

    `thresholds`: each once, upwards; below it a row goes left. `places`: among them. `left`, `right`: what stays of the word there.
    """

    thresholds: NDArray[np.float32]
    places: NDArray[np.int64]
    words: NDArray[np.int64]
    left: Words
    right: Words

    def open_by_rank(self, words: int) -> Words:
        """What is left of all words by a value that has no threshold at or below it, by one that has one, two..."""
        below, above = (np.full((len(self.thresholds) + 1, words), _ALL, dtype=np.uint64) for _ in range(2))
        np.bitwise_and.at(above, (self.places, self.words), self.left)  # a row goes left at each threshold above its value
        np.bitwise_and.at(below, (self.places + 1, self.words), self.right)
        left: Words = np.bitwise_and.accumulate(below) & np.bitwise_and.accumulate(above[::-1])[::-1]
        return left


@dataclass(frozen=True)
class LeafBits:
    """`every`: the bits of all leaves. `values`: words x (1 + 64), what a word adds to its score without a bit, and with each of them.

    `scores`: the words of each score: where it starts from, as a tree of one leaf, and its trees in the order in which XGBoost adds them.
    `splits`: by prepared column.
    """

    objective: str
    every: Words
    values: NDArray[np.float32]
    scores: list[slice]
    splits: Mapping[int, Splits]


def read(document: bytes | bytearray) -> LeafBits | None:
    """None for a model that is more than sums of leaves below splits by size: DART, linear boosters, XGBoost's own categories."""
    learner = json.loads(document)["learner"]
    booster, objective = learner["gradient_booster"], learner["objective"]["name"]
    if booster["name"] != "gbtree" or any(any(tree["split_type"]) for tree in booster["model"]["trees"]):
        return None
    trees, groups = booster["model"]["trees"], booster["model"]["tree_info"]
    count = max(1, int(learner["learner_model_param"]["num_class"]))
    base = json.loads(learner["learner_model_param"]["base_score"])
    bases = base if isinstance(base, list) and len(base) == count else [base[0] if isinstance(base, list) else base] * count
    reading, starts = _Reading(), [0]
    for score in range(count):
        reading.add({"left_children": [-1], "split_conditions": [margin_of(bases[score], objective)]})
        for tree, group in zip(trees, groups, strict=True):
            if group == score:
                reading.add(tree)
        starts.append(len(reading.values))
    every = np.array(reading.every, dtype=np.uint64)
    values = np.array(reading.values, dtype=np.float32)
    splits = {column: _splits(found) for column, found in reading.splits.items()}
    return LeafBits(objective, every, values, [slice(*ends) for ends in pairwise(starts)], splits)


def joined(parts: Sequence[LeafBits]) -> LeafBits:
    """The words of several models in one line: `scores` of the first, then of the next. `objective`: of the first."""
    offsets = np.cumsum([0, *(len(part.every) for part in parts)]).tolist()
    scores = [slice(words.start + begin, words.stop + begin) for part, begin in zip(parts, offsets, strict=False) for words in part.scores]
    columns = sorted({column for part in parts for column in part.splits})
    splits = {
        column: _joined_splits([(part.splits[column], begin) for part, begin in zip(parts, offsets, strict=False) if column in part.splits])
        for column in columns
    }
    every, values = (np.concatenate([getattr(part, name) for part in parts]) for name in ("every", "values"))
    return LeafBits(parts[0].objective, every, values, scores, splits)


def _joined_splits(found: Sequence[tuple[Splits, int]]) -> Splits:
    """On one column, each with the place at which its model's words begin."""
    thresholds = np.unique(np.concatenate([splits.thresholds for splits, _ in found]))
    places = np.concatenate([np.searchsorted(thresholds, splits.thresholds)[splits.places] for splits, _ in found])
    words = np.concatenate([splits.words + begin for splits, begin in found])
    left, right = (np.concatenate([getattr(splits, side) for splits, _ in found]) for side in ("left", "right"))
    return Splits(thresholds, places, words, left, right)


def _splits(found: list[tuple[float, int, int, int]]) -> Splits:
    given, words, left, right = zip(*found, strict=True)
    thresholds, places = np.unique(np.array(given, dtype=np.float32), return_inverse=True)
    masks = (np.array(side, dtype=np.uint64) for side in (left, right))
    return Splits(thresholds, places, np.array(words, dtype=np.int64), *masks)


class _Reading:
    """The words so far, and the splits by prepared column."""

    def __init__(self) -> None:
        self.every: list[int] = []
        self.values: list[list[float]] = []
        self.splits: dict[int, list[tuple[float, int, int, int]]] = defaultdict(list)

    def add(self, tree: Mapping[str, Any]) -> None:
        leaves = list[float]()
        self._walk(tree, 0, leaves)
        for start in range(0, len(leaves), WORD_BITS):
            held = leaves[start : start + WORD_BITS]
            self.every.append((1 << len(held)) - 1)
            # Minus zero changes no sum, not even another minus zero.
            self.values.append([-0.0, *held, *[-0.0] * (WORD_BITS - len(held))])

    def _walk(self, tree: Mapping[str, Any], node: int, leaves: list[float]) -> tuple[int, int]:
        """Numbers the leaves below a node from left to right: the first of them, and the one after the last."""
        if tree["left_children"][node] == -1:
            leaves.append(tree["split_conditions"][node])
            return len(leaves) - 1, len(leaves)
        start, middle = self._walk(tree, tree["left_children"][node], leaves)
        _, end = self._walk(tree, tree["right_children"][node], leaves)
        found = self.splits[tree["split_indices"][node]]
        for word in range(start // WORD_BITS, (end - 1) // WORD_BITS + 1):
            left, right = _ALL & ~_bits(middle, end, word), _ALL & ~_bits(start, middle, word)
            found.append((tree["split_conditions"][node], len(self.values) + word, left, right))
        return start, end


def _bits(start: int, end: int, word: int) -> int:
    """Those of the leaves from `start` to before `end` that are in a word of their tree."""
    low, high = (min(max(leaf - word * WORD_BITS, 0), WORD_BITS) for leaf in (start, end))
    return (1 << high) - (1 << low)
