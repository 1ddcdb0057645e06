"""Reads the test rows that a version was judged on: what its production is compared with.

Input: reference.npz (made by evaluation/reference.py) and the version's columns. Output: `Reference`. Next: the judges of drift.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

import numpy as np
from dataset import Rows
from decisions import Predictions
from failure import BadInput
from features import Labels
from numpy.typing import NDArray


@dataclass(frozen=True)
class Reference:
    """Raw rows with their target (value, or index of the class), and what the version said of them."""

    rows: Rows
    predicted: Predictions


class Takes(Protocol):
    """The version's columns in the order of a request."""

    @property
    def numeric(self) -> Sequence[str]: ...

    @property
    def categorical(self) -> Sequence[str]: ...


def read(content: BinaryIO, takes: Takes) -> Reference:
    """Raises BadInput for a file of another layout, or of other columns."""
    try:
        with np.load(content, allow_pickle=False) as archive:
            return _reference({name: archive[name] for name in archive.files}, takes.numeric, takes.categorical)
    except (OSError, EOFError, KeyError, IndexError, ValueError, zipfile.BadZipFile) as error:
        raise BadInput(f"reference.npz does not hold the test rows of this version ({error}); train it again") from None


def _reference(arrays: Mapping[str, NDArray[Any]], numeric: Sequence[str], categorical: Sequence[str]) -> Reference:
    table, target = arrays["numeric"], arrays["target"]
    if table.shape != (len(target), len(numeric)):
        raise ValueError(f"{table.shape[1]} numeric columns for {len(numeric)}")
    if f"codes_{len(categorical)}" in arrays:
        raise ValueError(f"more categorical columns than {len(categorical)}")
    labels: dict[str, Labels] = {}
    for index, name in enumerate(categorical):
        texts, missing = arrays[f"labels_{index}"].tolist(), arrays[f"missing_{index}"].tolist()
        distinct: list[str | None] = [None if absent else text for text, absent in zip(texts, missing, strict=True)]
        labels[name] = (distinct, arrays[f"codes_{index}"])
    rows = Rows({name: table[:, index] for index, name in enumerate(numeric)}, labels, target, len(target))
    return Reference(rows, Predictions(arrays["scores"], arrays["decided"]))
