"""What evaluation needs of the prepared training and validation rows, of which there may be more than memory holds: all their answers,
and a part of the rows.

Input: a folder that `prepare.py` wrote. Output: arrays. Used by `evaluate.py`.
"""

from __future__ import annotations

from pathlib import Path

import dataset
import numpy as np
from dataset import Part
from numpy.typing import NDArray


def targets(folder: Path) -> NDArray[np.float64]:
    return np.concatenate([part.target for part in dataset.shards(folder)])


def at(folder: Path, places: NDArray[np.int64]) -> Part:
    """The rows at these places, counted from 0 through the part, which ascend."""
    found, begin = [], 0
    for part in dataset.shards(folder):
        end = begin + len(part.target)
        here = places[np.searchsorted(places, begin) : np.searchsorted(places, end)] - begin
        found.append([part.features[here], part.target[here], part.weight[here]])
        begin = end
    return Part(*map(np.concatenate, zip(*found, strict=True)))
