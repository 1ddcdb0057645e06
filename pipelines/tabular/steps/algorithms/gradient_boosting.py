"""Gradient-boosted trees (XGBoost), stopped early by the loss on the validation rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dataset import Batches
from light_xgboost import xgboost
from matrices import binned
from trees import Trees, base_parameters, load

from algorithms import numbers

__all__ = ["fit", "load"]

DEFAULTS = {
    "num_round": 500,
    "early_stopping_rounds": 30,
    "eta": 0.1,
    "max_depth": 5,
    "min_child_weight": 1.0,
    "subsample": 0.8,
    "colsample_bytree": 0.8,
    "lambda": 1.0,
}


def fit(train: Batches, validation: Batches | None, about: Mapping[str, Any], hyperparameters: Mapping[str, str]) -> Trees:
    """`validation` None: all rounds are kept. The rounds in force are in `settings["num_round"]`."""
    given = numbers(hyperparameters, DEFAULTS, "gradient_boosting")
    rounds, patience = given["num_round"], given["early_stopping_rounds"]
    own = {name: value for name, value in given.items() if name not in ("num_round", "early_stopping_rounds")}
    parameters = {**base_parameters(about, train), **own}
    judged = [] if validation is None else [validation]
    with binned(train, *judged, threads=parameters["nthread"]) as made:
        booster = xgboost.train(
            parameters,
            made[0],
            rounds,
            evals=[(other, "validation") for other in made[1:]],
            early_stopping_rounds=patience if judged else None,
            verbose_eval=False,
        )
    if validation is None:
        return Trees(booster, given)
    best = booster.best_iteration + 1
    kept = booster[:best]
    kept.set_attr(best_iteration=None, best_score=None)
    return Trees(kept, {**given, "num_round": best})
