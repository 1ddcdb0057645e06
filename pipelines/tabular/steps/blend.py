"""Several models that answer as one: the weighted mean of what each says (values, or probabilities).

Input: models with weights, or the folder of a packed version. Output: a `Model` as the algorithms give it (algorithms/__init__.py). Which
models, and how much of each: `blending.py`. Used by `choose.py`, `served.py` and `refit.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import algorithms
import numpy as np
from algorithms import Model
from failure import BadInput
from numpy.typing import NDArray

#: What version.json calls it; no file of algorithms/ may have the name.
NAME = "blend"
FOLDER = "members"


@dataclass(frozen=True)
class Member:
    """`weight`: those of a blend add up to 1."""

    algorithm: str
    weight: float
    model: Model


class Blend:
    """`members`: by name, whatever order they are given in, because the last bits of a sum depend on it."""

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = sorted(members, key=lambda member: member.algorithm)
        self.settings: dict[str, Any] = {member.algorithm: member.weight for member in self.members}

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        return self._mean([member.model.predict(matrix) for member in self.members])

    def attributions(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """The weighted mean of the members' own: exact for values; of classes, log-odds are averaged where the blend averages
        probabilities.
        """
        return self._mean([member.model.attributions(matrix) for member in self.members])

    def _mean(self, said: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        return reduce(np.add, (member.weight * values for member, values in zip(self.members, said, strict=True)))

    def save(self, folder: Path) -> None:
        for member in self.members:
            place = folder / FOLDER / member.algorithm
            place.mkdir(parents=True)
            member.model.save(place)


def load(folder: Path, version: Mapping[str, Any], about: Mapping[str, Any]) -> Model:
    """The model of a packed version. Raises BadInput naming a member that cannot be loaded."""
    if version["algorithm"] != NAME:
        model: Model = algorithms.find(version["algorithm"]).load(folder, about)
        return model
    weights = version["hyperparameters"]
    return Blend([Member(name, weights[name], load_member(folder / FOLDER / name, name, about)) for name in weights])


def load_member(folder: Path, algorithm: str, about: Mapping[str, Any]) -> Model:
    """Raises BadInput with one line."""
    found = algorithms.find(algorithm)
    try:
        model: Model = found.load(folder, about)
    except (OSError, ValueError, KeyError, TypeError) as error:  # XGBoostError is a ValueError whose text goes on with its stack
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise BadInput(f"the {algorithm} model in {folder.name} cannot be loaded: {reason}; train it again") from None
    return model
