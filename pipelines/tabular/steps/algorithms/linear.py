"""Regularised linear models: ridge regression, or logistic regression for classes, kept as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import objectives
from dataset import Batches
from logarithms import Logarithms, mean_over_typical
from numpy.typing import NDArray

from algorithms import numbers
from algorithms._linear_fit import Fitted, Signs, logistic, poisson, quantile, ridge

#: `lambda` is the strength of the L2 penalty. SageMaker's tuner wants `num_round` of every program; nothing is boosted here.
DEFAULTS = {"lambda": 1.0, "num_round": 1}
MODEL_FILE = "linear.json"


class Linear:
    """scores = matrix @ coefficients + intercepts, one column of coefficients per score."""

    def __init__(
        self,
        coefficients: NDArray[np.float64],
        intercepts: NDArray[np.float64],
        centre: NDArray[np.float64],
        about: Mapping[str, Any],
        settings: dict[str, Any],
    ) -> None:
        self.coefficients = coefficients
        self.intercepts = intercepts
        self.centre = centre  # mean of the training rows: the reference of the attributions
        self.problem = about["problem"]
        self.is_exponential = about.get("objective") in (objectives.COUNT, objectives.LOG_MEAN)  # the score is a logarithm
        self.settings = settings

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        scores = self._scores(matrix)
        if self.problem == "regression":
            return np.exp(scores[:, 0]) if self.is_exponential else scores[:, 0]
        if self.problem == "binary":
            return np.asarray(1 / (1 + np.exp(-scores[:, 0])), dtype=np.float64)
        exponential = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(exponential / exponential.sum(axis=1, keepdims=True), dtype=np.float64)

    def _scores(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Added column by column: a matrix product sums in an order that depends on the number of rows, and its last bits with it."""
        scores = np.tile(self.intercepts, (len(matrix), 1))
        for column, coefficients in enumerate(self.coefficients):
            scores += matrix[:, column, None].astype(np.float64) * coefficients
        return scores

    def attributions(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Exact SHAP values of a linear model with independent columns: coefficient x (value - mean) (Lundberg & Lee 2017)."""
        shares = (matrix - self.centre)[:, :, None] * self.coefficients[None, :, :]
        return np.asarray(shares[:, :, 0] if shares.shape[2] == 1 else np.abs(shares).sum(axis=2), dtype=np.float64)

    def save(self, folder: Path) -> None:
        document = {
            "coefficients": self.coefficients.tolist(),
            "intercepts": self.intercepts.tolist(),
            "centre": self.centre.tolist(),
            "settings": self.settings,
        }
        (folder / MODEL_FILE).write_text(json.dumps(document, sort_keys=True), encoding="utf-8")


def fit(train: Batches, _validation: Batches | None, about: Mapping[str, Any], hyperparameters: Mapping[str, str]) -> Linear:
    from threadpoolctl import threadpool_limits

    given = numbers(hyperparameters, DEFAULTS, "linear")
    # One thread: how a product is divided among threads changes its last bits.
    with threadpool_limits(limits=1):
        fitted = _fitted(train, about, given["lambda"], about.get("monotone"))
    return Linear(*fitted, about, given)


def _fitted(train: Batches, about: Mapping[str, Any], penalty: float, signs: Signs) -> Fitted:
    if about["problem"] != "regression":
        return logistic(train, penalty, len(about["classes"]), signs)
    share = objectives.quantile_of(about["metric"])
    if share is not None:
        return quantile(train, penalty, share)
    if about.get("objective") == objectives.COUNT:
        return poisson(train, penalty, signs)
    if about.get("objective") != objectives.LOG_MEAN:
        return ridge(train, penalty, signs)
    coefficients, intercepts, means = ridge(Logarithms(train), penalty, signs)
    factor = mean_over_typical(train, lambda matrix: (matrix.astype(np.float64) @ coefficients + intercepts)[:, 0])
    return coefficients, intercepts + np.log(factor), means


def load(folder: Path, about: Mapping[str, Any]) -> Linear:
    document = json.loads((folder / MODEL_FILE).read_text(encoding="utf-8"))
    coefficients, intercepts, centre = (np.array(document[name]) for name in ("coefficients", "intercepts", "centre"))
    return Linear(coefficients, intercepts, centre, about, document["settings"])
