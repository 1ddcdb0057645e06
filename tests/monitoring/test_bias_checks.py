"""Bias in production is held to the gate's limits, with what few rows of a group can say, and a facet that vanished is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bias_checks import check
from dataset import Rows

FACET = {"column": "group", "disadvantaged": "b"}
GATE = {"max_difference_in_proportions": 0.2, "min_disparate_impact": 0.8, "max_equal_opportunity_difference": 0.2}


def found(groups: list[str | None], decided: list[int], truth: list[int] | None = None, gate: dict[str, Any] = GATE) -> dict[str, Any]:
    distinct = list(dict.fromkeys(groups))
    codes = np.array([distinct.index(group) for group in groups], dtype=np.int64)
    rows = Rows({}, {"group": (distinct, codes)}, np.full(len(groups), np.nan), len(groups))
    answers = None if truth is None else np.array(truth, dtype=np.float64)
    return {entry["metric"]: entry for entry in check(rows, np.array(decided, dtype=np.float64), FACET, gate, answers)}


def test_the_same_treatment_is_no_breach_and_a_clear_difference_is_one() -> None:
    alike = found(["a", "b"] * 200, [1, 1, 0, 0] * 100)
    assert alike["DPPL"]["value"] == 0 and not alike["DPPL"]["breached"] and not alike["DI"]["breached"]
    unlike = found(["a"] * 200 + ["b"] * 200, [1] * 160 + [0] * 40 + [1] * 60 + [0] * 140)
    assert unlike["DPPL"]["value"] == 0.5 and unlike["DPPL"]["breached"]
    assert unlike["DI"]["value"] == pytest.approx(0.375) and unlike["DI"]["breached"]


def test_a_difference_that_few_rows_may_show_by_chance_is_no_breach() -> None:
    few = found(["a"] * 200 + ["b"] * 5, [1] * 160 + [0] * 40 + [1] * 2 + [0] * 3)
    assert few["DPPL"]["value"] > GATE["max_difference_in_proportions"] and not few["DPPL"]["breached"]


def test_a_group_that_is_favoured_beyond_the_limit_is_a_breach_too() -> None:
    favoured = found(["a"] * 200 + ["b"] * 200, [1] * 60 + [0] * 140 + [1] * 160 + [0] * 40)
    assert favoured["DPPL"]["breached"] and favoured["DI"]["breached"]


def test_what_needs_the_truth_waits_for_labels() -> None:
    groups, decided = ["a", "b"] * 100, [1, 0] * 100
    assert set(found(groups, decided)) == {"DPPL", "DI"}
    labelled = found(groups, decided, [1, 1] * 100)
    assert set(labelled) == {"EOD"}
    assert labelled["EOD"]["value"] == 1 and labelled["EOD"]["breached"]


def test_a_limit_that_the_gate_does_not_set_is_not_judged() -> None:
    assert set(found(["a", "b"] * 50, [1, 0] * 50, gate={**GATE, "max_difference_in_proportions": None})) == {"DI"}


def test_a_facet_that_vanished_is_named_and_no_breach() -> None:
    gone = found(["a", None] * 50, [1, 0] * 50)
    assert gone["DPPL"]["value"] is None and not gone["DPPL"]["breached"]
    assert gone["DPPL"]["why"] == "no row of the group: it has vanished"
    only = found(["b"] * 50, [1] * 50)
    assert only["DI"]["why"] == "every row is of the group: there is nothing to compare it with"
    assert found([], [])["DPPL"]["why"] == "the window has no rows"
