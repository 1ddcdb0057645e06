"""What a version's answers are worth where the truth is not known yet: fitted on its test rows, carried by it as estimator.json.

Input: test rows, the predictions and what was true. Output of `fit`: JSON values. `draws` then makes answers as they may turn out for
other rows, of which any metric can be measured; monitoring's estimates.py does so for the rows of production. Two methods:

- classes: confidence-based estimation. Scores are calibrated (`calibrators.py`), where it helps also by the columns of the row
  (`refinement.py`), and classes drawn from those probabilities.
- regression: direct loss estimation. The size of the (squared) error is predicted from row and prediction (the mean of a Gamma
  distribution, `refinement.py`); errors of rows that were not learned from are kept as multiples of that size, and drawn.

Each draw takes another resample's fit, so that draws differ by what the fit does not know and by what chance does to so many rows.
Both methods were named by NannyML ("Estimating Performance of Regression / Classification Models", its documentation); they assume
that the answers still depend on the rows as they did: concept drift cannot be seen without labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import objectives
from dataset import Rows
from decisions import Predictions
from numpy.typing import NDArray
from resampling import drawn

from evaluation import calibrators, refinement
from evaluation.calibrators import Counted

Floats = NDArray[np.float64]

FEWEST_ROWS = 50
FEWEST_ROWS_OF_CLASS = 5
#: More rows than this would make the fit no surer than a window is.
MOST_ROWS = 5_000
MOST_ERRORS = 2_000
MOST_CATEGORIES = 10
#: Of more classes, scores are calibrated only: each class costs as much as one of two.
MOST_REFINED_CLASSES = 10
SMALLEST_SIZE = 1e-6  # of an error, as a multiple of the typical one: a Gamma distribution has no zero
SEED = 20


def fit(metric: str, problem: str, rows: Rows, predicted: Predictions, classes: int | None) -> dict[str, Any]:
    """`classes`: how many; None of a regression. `method` None: nothing can be estimated, and `why` says so."""
    obstacle = _obstacle(rows.target, classes)
    if obstacle:
        return {"problem": problem, "method": None, "why": obstacle}
    chosen = drawn(rows.count, MOST_ROWS)
    rows, predicted = rows.take(chosen), predicted.take(chosen)
    if problem == "regression":
        return {"problem": problem, "method": "direct loss estimation", **_fit_errors(metric, rows, predicted)}
    return {"problem": problem, "method": "confidence-based estimation", **_fit_classes(rows, predicted)}


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
    return _drawn_classes(estimator, rows, predicted, count, generator)


def _of_class(scores: Floats, label: int) -> Floats:
    return scores if scores.ndim == 1 else scores[:, label]


def _fit_classes(rows: Rows, predicted: Predictions) -> dict[str, Any]:
    categories = _categories(rows)
    matrix = _matrix(rows, predicted, categories)
    generator = np.random.default_rng(SEED)
    curves, refined = [], []
    labels = [1] if predicted.scores.ndim == 1 else range(predicted.scores.shape[1])
    for label in labels:
        scores, happened = _of_class(predicted.scores, label), rows.target == label
        counted = calibrators.count(scores, happened)
        offset = calibrators.logit(counted.curve()(calibrators.logit(scores)))
        curves.append(counted.document())
        if len(labels) <= MOST_REFINED_CLASSES:
            refined.append(refinement.fit(refinement.LOGISTIC, matrix, happened.astype(np.float64), offset, generator))
    return {"categories": categories, "curves": curves, "refinements": refined}


def _drawn_classes(
    estimator: Mapping[str, Any], rows: Rows, predicted: Predictions, count: int, generator: np.random.Generator
) -> Iterator[Floats]:
    matrix = _matrix(rows, predicted, estimator["categories"])
    counted = [Counted.of(curve) for curve in estimator["curves"]]
    several = predicted.scores.ndim == 2
    log_odds = [calibrators.logit(_of_class(predicted.scores, label)) for label in range(len(counted))]
    nothing = [np.zeros(rows.count)]
    added = [refinement.added(document, matrix) for document in estimator["refinements"]] or [nothing] * len(counted)
    for index in range(count):
        columns = [
            calibrators.expit(calibrators.logit(curve.resampled(generator)(place)) + members[index % len(members)])
            for curve, place, members in zip(counted, log_odds, added, strict=True)
        ]
        probability = np.column_stack(columns)
        chance = generator.random(len(probability))
        if several:
            limits = np.cumsum(probability, axis=1)
            yield (chance[:, None] * limits[:, -1:] > limits[:, :-1]).sum(axis=1).astype(np.float64)
        else:
            yield (chance < probability[:, 0]).astype(np.float64)


# ------------------------------------------------------------------------------------------------- errors of a regression


def _fit_errors(metric: str, rows: Rows, predicted: Predictions) -> dict[str, Any]:
    """A metric of squared errors needs their mean to be right: the tail of large errors need not be that of small ones."""
    power = 1 if metric == "mae" or objectives.quantile_of(metric) is not None else 2
    categories = _categories(rows)
    matrix = _matrix(rows, predicted, categories)
    errors = rows.target - predicted.scores
    typical = float((np.abs(errors) ** power).mean() ** (1 / power)) or 1.0
    size = np.maximum((np.abs(errors) / typical) ** power, SMALLEST_SIZE)
    refined = refinement.fit(refinement.GAMMA, matrix, size, np.zeros(rows.count), np.random.default_rng(SEED))
    unseen = refinement.unseen(refined, matrix, np.random.default_rng(SEED))
    multiples = np.concatenate([errors[part.rows] / typical / np.exp(part.added / power) for part in unseen])
    kept = multiples[drawn(len(multiples), MOST_ERRORS)]
    return {
        "categories": categories,
        "power": power,
        "typical": typical,
        "rows": rows.count,
        "errors": [float(f"{value:.6g}") for value in kept.tolist()],
        "refinement": refined,
    }


def _drawn_values(
    estimator: Mapping[str, Any], rows: Rows, predicted: Predictions, count: int, generator: np.random.Generator
) -> Iterator[Floats]:
    errors = np.array(estimator["errors"], dtype=np.float64)
    added = refinement.added(estimator["refinement"], _matrix(rows, predicted, estimator["categories"]))
    sizes = [float(estimator["typical"]) * np.exp(more / estimator["power"]) for more in added]
    for index in range(count):
        resampled = errors[generator.integers(0, len(errors), min(len(errors), int(estimator["rows"])))]
        yield predicted.scores + sizes[index % len(sizes)] * resampled[generator.integers(0, len(resampled), rows.count)]


# ------------------------------------------------------------------------------------------------- rows as a matrix


def _categories(rows: Rows) -> dict[str, list[str]]:
    """Of each categorical column those that most rows have; a missing cell is none of them."""
    return {name: _frequent(*labels) for name, labels in rows.categorical.items()}


def _frequent(distinct: Any, codes: NDArray[np.int64]) -> list[str]:
    counts = np.bincount(codes, minlength=len(distinct)).tolist()
    ranked = sorted((-count, value) for value, count in zip(distinct, counts, strict=True) if value is not None and count)
    return [value for _, value in ranked[:MOST_CATEGORIES]]


def _matrix(rows: Rows, predicted: Predictions, categories: Mapping[str, list[str]]) -> NDArray[np.float32]:
    """The predictions, each numeric column, and one column for each frequent category."""
    scores = predicted.scores
    columns = [scores] if scores.ndim == 1 else list(scores.T)
    columns += rows.numeric.values()
    for name, values in categories.items():
        distinct, codes = rows.categorical[name]
        position = {value: index for index, value in enumerate(distinct)}
        columns += [(codes == position.get(value, -1)).astype(np.float64) for value in values]
    return np.column_stack(columns).astype(np.float32)
