"""Many categories are one column of what they were answered; no row that is learned from sees its own answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dataset
import numpy as np
import pytest
import target_statistics
from features import Preparer, labels
from target_statistics import FOLDS, SMOOTHING, Answers, applies, fit
from target_values import TargetValues

from settings_schema import Categorical, DataSet, Numeric, Problem
from tests.steps.journey import Journey
from tests.steps.small_data import as_json, write_csv

pytestmark = pytest.mark.thorough  # thousands of rows are prepared

TOWNS = ["Lima", "Quito", "Lima", "Lima", None, "Cusco"]
PRICES = np.array([10.0, 40.0, 20.0, 30.0, 60.0, 80.0])


def answers(target: Any, classes: list[str] | None = None, folds: list[int] | None = None) -> Answers:
    return Answers(np.array(target, dtype=float), classes, np.array(folds or [0] * len(target), dtype=np.uint8))


def applied(state: dict[str, Any], out_of_fold: list[dict[str, Any]], cells: list[str | None], folds: list[int] | None = None) -> Any:
    """The means, as they are before they get one size with other columns."""
    of_one_size = [{**of, "centre": [0.0], "scale": [1.0]} for of in (state, *out_of_fold)]
    values = TargetValues(of_one_size[0], of_one_size[1:])
    return values.of(labels(cells), None if folds is None else np.array(folds, dtype=np.uint8))[:, 0]


def test_a_category_is_its_mean_drawn_to_that_of_all_rows() -> None:
    state, out_of_fold = fit("town", labels(TOWNS), answers(PRICES))
    overall = 240 / 6
    expected = [(60 + SMOOTHING * overall) / (3 + SMOOTHING), (60 + SMOOTHING * overall) / (1 + SMOOTHING), overall]
    assert applied(state, out_of_fold, ["Lima", None, "never met"]) == pytest.approx(expected)
    assert state["categories"] == ["Cusco", "Lima", "Quito"]


def test_a_row_that_is_learned_from_is_what_the_other_folds_were_answered() -> None:
    state, out_of_fold = fit("town", labels(TOWNS), answers(PRICES, folds=[0, 0, 1, 1, 2, 2]))
    overall = (40 + 10 + 60 + 80) / 4  # without the rows of fold 1
    expected = (10 + SMOOTHING * overall) / (1 + SMOOTHING)
    assert applied(state, out_of_fold, ["Lima"], [1]) == pytest.approx([expected])
    changed = PRICES.copy()
    changed[2:4] = 1e6  # what the rows of the fold were answered themselves
    state, out_of_fold = fit("town", labels(TOWNS), answers(changed, folds=[0, 0, 1, 1, 2, 2]))
    assert applied(state, out_of_fold, ["Lima"], [1]) == pytest.approx([expected])
    # No row of Cusco is in another fold than 2: it is as if it were never met.
    assert applied(state, out_of_fold, ["Cusco"], [2]) == applied(state, out_of_fold, ["never met"], [2])


def test_of_two_classes_it_is_the_share_of_the_positive_one_and_of_several_each_has_its_own() -> None:
    state, _ = fit("town", labels(["a", "a", "b", "b"]), answers([0, 1, 1, 1], ["no", "yes"]))
    assert state["of"] == ["<target>"]
    assert state["values"] == [[pytest.approx((1 + SMOOTHING * 0.75) / (2 + SMOOTHING))], [pytest.approx((2 + 7.5) / 12)]]
    state, _ = fit("town", labels(["a", "a", "b", "b"]), answers([0, 1, 2, 2], ["ash", "oak", "yew"]))
    assert state["of"] == ["<ash>", "<oak>", "<yew>"]
    assert sum(state["values"][0]) == pytest.approx(1)


def test_categories_that_are_not_declared_are_as_one_that_was_never_met() -> None:
    state, out_of_fold = fit("town", labels(TOWNS), answers(PRICES), only=["Lima"])
    assert state["categories"] == ["Lima"]
    assert applied(state, out_of_fold, ["Cusco"]) == pytest.approx([40])


def test_the_order_of_rows_changes_no_byte() -> None:
    generator = np.random.default_rng(1)
    towns = [f"t{number}" for number in generator.integers(0, 300, 5000)]
    prices, folds = generator.lognormal(3, 4, 5000), generator.integers(0, FOLDS, 5000).astype(np.uint8)
    one = fit("town", labels(towns), Answers(prices, None, folds))
    order = generator.permutation(5000)
    other = fit("town", labels([towns[place] for place in order]), Answers(prices[order], None, folds[order]))
    assert json.dumps(one) == json.dumps(other)


def test_a_mean_is_that_of_the_answers_to_fifteen_digits() -> None:
    generator = np.random.default_rng(2)
    prices = generator.lognormal(0, 5, 4000)
    state, _ = fit("town", labels(["a", "b"] * 2000), answers(prices))
    overall = prices.mean()
    expected = (prices[::2].sum() + SMOOTHING * overall) / (2000 + SMOOTHING)
    assert state["values"][0][0] == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(
    ("encoding", "categories", "classes", "expected"),
    [
        (None, 50, 0, False),
        (None, 51, 0, True),
        ("one_hot", 9000, 0, False),
        ("target", 2, 0, True),
        (None, 51, 21, False),
        (None, 51, 20, True),
    ],
)
def test_the_number_of_categories_decides_unless_the_model_file_does(
    encoding: str | None, categories: int, classes: int, expected: bool
) -> None:
    names = [str(number) for number in range(classes)] or None
    # 50: how many are kept side by side
    assert applies({"name": "town", "encoding": encoding}, categories, names, 50) is expected


def streets(count: int, rows: int, *, known: bool, seed: int = 5) -> dict[str, list[Any]]:
    """A price that depends on the street of `count`, or on nothing."""
    generator = np.random.default_rng(seed)
    street, level = generator.integers(0, count, rows), generator.normal(0, 30, count)
    price = 100 + (level[street] if known else 0) + generator.normal(0, 10, rows)
    return {
        "area": generator.uniform(20, 200, rows).round(1).tolist(),
        "street": [f"s{number}" for number in street],
        "price": price.round(2).tolist(),
    }


STREETS = DataSet(
    problem=Problem.REGRESSION,
    target="price",
    numeric=(Numeric(name="area"),),
    categorical=(Categorical(name="street"),),
    metric="rmse",
    threshold=1000.0,
)


def prepared(folder: Path, table: dict[str, list[Any]], asked: DataSet = STREETS) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    journey = Journey.begin(folder, asked)
    write_csv(folder / "data" / "rows.csv", table)
    journey.prepare()
    part, about = dataset.load(folder / "train")
    return part, about, as_json(folder / "preparation" / "preparation.json")


def test_a_thousand_categories_are_one_column_that_says_what_is_known(tmp_path: Path) -> None:
    part, about, _ = prepared(tmp_path, streets(1000, 20_000, known=True))
    assert about["columns"] == ["area", "street=<target>"]
    assert np.corrcoef(part.features[:, 1], part.target)[0, 1] > 0.8


def test_where_nothing_is_known_it_says_nothing_of_a_rows_own_answer(tmp_path: Path) -> None:
    """By the mean of its few rows, its own among them, a row would be told half of its answer."""
    part, _, state = prepared(tmp_path, streets(1000, 3000, known=False))
    assert abs(np.corrcoef(part.features[:, 1], part.target)[0, 1]) < 0.1
    of_served = Preparer(state).transform(np.zeros((1000, 1)), [labels([f"s{number}" for number in range(1000)])])
    assert of_served[:, 1].std() > 0


def test_validation_rows_are_encoded_as_requests_are(tmp_path: Path) -> None:
    table = streets(200, 2000, known=True)
    _, _, state = prepared(tmp_path, table)
    part, _ = dataset.load(tmp_path / "validation")
    every = Preparer(state).transform(np.array(table["area"])[:, None], [labels(table["street"])])
    known = {tuple(row) for row in every.tolist()}
    assert all(tuple(row) in known for row in part.features.tolist())


def test_copies_of_a_row_share_a_fold() -> None:
    words = np.array([7, 7, 12, 7], dtype=np.uint64)
    assert len(set(target_statistics.folds(words)[[0, 1, 3]].tolist())) == 1


def test_more_classes_than_columns_are_refused_by_name(tmp_path: Path) -> None:
    asked = DataSet(
        problem=Problem.MULTICLASS,
        target="kind",
        numeric=(Numeric(name="area"),),
        categorical=(Categorical(name="street", encoding="target"),),
        metric="accuracy",
        threshold=0.0,
    )
    journey = Journey.begin(tmp_path, asked)
    table = streets(5, 2000, known=True)
    table["kind"] = [f"k{number % 25}" for number in range(2000)]
    del table["price"]
    write_csv(tmp_path / "data" / "rows.csv", table)
    result = journey.prepare(check=False)
    assert result.returncode != 0
    assert (
        "column 'street' has encoding='target' and there are 25 classes; allowed: at most 20, or 'one_hot' (Categorical.encoding"
        in result.stderr
    )
    assert not (tmp_path / "train").exists()


def test_every_step_takes_it_and_few_categories_may_be_asked_for(tmp_path: Path) -> None:
    table = streets(400, 4000, known=True)
    asked = STREETS.but(categorical=(Categorical(name="street"), Categorical(name="kind", values=("flat", "house"), encoding="target")))
    table["kind"] = ["flat", "house"] * 2000
    journey = Journey.begin(tmp_path, asked)
    write_csv(tmp_path / "data" / "rows.csv", table)
    evaluation = journey.all(algorithms=("gradient_boosting", "linear"))
    assert evaluation["gate"]["passed"], evaluation["gate"]["reasons"]
    assert evaluation["regression_metrics"]["rmse"]["value"] < 20  # 32 without the streets
