"""What a version is measured against: a constant, a plain linear model, and what calibrated predictions would show."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from dataset import Part
from decisions import HALF, Predictions
from evaluation import calibration, yardsticks
from measures import measure
from numpy.typing import NDArray

Floats = NDArray[np.float64]
BINARY = {"problem": "binary", "classes": ["no", "yes"], "metric": "auc"}
REGRESSION = {"problem": "regression", "classes": None, "metric": "rmse"}


@pytest.mark.parametrize(("metric", "expected"), [("rmse", 4.0), ("r2", 4.0), ("mae", 2.0)])
def test_the_constant_of_a_regression_is_the_mean_or_for_mae_the_median(metric: str, expected: float) -> None:
    answer = yardsticks.constant(metric, np.array([1.0, 2.0, 9.0]), REGRESSION, 2)
    np.testing.assert_array_equal(answer.scores, [expected, expected])


def test_the_constant_of_classes_has_the_class_shares() -> None:
    target = np.array([0.0, 0, 0, 1])
    np.testing.assert_array_equal(yardsticks.constant("auc", target, BINARY, 2).scores, [0.25, 0.25])
    three = {"problem": "multiclass", "classes": ["a", "b", "c"]}
    np.testing.assert_array_equal(yardsticks.constant("log_loss", np.array([0.0, 1, 1, 2]), three, 1).scores, [[0.25, 0.5, 0.25]])


@pytest.mark.parametrize(("metric", "decided"), [("accuracy", 0.0), ("macro_f1", 0.0), ("f1", 1.0), ("log_loss", 0.0)])
def test_the_constant_decides_for_the_class_that_the_metric_likes_best(metric: str, decided: float) -> None:
    """Three of four are negative, but F1 of the positive class is 0 for whoever says so to everyone."""
    assert yardsticks.constant(metric, np.array([0.0, 0, 0, 1]), BINARY, 1).decided == [decided]


def test_a_constant_is_as_good_as_guessing() -> None:
    target = np.array([0.0, 1, 1, 0, 0])
    constant = yardsticks.constant("auc", target, BINARY, 5)
    assert measure("auc", target, constant) == 0.5
    assert measure("log_loss", target, constant) == pytest.approx(-0.4 * np.log(0.4) - 0.6 * np.log(0.6))


@pytest.mark.thorough  # scikit-learn takes seconds to import
def test_the_linear_model_is_plain_logistic_regression_that_decides_by_its_own_threshold() -> None:
    from sklearn.linear_model import LogisticRegression

    generator = np.random.default_rng(2)
    parts = {}
    for name in ("train", "validation", "test"):
        features = generator.normal(size=(300, 2)).astype(np.float32)
        chance = 1 / (1 + np.exp(2.2 - 1.5 * features[:, 0]))
        parts[name] = Part(features, (generator.random(300) < chance).astype(float), np.ones(300))
    model, threshold = yardsticks.linear(parts["train"], parts["validation"], BINARY, "f1", refitted=False)
    answer = Predictions.of(model.predict(parts["test"].features), threshold)
    expected = LogisticRegression().fit(parts["train"].features, parts["train"].target).predict_proba(parts["test"].features)[:, 1]
    np.testing.assert_allclose(answer.scores, expected, atol=1e-3)
    target = parts["test"].target
    assert measure("f1", target, answer) > measure("f1", target, Predictions.of(answer.scores, HALF))


def predictions(rows: int, distort: Any = lambda chance: chance, seed: int = 1) -> tuple[Floats, Predictions]:
    generator = np.random.default_rng(seed)
    chance = generator.beta(1, 3, rows)
    return (generator.random(rows) < chance).astype(float), Predictions.of(np.clip(distort(chance), 0, 1), HALF)


@pytest.mark.thorough
@pytest.mark.parametrize("rows", [45, 400, 5000])
def test_calibrated_predictions_stay_below_what_chance_shows_on_as_many_rows(rows: int) -> None:
    """1 in 100 is called uncalibrated by definition; of 50 samples more than 4 would have a chance below 1 in 1000."""
    found = [calibration.error(*predictions(rows, seed=seed)) for seed in range(50)]
    assert sum(item["error"] > item["by_chance"] for item in found) <= 4


@pytest.mark.thorough
def test_the_error_that_chance_shows_falls_with_the_rows() -> None:
    by_chance = [calibration.error(*predictions(rows))["by_chance"] for rows in (50, 500, 5000)]
    assert by_chance[0] > 2 * by_chance[1] > 4 * by_chance[2]


def test_predictions_that_are_off_by_a_tenth_are_measured_and_told_from_chance() -> None:
    found = calibration.error(*predictions(2000, lambda chance: 0.8 * chance + 0.2 * 0.75))
    expected = float(np.abs(0.2 * (np.random.default_rng(1).beta(1, 3, 2000) - 0.75)).mean())
    assert found["error"] == pytest.approx(expected, abs=0.02)
    assert found["error"] > found["by_chance"]


def test_a_model_that_hardly_moves_from_the_class_shares_is_not_calibrated_however_well_it_ranks() -> None:
    target = np.repeat([0.0, 1.0], [70, 30])
    scores = np.where(target == 1, 0.32, 0.27)
    found = calibration.error(target, Predictions.of(scores, HALF))
    assert found["error"] > 0.3 > found["by_chance"]


def test_of_several_classes_the_decided_one_is_looked_at() -> None:
    """Sure of 0.9 and right in half of the rows: off by 0.4."""
    table = np.tile([0.9, 0.05, 0.05], (200, 1))
    target = np.tile([0.0, 1.0], 100)
    assert calibration.error(target, Predictions.of(table, None))["error"] == pytest.approx(0.4)


def test_bins_of_the_curve_hold_enough_rows_to_say_something() -> None:
    target, predicted = predictions(45)
    assert len(calibration.curve(target, predicted.scores)["observed"]) == 4
    assert len(calibration.curve(target[:5], predicted.scores[:5])["observed"]) == 1
