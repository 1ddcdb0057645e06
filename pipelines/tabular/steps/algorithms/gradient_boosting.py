"""Gradient-boosted trees (XGBoost), stopped early by the loss on the validation rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import checkpoints
from boosting import boost
from dataset import Batches
from logarithms import Logarithms, answering
from matrices import binned
from objectives import LOG_MEAN
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
    "checkpoint_rounds": 0,  # of a job that keeps checkpoints: checkpoints.ROUNDS. Recorded, since the model depends on it
}


def fit(train: Batches, validation: Batches | None, about: Mapping[str, Any], hyperparameters: Mapping[str, str]) -> Trees:
    """`validation` None: all rounds are kept. The rounds in force are in `settings["num_round"]`."""
    kept = checkpoints.of_job()
    segment = {"checkpoint_rounds": str(checkpoints.ROUNDS)} if kept else {}
    given = numbers({**segment, **hyperparameters}, DEFAULTS, "gradient_boosting")
    own = {name: value for name, value in given.items() if name not in ("num_round", "early_stopping_rounds", "checkpoint_rounds")}
    parameters = {**base_parameters(about, train), **own}
    is_logarithm = about.get("objective") == LOG_MEAN
    judged = [train] if validation is None else [train, validation]
    learned = [Logarithms(rows) for rows in judged] if is_logarithm else judged
    with binned(*learned, threads=parameters["nthread"]) as made:
        booster = boost(parameters, made, given["num_round"], given["early_stopping_rounds"], given["checkpoint_rounds"], kept)
    settings = {**given, "num_round": booster.num_boosted_rounds()}
    return Trees(answering(booster, train) if is_logarithm else booster, settings)
