"""One row alone, without what NumPy and XGBoost cost whatever the number of rows: it is looked up in a table.

Input: a version (`served.py`) and the cells of a row. Output: the very bits that `Served.predict` gives for it; None for what is left to
the way of many rows, such as all that is refused. Used by `inference.py`.

The table has for each class of a column's values (`cell_classes.py`) the leaves of all trees that it leaves open (`leaf_bits.py`). What
all cells of a row leave open is one leaf in each tree, and the values of those are added as XGBoost adds them. It is made by the
preparation itself when a version is loaded, and tried at every edge of a class: where one bit differs from `Served.predict`, the version
has no table (docs/decisions/0176-one-row-is-looked-up.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import leaf_bits
import numpy as np
from allowed import Allowed
from cell_classes import Categorical, Classes, Numeric, Row, prepared
from features import Labels, Preparer, labels
from leaf_bits import LeafBits, Words
from margins import answer_of
from numpy.typing import NDArray

if TYPE_CHECKING:
    from served import Served

#: Of a version's table. A row reads one line of it for each column, which should stay near the processor.
MOST_BYTES = 64 * 2**20

_Answer = Callable[[Sequence[np.float32]], list[float]]


class OneRow:
    """The table of a version: one line for each class of each column, one word for each 64 leaves of a tree."""

    def __init__(self, classes: Classes, bits: LeafBits, table: Words, answer: _Answer) -> None:
        self._classes, self._table, self._answer, self._scores = classes, table, answer, bits.scores
        self._values = bits.values.ravel()
        self._starts = np.arange(0, bits.values.size, bits.values.shape[1])
        self.read = classes.of_row

    def predict(self, row: Row) -> list[float]:
        """A value, the probability of the positive class, or one of each class."""
        left = np.bitwise_and.reduce(self._table.take(row.places, axis=0), axis=0)
        _, bit = np.frexp(left)  # of the one bit of a word, from 1; 0 of a word without
        values = self._values.take(self._starts + bit)
        return self._answer([np.add.accumulate(values[words])[-1] for words in self._scores])


def of(served: Served) -> OneRow | None:
    """None for a model without trees or with another objective, for one that is too large, and where a bit would differ.

    Of a blend each member has to be one of trees.
    """
    weighted = [(member.weight, member.model) for member in getattr(served.model, "members", ())] or [(1.0, served.model)]
    try:
        each = [_bits_of(model) for _, model in weighted]
    except OSError:  # another C library than the image's
        return None
    read = [bits for bits in each if bits is not None]
    answers = [answer for bits in read if (answer := answer_of(bits.objective)) is not None]
    if len(answers) < len(weighted):
        return None
    bits = leaf_bits.joined(read)
    answer = answers[0] if len(answers) == 1 else _mean_of([weight for weight, _ in weighted], answers, len(read[0].scores))
    splits = {served.preparer.outputs[column]: found for column, found in bits.splits.items()}
    # Of its own: score.py loosens the contract of a version that is loaded, which the way of many rows then goes by.
    allowed = Allowed(served.dataset, served.preparer.numeric, served.preparer.categorical)
    classes = Classes(served.preparer, allowed, {name: found.thresholds for name, found in splits.items()})
    if classes.count * bits.every.nbytes > MOST_BYTES:
        return None
    found = OneRow(classes, bits, _table(classes, served.preparer, bits), answer)
    return found if _agrees(found, classes, served) else None


def _bits_of(model: Any) -> LeafBits | None:
    booster = getattr(model, "booster", None)
    return None if booster is None else leaf_bits.read(booster.save_raw("json"))


def _mean_of(weights: Sequence[float], answers: Sequence[_Answer], scores: int) -> _Answer:
    """As `Blend.predict` adds them, in double precision. `scores`: of each member."""

    def answer(sums: Sequence[np.float32]) -> list[float]:
        mixed = [weights[0] * value for value in answers[0](sums[:scores])]
        for place in range(1, len(weights)):
            said = answers[place](sums[place * scores : (place + 1) * scores])
            mixed = [before + weights[place] * value for before, value in zip(mixed, said, strict=True)]
        return mixed

    return answer


def _table(classes: Classes, preparer: Preparer, bits: LeafBits) -> Words:
    """From a prepared row with a value of each class, all else missing."""
    table = np.tile(bits.every, (classes.count, 1))
    start = 0
    for name, numeric, categorical in _samples(classes, preparer):
        lines, matrix = table[start : start + len(numeric)], prepared(preparer, numeric, categorical)
        start += len(numeric)
        for column, source in enumerate(preparer.sources):
            if source == name and column in bits.splits:
                splits = bits.splits[column]
                lines &= splits.open_by_rank(len(bits.every))[np.searchsorted(splits.thresholds, matrix[:, column], side="right")]
    return table


def _samples(classes: Classes, preparer: Preparer) -> Iterator[tuple[str, NDArray[np.float64], list[Labels]]]:
    """Of each raw column: its name, and rows in which it has a value of each class and all others are missing."""
    kinds: list[Numeric | Categorical] = [*classes.numeric, *classes.categorical]
    for index, (name, kind) in enumerate(zip([*preparer.numeric, *preparer.categorical], kinds, strict=True)):
        count = len(kind.values)
        numeric = np.full((count, len(preparer.numeric)), np.nan)
        categorical = [labels([None] * count) for _ in preparer.categorical]
        if isinstance(kind, Numeric):
            numeric[:, index] = kind.values
        else:
            categorical[index - len(preparer.numeric)] = labels(kind.values)
        yield name, numeric, categorical


def _agrees(found: OneRow, classes: Classes, served: Served) -> bool:
    """Whether rows that have every class's first number, the last one below it, and every category, are answered with the same bits."""
    tried: list[list[Any]] = [_numbers_tried(kind) for kind in classes.numeric]
    tried += [[value for value in kind.values if kind.place_of(value) >= 0] for kind in classes.categorical]
    rows = [[values[place % len(values)] for values in tried] for place in range(max(map(len, tried)))]
    known = [row for row in map(found.read, rows) if row is not None]
    numeric = np.array([row.numbers for row in known]).reshape(len(known), len(classes.numeric))
    categorical = [labels(values) for values in zip(*(row.categories for row in known), strict=True)]
    expected = served.predict(numeric, categorical)
    answers = np.array([found.predict(row) for row in known]).reshape(expected.shape)
    return len(known) == len(rows) and answers.tobytes() == expected.tobytes()


def _numbers_tried(kind: Numeric) -> list[float]:
    tried = [kind.lowest, kind.highest, np.nan, 0.0, -0.0, *kind.edges, *(float(np.nextafter(edge, -np.inf)) for edge in kind.edges)]
    return [value for value in tried if not (value < kind.lowest or value > kind.highest)]
