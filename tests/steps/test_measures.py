"""Metrics equal scikit-learn's, bias metrics equal fairlearn's, and the gate says everything that is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import weights
from evaluation import changes, fairness, gate, quality
from evaluation.champion import compare
from measures import METRICS, decide
from numpy.typing import NDArray
from sklearn import metrics as reference

Floats = NDArray[np.float64]
ROWS = 300


def resampled(seed: int = 2) -> Floats:
    return next(quality.resamples(ROWS, 3, seed))


def binary(seed: int = 1) -> tuple[Floats, Floats]:
    generator = np.random.default_rng(seed)
    target = generator.integers(0, 2, ROWS).astype(float)
    return target, np.clip(0.3 * target + generator.uniform(0, 0.7, ROWS), 0, 1).round(2)  # rounded: ties


def several(seed: int = 1) -> tuple[Floats, Floats]:
    generator = np.random.default_rng(seed)
    predicted = generator.dirichlet([1, 1, 1], ROWS)
    return generator.integers(0, 3, ROWS).astype(float), predicted


REGRESSION = {
    "mse": reference.mean_squared_error,
    "rmse": reference.root_mean_squared_error,
    "mae": reference.mean_absolute_error,
    "r2": reference.r2_score,
}
DECIDED = {
    "accuracy": reference.accuracy_score,
    "precision": reference.precision_score,
    "recall": reference.recall_score,
    "f1": reference.f1_score,
}


@pytest.mark.parametrize("name", REGRESSION)
def test_regression_metrics_equal_scikit_learn(name: str) -> None:
    generator = np.random.default_rng(0)
    target = generator.normal(1e4, 3, ROWS)  # a large offset: cancellation would show
    predicted = target + generator.normal(0, 2, ROWS)
    for weight, value in zip(resampled(), METRICS[name](target, predicted, resampled()), strict=True):
        assert value == pytest.approx(REGRESSION[name](target, predicted, sample_weight=weight), rel=1e-9)


@pytest.mark.parametrize("name", DECIDED)
def test_decisions_equal_scikit_learn(name: str) -> None:
    target, predicted = binary()
    for weight, value in zip(resampled(), METRICS[name](target, predicted, resampled()), strict=True):
        assert value == pytest.approx(DECIDED[name](target, decide(predicted), sample_weight=weight))


def test_probabilities_equal_scikit_learn() -> None:
    target, predicted = binary()
    labels, table = several()
    for index, weight in enumerate(resampled()):
        assert METRICS["auc"](target, predicted, resampled())[index] == pytest.approx(
            reference.roc_auc_score(target, predicted, sample_weight=weight)
        )
        assert METRICS["log_loss"](target, predicted, resampled())[index] == pytest.approx(
            reference.log_loss(target, predicted, sample_weight=weight)
        )
        assert METRICS["log_loss"](labels, table, resampled())[index] == pytest.approx(
            reference.log_loss(labels, table, sample_weight=weight)
        )
        expected = reference.f1_score(labels, table.argmax(axis=1), average="macro", sample_weight=weight)
        assert METRICS["macro_f1"](labels, table, resampled())[index] == pytest.approx(expected)


def test_roc_and_precision_recall_curves_have_scikit_learns_areas() -> None:
    target, predicted = binary()
    roc = quality.roc(target, predicted)
    assert np.trapezoid(roc["true_positive_rates"], roc["false_positive_rates"]) == pytest.approx(
        reference.roc_auc_score(target, predicted)
    )
    curve = quality.precision_recall(target, predicted)
    average = np.sum(np.diff([0.0, *curve["recalls"]]) * curve["precisions"])
    assert average == pytest.approx(reference.average_precision_score(target, predicted))


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """RMSE of standard normal errors is 1; 100 data sets, 95 % intervals: fewer than 85 hits has a chance below 1 in 10,000."""
    generator = np.random.default_rng(11)
    hits = 0
    for _ in range(100):
        errors = generator.normal(size=150)
        sampled = quality.bootstrap({"rmse": lambda weight, errors=errors: METRICS["rmse"](errors, np.zeros(150), weight)}, 150, 400)[
            "rmse"
        ]
        lower, upper = quality.interval(sampled)
        hits += lower is not None and upper is not None and lower <= 1 <= upper
    assert hits >= 85


def test_resamples_draw_every_row_with_equal_chance() -> None:
    drawn = np.concatenate(list(quality.resamples(50, 400)))
    assert (drawn.sum(axis=1) == 50).all()
    assert drawn.mean() == 1
    assert np.abs(drawn.mean(axis=0) - 1).max() < 0.3


def test_bias_metrics_equal_fairlearn() -> None:
    from fairlearn import metrics as fairlearn

    generator = np.random.default_rng(3)
    disadvantaged = generator.random(ROWS) < 0.3
    positive = generator.random(ROWS) < np.where(disadvantaged, 0.4, 0.7)
    decided = positive ^ (generator.random(ROWS) < np.where(disadvantaged, 0.3, 0.1))
    values = fairness.measures(disadvantaged, positive, decided)
    groups = {"sensitive_features": disadvantaged}
    frame = fairlearn.MetricFrame(
        metrics={"rate": fairlearn.selection_rate, "tpr": fairlearn.true_positive_rate}, y_true=positive, y_pred=decided, **groups
    )
    assert values["DPPL"] == pytest.approx(frame.by_group["rate"][False] - frame.by_group["rate"][True])
    assert abs(values["DPPL"] or 0) == pytest.approx(fairlearn.demographic_parity_difference(positive, decided, **groups))
    assert values["DI"] == pytest.approx(fairlearn.demographic_parity_ratio(positive, decided, **groups))
    assert values["EOD"] == pytest.approx(frame.by_group["tpr"][False] - frame.by_group["tpr"][True])


def test_bias_metrics_of_a_case_counted_by_hand() -> None:
    """a: 6 rows, 4 favourable labels, 3 favourable decisions (all of them right); d: 2 rows, 1 label, 1 decision (right)."""
    disadvantaged = np.array([0, 0, 0, 0, 0, 0, 1, 1], dtype=bool)
    positive = np.array([1, 1, 1, 1, 0, 0, 1, 0], dtype=bool)
    decided = np.array([1, 1, 1, 0, 0, 0, 1, 0], dtype=bool)
    values = fairness.measures(disadvantaged, positive, decided)
    assert values == {"CI": 0.5, "DPL": pytest.approx(4 / 6 - 1 / 2), "DPPL": 0.0, "DI": 1.0, "EOD": pytest.approx(3 / 4 - 1)}


def test_an_absent_group_has_no_bias_metrics() -> None:
    values = fairness.measures(np.zeros(3, dtype=bool), np.ones(3, dtype=bool), np.ones(3, dtype=bool))
    assert values["DI"] is None
    assert values["EOD"] is None


def test_balanced_weights_equal_scikit_learn() -> None:
    from sklearn.utils.class_weight import compute_sample_weight

    classes = np.array([0, 0, 0, 1, 2, 2])
    np.testing.assert_allclose(weights.balanced(classes), compute_sample_weight("balanced", classes))


LIMITS = {
    "champion_significance": 0.05,
    "max_difference_in_proportions": 0.2,
    "min_disparate_impact": 0.8,
    "max_equal_opportunity_difference": 0.2,
}


def decision(**changed: Any) -> dict[str, Any]:
    return gate.decide(**{"metric": "rmse", "value": 2.0, "threshold": 2.5, "comparison": None, "bias": None, "limits": LIMITS, **changed})


def test_a_good_model_passes() -> None:
    assert decision()["passed"]
    assert decision(metric="auc", value=0.9, threshold=0.8)["passed"]


def test_the_threshold_holds_in_the_direction_of_the_metric() -> None:
    assert not decision(value=3.0)["passed"]
    assert "rmse is 3; at most 2.5" in decision(value=3.0)["reasons"]
    assert not decision(metric="auc", value=0.7, threshold=0.8)["passed"]
    assert not decision(value=float("nan"))["passed"]


def test_every_reason_is_given() -> None:
    bias = {"DPPL": 0.5, "DI": 0.5, "EOD": 0.1}
    worse = {"value": 1.0, "gain": -1.0, "lower": -2.0, "upper": -0.5, "p_not_worse": 0.0}
    refused = decision(value=3.0, bias=bias, comparison=worse)
    assert [check["passed"] for check in refused["checks"]] == [False, False, False, False, True]
    for part in ("rmse is 3", "significantly worse", "DPPL is 0.5", "DI is 0.5"):
        assert part in refused["reasons"]
    assert "EOD" not in refused["reasons"]


def test_a_limit_of_none_is_not_checked() -> None:
    assert decision(bias={"DPPL": 0.9, "DI": 0.9, "EOD": 0.0}, limits={**LIMITS, "max_difference_in_proportions": None})["passed"]


def test_a_worse_challenger_is_refused_and_an_equal_one_is_not() -> None:
    generator = np.random.default_rng(5)
    target = generator.normal(size=ROWS)
    champion = target + generator.normal(0, 1, ROWS)
    much_worse = compare("rmse", target, target + generator.normal(0, 2, ROWS), champion)
    assert not decision(comparison=much_worse)["passed"]
    same = compare("rmse", target, champion.copy(), champion)
    assert same["gain"] == 0
    assert decision(comparison=same)["passed"]
    assert decision(comparison=compare("rmse", target, target + generator.normal(0, 0.5, ROWS), champion))["passed"]


def test_pairing_finds_a_small_but_steady_difference() -> None:
    """The same errors plus a little: unpaired intervals overlap, paired ones do not."""
    generator = np.random.default_rng(6)
    target = generator.normal(size=ROWS)
    errors = generator.normal(0, 1, ROWS)
    paired = compare("rmse", target, target + 1.05 * errors, target + errors)
    assert paired["upper"] is not None
    assert paired["upper"] < 0


def test_what_changed_lists_only_what_differs() -> None:
    production = {
        "data_sha256": "a" * 64,
        "algorithm": "linear",
        "hyperparameters": {"l2": 1.0},
        "libraries": {"numpy": "2.1.0", "xgboost": "3.1.0"},
        "rows": {"train": 10},
    }
    candidate = {
        **production,
        "algorithm": "random_forest",
        "hyperparameters": {"trees": 200},
        "libraries": {"numpy": "2.1.0", "xgboost": "3.2.0"},
    }
    rows = {row["what"]: (row["production"], row["candidate"]) for row in changes.since(production, candidate)}
    assert rows == {
        "Algorithm": ("linear", "random_forest"),
        "Hyperparameter l2": ("1", "-"),
        "Hyperparameter trees": ("-", "200"),
        "Library xgboost": ("3.1.0", "3.2.0"),
    }
