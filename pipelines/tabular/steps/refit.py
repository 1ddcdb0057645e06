"""Fits the chosen model again on training and validation rows, with what validation has found: no row is only looked at.

Input: what the trial says of itself (train.py), and rows. Output: a model. What needs predictions of rows that were not learned from
(decision threshold, shares of predictions) stays that of the trial, which validation rows have not fitted. Used by `choose.py`, and by
the learning curve of `evaluation/behaviour.py`. On one machine, also where several hosts trained the trial.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import algorithms
import blend
from algorithms import Model
from blend import Blend, Member
from dataset import Batches

#: More rows bear more rounds than early stopping kept. On ten public tables with 21 % more rows, a tenth more rounds was better on nine
#: and significantly on four (docs/decisions/0186-no-row-is-wasted.md).
ROUNDS_FACTOR = 1.1
#: Of XGBoost, and 1 where nothing is boosted (tuner_contract.py): that stays 1.
ROUNDS = "num_round"


def on_all_rows(version: Mapping[str, Any], rows: Batches, about: Mapping[str, Any]) -> Model:
    """`rows`: of training and validation. `version`: `algorithm` and the `hyperparameters` in force; of a blend those are the weights, and
    `members` has each one's.
    """
    return fitted(version, rows, about, ROUNDS_FACTOR)


def fitted(version: Mapping[str, Any], rows: Batches, about: Mapping[str, Any], rounds_factor: float = 1.0) -> Model:
    """Nothing is stopped early: all rounds are kept."""
    if version["algorithm"] != blend.NAME:
        return _fitted(version["algorithm"], version["hyperparameters"], rows, about, rounds_factor)
    return Blend(
        [
            Member(name, weight, _fitted(name, version["members"][name], rows, about, rounds_factor))
            for name, weight in version["hyperparameters"].items()
        ]
    )


def _fitted(algorithm: str, found: Mapping[str, Any], rows: Batches, about: Mapping[str, Any], rounds_factor: float) -> Model:
    given = {name: str(value) for name, value in found.items()}
    if ROUNDS in found:
        given[ROUNDS] = str(round(found[ROUNDS] * rounds_factor))
    model: Model = algorithms.find(algorithm).fit(rows, None, about, given)
    return model
