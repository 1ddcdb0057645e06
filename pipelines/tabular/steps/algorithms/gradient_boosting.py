"""Gradient-boosted trees (XGBoost), stopped early by the loss on the validation rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dataset import Part
from trees import Trees, base_parameters, load, matrix_of, xgboost

from algorithms import numbers

__all__ = ["fit", "load"]

DEFAULTS = {
    "rounds": 500,
    "patience": 30,  # rounds without improvement before stopping
    "learning_rate": 0.1,
    "max_depth": 5,
    "min_child_weight": 1.0,
    "subsample": 0.8,
    "columns_per_tree": 0.8,
    "l2": 1.0,
}


def fit(train: Part, validation: Part | None, about: Mapping[str, Any], hyperparameters: Mapping[str, str]) -> Trees:
    """`validation` None: all `rounds` are kept. The rounds in force are in `settings["rounds"]`."""
    given = numbers(hyperparameters, DEFAULTS, "gradient_boosting")
    parameters = {
        **base_parameters(about, train),
        "learning_rate": given["learning_rate"],
        "max_depth": given["max_depth"],
        "min_child_weight": given["min_child_weight"],
        "subsample": given["subsample"],
        "colsample_bytree": given["columns_per_tree"],
        "reg_lambda": given["l2"],
    }
    if validation is None:
        return Trees(xgboost.train(parameters, matrix_of(train), given["rounds"], verbose_eval=False), given)
    booster = xgboost.train(
        parameters,
        matrix_of(train),
        given["rounds"],
        evals=[(matrix_of(validation), "validation")],
        early_stopping_rounds=given["patience"],
        verbose_eval=False,
    )
    rounds = booster.best_iteration + 1
    kept = booster[:rounds]
    kept.set_attr(best_iteration=None, best_score=None)
    return Trees(kept, {**given, "rounds": rounds})
