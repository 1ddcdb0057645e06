"""A packed version, ready to answer: the fitted preparation and the model together.

Input: the folder that `model.tar.gz` was unpacked into. Used by `inference.py` on the endpoint and by
`evaluate.py` on the test rows, so what is evaluated is what is served.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import blend
import numpy as np
import objectives
import one_row
import prediction_shares
from allowed import Allowed
from decisions import HALF, Floats, Predictions, decide
from features import Labels, Matrix, Preparer
from numpy.typing import NDArray


@dataclass(frozen=True)
class Served:
    """`about`: problem, metric, classes, and what `objectives.aims` says; `version`: where the model came from.

    `state`: the preparation with the contract. `predictions`: how those on the validation rows are spread (`prediction_shares.py`); None of
    versions from before they were kept.
    """

    preparer: Preparer
    model: Any
    about: dict[str, Any]
    version: dict[str, Any]
    state: dict[str, Any]
    predictions: dict[str, Any] | None = None

    @property
    def dataset(self) -> dict[str, Any]:
        """The data that it was trained for."""
        contract: dict[str, Any] = self.state["dataset"]
        return contract

    @property
    def contract(self) -> dict[str, Any]:
        """What the version takes and answers, for whoever asks or judges it later: the project's version_contract.py reads it."""
        kept = {name: self.state[name] for name in ("model", "dataset", "preparation", "classes")}
        made = ("code_sha256", "data_sha256", "schema_sha256", "specification_sha256", "algorithm", "decision_metric", "decision_threshold")
        return {**kept, **{name: self.version.get(name) for name in made}}

    @property
    def features(self) -> list[str]:
        """Raw columns in the order of a request."""
        return [*self.preparer.numeric, *self.preparer.categorical]

    @cached_property
    def allowed(self) -> Allowed:
        """What a request may hold, by the contract in `dataset`."""
        return Allowed(self.dataset, self.preparer.numeric, self.preparer.categorical)

    @cached_property
    def one_row(self) -> one_row.OneRow | None:
        """The quick way of a row alone, where there is one. Made when it is asked for: in some tens of milliseconds."""
        return one_row.of(self)

    @property
    def is_refitted(self) -> bool:
        """Whether the model learned from the validation rows, too, after they had chosen it."""
        return "validation" in self.version.get("fitted_on", ())

    @property
    def threshold(self) -> float | None:
        """The probability from which on the positive class is decided. One half for versions older than the fitted threshold."""
        return None if self.about["classes"] is None else float(self.version.get("decision_threshold") or HALF)

    def prepare(self, numeric: NDArray[np.float64], categorical: Sequence[Labels]) -> Matrix:
        return self.preparer.transform(numeric, categorical)

    def predict(self, numeric: NDArray[np.float64], categorical: Sequence[Labels]) -> NDArray[np.float64]:
        """Raw rows -> values, probabilities of the positive class, or rows x classes."""
        return np.asarray(self.model.predict(self.prepare(numeric, categorical)), dtype=np.float64)

    def decide(self, scores: Floats) -> Floats:
        """The index of each row's class, where there are classes."""
        return decide(scores, self.threshold)

    def answer(self, numeric: NDArray[np.float64], categorical: Sequence[Labels]) -> Predictions:
        """The same with what is decided."""
        return Predictions.of(self.predict(numeric, categorical), self.threshold)


def load(folder: Path) -> Served:
    state = json.loads((folder / "preparation.json").read_text(encoding="utf-8"))
    version = json.loads((folder / "version.json").read_text(encoding="utf-8"))
    preparer = Preparer(state)
    about = {"problem": state["dataset"]["problem"], "metric": state["dataset"]["metric"], "classes": state["classes"]}
    about |= objectives.aims(state["dataset"], preparer.outputs)
    model = blend.load(folder, version, about)
    spread = folder / prediction_shares.FILE
    predictions = json.loads(spread.read_text(encoding="utf-8")) if spread.exists() else None
    return Served(preparer, model, about, version, state, predictions)
