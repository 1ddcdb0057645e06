"""Metrics equal scikit-learn's, bias metrics equal fairlearn's, and what changed is what differs."""

from __future__ import annotations

import numpy as np
import pytest
import weights
from decisions import DECIDED, HALF, Predictions
from evaluation import changes, fairness, quality
from measures import METRICS, measure, reported
from numpy.typing import NDArray
from resampling import bootstrap, interval, resamples

import settings_schema
from tests.steps.scikit_learn import metric

Floats = NDArray[np.float64]
ROWS = 300


def resampled(seed: int = 2) -> Floats:
    return next(resamples(ROWS, 3, seed))


def binary(seed: int = 1) -> tuple[Floats, Floats]:
    generator = np.random.default_rng(seed)
    target = generator.integers(0, 2, ROWS).astype(float)
    return target, np.clip(0.3 * target + generator.uniform(0, 0.7, ROWS), 0, 1).round(2)  # rounded: ties


def several(seed: int = 1) -> tuple[Floats, Floats]:
    generator = np.random.default_rng(seed)
    predicted = generator.dirichlet([1, 1, 1], ROWS)
    return generator.integers(0, 3, ROWS).astype(float), predicted


REGRESSION = {
    "mse": "mean_squared_error",
    "rmse": "root_mean_squared_error",
    "mae": "mean_absolute_error",
    "r2": "r2_score",
}
OF_DECISIONS = {
    "accuracy": "accuracy_score",
    "balanced_accuracy": "balanced_accuracy_score",
    "precision": "precision_score",
    "recall": "recall_score",
    "f1": "f1_score",
}
OF_RANKS = {"auc": "roc_auc_score", "average_precision": "average_precision_score"}


@pytest.mark.thorough  # scikit-learn takes seconds to import
@pytest.mark.parametrize("name", REGRESSION)
def test_regression_metrics_equal_scikit_learn(name: str) -> None:
    generator = np.random.default_rng(0)
    target = generator.normal(1e4, 3, ROWS)  # a large offset: cancellation would show
    predicted = target + generator.normal(0, 2, ROWS)
    for weight, value in zip(resampled(), METRICS[name](target, Predictions.of(predicted, None), resampled()), strict=True):
        assert value == pytest.approx(metric(REGRESSION[name], target, predicted, sample_weight=weight), rel=1e-9)


@pytest.mark.thorough  # scikit-learn takes seconds to import
@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.7])
@pytest.mark.parametrize("name", OF_DECISIONS)
def test_decisions_equal_scikit_learn(name: str, threshold: float) -> None:
    target, scores = binary()
    predicted = Predictions.of(scores, threshold)
    for weight, value in zip(resampled(), METRICS[name](target, predicted, resampled()), strict=True):
        assert value == pytest.approx(metric(OF_DECISIONS[name], target, scores >= threshold, sample_weight=weight))


@pytest.mark.thorough  # scikit-learn takes seconds to import
@pytest.mark.parametrize("name", OF_RANKS)
def test_ranks_equal_scikit_learn_with_ties_and_weights(name: str) -> None:
    target, scores = binary()
    assert len(np.unique(scores)) < ROWS / 2, "ties are part of the case"
    uneven = np.random.default_rng(8).uniform(0.1, 5, (3, ROWS))
    for several_weights in (resampled(), uneven):
        for weight, value in zip(several_weights, METRICS[name](target, Predictions.of(scores, HALF), several_weights), strict=True):
            assert value == pytest.approx(metric(OF_RANKS[name], target, scores, sample_weight=weight))


@pytest.mark.thorough  # scikit-learn takes seconds to import
@pytest.mark.parametrize("share", [5, 50, 90])
def test_the_loss_of_a_quantile_equals_scikit_learn(share: int) -> None:
    generator = np.random.default_rng(0)
    target, predicted = generator.normal(10, 3, ROWS), generator.normal(10, 3, ROWS)
    for weight, value in zip(resampled(), METRICS[f"pinball_{share}"](target, Predictions.of(predicted, None), resampled()), strict=True):
        assert value == pytest.approx(metric("mean_pinball_loss", target, predicted, sample_weight=weight, alpha=share / 100))


def test_the_share_below_counts_answers_that_are_met_exactly() -> None:
    assert measure("share_below", np.array([1.0, 2, 3, 4]), Predictions.of(np.array([1.0, 3, 2, 0]), None)) == 0.5


def test_average_precision_of_a_case_counted_by_hand() -> None:
    """Positive, negative, positive, negative from the highest score on: precision 1 at recall 1/2, and 2/3 at recall 1."""
    target, scores = np.array([1.0, 0, 1, 0]), np.array([0.9, 0.8, 0.7, 0.1])
    assert measure("average_precision", target, Predictions.of(scores, HALF)) == pytest.approx((1 + 2 / 3) / 2)
    tied = np.full(4, 0.3)
    assert measure("average_precision", target, Predictions.of(tied, HALF)) == pytest.approx(0.5), (
        "without an order: the share of positives"
    )


def test_every_metric_of_the_settings_is_one_that_the_steps_compute_and_report() -> None:
    for problem, metrics in settings_schema.METRICS.items():
        for name, about in metrics.items():
            assert name in METRICS and name in reported(problem, name)
            assert about.judges_decisions is (name in DECIDED)


@pytest.mark.parametrize("problem", settings_schema.METRICS)
def test_no_predictions_leave_a_metric_s_range_and_perfect_ones_are_best_in_its_direction(problem: str) -> None:
    generator = np.random.default_rng(4)
    target = np.arange(20.0) if problem == "regression" else np.repeat([0.0, 1.0], 10)
    if problem == "regression":
        cases = [Predictions.of(values, None) for values in (target, -target, generator.normal(size=20))]
    else:
        right = np.stack([1 - target, target], axis=1)
        scores = [right[:, 1], 1 - right[:, 1], generator.random(20)] if problem == "binary" else [right, right[:, ::-1]]
        cases = [Predictions.of(values, HALF) for values in scores]
    for name, about in settings_schema.METRICS[problem].items():
        measured = [measure(name, target, case) for case in cases]
        assert all(about.can_be(value) for value in measured), (name, measured)
        best = measured[0]
        assert best in (about.lowest, about.highest) or best == pytest.approx(0, abs=1e-12), "the first case is perfect"
        assert best == pytest.approx((max if about.more_is_better else min)(measured))


@pytest.mark.thorough  # scikit-learn takes seconds to import
def test_probabilities_equal_scikit_learn() -> None:
    target, scores = binary()
    labels, table = several()
    for index, weight in enumerate(resampled()):
        expected = metric("log_loss", target, scores, sample_weight=weight)
        assert METRICS["log_loss"](target, Predictions.of(scores, HALF), resampled())[index] == pytest.approx(expected)
        expected = metric("log_loss", labels, table, sample_weight=weight)
        assert METRICS["log_loss"](labels, Predictions.of(table, None), resampled())[index] == pytest.approx(expected)


@pytest.mark.thorough  # scikit-learn takes seconds to import
def test_decisions_among_several_classes_equal_scikit_learn() -> None:
    labels, table = several()
    decided = table.argmax(axis=1)
    for index, weight in enumerate(resampled()):
        for name, expected in (
            ("accuracy", metric("accuracy_score", labels, decided, sample_weight=weight)),
            ("balanced_accuracy", metric("balanced_accuracy_score", labels, decided, sample_weight=weight)),
            ("macro_f1", metric("f1_score", labels, decided, average="macro", sample_weight=weight)),
        ):
            assert METRICS[name](labels, Predictions.of(table, None), resampled())[index] == pytest.approx(expected)


@pytest.mark.thorough  # scikit-learn takes seconds to import
def test_roc_and_precision_recall_curves_have_scikit_learns_areas() -> None:
    target, predicted = binary()
    roc = quality.roc(target, predicted)
    assert np.trapezoid(roc["true_positive_rates"], roc["false_positive_rates"]) == pytest.approx(
        metric("roc_auc_score", target, predicted)
    )
    curve = quality.precision_recall(target, predicted)
    average = np.sum(np.diff([0.0, *curve["recalls"]]) * curve["precisions"])
    assert average == pytest.approx(metric("average_precision_score", target, predicted))


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """RMSE of standard normal errors is 1; 100 data sets, 95 % intervals: fewer than 85 hits has a chance below 1 in 10,000."""
    generator = np.random.default_rng(11)
    hits = 0
    for _ in range(100):
        errors, nothing = generator.normal(size=150), Predictions.of(np.zeros(150), None)
        sampled = bootstrap({"rmse": lambda weight, errors=errors, nothing=nothing: METRICS["rmse"](errors, nothing, weight)}, 150, 400)
        lower, upper = interval(sampled["rmse"])
        hits += lower is not None and upper is not None and lower <= 1 <= upper
    assert hits >= 85


def test_resamples_draw_every_row_with_equal_chance() -> None:
    drawn = np.concatenate(list(resamples(50, 400)))
    assert (drawn.sum(axis=1) == 50).all()
    assert drawn.mean() == 1
    assert np.abs(drawn.mean(axis=0) - 1).max() < 0.3


@pytest.mark.thorough  # scikit-learn takes seconds to import
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


@pytest.mark.thorough  # scikit-learn takes seconds to import
def test_balanced_weights_equal_scikit_learn() -> None:
    from sklearn.utils.class_weight import compute_sample_weight

    classes = np.array([0, 0, 0, 1, 2, 2])
    np.testing.assert_allclose(weights.balanced(classes), compute_sample_weight("balanced", classes))


def test_what_changed_lists_only_what_differs() -> None:
    production = {
        "data_sha256": "a" * 64,
        "algorithm": "linear",
        "hyperparameters": {"lambda": 1.0},
        "libraries": {"numpy": "2.1.0", "xgboost": "3.1.0"},
        "rows": {"train": 10},
    }
    candidate = {
        **production,
        "algorithm": "random_forest",
        "hyperparameters": {"num_parallel_tree": 200},
        "libraries": {"numpy": "2.1.0", "xgboost": "3.2.0"},
    }
    rows = {row["what"]: (row["production"], row["candidate"]) for row in changes.since(production, candidate)}
    assert rows == {
        "Algorithm": ("linear", "random_forest"),
        "Hyperparameter lambda": ("1", "-"),
        "Hyperparameter num_parallel_tree": ("-", "200"),
        "Library xgboost": ("3.1.0", "3.2.0"),
    }


def test_a_version_from_before_thresholds_were_fitted_decided_at_one_half() -> None:
    rows = changes.since({"algorithm": "linear"}, {"algorithm": "linear", "decision_threshold": 0.2, "decision_metric": "f1"})
    assert rows == [{"what": "Decision threshold", "production": "0.5", "candidate": "0.2 (for f1)"}]


@pytest.mark.thorough  # scikit-learn takes seconds to import
def test_curves_keep_their_ends_and_stay_small_whatever_the_number_of_rows() -> None:
    """evaluation.json is a property file, of which SageMaker Pipelines reads 2 MB."""
    generator = np.random.default_rng(9)
    scores = generator.random(50_000)
    target = (generator.random(50_000) < scores).astype(float)
    roc = quality.roc(target, scores)
    assert len(roc["true_positive_rates"]) < 2000
    assert (roc["true_positive_rates"][0], roc["true_positive_rates"][-1], roc["false_positive_rates"][-1]) == (0.0, 1.0, 1.0)
    assert np.trapezoid(roc["true_positive_rates"], roc["false_positive_rates"]) == pytest.approx(
        metric("roc_auc_score", target, scores), abs=1e-3
    )
    assert len(quality.precision_recall(target, scores)["recalls"]) < 2000
    labels = generator.integers(0, 500, 5000).astype(float)
    assert len(quality.confusion(labels, labels, [str(index) for index in range(500)])) <= 100
