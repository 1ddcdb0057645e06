"""A metric estimated without labels is near the truth while features drift, says how sure it is, and is silent where it cannot know."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from dataset import Rows
from decisions import Predictions
from estimates import Estimate, estimate
from evaluation import estimator
from measures import METRICS

from settings_schema import Problem
from settings_schema.metrics import METRICS as OF_PROBLEMS
from tests.monitoring.answers_of_versions import Sampled, houses, patients, species, truth_of

LIMITS = {"max_quality_loss": 0.1}
MAKE: dict[str, Any] = {"binary": patients, "regression": houses, "multiclass": species}
CLASSES = {"binary": 2, "regression": None, "multiclass": 3}


def fitted(metric: str, problem: str, test: Sampled) -> dict[str, Any]:
    """estimator.json as evaluate.py writes and the monitor reads it."""
    found = estimator.fit(metric, problem, test.rows, test.predicted, CLASSES[problem])
    better = OF_PROBLEMS[Problem(problem)][metric].more_is_better
    document = {"metric": metric, "more_is_better": better, "at_evaluation": truth_of(metric, test), **found}
    return dict(json.loads(json.dumps(document)))


EVERY_METRIC = [(problem.value, metric) for problem, metrics in OF_PROBLEMS.items() for metric in metrics]


@pytest.mark.parametrize(("problem", "metric"), EVERY_METRIC)
def test_every_metric_that_a_model_may_be_judged_by_is_estimated_and_its_interval_covers_the_truth(problem: str, metric: str) -> None:
    document = fitted(metric, problem, MAKE[problem](1500, seed=1))
    windows = [MAKE[problem](400, seed=100 + number) for number in range(12)]
    found = [estimate(document, window, LIMITS) for window in windows]
    covered = [each.lower <= truth_of(metric, window) <= each.upper for each, window in zip(found, windows, strict=True)]
    assert np.mean(covered) >= 0.8
    assert not any(each.breached for each in found)


def test_scores_that_are_too_sure_are_calibrated_before_they_are_believed() -> None:
    test = patients(2000, seed=1)
    believed = float(np.maximum(test.predicted.scores, 1 - test.predicted.scores).mean())
    found = estimate(fitted("accuracy", "binary", test), patients(2000, seed=2), LIMITS)
    assert found.value == pytest.approx(truth_of("accuracy", patients(2000, seed=2)), abs=0.03)
    assert believed - float(found.value or 0) > 0.05


@pytest.mark.parametrize("metric", ["rmse", "mae", "mse", "r2"])
def test_the_error_is_seen_to_grow_where_the_rows_move_to_those_that_are_harder(metric: str) -> None:
    test, harder = houses(3000, seed=1), houses(3000, seed=2, larger=0.8)
    found = estimate(fitted(metric, "regression", test), harder, LIMITS)
    before, truth = truth_of(metric, test), truth_of(metric, harder)
    assert abs(float(found.value or 0) - truth) < 0.35 * abs(before - truth)


def test_more_rows_make_the_estimate_surer() -> None:
    document = fitted("rmse", "regression", houses(2000, seed=1))
    few, many = (estimate(document, houses(count, seed=2), LIMITS) for count in (100, 5000))
    assert width(many) < width(few) / 2


def width(found: Estimate) -> float:
    assert found.lower is not None and found.upper is not None
    return found.upper - found.lower


def test_only_a_whole_interval_beyond_the_limit_is_a_breach() -> None:
    document = fitted("mae", "regression", houses(2000, seed=1))
    slightly, clearly = (estimate(document, houses(60, seed=4, larger=larger), LIMITS) for larger in (0.4, 1.5))
    assert slightly.value is not None and slightly.limit is not None and slightly.lower is not None and clearly.lower is not None
    assert slightly.value > slightly.limit > slightly.lower and not slightly.breached
    assert clearly.lower > slightly.limit and clearly.breached


def test_a_metric_of_which_more_is_better_breaches_downwards() -> None:
    document = fitted("accuracy", "binary", patients(3000, seed=1))
    undecided = patients(2000, seed=2)
    near = Sampled(undecided.rows.take(np.abs(undecided.rows.numeric["age"]) < 0.5), undecided.predicted)
    near = Sampled(near.rows, undecided.predicted.take(np.abs(undecided.rows.numeric["age"]) < 0.5))
    assert estimate(document, near, LIMITS).breached


def test_the_same_rows_give_the_same_bytes_and_the_same_estimate() -> None:
    documents = [fitted("rmse", "regression", houses(500, seed=1)) for _ in range(2)]
    assert json.dumps(documents[0]) == json.dumps(documents[1])
    found = [estimate(document, houses(200, seed=2), LIMITS) for document in documents]
    assert found[0] == found[1]


def test_what_cannot_be_estimated_honestly_has_no_number_and_says_why() -> None:
    few = estimate(fitted("auc", "binary", patients(30, seed=1)), patients(100, seed=2), LIMITS)
    assert (few.value, few.breached) == (None, False)
    assert few.assumption == "not estimated: the version was evaluated on 30 rows; 50 are needed"
    test = patients(400, seed=1)
    rare = Sampled(test.rows.take(test.rows.target == 1), test.predicted.take(test.rows.target == 1))
    assert "a class had 0 rows" in estimate(fitted("accuracy", "binary", rare), test, LIMITS).assumption
    empty = Sampled(test.rows.take(test.rows.target > 1), test.predicted.take(test.rows.target > 1))
    assert estimate(fitted("auc", "binary", test), empty, LIMITS).assumption == "not estimated: the window has no rows"


def test_a_window_whose_rows_are_surely_of_one_class_has_no_auc() -> None:
    test = patients(4000, seed=1)
    sure = patients(12, seed=2, older=15.0)
    found = estimate(fitted("auc", "binary", test), sure, LIMITS)
    assert found.value is None and "auc is undefined" in found.assumption


def test_the_assumption_stands_beside_the_number() -> None:
    found = estimate(fitted("auc", "binary", patients(500, seed=1)), patients(200, seed=2), LIMITS)
    assert "no concept drift" in found.assumption
    assert found.method == "confidence-based estimation"


def test_missing_values_unseen_categories_and_a_constant_column_are_no_obstacle() -> None:
    test = patients(600, seed=1)
    gaps = test.rows.numeric["age"].copy()
    gaps[::5] = np.nan
    rows = type(test.rows)(
        {"age": gaps, "same": np.zeros(600)}, {"town": ([None, "Quito"], test.rows.categorical["town"][1])}, test.rows.target, 600
    )
    document = fitted("auc", "binary", Sampled(rows, test.predicted))
    other = patients(300, seed=2)
    numeric = {"age": np.full(300, np.nan), "same": np.full(300, 7.0)}
    unlike = type(rows)(numeric, {"town": (["Atlantis"], np.zeros(300, dtype=np.int64))}, other.rows.target, 300)
    found = estimate(document, Sampled(unlike, other.predicted), LIMITS)
    assert found.value is not None and 0.5 < found.value < 1


def test_metrics_of_the_settings_are_those_that_can_be_measured() -> None:
    assert {metric for _, metric in EVERY_METRIC} <= set(METRICS)


def test_a_version_that_never_errs_is_estimated_to_go_on_so() -> None:
    area = np.linspace(0, 1, 200)
    perfect = Sampled(Rows({"area": area}, {}, area, 200), Predictions.of(area, None))
    found = estimate(fitted("rmse", "regression", perfect), perfect, LIMITS)
    assert found.value == pytest.approx(0, abs=1e-6) and not found.breached


def test_constant_columns_and_constant_answers_are_no_obstacle() -> None:
    same = np.zeros(200)
    truth = np.random.default_rng(1).normal(size=200)
    constant = Sampled(Rows({"same": same}, {"none": ([None], same.astype(np.int64))}, truth, 200), Predictions.of(same, None))
    found = estimate(fitted("r2", "regression", constant), constant, LIMITS)
    assert found.value is not None and found.lower is not None and found.upper is not None and found.lower < 0.02 < found.upper + 0.05


def test_a_window_of_one_row_has_a_wide_interval_and_no_breach() -> None:
    found = estimate(fitted("mae", "regression", houses(500, seed=1)), houses(1, seed=2), LIMITS)
    assert found.lower is not None and found.upper is not None and found.upper > 3 * found.lower and not found.breached
