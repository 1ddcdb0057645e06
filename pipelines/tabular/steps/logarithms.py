"""Learns the logarithm of the answers and answers with their mean: for positive answers of which few are very large.

Input: prepared rows, and what was fitted on the logarithms. Output: the same rows with the logarithms as answers; a booster that answers
with values; the factor between a typical value and the mean. Used by the algorithms, for `objective="log_mean"`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from dataset import Batches, Part
from features import Matrix
from hosts import total
from light_xgboost import xgboost
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Of XGBoost's objectives one whose answers are the exponential of the sums of leaves ("GammaDeviance" of src/objective/regression_obj.cu).
EXPONENTIAL = "reg:gamma"


class Logarithms:
    """Rows whose answers are more than 0, with the logarithms of those."""

    def __init__(self, rows: Batches) -> None:
        self._rows = rows

    @property
    def rows(self) -> int:
        return self._rows.rows

    @property
    def columns(self) -> int:
        return self._rows.columns

    def __iter__(self) -> Iterator[Part]:
        for part in self._rows:
            yield Part(part.features, np.log(part.target), part.weight)


def mean_over_typical(train: Batches, logarithm: Callable[[Matrix], Floats]) -> float:
    """By what the exponential of a predicted logarithm is multiplied, so that the training rows' answers and predictions have one mean.

    The exponential alone is the median where errors are symmetric, which lies below the mean (Duan, "Smearing estimate", 1983).
    """
    answers = predicted = 0.0
    for part in train:
        answers += float(part.weight @ part.target)
        predicted += float(part.weight @ np.exp(logarithm(part.features)))
    both = total(np.array([answers, predicted]))
    return float(both[0] / both[1])


def answering(booster: Any, train: Batches) -> Any:
    """A booster of logarithms as one of values: the same trees, whose sum's exponential is multiplied and answered by XGBoost itself.

    So whatever reads a model knows it: one row's table, ONNX, another host. `train`: with the answers as they are.
    """
    document = json.loads(booster.save_raw("json"))
    learner = document["learner"]
    parameters = learner["learner_model_param"]
    begin = float(json.loads(parameters["base_score"])[0])
    factor = mean_over_typical(train, lambda matrix: np.asarray(booster.inplace_predict(matrix), dtype=np.float64))
    parameters["base_score"] = json.dumps([math.exp(begin) * factor])
    learner["objective"] = {"name": EXPONENTIAL, "reg_loss_param": {"scale_pos_weight": "1"}}
    return xgboost.Booster(model_file=bytearray(json.dumps(document).encode()))
