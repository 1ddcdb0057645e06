"""The competing algorithms: one module each, found by name.

A module offers `fit(train, validation, about, hyperparameters) -> Model` and `load(folder) -> Model`, where a
model can `predict(matrix)`, explain with `attributions(matrix)` and `save(folder)`. To add one: write
`algorithms/<name>.py` and one line in the `algorithms` of a model's file.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from dataset import Batches
from failure import BadInput
from numpy.typing import NDArray


class Model(Protocol):
    """What every algorithm gives back."""

    settings: dict[str, Any]  # the hyperparameters in force, also those found by early stopping

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Values (regression), probabilities of the positive class (binary), or rows x classes (multiclass)."""
        ...

    def attributions(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Each prepared column's share of each prediction (rows x columns); absolute values summed over classes."""
        ...

    def save(self, folder: Path) -> None: ...


class Algorithm(Protocol):
    def fit(self, train: Batches, validation: Batches | None, about: Mapping[str, Any], hyperparameters: Mapping[str, str]) -> Model: ...

    def load(self, folder: Path, about: Mapping[str, Any]) -> Model: ...


def find(name: str) -> Any:
    """The module of an algorithm. Raises BadInput naming those that exist."""
    available = sorted(file.stem for file in Path(__file__).parent.glob("*.py") if not file.stem.startswith("_"))
    if name not in available:
        raise BadInput(
            f"algorithm {name!r} is unknown; available: {', '.join(available)} (algorithms of the model's file, steps/algorithms/)"
        )
    return importlib.import_module(f"algorithms.{name}")


def numbers(given: Mapping[str, str], defaults: Mapping[str, float | int], algorithm: str) -> dict[str, Any]:
    """Hyperparameters as numbers of their default's type. Raises BadInput for an unknown name or a text that is no number."""
    unknown = sorted(set(given) - set(defaults))
    if unknown:
        raise BadInput(f"{algorithm} has no hyperparameter {unknown[0]!r}; it has {', '.join(defaults)} (algorithms of the model's file)")
    values: dict[str, Any] = {}
    for name, default in defaults.items():
        try:
            values[name] = type(default)(float(given[name])) if name in given else default
        except ValueError:
            raise BadInput(
                f"{algorithm} hyperparameter {name} is {given[name]!r}; give a number (algorithms of the model's file)"
            ) from None
    return values
