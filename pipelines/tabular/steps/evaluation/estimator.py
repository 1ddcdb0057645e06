"""What a version's answers are worth where the truth is not known yet: fitted on its test rows, carried by it as estimator.json.

Input: test rows, the predictions and what was true. Output of `fit`: JSON values. `draws` then makes answers as they may turn out for
other rows, of which any metric can be measured; monitoring's estimates.py does so for the rows of production. Two methods:

- classes: confidence-based estimation. Scores are calibrated (`calibrators.py`), and classes drawn from those probabilities.
- regression: direct loss estimation. Boosted trees predict the size of the error from row and prediction (the mean of a Gamma
  distribution), each fitted on a bootstrap resample; of the rows that it did not see, errors are kept as multiples of that size.

Each draw takes another resample's fit, so that draws differ by what the fit does not know and by what chance does to so many rows.
Both methods were named by NannyML ("Estimating Performance of Regression / Classification Models", its documentation); they assume
that the answers still depend on the rows as they did: concept drift cannot be seen without labels.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from dataset import Rows
from decisions import Predictions
from numpy.typing import NDArray
from trees import xgboost

from evaluation import calibrators
from evaluation.calibrators import Counted
from evaluation.reference import drawn

Floats = NDArray[np.float64]

FEWEST_ROWS = 50
FEWEST_ROWS_OF_CLASS = 5
#: More rows than this would make the fit no surer than a window is.
MOST_ROWS = 5_000
MOST_ERRORS = 2_000
MOST_CATEGORIES = 10
FITS = 5
ROUNDS = (0, 10, 20, 40, 60)
TREES = {
    "objective": "reg:gamma",
    "tree_method": "hist",
    "max_depth": 3,
    "eta": 0.15,
    "min_child_weight": 10,
    "seed": 0,
    "nthread": 1,
}
SEED = 20


def fit(problem: str, rows: Rows, predicted: Predictions, classes: int | None) -> dict[str, Any]:
    """`method` None: nothing can be estimated, and `why` says so."""
    obstacle = _obstacle(rows.target, classes)
    if obstacle:
        return {"problem": problem, "method": None, "why": obstacle}
    chosen = drawn(rows.count, MOST_ROWS)
    rows, predicted = rows.take(chosen), predicted.take(chosen)
    if problem == "regression":
        return {"problem": problem, "method": "direct loss estimation", **_fit_errors(rows, predicted)}
    positive = [1] if predicted.scores.ndim == 1 else range(predicted.scores.shape[1])
    curves = [calibrators.count(_of_class(predicted.scores, label), rows.target == label).document() for label in positive]
    return {"problem": problem, "method": "confidence-based estimation", "curves": curves}


def _obstacle(target: Floats, classes: int | None) -> str | None:
    if len(target) < FEWEST_ROWS:
        return f"the version was evaluated on {len(target)} rows; {FEWEST_ROWS} are needed"
    if classes is not None:
        fewest = int(np.bincount(target.astype(np.int64), minlength=classes).min())
        if fewest < FEWEST_ROWS_OF_CLASS:
            return f"a class had {fewest} rows when the version was evaluated; {FEWEST_ROWS_OF_CLASS} are needed"
    return None


def draws(estimator: Mapping[str, Any], rows: Rows, predicted: Predictions, count: int) -> Iterator[Floats]:
    """`count` times the answers (values, or indices of classes) that these rows may turn out to have."""
    generator = np.random.default_rng(SEED)
    if estimator["problem"] == "regression":
        return _drawn_values(estimator, rows, predicted, count, generator)
    return _drawn_classes(estimator, predicted, count, generator)


def _of_class(scores: Floats, label: int) -> Floats:
    return scores if scores.ndim == 1 else scores[:, label]


def _drawn_classes(estimator: Mapping[str, Any], predicted: Predictions, count: int, generator: np.random.Generator) -> Iterator[Floats]:
    several = predicted.scores.ndim == 2
    counted = [Counted.of(curve) for curve in estimator["curves"]]
    log_odds = [calibrators.logit(_of_class(predicted.scores, label)) for label in range(len(counted))]
    for _ in range(count):
        probability = np.column_stack([part.resampled(generator)(place) for part, place in zip(counted, log_odds, strict=True)])
        chance = generator.random(len(probability))
        if several:
            limits = np.cumsum(probability, axis=1)
            yield (chance[:, None] * limits[:, -1:] > limits[:, :-1]).sum(axis=1).astype(np.float64)
        else:
            yield (chance < probability[:, 0]).astype(np.float64)


# ------------------------------------------------------------------------------------------------- errors of a regression


def _fit_errors(rows: Rows, predicted: Predictions) -> dict[str, Any]:
    categories = {name: _frequent(*labels) for name, labels in rows.categorical.items()}
    matrix = _matrix(rows, predicted, categories)
    errors = rows.target - predicted.scores
    size = np.abs(errors)
    typical = float(size.mean()) or 1.0
    label = np.maximum(size / typical, 1e-6)  # a Gamma distribution has no zero
    generator = np.random.default_rng(SEED)
    boosters, predictions, unseen = [], [], []
    for _ in range(FITS):
        weight = np.bincount(generator.integers(0, rows.count, rows.count), minlength=rows.count)
        data = xgboost.DMatrix(matrix, label=label, weight=weight.astype(np.float64), nthread=1)
        booster = xgboost.train({**TREES, "base_score": 1.0}, data, ROUNDS[-1], verbose_eval=False)
        others = weight == 0
        boosters.append(booster)
        unseen.append(others)
        predictions.append({rounds: _sizes(booster, matrix[others], rounds) for rounds in ROUNDS})
    # The rounds that say most about rows that were not seen: the lowest Gamma deviance.
    deviance = {
        rounds: sum(
            float((np.log(made[rounds]) + label[others] / made[rounds]).sum()) for made, others in zip(predictions, unseen, strict=True)
        )
        for rounds in ROUNDS
    }
    best = min(ROUNDS, key=lambda rounds: deviance[rounds])
    multiples = np.concatenate([errors[others] / typical / made[best] for made, others in zip(predictions, unseen, strict=True)])
    kept = multiples[drawn(len(multiples), MOST_ERRORS)]
    return {
        "categories": categories,
        "typical": typical,
        "rows": rows.count,
        "errors": [float(f"{value:.6g}") for value in kept.tolist()],
        "trees": [json.loads(booster[:best].save_raw("json")) for booster in boosters] if best else [],
    }


def _drawn_values(
    estimator: Mapping[str, Any], rows: Rows, predicted: Predictions, count: int, generator: np.random.Generator
) -> Iterator[Floats]:
    matrix = _matrix(rows, predicted, estimator["categories"])
    typical, errors = float(estimator["typical"]), np.array(estimator["errors"], dtype=np.float64)
    sizes = [typical * _sizes(_booster(document), matrix) for document in estimator["trees"]] or [np.full(rows.count, typical)]
    for index in range(count):
        resampled = errors[generator.integers(0, len(errors), min(len(errors), int(estimator["rows"])))]
        yield predicted.scores + sizes[index % len(sizes)] * resampled[generator.integers(0, len(resampled), rows.count)]


def _booster(document: Mapping[str, Any]) -> Any:
    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(json.dumps(document), "utf-8"))
    return booster


def _sizes(booster: Any, matrix: NDArray[np.float32], rounds: int | None = None) -> Floats:
    if rounds == 0:
        return np.ones(len(matrix))
    made = booster.inplace_predict(matrix, iteration_range=(0, rounds or 0))
    return np.maximum(np.asarray(made, dtype=np.float64), 1e-6)


def _frequent(distinct: Any, codes: NDArray[np.int64]) -> list[str]:
    """The categories that most rows have; None is none of them."""
    counts = np.bincount(codes, minlength=len(distinct)).tolist()
    ranked = sorted((-count, value) for value, count in zip(distinct, counts, strict=True) if value is not None and count)
    return [value for _, value in ranked[:MOST_CATEGORIES]]


def _matrix(rows: Rows, predicted: Predictions, categories: Mapping[str, list[str]]) -> NDArray[np.float32]:
    """The prediction, each numeric column, and one column for each frequent category."""
    columns = [predicted.scores, *rows.numeric.values()]
    for name, values in categories.items():
        distinct, codes = rows.categorical[name]
        position = {value: index for index, value in enumerate(distinct)}
        columns += [(codes == position.get(value, -1)).astype(np.float64) for value in values]
    return np.column_stack(columns).astype(np.float32)
