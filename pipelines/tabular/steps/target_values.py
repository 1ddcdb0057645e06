"""Looks up what a category was answered: the mean of the target, or the share of each class, in one size for all columns.

Input: the state that `target_statistics.py` fitted. Output: a float32 column, or one of each of several classes. A value that is not known
is the mean of all rows; a missing one has its own. The same bits alone and among others. Used by `features.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]
Folds = NDArray[np.uint8]
Labels = tuple[Sequence[str | None], NDArray[np.int64]]


class TargetValues:
    """Applies a column's state, and of rows with a fold what the other folds give."""

    def __init__(self, state: Mapping[str, Any], out_of_fold: Sequence[Mapping[str, Any]] = ()) -> None:
        self.outputs = [f"{state['name']}={of}" for of in state["of"]]
        self._known, *self._of_folds = (_by_value(known) for known in (state, *out_of_fold))

    def of(self, labels: Labels, folds: Folds | None = None) -> Matrix:
        """rows x outputs."""
        distinct, codes = labels
        if folds is None:
            return self._known.of(distinct)[codes]
        by_fold: Matrix = np.stack([known.of(distinct) for known in self._of_folds])
        return by_fold[folds, codes]


@dataclass(frozen=True)
class _ByValue:
    known: Mapping[str | None, Matrix]
    other: Matrix

    def of(self, distinct: Sequence[str | None]) -> Matrix:
        return np.array([self.known.get(value, self.other) for value in distinct], dtype=np.float32).reshape(len(distinct), len(self.other))


def _by_value(state: Mapping[str, Any]) -> _ByValue:
    centre, scale = np.array(state["centre"]), np.array(state["scale"])

    def scaled(values: Sequence[float]) -> Matrix:
        return np.asarray((np.array(values) - centre) / scale, dtype=np.float32)

    known: dict[str | None, Matrix] = {value: scaled(of) for value, of in zip(state["categories"], state["values"], strict=True)}
    return _ByValue({**known, None: scaled(state["missing"])}, scaled(state["other"]))
