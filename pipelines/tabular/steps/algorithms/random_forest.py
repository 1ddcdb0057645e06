"""A random forest, grown by XGBoost in its forest mode: exact attributions, and the same bytes on any number of threads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dataset import Batches
from light_xgboost import xgboost
from logarithms import Logarithms, answering
from matrices import binned
from objectives import COUNT, LOG_MEAN
from trees import MEANS, Trees, base_parameters, load

from algorithms import numbers

__all__ = ["fit", "load"]

DEFAULTS = {
    "num_round": 1,  # more would be a boosted forest
    "num_parallel_tree": 100,
    "max_depth": 10,
    "colsample_bynode": 0.6,
    "subsample": 0.632,
    "min_child_weight": 2.0,
}


def fit(train: Batches, _validation: Batches | None, about: Mapping[str, Any], hyperparameters: Mapping[str, str]) -> Trees:
    """One boosting round of many parallel trees, each on its own rows and split columns ("Random Forests in XGBoost", XGBoost docs)."""
    given = numbers(hyperparameters, DEFAULTS, "random_forest")
    parameters = {
        **base_parameters(about, train),
        "eta": 1.0,
        "lambda": 1e-5,  # the value of XGBRFRegressor: leaves hold plain means
        **{name: value for name, value in given.items() if name != "num_round"},
    }
    if about.get("objective") == COUNT:
        parameters |= MEANS
    is_logarithm = about.get("objective") == LOG_MEAN
    with binned(Logarithms(train) if is_logarithm else train, threads=parameters["nthread"]) as made:
        booster = xgboost.train(parameters, made[0], given["num_round"], verbose_eval=False)
    return Trees(answering(booster, train) if is_logarithm else booster, given)
