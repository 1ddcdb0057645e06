"""The gate says everything that is wrong, refuses what must not be registered, and warns of what a person has to weigh."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import registry_text
from decisions import Predictions
from evaluation import gate
from evaluation.comparison import compare
from numpy.typing import NDArray

from settings_schema import METRICS, Gate

Floats = NDArray[np.float64]
ROWS = 300
BETTER = {"value": 0.5, "gain": 0.3, "lower": 0.2, "upper": 0.4, "p_not_worse": 1.0, "p_better": 1.0}
NOT_BETTER = {"value": 0.8, "gain": 0.0, "lower": -0.1, "upper": 0.1, "p_not_worse": 0.6, "p_better": 0.5}
WORSE = {"value": 1.0, "gain": -1.0, "lower": -2.0, "upper": -0.5, "p_not_worse": 0.0, "p_better": 0.0}


def decision(limits: Gate | None = None, **evidence: Any) -> dict[str, Any]:
    metric = evidence.get("metric", "rmse")
    direction = next(known[metric].more_is_better for known in METRICS.values() if metric in known)
    judged = gate.Evidence(**{"metric": "rmse", "more_is_better": direction, "value": 2.0, "threshold": 2.5, **evidence})
    return gate.decide(judged, (limits or Gate()).model_dump())


def test_a_good_model_passes_without_a_word() -> None:
    for judged in (
        decision(constants={"rmse": BETTER}, linear=BETTER),
        decision(metric="auc", value=0.9, threshold=0.8, calibration={"error": 0.02, "by_chance": 0.05}),
    ):
        assert judged["passed"]
        assert (judged["warnings"], judged["warned_of"]) == ([], "none")


def test_the_threshold_holds_in_the_direction_of_the_metric() -> None:
    assert not decision(value=3.0)["passed"]
    assert "rmse is 3; at most 2.5" in decision(value=3.0)["reasons"]
    assert not decision(metric="auc", value=0.7, threshold=0.8)["passed"]
    assert not decision(metric="average_precision", value=0.7, threshold=0.8)["passed"]
    assert not decision(value=float("nan"))["passed"]


def test_every_reason_is_given() -> None:
    bias = {"DPPL": 0.5, "DI": 0.5, "EOD": 0.1}
    refused = decision(value=3.0, bias=bias, champion=WORSE, constants={"rmse": NOT_BETTER}, never_decided={"1": 14})
    for part in ("rmse is 3", "significantly worse", "DPPL is 0.5", "DI is 0.5", "of a constant answer", "class '1' (14 rows)"):
        assert part in refused["reasons"]
    assert "EOD" not in refused["reasons"]


def test_a_limit_of_none_is_not_checked() -> None:
    assert decision(Gate(max_difference_in_proportions=None), bias={"DPPL": 0.9, "DI": 0.9, "EOD": 0.0})["passed"]


def test_a_class_that_is_never_predicted_refuses_and_is_named_unless_the_team_decides_otherwise() -> None:
    refused = decision(metric="auc", value=0.93, threshold=0.75, never_decided={"1": 14})
    assert not refused["passed"]
    assert "never predicted: class '1' (14 rows)" in refused["reasons"]
    allowed = decision(Gate(every_class_predicted=False), metric="auc", value=0.93, threshold=0.75, never_decided={"1": 14})
    assert allowed["passed"]
    assert "never predicted: class '1' (14 rows)" in allowed["warnings"][0]


def test_a_regression_is_not_asked_for_its_classes() -> None:
    assert [check["name"] for check in decision()["checks"]] == ["rmse at most 2.5"]
    assert "every class is predicted" in [
        check["name"] for check in decision(metric="auc", value=0.9, threshold=0.8, never_decided={})["checks"]
    ]


def test_a_model_that_is_not_shown_to_be_better_than_a_constant_is_refused_unless_the_team_decides_otherwise() -> None:
    constants = {"auc": BETTER, "log_loss": NOT_BETTER}
    refused = decision(metric="auc", value=0.93, threshold=0.75, constants=constants)
    assert "log_loss is equal to the 0.8 of a constant answer" in refused["reasons"]
    assert "better in 50.0% of paired resamples; at least 90% is needed" in refused["reasons"]
    allowed = decision(Gate(constant_significance=None), metric="auc", value=0.93, threshold=0.75, constants=constants)
    assert allowed["passed"]
    assert allowed["warned_of"] == "constant answer"


@pytest.mark.parametrize(("comparison", "said"), [(NOT_BETTER, "is as good"), (WORSE, "is better")])
def test_a_plain_linear_model_that_is_as_good_warns(comparison: dict[str, float], said: str) -> None:
    judged = decision(linear=comparison)
    assert judged["passed"]
    assert f"a plain linear model {said}: rmse" in judged["warnings"][0]


@pytest.mark.parametrize(
    ("error", "by_chance", "warns"),
    [(0.2, 0.05, True), (0.2, 0.25, False), (0.08, 0.02, False)],
    ids=["large and no chance", "large, but as chance would have it", "sure, but small"],
)
def test_calibration_warns_where_it_is_far_off_and_not_by_chance(error: float, by_chance: float, warns: bool) -> None:
    calibration = {"error": error, "by_chance": by_chance}
    judged = decision(calibration=calibration)
    assert judged["passed"]
    assert (judged["warned_of"] == "calibration") is warns
    assert decision(Gate(max_calibration_error=None), calibration=calibration)["warnings"] == []


def test_a_worse_challenger_is_refused_and_an_equal_one_is_not() -> None:
    generator = np.random.default_rng(5)
    target = generator.normal(size=ROWS)
    champion = target + generator.normal(0, 1, ROWS)
    assert not decision(champion=against(target, target + generator.normal(0, 2, ROWS), champion))["passed"]
    same = against(target, champion.copy(), champion)
    assert same["gain"] == 0
    assert decision(champion=same)["passed"]
    assert decision(champion=against(target, target + generator.normal(0, 0.5, ROWS), champion))["passed"]


def against(target: Floats, ours: Floats, theirs: Floats) -> dict[str, float | None]:
    return compare("rmse", target, Predictions.of(ours, None), Predictions.of(theirs, None), more_is_better=False)


def test_pairing_finds_a_small_but_steady_difference() -> None:
    """The same errors plus a little: unpaired intervals overlap, paired ones do not."""
    generator = np.random.default_rng(6)
    target = generator.normal(size=ROWS)
    errors = generator.normal(0, 1, ROWS)
    paired = against(target, target + 1.05 * errors, target + errors)
    assert paired["upper"] is not None
    assert paired["upper"] < 0


def test_what_the_registry_and_a_failed_step_show_is_within_their_limits_whatever_the_classes_are_called() -> None:
    """FailStep: 3072 characters; metadata: 256 of a few kinds; the model card: JSON."""
    awkward = {f'class "{index}" \\ {{metric}}\n' + "x" * 300: 2 for index in range(400)}
    for limits in (Gate(), Gate(every_class_predicted=False)):
        judged = decision(limits, value=9.0, never_decided=awkward, linear=WORSE, calibration={"error": 0.5, "by_chance": 0.1})
        assert len(f"Not registered: {judged['reasons']}") <= 3072
        assert judged["warned_of"] == registry_text.metadata(judged["warned_of"])
        card = json.loads(f'{{"caveats": "{judged["caveats"]}"}}')
        assert len(card["caveats"]) <= 1500
