"""Gradient-boosted trees (XGBoost), stopped early by the loss on the validation rows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import checkpoints
import hosts
import tuner_contract
from boosting import Told, boost
from dataset import Batches
from failure import BadInput
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
    told = None if validation is None else _told_the_tuner(about)
    if told:
        parameters["eval_metric"] = list(dict.fromkeys([_of_a_round(about), parameters["eval_metric"]]))
    is_logarithm = about.get("objective") == LOG_MEAN
    judged = [train] if validation is None else [train, validation]
    learned = [Logarithms(rows) for rows in judged] if is_logarithm else judged
    with binned(*learned, threads=parameters["nthread"]) as made:
        booster = boost(parameters, made, given["num_round"], given["early_stopping_rounds"], given["checkpoint_rounds"], kept, told)
    settings = {**given, "num_round": booster.num_boosted_rounds()}
    return Trees(answering(booster, train) if is_logarithm else booster, settings)


def _of_a_round(about: Mapping[str, Any]) -> str:
    """The metric as XGBoost calls it."""
    name = tuner_contract.OF_A_ROUND.get(about["metric"])
    if name is None:
        raise BadInput(
            f"no round is judged by {about['metric']}; Hyperband takes {', '.join(tuner_contract.OF_A_ROUND)} (tuning of the model's file)"
        )
    return "mlogloss" if (name, about["problem"]) == ("logloss", "multiclass") else name


def _told_the_tuner(about: Mapping[str, Any]) -> Told | None:
    """Prints the objective after each round, where the tuner judges them (Hyperband). Of several hosts one prints: equal lines of all would
    count as rounds ("HyperbandStrategyConfig", SageMaker's API reference).
    """
    if tuner_contract.EACH_ROUND_VARIABLE not in os.environ or not hosts.of_job().is_first:
        return None
    metric = _of_a_round(about)

    def told(number: int, measured: Mapping[str, float]) -> None:
        print(tuner_contract.line(about["metric"], about["problem"], measured[metric], number), flush=True)

    return told
