"""What a regression predicts, and effects that are monotone: each algorithm learns what the model's file asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from algorithms import gradient_boosting, linear, random_forest
from dataset import Part
from measures import METRICS as MEASURED
from objectives import aims, in_words, unlearnable
from scipy import optimize

from settings_schema import METRICS, Categorical, Numeric, Problem
from settings_schema.errors import SettingsError
from tests.steps.journey import Journey
from tests.steps.small_data import HOUSES, LOANS, SPECIES, houses, write_csv

pytestmark = pytest.mark.thorough  # models are fitted

ALGORITHMS = (gradient_boosting, random_forest, linear)
BUDGET = {gradient_boosting: {"num_round": "80"}, random_forest: {"max_depth": "6"}, linear: {}}


def rows(answer: Any, count: int = 3000, seed: int = 0) -> Part:
    """Three columns; `answer(generator, features)`."""
    generator = np.random.default_rng(seed)
    features = generator.uniform(-1, 1, (count, 3)).astype(np.float32)
    return Part(features, np.asarray(answer(generator, features), dtype=float), np.ones(count))


def expected(features: Any) -> Any:
    return np.exp(1 + features[:, 0].astype(float))


def about(objective: str = "mean", metric: str = "rmse", monotone: list[int] | None = None) -> dict[str, Any]:
    columns = ["a", "b", "c"]
    return {"problem": "regression", "metric": metric, "classes": None, "columns": columns, "objective": objective, "monotone": monotone}


def fitted(algorithm: Any, part: Part, told: dict[str, Any], tmp_path: Path) -> Any:
    """Saved and loaded again, as it will be served."""
    algorithm.fit(part, rows(lambda _, x: expected(x), 500, 9), told, BUDGET[algorithm]).save(tmp_path)
    return algorithm.load(tmp_path, told)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_count_is_predicted_as_its_expectation_and_never_below_zero(algorithm: Any, tmp_path: Path) -> None:
    part = rows(lambda generator, x: generator.poisson(expected(x)))
    model = fitted(algorithm, part, about("count"), tmp_path)
    fresh = rows(lambda _, x: expected(x), 800, 5)
    predicted = model.predict(fresh.features)
    assert predicted.min() >= 0
    assert np.mean((predicted - fresh.target) ** 2) < 0.2 * np.var(fresh.target)
    assert predicted.mean() == pytest.approx(fresh.target.mean(), rel=0.05)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_mean_is_predicted_by_what_learned_the_logarithm(algorithm: Any, tmp_path: Path) -> None:
    """Errors of the logarithm are as large as in prices: the exponential of its mean alone would be a third too low."""
    part = rows(lambda generator, x: expected(x) * np.exp(generator.normal(0, 0.9, len(x))))
    model = fitted(algorithm, part, about("log_mean"), tmp_path)
    predicted = model.predict(part.features)
    assert predicted.min() > 0
    assert predicted.mean() == pytest.approx(part.target.mean(), rel=1e-5)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_as_many_answers_are_below_a_quantile_as_it_says(algorithm: Any, tmp_path: Path) -> None:
    part = rows(lambda generator, x: 1e5 + 1e4 * (x[:, 0] + generator.exponential(1, len(x))))
    model = fitted(algorithm, part, about("quantile", "pinball_90"), tmp_path)
    fresh = rows(lambda generator, x: 1e5 + 1e4 * (x[:, 0] + generator.exponential(1, len(x))), 3000, 6)
    assert np.mean(fresh.target <= model.predict(fresh.features)) == pytest.approx(0.9, abs=0.05)


def test_a_linear_quantile_is_the_one_of_least_loss(tmp_path: Path) -> None:
    """Found without slopes, by scipy's linear programming (Koenker and Bassett 1978)."""
    part = rows(lambda generator, x: 3 * x[:, 0] - x[:, 1] + generator.exponential(1, len(x)), 400)
    ones = np.column_stack([part.features.astype(float), np.ones(400)])
    costs = np.concatenate([np.zeros(8), np.full(400, 0.75), np.full(400, 0.25)])
    equal = np.hstack([ones, -ones, np.eye(400), -np.eye(400)])
    exact = optimize.linprog(costs, A_eq=equal, b_eq=part.target, bounds=(0, None)).x
    model = linear.fit(part, None, about("quantile", "pinball_75"), {"lambda": "0.000001"})
    assert [*model.coefficients[:, 0], model.intercepts[0]] == pytest.approx(exact[:4] - exact[4:8], abs=0.1)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("objective", ["mean", "log_mean", "count"])
def test_a_monotone_effect_is_kept_where_the_data_say_otherwise(algorithm: Any, objective: str, tmp_path: Path) -> None:
    part = rows(lambda generator, x: np.abs(x[:, 0]) + 0.1 - 0.05 * x[:, 1] + generator.random(len(x)))
    model = fitted(algorithm, part, about(objective, monotone=[1, -1, 0]), tmp_path)
    grid = np.tile(np.array([[0.0, 0.0, 0.3]], dtype=np.float32), (101, 1))
    for column, sign in ((0, 1), (1, -1)):
        along = grid.copy()
        along[:, column] = np.linspace(-1, 1, 101)
        assert (sign * np.diff(model.predict(along))).min() >= 0
    free = fitted(algorithm, part, about(objective), tmp_path)
    along = grid.copy()
    along[:, 0] = np.linspace(-1, 1, 101)
    if algorithm is not linear:
        assert np.diff(free.predict(along)).min() < 0


def test_a_monotone_effect_on_a_probability_is_kept_by_a_linear_model() -> None:
    part = rows(lambda generator, x: generator.random(len(x)) < 0.5 - 0.3 * x[:, 0])
    told = {**about(monotone=[1, 0, 0]), "problem": "binary", "metric": "auc", "classes": ["no", "yes"]}
    assert linear.fit(part, None, told, {}).coefficients[0, 0] == 0


def test_of_prepared_columns_only_the_number_itself_is_held() -> None:
    dataset = HOUSES.but(numeric=(Numeric(name="area", monotone="increasing"), Numeric(name="rooms", monotone="decreasing")))
    told = aims(dataset.model_dump(), ["rooms", "area=<missing>", "kind=flat", "area"])
    assert told == {"objective": "mean", "monotone": [-1, 0, 0, 1]}
    assert aims(HOUSES.model_dump(), ["area"]) == {"objective": "mean", "monotone": None}


def test_the_report_says_what_is_predicted_and_what_binds_it() -> None:
    assert in_words(HOUSES.model_dump()) == ""
    held = HOUSES.but(objective="count", numeric=(Numeric(name="area", monotone="increasing"), Numeric(name="rooms")))
    assert in_words(held.model_dump()) == "a count; never but increasing with area"


def test_the_metric_of_a_quantile_says_what_is_learned() -> None:
    assert aims(HOUSES.but(metric="pinball_5").model_dump(), [])["objective"] == "quantile"


def test_values_and_steps_know_the_same_quantiles() -> None:
    quantiles = {name: metric.quantile for name, metric in METRICS[Problem.REGRESSION].items() if metric.quantile}
    assert quantiles
    assert set(quantiles) == {name for name in MEASURED if name.startswith("pinball_")}


@pytest.mark.parametrize(("objective", "wrong"), [("mean", []), ("count", [-1.0]), ("log_mean", [-1.0, 0.0])])
def test_answers_that_a_loss_is_not_defined_for(objective: str, wrong: list[float]) -> None:
    answers = np.array([-1.0, 0.0, 0.5, np.nan])
    assert answers[unlearnable(objective, answers)].tolist() == wrong


def test_negative_answers_of_a_count_end_the_run_in_one_line(tmp_path: Path) -> None:
    journey = Journey.begin(tmp_path, HOUSES.but(objective="count"))
    table = houses(50)
    table["price"][7] = -2
    write_csv(tmp_path / "data" / "houses.csv", table)
    result = journey.prepare(check=False)
    assert result.returncode != 0
    assert (
        "column 'price': 1 answer cannot be learned with DataSet.objective='count', such as -2; allowed: 0 and more, or objective='mean'"
        in result.stderr
    )
    assert "line 9" in result.stderr
    assert not (tmp_path / "train").exists()


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        (lambda: LOANS.but(objective="count"), "DataSet.objective is 'count'; allowed: 'mean' for binary"),
        (
            lambda: HOUSES.but(objective="count", metric="pinball_90"),
            "DataSet.objective is 'count'; allowed: 'mean' with pinball_90, which says itself what is predicted",
        ),
        (
            lambda: SPECIES.but(numeric=(Numeric(name="width", monotone="increasing"),)),
            "Numeric('width').monotone is 'increasing'; allowed: None for several classes: which of them would a higher value favour?",
        ),
        (
            lambda: HOUSES.but(metric="pinball_90", numeric=(Numeric(name="area", monotone="increasing"),)),
            "Numeric('area').monotone is 'increasing'; allowed: None with pinball_90: trees of quantiles cannot be held to it",
        ),
        (
            lambda: Categorical(name="kind", monotone="increasing"),  # type: ignore[call-arg] # that is what is tried
            "Categorical('kind').monotone is 'increasing'; allowed: nothing: categories have no order; a column that has one is a Numeric",
        ),
    ],
)
def test_what_contradicts_itself_is_one_line(changed: Any, line: str) -> None:
    with pytest.raises(SettingsError) as refused:
        changed()
    assert str(refused.value) == line


@pytest.mark.parametrize(("objective", "metric"), [("count", "rmse"), ("log_mean", "mae"), ("mean", "pinball_90")])
def test_every_step_judges_by_what_is_predicted(objective: str, metric: str, tmp_path: Path) -> None:
    journey = Journey.begin(tmp_path, HOUSES.but(objective=objective, metric=metric, threshold=1e6))
    table = houses(400)
    table["price"] = [max(1.0, float(round(price))) for price in table["price"]]
    write_csv(tmp_path / "data" / "houses.csv", table)
    evaluation = journey.all()
    assert evaluation["gate"]["passed"], evaluation["gate"]["reasons"]
    measured = evaluation["regression_metrics"]
    assert metric in measured
    if metric == "pinball_90":
        assert set(measured) == {"pinball_90", "share_below", "mae"}
        assert 0.75 < measured["share_below"]["value"] <= 1
    report = (tmp_path / "evaluation" / "report.html").read_text(encoding="utf-8")
    assert {"count": "a count", "log_mean": "the mean, learned by logarithms", "mean": "the 90 % quantile"}[objective] in report
