"""What benchmarks.quality claims: who is better, what is measured again, and that ours is the search of the pipeline."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.quality import ours
from benchmarks.quality.comparison import Predicted, compare
from benchmarks.quality.measured import Key, Measured
from benchmarks.quality.sets import JUDGED, PRIOR
from settings_schema import Algorithm, Problem, Range, Tuning

TARGET = np.arange(60.0)
NEAR, FAR = TARGET + 1, TARGET + 2
ALTERNATELY = TARGET + np.where(TARGET % 2 == 0, 1.0, 2.0)


def test_half_the_error_on_every_row_wins_and_twice_loses() -> None:
    won, lost = (compare("rmse", [Predicted(TARGET, *both)]) for both in ((NEAR, FAR), (FAR, NEAR)))
    assert (won["verdict"], won["ratio"]) == ("win", pytest.approx(0.5))
    assert (lost["verdict"], lost["ratio"]) == ("loss", pytest.approx(2))


def test_what_is_better_on_every_other_row_only_ties() -> None:
    other = TARGET + np.where(TARGET % 2 == 0, 2.0, 1.0)
    assert compare("rmse", [Predicted(TARGET, ALTERNATELY, other)])["verdict"] == "tie"


def test_a_set_is_judged_by_all_its_splits_together() -> None:
    found = compare("rmse", [Predicted(TARGET, NEAR, FAR), Predicted(TARGET, NEAR, NEAR)])
    assert found["splits"] == ["win", "tie"]
    assert found["verdict"] == "win"
    assert found["ratio"] == pytest.approx(2 / 3)


def test_more_area_under_the_curve_is_less_loss() -> None:
    target = np.array([0.0, 1.0] * 20)
    ranked, reversed_ = target * 0.8 + 0.1, 0.9 - target * 0.8
    assert compare("auc", [Predicted(target, ranked, reversed_)])["verdict"] == "win"


def test_nothing_of_the_same_version_is_measured_again(tmp_path: Path) -> None:
    key = Key("oj", 1, "ours", "of today")
    Measured(tmp_path).add(key, {"train": TARGET}, {"loss": {"train": 0.5}})
    Measured(tmp_path).add(Key("oj", 1, "ours", "of yesterday"), {"train": NEAR}, {"loss": {"train": 0.6}})
    later = Measured(tmp_path)
    assert key in later
    assert later[key]["loss"] == {"train": 0.5}
    assert later.predictions(key)["train"].tolist() == TARGET.tolist()
    assert Key("oj", 1, "ours", "of tomorrow") not in later
    assert later.splits("oj", "ours", "of today") == [1]


def test_each_of_its_trials_is_within_the_ranges_and_has_what_is_fixed() -> None:
    tuned = {"eta": Range(low=0.01, high=0.1, log=True), "max_depth": Range(low=2, high=3)}
    drawn = ours.points(Algorithm(name="gradient_boosting", fixed={"num_round": 9}, tuned=tuned), Tuning(trials=6))
    assert len(drawn) == 6
    assert {point["num_round"] for point in drawn} == {"9"}
    assert {point["max_depth"] for point in drawn} == {"2", "3"}
    assert all(0.01 <= float(point["eta"]) <= 0.1 for point in drawn)


def test_a_table_is_described_without_its_target_among_the_features() -> None:
    wanted = next(each for each in JUDGED if each.name == "churn")
    model = wanted.model({"churn": "category", "tenure": "number", "contract": "category"}, "3")
    assert (model.data.features, model.data.problem, model.data.metric) == (("tenure", "contract"), Problem.BINARY, "auc")
    assert model.preparation.split.salt == "3"


def test_the_defaults_are_chosen_on_other_sets_than_those_that_judge_them() -> None:
    judged, prior = ({(each.package, each.item) for each in sets} for sets in (JUDGED, PRIOR))
    assert not judged & prior
    assert {each.problem for each in JUDGED} == {each.problem for each in PRIOR} == set(Problem)
