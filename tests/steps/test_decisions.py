"""The decision threshold: good by the metric that is named, deterministic, never at the edge, and never one class for everyone."""

from __future__ import annotations

import numpy as np
import pytest
from decisions import HALF, Predictions, decide, fit_threshold
from measures import measure
from numpy.typing import NDArray

Floats = NDArray[np.float64]
FITTED = ("accuracy", "balanced_accuracy", "f1", "macro_f1")


def calibrated(rows: int, low: float, high: float, seed: int = 1) -> tuple[Floats, Floats]:
    """Answers that are positive exactly as often as the scores say."""
    generator = np.random.default_rng(seed)
    scores = generator.uniform(low, high, rows)
    return (generator.random(rows) < scores).astype(float), scores


def test_classes_that_the_scores_separate_are_separated_by_a_short_number() -> None:
    target = np.repeat([0.0, 1.0], 50)
    scores = np.r_[np.linspace(0.1, 0.2, 50), np.linspace(0.3, 0.4, 50)]
    for metric in FITTED:
        assert fit_threshold(metric, target, scores) == 0.25


@pytest.mark.thorough
def test_calibrated_scores_get_the_thresholds_that_theory_gives() -> None:
    """Accuracy: one half. Balanced accuracy: the share of positives. F1: half of the best F1 (Lipton, Elkan & Naryanaswamy 2014)."""
    target, scores = calibrated(20_000, 0.0, 0.7)
    assert fit_threshold("accuracy", target, scores) == pytest.approx(0.5, abs=0.05)
    assert fit_threshold("balanced_accuracy", target, scores) == pytest.approx(target.mean(), abs=0.05)
    fitted = fit_threshold("f1", target, scores)
    assert fitted == pytest.approx(measure("f1", target, Predictions.of(scores, fitted)) / 2, abs=0.05)


@pytest.mark.thorough
@pytest.mark.parametrize("metric", FITTED)
def test_no_other_threshold_is_much_better_by_the_metric(metric: str) -> None:
    target, scores = calibrated(600, 0.0, 0.8)
    fitted = measure(metric, target, Predictions.of(scores, fit_threshold(metric, target, scores)))
    best = max(measure(metric, target, Predictions.of(scores, threshold)) for threshold in np.unique(scores))
    assert fitted >= best - 0.02


@pytest.mark.thorough
@pytest.mark.parametrize(("low", "high"), [(0.0, 0.1), (0.9, 1.0)], ids=["rarely positive", "rarely negative"])
def test_rare_classes_are_decided_for_in_either_direction(low: float, high: float) -> None:
    target, scores = calibrated(2000, low, high)
    for metric in ("balanced_accuracy", "macro_f1"):
        decided = decide(scores, fit_threshold(metric, target, scores))
        assert 0.05 < decided.mean() < 0.95
        assert measure("balanced_accuracy", target, Predictions(decided, decided)) > 0.53
    one_for_all = decide(scores)
    assert one_for_all.min() == one_for_all.max(), "at one half there is one answer for everyone"


def test_even_accuracy_keeps_a_row_of_each_class() -> None:
    """One class for everyone is the most accurate answer here, and a version that gives it answers nothing."""
    target, scores = calibrated(500, 0.0, 0.05)
    decided = decide(scores, fit_threshold("accuracy", target, scores))
    assert 0 < decided.sum() < 500


def test_last_bits_of_a_score_never_change_a_decision() -> None:
    target, scores = calibrated(300, 0.0, 1.0)
    threshold = fit_threshold("f1", target, scores)
    for shift in (-1e-7, 1e-7):
        np.testing.assert_array_equal(decide(scores + shift, threshold), decide(scores, threshold))
    bits_apart = np.r_[np.full(30, 0.3), np.full(30, 0.3 + 1e-9)]
    assert fit_threshold("f1", np.repeat([0.0, 1.0], 30), bits_apart) == HALF, "these are one score"


def test_scores_that_do_not_differ_decide_at_one_half() -> None:
    assert fit_threshold("balanced_accuracy", np.repeat([0.0, 1.0], 5), np.full(10, 0.27)) == HALF


def test_the_same_rows_give_the_same_threshold() -> None:
    target, scores = calibrated(200, 0.0, 1.0)
    assert len({fit_threshold("balanced_accuracy", target, scores) for _ in range(3)}) == 1


@pytest.mark.thorough
def test_resampling_the_rows_makes_the_threshold_steadier_than_the_best_one_of_few_rows() -> None:
    """Over 40 samples of 50 rows: the spread of the fitted threshold against that of the single best one."""
    fitted, single = [], []
    for seed in range(40):
        target, scores = calibrated(50, 0.0, 0.8, seed)
        fitted.append(fit_threshold("balanced_accuracy", target, scores))
        cuts = np.unique(scores)
        single.append(max(cuts, key=lambda cut: measure("balanced_accuracy", target, Predictions.of(scores, cut))))
    assert np.std(fitted) < 0.8 * np.std(single)


def test_several_classes_are_decided_by_the_most_probable_one() -> None:
    table = np.array([[0.2, 0.5, 0.3], [0.6, 0.3, 0.1]])
    np.testing.assert_array_equal(Predictions.of(table, None).decided, [1, 0])


def test_a_regression_decides_nothing() -> None:
    np.testing.assert_array_equal(Predictions.of(np.array([1.5, 0.2]), None).decided, [1.5, 0.2])
