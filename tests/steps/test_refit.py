"""The chosen model is fitted again on training and validation rows, and what must not have seen those rows is of the model before."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import algorithms
import dataset
import numpy as np
import pytest
import refit
from combined_rows import Together, Unweighted
from dataset import Part

from tests.steps.journey import Journey
from tests.steps.small_data import LOANS, as_json, loans, write_csv

pytestmark = pytest.mark.thorough  # models are fitted and packed

ABOUT = {"problem": "regression", "metric": "rmse", "decision_metric": None, "classes": None, "columns": ["a", "b", "c"]}
BOOSTED = {"algorithm": "gradient_boosting", "hyperparameters": {"num_round": 20, "eta": 0.3, "max_depth": 3}}


def part(rows: int, seed: int, weight: float = 1.0) -> Part:
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(rows, 3)).astype(np.float32)
    target = 2.0 * features[:, 0] + features[:, 1] * features[:, 2] + generator.normal(0, 0.1, rows)
    return Part(features, target.astype(np.float64), np.full(rows, weight))


def joined(first: Part, second: Part) -> Part:
    return Part(*(np.concatenate([getattr(one, name) for one in (first, second)]) for name in ("features", "target", "weight")))


def test_it_learns_from_all_rows_in_a_tenth_more_rounds_than_validation_kept() -> None:
    train, validation = part(300, 0), part(80, 1)
    again = refit.on_all_rows(BOOSTED, Together(train, validation), ABOUT)
    fixed = {"num_round": "22", "eta": "0.3", "max_depth": "3"}
    whole = algorithms.find("gradient_boosting").fit(joined(train, validation), None, ABOUT, fixed)
    assert again.settings["num_round"] == 22
    assert again.booster.save_raw("ubj") == whole.booster.save_raw("ubj")


@pytest.mark.parametrize(("algorithm", "given"), [("random_forest", {"num_parallel_tree": 7, "num_round": 1}), ("linear", {"lambda": 2.0})])
def test_where_nothing_is_boosted_the_settings_stay(algorithm: str, given: dict[str, Any]) -> None:
    rows = Together(part(200, 0), part(50, 1))
    again = refit.on_all_rows({"algorithm": algorithm, "hyperparameters": given}, rows, ABOUT)
    assert {name: again.settings[name] for name in given} == given
    alone = algorithms.find(algorithm).fit(rows.first, None, ABOUT, {name: str(value) for name, value in given.items()})
    assert not np.array_equal(again.predict(rows.second.features), alone.predict(rows.second.features)), "validation rows changed nothing"


def test_what_judges_counts_every_row_alike_whatever_weights_it_will_be_learned_with() -> None:
    train = part(200, 0)
    fit, hyperparameters = algorithms.find("gradient_boosting").fit, {"num_round": "200", "eta": "0.5", "early_stopping_rounds": "3"}
    rows = part(60, 1)
    uneven = Part(rows.features, rows.target, np.where(rows.features[:, 0] > 0, 50.0, 0.0))
    as_they_are, weighted = (fit(train, judged, ABOUT, hyperparameters) for judged in (rows, uneven))
    assert fit(train, Unweighted(uneven), ABOUT, hyperparameters).settings == as_they_are.settings != weighted.settings


@pytest.fixture(scope="module")
def journey(tmp_path_factory: pytest.TempPathFactory) -> Journey:
    """Loans, reweighed, learned by boosting."""
    folder = tmp_path_factory.mktemp("refit")
    write_csv(folder / "data" / "loans.csv", loans())
    made = Journey.begin(folder, LOANS, reweigh_facet=True, outlier_action="drop", outlier_factor=1.0)
    made.prepare()
    made.train("gradient_boosting")
    made.choose()
    return made


def members(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as packed:
        return {one.name: stream.read() for one in packed.getmembers() if (stream := packed.extractfile(one)) is not None}


def test_the_archive_has_the_model_of_all_rows_and_the_decisions_of_the_one_that_has_not_seen_the_validation_rows(journey: Journey) -> None:
    packed, trained = members(journey.model), journey.folder / "trained" / "gradient_boosting"
    version, trial = json.loads(packed["version.json"]), as_json(trained / "trial.json")
    assert packed["model.ubj"] != (trained / "model.ubj").read_bytes()
    assert json.loads(packed["settings.json"])["num_round"] == round(1.1 * trial["hyperparameters"]["num_round"])
    assert packed["predictions.json"] == (trained / "predictions.json").read_bytes()
    assert {name: version[name] for name in trial} == trial, "what was found, threshold and rounds, is the trial's"
    assert version["fitted_on"] == {name: version["rows"][name] for name in ("train", "validation")}


def test_validation_rows_are_learned_from_as_training_rows_are(journey: Journey) -> None:
    """Reweighed among themselves, and without the outliers that training drops."""
    train, about = dataset.load(journey.folder / "train")
    validation, _ = dataset.load(journey.folder / "validation")
    in_a = validation.features[:, about["columns"].index("group=a")] == 1
    kept = validation.weight > 0
    assert 0 < np.count_nonzero(~kept) < 10
    income = about["columns"].index("income")
    lowest, highest = (find(train.features[:, income]) for find in (np.min, np.max))
    inside = (validation.features[:, income] >= lowest - 0.2) & (validation.features[:, income] <= highest + 0.2)
    assert not (kept & ~inside).any()
    weighted = [np.average(validation.target[mask & kept], weights=validation.weight[mask & kept]) for mask in (in_a, ~in_a)]
    plain = [validation.target[mask].mean() for mask in (in_a, ~in_a)]
    assert abs(weighted[0] - weighted[1]) < abs(plain[0] - plain[1]) / 2


def test_without_refit_the_trial_is_the_version(journey: Journey, tmp_path: Path) -> None:
    document = as_json(journey.specification)
    document["choice"]["refit"] = False
    specification = tmp_path / "specification.json"
    specification.write_text(json.dumps(document), encoding="utf-8")
    folders = [text for name in ("candidates", "train", "validation", "preparation") for text in (f"--{name}", str(journey.folder / name))]
    journey.script("choose", *folders, "--output", str(tmp_path), "--specification", str(specification))
    packed = members(tmp_path / "model" / "model.tar.gz")
    assert packed["model.ubj"] == (journey.folder / "trained" / "gradient_boosting" / "model.ubj").read_bytes()
    version = json.loads(packed["version.json"])
    assert version["fitted_on"] == {"train": version["rows"]["train"]}
    assert version["specification_sha256"] != json.loads(members(journey.model)["version.json"])["specification_sha256"]


def test_the_evidence_says_on_which_rows_it_was_fitted(journey: Journey) -> None:
    journey.evaluate()
    rows = journey.evaluation["rows"]
    assert journey.evaluation["metadata"]["fitted_on"] == f"train={rows['train']} validation={rows['validation']}"
    page = (journey.folder / "evaluation" / "report.html").read_text(encoding="utf-8")
    assert f"fitted again on all {rows['train'] + rows['validation']} training and validation rows, in " in page
