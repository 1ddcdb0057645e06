"""A row alone is looked up in a table, and answered with the very bits that XGBoost answers it with among others."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from itertools import product
from typing import Any

import inference
import margins
import numpy as np
import one_row
import pytest
from served import Served

from tests.edge.versions import OBJECTIVES, fitted

PROBLEMS = ("regression", "binary", "multiclass")
TREES = ("gradient_boosting", "random_forest")
CONTRACT = {
    "numeric": [{"name": "area", "minimum": -1e6, "maximum": 1e6}, {"name": "score"}],
    "categorical": [{"name": "town"}, {"name": "size", "values": ["4", "10"]}],
}


VERSIONS = [*product(PROBLEMS, TREES), *product(["regression"], TREES, OBJECTIVES)]


@pytest.fixture(params=VERSIONS, ids="-".join)
def version(request: pytest.FixtureRequest) -> Served:
    return with_contract(*request.param)


def with_contract(problem: str, algorithm: str, *objective: str, **preparation: Any) -> Served:
    found: Served = fitted(problem, algorithm, *objective, **preparation)
    return dataclasses.replace(found, state={**found.state, "dataset": {**found.dataset, **CONTRACT}})


def numbers(version: Served) -> Iterator[float]:
    """Every value that parts two classes of one column or the other, its neighbours, and what floating point has at its ends."""
    assert version.one_row is not None
    for column in version.one_row._classes.numeric:
        for edge in column.edges:
            yield from (edge, float(np.nextafter(edge, -np.inf)), float(np.nextafter(edge, np.inf)))
    yield from (0.0, -0.0, 5e-324, -5e-324, 1e-310, 1.17e-38, 1e6, -1e6, math.nan, 3e38 / 1e33)


def among_others(row: list[Any], version: Served) -> Any:
    """The answer to a row as XGBoost gives it for two."""
    answer = inference.predict_fn([row, row], version)
    return {name: values[:1] for name, values in answer.items()}


@pytest.mark.thorough
def test_edges_of_all_splits_and_the_ends_of_numbers_are_answered_with_the_same_bits(version: Served) -> None:
    values = list(numbers(version))
    towns, sizes = ["Lima, Peru", "Łódź", "a b", "rare", "", "never seen"], ["4", "10", "4.0", ""]
    rows = [
        [value, other, towns[place % 6], sizes[place % 4]]
        for place, (value, other) in enumerate(zip(values, [*values[7:], *values[:7]], strict=True))
    ]
    assert version.one_row is not None
    assert all(version.one_row.read(row) for row in rows)
    together = inference.predict_fn(rows, version)
    alone = [inference.predict_fn([row], version) for row in rows]
    assert {name: [answer[name][0] for answer in alone] for name in together} == together
    assert list(alone[0]) == list(together)
    assert len({repr(answer) for answer in alone}) > 50  # rows that differ are told apart


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_category_that_is_what_it_was_answered_is_looked_up(problem: str) -> None:
    version = with_contract(problem, "gradient_boosting", encoding="target")
    assert version.one_row is not None
    answers = set()
    for town in ["Lima, Peru", "Łódź", "a b", "rare", "", "never seen"]:
        row = ["1.5", "0.2", town, "4"]
        answers.add(repr(inference.predict_fn([row], version)))
        assert inference.predict_fn([row], version) == among_others(row, version)
    assert len(answers) > 3


@pytest.mark.thorough
@pytest.mark.parametrize("rule", ["none", "minmax", "robust"])
@pytest.mark.parametrize("outliers", ["none", "quantile"])
def test_every_way_to_prepare_a_number_is_looked_up(rule: str, outliers: str) -> None:
    version = with_contract("regression", "gradient_boosting", normalisation=rule, outlier_rule=outliers)
    assert version.one_row is not None
    for value in list(numbers(version))[::5]:
        row = [value, -value, "rare", "4"]
        assert inference.predict_fn([row], version) == among_others(row, version)


@pytest.mark.parametrize(
    "cells",
    [
        ["1.5", "2", "Łódź", "4"],
        ["1e-3", "+2", " a b ", "10"],
        ["", "NA", "", ""],
        [" 1 ", "2.", "a b", "4.00"],
        [1, 2.5, "a b", 4],
        [None, None, None, None],
        {"area": 3, "size": 10},
    ],
)
def test_cells_are_read_as_among_others(cells: Any) -> None:
    version = with_contract("binary", "gradient_boosting")
    assert inference.predict_fn([cells], version) == among_others(cells, version)


@pytest.mark.parametrize(
    "cells",
    [
        ["x", "2", "a b", "4"],
        ["1_0", "2", "a b", "4"],
        ["1-2", "2", "a b", "4"],
        ["1e999", "2", "a b", "4"],
        ["1e7", "2", "a b", "4"],
        ["1", "1e39", "a b", "4"],
        [True, 2, "a b", "4"],
        [[1], 2, "a b", "4"],
        ["1", "2", "a b", "11"],
        ["1", "2", ["a b"], "4"],
        ["1", "2", "a b"],
        ["1", "2", "a b", "4", "5"],
        {"garden": 1},
    ],
)
def test_what_is_refused_among_others_is_refused_in_the_same_words(cells: Any) -> None:
    version = with_contract("binary", "gradient_boosting")
    alone, other = inference.predict_fn([cells], version), inference.predict_fn([cells, cells], version)
    assert (alone.status_code, alone.get_data()) == (other.status_code, other.get_data())
    assert alone.status_code == 400


def test_trees_of_more_leaves_than_a_word_has_are_among_those_tested() -> None:
    assert max(tree.count("leaf=") for tree in with_contract("regression", "random_forest").model.booster.get_dump()) > 64


def test_a_model_whose_bits_would_differ_has_no_table(monkeypatch: pytest.MonkeyPatch) -> None:
    version = with_contract("binary", "gradient_boosting")
    monkeypatch.setattr(one_row, "answer_of", lambda _: lambda sums: [float(1 / (1 + np.exp(-sums[0])))])  # NumPy's, another last bit
    assert one_row.of(version) is None
    row = ["1", "2", "a b", "4"]
    assert inference.predict_fn([row], version) == among_others(row, version)


def test_a_table_that_would_be_too_large_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_row, "MOST_BYTES", 100_000)
    assert one_row.of(with_contract("regression", "gradient_boosting")) is None


def test_other_models_take_the_way_of_many_rows() -> None:
    assert one_row.of(dataclasses.replace(with_contract("regression", "gradient_boosting"), model=object())) is None
    assert margins.answer_of("reg:tweedie") is None
