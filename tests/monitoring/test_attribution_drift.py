"""The ranking of features is compared as SageMaker Clarify did, by the example of its own guide."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from attribution_drift import judge, ndcg, of_evaluation
from dataset import Rows
from served import Served

#: "College Admission Hypothetical Scenario" of Clarify's guide.
TRAINING = {"SAT score": 0.70, "GPA": 0.50, "Class rank": 0.05}
LIVE = {"SAT score": 0.10, "GPA": 0.20, "Class rank": 0.70}


def test_a_reversed_ranking_is_below_clarifys_limit_of_nine_tenths() -> None:
    # By hand: (0.05 + 0.50 / 1.58496 + 0.70 / 2) / (0.70 + 0.50 / 1.58496 + 0.05 / 2)
    assert ndcg(TRAINING, LIVE) == pytest.approx(0.71546 / 1.04046, abs=1e-4)


def test_the_same_ranking_is_one_whatever_the_attributions_are() -> None:
    assert ndcg(TRAINING, {name: 3 * value for name, value in TRAINING.items()}) == pytest.approx(1)
    assert ndcg({"a": 0.0, "b": 0.0}, {"a": 1.0, "b": 2.0}) == 1


def test_important_features_that_change_places_count_for_more_than_unimportant_ones() -> None:
    before = {"a": 1.0, "b": 0.5, "c": 0.1, "d": 0.09}
    first = ndcg(before, {"a": 0.5, "b": 1.0, "c": 0.1, "d": 0.09})
    last = ndcg(before, {"a": 1.0, "b": 0.5, "c": 0.09, "d": 0.1})
    assert first < last < 1


class Model:
    """Attributes its columns by fixed shares of their absolute values."""

    def __init__(self, *shares: float) -> None:
        self._shares = np.array(shares)

    def attributions(self, matrix: Any) -> Any:
        return np.abs(matrix) * self._shares


def served(*shares: float) -> Served:
    preparer = SimpleNamespace(numeric=["x", "y"], categorical=[], sources=["x", "y"])

    def prepare(numeric: Any, _: Any) -> Any:
        return numeric

    return cast(Served, SimpleNamespace(preparer=preparer, features=["x", "y"], model=Model(*shares), prepare=prepare))


def test_production_is_held_to_what_the_evaluation_found() -> None:
    document = {"version": "1.0", "explanations": {"tree_shap": {"label0": {"global_shap_values": {"x": 2.0, "y": 0.1}}}}}
    assert of_evaluation(document) == {"x": 2.0, "y": 0.1}
    rows = Rows({"x": np.ones(50), "y": np.ones(50)}, {}, np.full(50, np.nan), 50)
    limits = {"min_attribution_ndcg": 0.9}
    alike, turned = (judge(document, rows, served(*shares), limits) for shares in ((2.0, 0.1), (0.1, 2.0)))
    assert alike is not None and (alike["ndcg"], alike["breached"]) == (1.0, False)
    assert turned is not None and turned["breached"]
    assert turned["features"][0] == {"feature": "x", "at_evaluation": 2.0, "now": pytest.approx(0.1)}


def test_a_window_without_rows_and_evidence_of_other_features_are_not_judged() -> None:
    document = {"explanations": {"tree_shap": {"label0": {"global_shap_values": {"x": 1.0, "z": 1.0}}}}}
    rows = Rows({"x": np.ones(5), "y": np.ones(5)}, {}, np.full(5, np.nan), 5)
    assert judge(document, rows, served(1, 1), {"min_attribution_ndcg": 0.9}) is None
    none = Rows({"x": np.empty(0), "y": np.empty(0)}, {}, np.empty(0), 0)
    own = {"explanations": {"tree_shap": {"label0": {"global_shap_values": {"x": 1.0, "y": 1.0}}}}}
    assert judge(own, none, served(1, 1), {"min_attribution_ndcg": 0.9}) is None
