"""What the columns of a row add to what its prediction says alone: a line and small trees on top of an offset, bagged.

Input: rows as a matrix, labels, and an offset (log-odds for a logistic loss, a logarithm for a Gamma one). Output of `fit`: JSON values;
what each member says of rows that it was not fitted on. Each member learns from a bootstrap resample; how strongly the line is held back
and how many trees are kept is what loses least on the rows left out (Breiman 1996, "Out-of-bag estimation"), nothing at all included.
Used by `estimator.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from light_xgboost import xgboost
from numpy.typing import NDArray

Floats = NDArray[np.float64]

GAMMA, LOGISTIC = "reg:gamma", "binary:logistic"
MEMBERS = 5
#: As many columns may add something: those that go most with what the offset leaves open. A wide table costs no more than this.
MOST_COLUMNS = 60
#: Strengths of the ridge penalty on standardised columns, as so many rows; the strongest is no line.
PENALTIES = (np.inf, 300.0, 30.0)
ROUNDS = (0, 20, 40, 80)
TREES = {"tree_method": "hist", "max_depth": 3, "eta": 0.05, "min_child_weight": 5, "lambda": 5, "seed": 0, "nthread": 1}
LEVEL_BEYOND = (0.02, 0.98)
NEWTON_STEPS = 12
LARGEST = 20.0  # of a logarithm


@dataclass(frozen=True)
class Unseen:
    """Rows that a member was not fitted on, and what it adds to their offset."""

    rows: NDArray[np.int64]
    added: Floats


def fit(loss: str, matrix: NDArray[np.float32], label: Floats, offset: Floats, generator: np.random.Generator) -> dict[str, Any]:
    """`matrix`: rows x columns, NaN where missing. `label`: 0 or 1, or positive numbers with mean 1."""
    chosen = _chosen(loss, matrix, label, offset)
    matrix = matrix[:, chosen]
    scale = _scale(matrix)
    columns = _standardised(matrix, scale)
    weights = [np.bincount(generator.integers(0, len(label), len(label)), minlength=len(label)) for _ in range(MEMBERS)]
    unseen = [np.flatnonzero(weight == 0) for weight in weights]

    def lost(added: Sequence[Floats]) -> float:
        return sum(_loss(loss, label[rows], offset[rows] + more) for rows, more in zip(unseen, added, strict=True))

    lines = {penalty: [_line(loss, columns, label, offset, weight, penalty) for weight in weights] for penalty in PENALTIES}
    by_line = {penalty: [columns[rows] @ line for rows, line in zip(unseen, found, strict=True)] for penalty, found in lines.items()}
    penalty = min(PENALTIES, key=lambda one: lost(by_line[one]))
    boosters = [
        _boosted(loss, matrix, label, offset + columns @ line, weight) for line, weight in zip(lines[penalty], weights, strict=True)
    ]
    by_rounds = {
        rounds: [
            line + _said(booster, matrix[rows_], rounds) for booster, rows_, line in zip(boosters, unseen, by_line[penalty], strict=True)
        ]
        for rounds in ROUNDS
    }
    rounds = min(ROUNDS, key=lambda one: lost(by_rounds[one]))
    members = [
        {
            "line": [float(f"{weight:.9g}") for weight in line.tolist()],
            "trees": json.loads(booster[:rounds].save_raw("json")) if rounds else None,
        }
        for line, booster in zip(lines[penalty], boosters, strict=True)
    ]
    return {"columns": chosen, "scale": scale, "members": members}


def added(document: Mapping[str, Any], matrix: NDArray[np.float32]) -> list[Floats]:
    """What each member adds to the offset of each row."""
    matrix = matrix[:, document["columns"]]
    columns = _standardised(matrix, document["scale"])
    return [columns @ np.array(member["line"]) + _of_trees(member["trees"], matrix) for member in document["members"]]


def unseen(document: Mapping[str, Any], matrix: NDArray[np.float32], generator: np.random.Generator) -> list[Unseen]:
    """Of the rows that it was fitted on, with a generator in the state that `fit` was given it in."""
    drawn = [np.bincount(generator.integers(0, len(matrix), len(matrix)), minlength=len(matrix)) for _ in document["members"]]
    return [Unseen(np.flatnonzero(weight == 0), more[weight == 0]) for weight, more in zip(drawn, added(document, matrix), strict=True)]


def _of_trees(document: Mapping[str, Any] | None, matrix: NDArray[np.float32]) -> Floats:
    if document is None:
        return np.zeros(len(matrix))
    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(json.dumps(document), "utf-8"))
    return _said(booster, matrix, None)


def _chosen(loss: str, matrix: NDArray[np.float32], label: Floats, offset: Floats) -> list[int]:
    """Positions of at most MOST_COLUMNS columns, in order."""
    if matrix.shape[1] <= MOST_COLUMNS:
        return list(range(matrix.shape[1]))
    open_ = label * np.exp(-offset) - 1 if loss == GAMMA else label - 1 / (1 + np.exp(-offset))
    strength = np.abs(_standardised(matrix, _scale(matrix))[:, :-1].T @ open_)
    return sorted(np.argsort(-strength, kind="stable")[:MOST_COLUMNS].tolist())


def _scale(matrix: NDArray[np.float32]) -> list[list[float]]:
    """Of each column: mean, standard deviation, and the standardised values beyond which the line stays level: few rows were there."""
    found = []
    for column in matrix.T.astype(np.float64):
        present = column[~np.isnan(column)]
        centre, spread = (float(present.mean()), float(present.std())) if len(present) else (0.0, 0.0)
        spread = spread or 1.0
        ends = [(float(end) - centre) / spread for end in np.quantile(present, LEVEL_BEYOND)] if len(present) else [0.0, 0.0]
        found.append([float(f"{value:.9g}") for value in (centre, spread, *ends)])
    return found


def _standardised(matrix: NDArray[np.float32], scale: Sequence[Sequence[float]]) -> Floats:
    """Missing values are at the mean. The last column is the constant."""
    columns = np.ones((len(matrix), len(scale) + 1))
    for index, (centre, spread, lowest, highest) in enumerate(scale):
        values = (matrix[:, index].astype(np.float64) - centre) / spread
        columns[:, index] = np.nan_to_num(np.clip(values, lowest, highest))
    return columns


def _line(loss: str, columns: Floats, label: Floats, offset: Floats, weight: NDArray[np.int64], penalty: float) -> Floats:
    """Ridge regression with the loss, by Newton's method. The constant is held back by one row only."""
    found = np.zeros(columns.shape[1])
    if np.isinf(penalty):
        return found
    ridge = np.full(len(found), penalty)
    ridge[-1] = 1.0
    for _ in range(NEWTON_STEPS):
        eta = np.clip(offset + columns @ found, -LARGEST, LARGEST)
        if loss == GAMMA:
            curvature = label * np.exp(-eta)
            slope = curvature - 1
        else:
            probability = 1 / (1 + np.exp(-eta))
            slope, curvature = label - probability, probability * (1 - probability)
        step = np.linalg.solve((columns.T * (weight * curvature)) @ columns + np.diag(ridge), columns.T @ (weight * slope) - ridge * found)
        found = found + step / max(1.0, float(np.abs(step).max()))
    return found


def _boosted(loss: str, matrix: NDArray[np.float32], label: Floats, margin: Floats, weight: NDArray[np.int64]) -> Any:
    data = xgboost.DMatrix(matrix, label=label, weight=weight.astype(np.float64), base_margin=margin, nthread=1)
    neutral = 1.0 if loss == GAMMA else 0.5
    return xgboost.train({**TREES, "objective": loss, "base_score": neutral}, data, ROUNDS[-1], verbose_eval=False)


def _said(booster: Any, matrix: NDArray[np.float32], rounds: int | None) -> Floats:
    """What trees add; None: all of them."""
    if rounds == 0:
        return np.zeros(len(matrix))
    return np.asarray(booster.inplace_predict(matrix, iteration_range=(0, rounds or 0), predict_type="margin"), dtype=np.float64)


def _loss(loss: str, label: Floats, eta: Floats) -> float:
    eta = np.clip(eta, -LARGEST, LARGEST)
    if loss == GAMMA:
        return float((eta + label * np.exp(-eta)).sum())
    return float((np.logaddexp(0, eta) - label * eta).sum())
