"""Copies of one observation on both sides of the split: what is judged was learned by heart, and the metric is too good.

Equal rows are on one side where the split goes by the features. What is left: rows that are equal but for their identifier or their time,
and rows that are equal but for one column that nearly every row has another value in. People may be alike: rows are copies only if more of
them are equal than columns of such values make by chance, and if their answers agree as those of two people do not (Cohen's kappa).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import row_words
import split
from dataset import Rows
from findings import Finding
from numpy.typing import NDArray
from sides import Sides
from specification import Specification
from split import Words
from table import Table

from advice.look import Look, advice
from advice.sample import MOST_ROWS

#: Fewer copies, or a smaller share of the validation and test rows, move no metric.
FEWEST, LEAST_SHARE = 5, 0.01
AGREE = 0.8
#: As often as columns that know nothing of each other make equal rows.
MORE_THAN_CHANCE = 3.0
#: From this share of different values on a column may be what keeps copies apart.
NEARLY_UNIQUE = 0.5


@dataclass(frozen=True)
class Twins:
    """Of `judged` validation and test rows, `alike` equal a training row; by chance a share of `expected` would.

    `kappa`: how far the answer agrees with that of the training row.
    """

    judged: int
    alike: int
    expected: float
    kappa: float

    @property
    def are_copies(self) -> bool:
        is_much = self.alike >= max(FEWEST, LEAST_SHARE * self.judged)
        return is_much and self.kappa >= AGREE and self.alike > MORE_THAN_CHANCE * self.expected * self.judged

    def sentence(self, in_what: str, sampled: str = "") -> str:
        share = f"{self.alike} of {self.judged} validation and test rows{sampled}"
        return f"{share} equal a training row in {in_what} and in the answer: they are learned by heart, so the metric is too good"


def look(table: Table, rows: Rows, placing: Sides, specification: Specification) -> Look:
    about, by = "Copies on both sides of the split", placing.split_by
    if by == "copy":
        return Look(about, "nothing: equal rows of this table are observations of their own")
    is_small = rows.count <= MOST_ROWS
    near = f"rows that are equal but for one column{'' if is_small else f' (not looked for beyond {MOST_ROWS} rows)'}"
    if by == "features":
        found = list(_but_for_one_column(_Seen.all(rows, placing, specification))) if is_small else []
        return Look(about, f"{near}; equal rows stay on one side of this split", found)
    words = row_words.of_features(table, specification)
    chosen = np.ones(rows.count, dtype=bool) if is_small else split.buckets(words) < MOST_ROWS / rows.count
    seen = _Seen(rows, chosen, placing.masks["train"], specification)
    found = list(_equal(words[chosen], seen, by))
    if is_small and not found:
        found += _but_for_one_column(seen)
    return Look(about, f"rows that are equal in every feature but are another {by}{seen.sampled}; {near}", found)


class _Seen:
    """Rows that are chosen by the hash of their features, so that copies are all among them or none."""

    def __init__(self, rows: Rows, chosen: NDArray[np.bool_], is_training: NDArray[np.bool_], specification: Specification) -> None:
        some = rows if chosen.all() else rows.take(chosen)
        self.target, self.is_training = some.target, is_training[chosen]
        self.sampled = f" (among {some.count} of {rows.count} rows)" if some.count < rows.count else ""
        self._training_rows = int(np.count_nonzero(is_training))
        salt = specification.preparation["split"]["salt"]
        self.words: dict[str, Words] = {name: split.content_words({name: some.numeric[name]}, {}, salt) for name in specification.numeric}
        self.words |= {name: split.content_words({}, {name: some.categorical[name]}, salt) for name in specification.categorical}

    @classmethod
    def all(cls, rows: Rows, placing: Sides, specification: Specification) -> _Seen:
        return cls(rows, np.ones(rows.count, dtype=bool), placing.masks["train"], specification)

    def expected(self, without: str = "") -> float:
        """The share of rows that would equal a training row if columns knew nothing of each other."""
        equal = math.prod(_equal_pairs(words) for name, words in self.words.items() if name != without)
        return 1 - math.exp(-self._training_rows * equal)

    def twins(self, words: Words, without: str = "") -> Twins:
        """`words`: of the rows, by what they are to be equal in."""
        judged = ~self.is_training
        learned, first = np.unique(words[self.is_training], return_index=True)
        places = np.minimum(np.searchsorted(learned, words[judged]), max(len(learned) - 1, 0))
        alike = learned[places] == words[judged] if len(learned) else np.zeros(len(places), dtype=bool)
        count = int(np.count_nonzero(alike))
        if count < FEWEST:
            return Twins(len(alike), count, 0.0, 0.0)
        agree = np.count_nonzero(self.target[self.is_training][first[places]][alike] == self.target[judged][alike]) / count
        chance = _equal_pairs(self.target)
        return Twins(len(alike), count, self.expected(without), (agree - chance) / (1 - chance) if chance < 1 else 0.0)


def _equal(words: Words, seen: _Seen, by: str) -> Iterator[Finding]:
    twins = seen.twins(words)
    if twins.are_copies:
        remedy = "leave DataSet.identifier out, so that the split goes by the features" if by == "identifier" else "keep one of them"
        yield advice("", f"{twins.sentence('every feature', seen.sampled)}; remove copies of one observation, or {remedy}")


def _but_for_one_column(seen: _Seen) -> Iterator[Finding]:
    """Sums of the columns' numbers tell rows apart as well as one hash of all does, and one of them can be taken off again."""
    if len(seen.words) < 2:
        return
    together = _sum(seen.words)
    for name, words in seen.words.items():
        if split.different(words) >= NEARLY_UNIQUE * len(words):
            twins = seen.twins(together - words, name)
            if twins.are_copies:
                remedy = "if it only numbers or stamps rows, remove it from the model's file, and the split sees the copies"
                yield advice(name, f"{twins.sentence('every other feature')}; {remedy}")


def _sum(words: Mapping[str, Words]) -> Words:
    return np.asarray(np.sum(np.stack(list(words.values())), axis=0, dtype=np.uint64))


def _equal_pairs(values: NDArray[np.uint64] | NDArray[np.float64]) -> float:
    """The share of pairs of rows that have the same value."""
    counts = np.unique(values, return_counts=True)[1].astype(np.float64)
    return float(np.sum(counts * (counts - 1)) / max(len(values) * (len(values) - 1), 1))
