"""XGBoost models, shared by `algorithms/gradient_boosting.py` and `algorithms/random_forest.py`.

Histogram trees give the same bytes for any number of threads, so a version can be rebuilt exactly.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import objectives
from dataset import Batches
from light_xgboost import xgboost
from numpy.typing import NDArray

MODEL_FILE = "model.ubj"
SETTINGS_FILE = "settings.json"

OBJECTIVE = {"regression": "reg:squarederror", "binary": "binary:logistic", "multiclass": "multi:softprob"}
#: Leaves that hold the means of their rows, none below 0 where no answer is. A forest of Poisson's loss would take one short step to them.
MEANS = {"objective": OBJECTIVE["regression"], "eval_metric": "rmse"}
#: What stops boosting is the loss that it optimises, whatever the metric is: ranks are as good as they get after a few small
#: steps, when probabilities have hardly moved from the class shares. The metric chooses between trials (docs/decisions/0064).
LOSS = {"regression": "rmse", "binary": "logloss", "multiclass": "mlogloss"}
#: Both, of a regression that does not predict a mean by squared errors. The logarithms of `log_mean` do (logarithms.py).
_OF_ANOTHER_AIM = {objectives.COUNT: ("count:poisson", "poisson-nloglik"), objectives.QUANTILE: ("reg:quantileerror", "quantile")}

#: Cells below which waking more threads costs more than it saves.
FEWEST_CELLS_PER_THREAD = 500_000


def threads(cells: int) -> int:
    """For a matrix of so many cells, up to the CPUs of the instance (`SM_NUM_CPUS`); the result does not depend on it."""
    available = int(os.environ.get("SM_NUM_CPUS") or os.cpu_count() or 1)
    return max(1, min(available, cells // FEWEST_CELLS_PER_THREAD))


def base_parameters(about: Mapping[str, Any], train: Batches) -> dict[str, Any]:
    problem = about["problem"]
    objective, loss = _OF_ANOTHER_AIM.get(about.get("objective", objectives.MEAN), (OBJECTIVE[problem], LOSS[problem]))
    parameters: dict[str, Any] = {
        "objective": objective,
        "eval_metric": loss,
        "tree_method": "hist",
        "seed": 0,
        "nthread": threads(train.rows * train.columns),
    }
    if problem == "multiclass":
        parameters["num_class"] = len(about["classes"])
    if (share := objectives.quantile_of(about["metric"])) is not None:
        parameters["quantile_alpha"] = share
    if signs := about.get("monotone"):
        parameters["monotone_constraints"] = tuple(signs)
    return parameters


class Trees:
    """A booster and the hyperparameters that made it."""

    def __init__(self, booster: Any, settings: dict[str, Any]) -> None:
        self.booster = booster
        self.settings = settings
        self._threads = 0

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        self._use_threads(threads(matrix.size))
        return np.asarray(self.booster.inplace_predict(matrix), dtype=np.float64)

    def attributions(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Exact TreeSHAP (Lundberg et al. 2020), in the units of the raw score: log-odds for a classification."""
        self._use_threads(threads(matrix.size * 100))  # an attribution costs about a hundred predictions
        shares = np.asarray(self.booster.predict(xgboost.DMatrix(matrix), pred_contribs=True), dtype=np.float64)[..., :-1]
        return shares if shares.ndim == 2 else np.abs(shares).sum(axis=1)

    def _use_threads(self, count: int) -> None:
        if count != self._threads:
            self.booster.set_param({"nthread": count})
            self._threads = count

    def save(self, folder: Path) -> None:
        self.booster.save_model(folder / MODEL_FILE)
        (folder / SETTINGS_FILE).write_text(json.dumps(self.settings, sort_keys=True), encoding="utf-8")


def load(folder: Path, _about: Mapping[str, Any]) -> Trees:
    booster = xgboost.Booster()
    booster.load_model(folder / MODEL_FILE)
    return Trees(booster, json.loads((folder / SETTINGS_FILE).read_text(encoding="utf-8")))
