"""The rounds of gradient boosting, one at a time: until the validation loss stops falling, from a checkpoint where there is one.

Input: XGBoost's parameters and the matrices of the training rows and, if any, the validation rows. Output: a booster of the rounds that
are kept. As `xgboost.train` with `early_stopping_rounds` does it, which can not go on: it forgets the best round. Used by
`algorithms/gradient_boosting.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from checkpoints import Checkpoints
from light_xgboost import xgboost

_BEST, _LEAST = "best_iteration", "best_score"


#: Is told of the round and of what XGBoost measured after it, by its names: {"auc": 0.81, "logloss": 0.42}.
Told = Callable[[int, Mapping[str, float]], None]


def boost(
    parameters: Mapping[str, Any],
    matrices: Sequence[Any],
    rounds: int,
    patience: int,
    segment: int = 0,
    kept: Checkpoints | None = None,
    told: Told | None = None,
) -> Any:
    """At most `rounds`, and with validation rows those up to the one after which `patience` rounds brought no lower loss, which is the
    last of the parameters' eval_metric.

    After each `segment` rounds (0: never) the booster is saved and begun anew from what was saved, whether it is interrupted there or
    not: XGBoost saves neither the state of its random numbers nor that of its sampler of columns.
    """
    saved = kept.read() if kept else None
    booster = _begin(parameters, matrices, saved)
    begun = booster.num_boosted_rounds()
    if saved:
        print(f"goes on after round {begun}, which was saved before the interruption")
    best, least = int(booster.attr(_BEST) or 0), float(booster.attr(_LEAST) or math.inf)
    for number in range(begun, rounds):
        if len(matrices) > 1 and number - best > patience:
            break
        if segment and number > begun and number % segment == 0:
            saved = booster.save_raw("ubj")
            booster = _begin(parameters, matrices, saved)
            if kept:
                kept.save(saved)
        booster.update(matrices[0], iteration=number)
        if len(matrices) > 1:
            measured = _measured(booster.eval_set([(matrices[1], "validation")], number))
            loss = list(measured.values())[-1]
            if told:
                told(number, measured)
            if loss < least:
                best, least = number, loss
                booster.set_attr(**{_BEST: str(best), _LEAST: repr(least)})
    booster.set_attr(**{_BEST: None, _LEAST: None})
    return booster[: best + 1] if len(matrices) > 1 else booster.reset()


def _measured(line: str) -> dict[str, float]:
    """Of what XGBoost says after a round: a number, and for each metric `validation-<metric>:<value>`, with tabs between them."""
    pairs = (measured.rsplit(":", 1) for measured in line.split("\t")[1:])
    return {name.removeprefix("validation-"): float(value) for name, value in pairs}


def _begin(parameters: Mapping[str, Any], matrices: Sequence[Any], saved: bytearray | None) -> Any:
    """A booster that goes on after the rounds of a saved one, and draws other rows and columns than those did."""
    done = xgboost.Booster(model_file=saved).num_boosted_rounds() if saved else 0
    return xgboost.Booster({**parameters, "seed": parameters["seed"] + done}, matrices, model_file=saved)
