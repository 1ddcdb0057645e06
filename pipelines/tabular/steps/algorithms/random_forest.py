"""A random forest, grown by XGBoost in its forest mode: exact attributions, and the same bytes on any number of threads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dataset import Part
from trees import Trees, base_parameters, load, matrix_of, xgboost

from algorithms import numbers

__all__ = ["fit", "load"]

DEFAULTS = {"trees": 100, "max_depth": 10, "columns_per_split": 0.6, "rows_per_tree": 0.632, "min_child_weight": 2.0}


def fit(train: Part, _validation: Part | None, about: Mapping[str, Any], hyperparameters: Mapping[str, str]) -> Trees:
    """One boosting round of many parallel trees, each on its own rows and split columns ("Random Forests in XGBoost", XGBoost docs)."""
    given = numbers(hyperparameters, DEFAULTS, "random_forest")
    parameters = {
        **base_parameters(about, train),
        "num_parallel_tree": given["trees"],
        "learning_rate": 1.0,
        "reg_lambda": 1e-5,  # the value of XGBRFRegressor: leaves hold plain means
        "subsample": given["rows_per_tree"],
        "colsample_bynode": given["columns_per_split"],
        "max_depth": given["max_depth"],
        "min_child_weight": given["min_child_weight"],
    }
    return Trees(xgboost.train(parameters, matrix_of(train), 1, verbose_eval=False), given)
