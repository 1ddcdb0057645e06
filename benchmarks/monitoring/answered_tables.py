"""Tables with a model that was trained on a part of them, and windows of the rest whose features drift while the answers do not.

Two tables are the examples of scikit-lego, three are made up: an error that grows with a feature, a class that depends on features jointly,
and three classes of which one is rare. Used by `estimate.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from build_scripts.step_modules import load

Floats = NDArray[np.float64]

TRAINING_ROWS, TEST_ROWS = 1600, 700
PREPARATION = {
    "outlier_rule": "none",
    "outlier_factor": 0.0,
    "numeric_imputation": "median",
    "normalisation": "standard",
    "missing_indicators": True,
    "max_categories": 20,
}
MADE_UP_ROWS = 12_000


@dataclass(frozen=True)
class Answered:
    """Rows with their truth (value, or index of the class), and what the model says of them."""

    rows: Any
    predicted: Any

    def take(self, positions: NDArray[np.int64]) -> Answered:
        rows, dataset, decisions = self.rows, load("dataset"), load("decisions")
        numeric = {name: values[positions] for name, values in rows.numeric.items()}
        categorical = {name: (distinct, codes[positions]) for name, (distinct, codes) in rows.categorical.items()}
        taken = dataset.Rows(numeric, categorical, rows.target[positions], len(positions))
        return Answered(taken, decisions.Predictions(self.predicted.scores[positions], self.predicted.decided[positions]))

    def frame(self) -> pd.DataFrame:
        """Features, `truth`, `decided`, and `score` or `score_<class>`."""
        columns: dict[str, Any] = {**self.rows.numeric, **{name: self.rows.texts(name) for name in self.rows.categorical}}
        scores = self.predicted.scores
        of_classes = {"score": scores} if scores.ndim == 1 else {f"score_{index}": scores[:, index] for index in range(scores.shape[1])}
        return pd.DataFrame({**columns, "truth": self.rows.target, "decided": self.predicted.decided, **of_classes})


@dataclass(frozen=True)
class Table:
    """`test`: what evaluation sees. `production`: rows that come later."""

    name: str
    problem: str
    classes: int | None
    test: Answered
    production: Answered


def tables(split: int) -> Iterator[Table]:
    """`split`: which rows train, test and come later."""
    from sklego.datasets import load_abalone, load_arrests

    yield _answered("abalone", "regression", load_abalone(as_frame=True), "rings", split)
    arrests = load_arrests(as_frame=True)
    yield _answered("arrests", "binary", arrests.assign(released=(arrests["released"] == "Yes").astype(float)), "released", split)
    yield _answered("errors that grow", "regression", _growing_errors(), "y", split)
    yield _answered("two features together", "binary", _jointly(), "y", split)
    yield _answered("three classes", "multiclass", _three_classes(), "y", split)


def drifting(table: Table, rows: int, count: int, seed: int = 20) -> Iterator[Answered]:
    """Windows of `rows` rows drawn from production with chances that grow with one or two features, each a little more than the last.

    The first ones do not drift. Rows are drawn with their own truth, so the relation between rows and answers stays as it is; each at most
    once, or a window would hold less chance than its rows say.
    """
    generator = np.random.default_rng(seed)
    columns = list(_standardised(table.production.rows))
    for index in range(count):
        strength = 1.5 * index / count
        direction = generator.choice(len(columns), size=min(2, len(columns)), replace=False)
        tilt = sum(generator.choice([-1.0, 1.0]) * columns[place] for place in direction)
        chance = np.exp(strength * np.clip(tilt, -2.5, 2.5))
        yield table.production.take(generator.choice(len(chance), size=rows, replace=False, p=chance / chance.sum()))


def _standardised(rows: Any) -> Iterator[Floats]:
    for values in rows.numeric.values():
        yield np.nan_to_num((values - np.nanmean(values)) / (np.nanstd(values) or 1.0))
    for distinct, codes in rows.categorical.values():
        most = (codes == np.bincount(codes, minlength=len(distinct)).argmax()).astype(np.float64)
        yield (most - most.mean()) / (most.std() or 1.0)


def _answered(name: str, problem: str, frame: pd.DataFrame, target: str, split: int) -> Table:
    """Learned by the pipeline's gradient boosting on its own preparation."""
    shuffled = frame.sample(frac=1.0, random_state=split).reset_index(drop=True)
    features, fitting, dataset = load("features"), load("fitting"), load("dataset")
    numeric = [column for column in frame if column != target and pd.api.types.is_numeric_dtype(frame[column])]
    categorical = [column for column in frame if column != target and column not in numeric]

    def rows_of(part: pd.DataFrame) -> Any:
        labels = {}
        for column in categorical:
            codes, distinct = pd.factorize(part[column])
            labels[column] = (distinct.tolist(), codes.astype(np.int64))
        values = {column: part[column].to_numpy(dtype=np.float64) for column in numeric}
        return dataset.Rows(values, labels, part[target].to_numpy(dtype=np.float64), len(part))

    train, test = (rows_of(part) for part in (shuffled[:TRAINING_ROWS], shuffled[TRAINING_ROWS : TRAINING_ROWS + TEST_ROWS]))
    production = rows_of(shuffled[TRAINING_ROWS + TEST_ROWS :])
    preparer = features.Preparer(fitting.fit(train.numeric, train.categorical, PREPARATION).state)

    def prepared(rows: Any) -> Any:
        return preparer.transform(features.stack(rows.numeric, numeric, rows.count), list(rows.categorical.values()))

    classes = None if problem == "regression" else len(np.unique(shuffled[target]))
    about = {"problem": problem, "metric": "", "classes": classes and list(range(classes))}
    part = dataset.Part(prepared(train), train.target, np.ones(train.count))
    model = load("algorithms").find("gradient_boosting").fit(part, None, about, {"num_round": "80", "max_depth": "3"})
    threshold = None if classes is None else 0.5

    def answered(rows: Any) -> Answered:
        return Answered(rows, load("decisions").Predictions.of(model.predict(prepared(rows)), threshold))

    return Table(name, problem, classes, answered(test), answered(production))


def _growing_errors() -> pd.DataFrame:
    generator = np.random.default_rng(1)
    features = generator.normal(size=(MADE_UP_ROWS, 6))
    spread = np.exp(0.6 * features[:, 1])
    y = 3 * features[:, 0] + features[:, 2] * features[:, 3] + spread * generator.normal(size=MADE_UP_ROWS)
    return pd.DataFrame(features, columns=[f"x{index}" for index in range(6)]).assign(y=y)


def _jointly() -> pd.DataFrame:
    generator = np.random.default_rng(2)
    features = generator.normal(size=(MADE_UP_ROWS, 6))
    log_odds = 1.5 * features[:, 0] + 1.2 * features[:, 1] * features[:, 2] - 1.0
    town = generator.choice(["north", "south", "west"], MADE_UP_ROWS)
    log_odds += np.where(town == "west", 1.0, 0.0)
    y = (generator.random(MADE_UP_ROWS) < 1 / (1 + np.exp(-log_odds))).astype(float)
    return pd.DataFrame(features, columns=[f"x{index}" for index in range(6)]).assign(town=town, y=y)


def _three_classes() -> pd.DataFrame:
    generator = np.random.default_rng(3)
    features = generator.normal(size=(MADE_UP_ROWS, 5))
    odds = np.exp(np.column_stack([1.2 * features[:, 0], 1.2 * features[:, 1], features[:, 2] - 1.5]))
    limits = np.cumsum(odds / odds.sum(axis=1, keepdims=True), axis=1)
    y = (generator.random(MADE_UP_ROWS)[:, None] > limits[:, :2]).sum(axis=1).astype(float)
    return pd.DataFrame(features, columns=[f"x{index}" for index in range(5)]).assign(y=y)
