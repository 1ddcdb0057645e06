"""Test rows that memory does not hold: a batch at a time says the same as all at once, and what is on a sample says so and of how many."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import archive
import dataset
import evaluate
import numpy as np
import pytest
import resampling
import served
from dataset import Part
from decisions import Predictions
from evaluation import charts, held_out, prepared_rows, quality
from evaluation.comparison import compare

from settings_schema import DataSet
from tests.steps.journey import EVIDENCE, Journey
from tests.steps.small_data import HOUSES, LOANS, houses, loans, write_csv

#: Processes, samples and files of their own: a build leaves them to `make test`.
pytestmark = pytest.mark.thorough

TABLES = {"houses": (HOUSES, houses), "loans": (LOANS, loans)}


@pytest.fixture(scope="module", params=TABLES)
def journey(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Journey:
    """A chosen model, and in `rival` the linear one as another version."""
    folder = tmp_path_factory.mktemp(request.param)
    declared, rows = TABLES[request.param]
    write_csv(folder / "data" / "rows.csv", rows())
    made = _made(folder, declared)
    shutil.copytree(folder / "preparation", folder / "rival" / "preparation")
    shutil.copytree(folder / "candidates" / "candidate-linear", folder / "rival" / "candidates" / "candidate-linear")
    for part in ("train", "validation"):
        shutil.copytree(folder / part, folder / "rival" / part)
    Journey(folder / "rival", made.specification).choose()
    return made


def _made(folder: Path, declared: DataSet) -> Journey:
    journey = Journey.begin(folder, declared)
    journey.prepare()
    journey.train("gradient_boosting", {"num_round": "30", "max_depth": "3"})
    journey.choose()
    journey.train("linear")
    return journey


@pytest.fixture(autouse=True)
def undrawn(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(charts, "as_svg", lambda title, *_: f"<svg><title>{title}</title></svg>")
    yield


def evaluated(journey: Journey, output: Path) -> dict[str, Any]:
    """All evidence but how long an answer took."""
    names = ("model", "choice", "train", "validation", "test", "preparation")
    inputs = [text for name in names for text in (f"--{name}", str(journey.folder / name))]
    champion = ["--champion-model", str(journey.folder / "rival" / "model" / "model.tar.gz")]
    evaluate.main([*inputs, *champion, "--output", str(output), "--specification", str(journey.specification)])
    evaluation = json.loads((output / "evaluation.json").read_text(encoding="utf-8"))
    del evaluation["latency"]
    others = {name: (output / name).read_bytes() for name in EVIDENCE - {"evaluation.json", "report.html"}}
    return {**others, "evaluation.json": evaluation}


def test_a_batch_at_a_time_is_the_evidence_of_all_at_once(journey: Journey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = evaluated(journey, tmp_path / "whole")
    monkeypatch.setattr(held_out, "BATCH_ROWS", 7)
    assert evaluated(journey, tmp_path / "batches") == whole
    assert whole["evaluation.json"]["champion"]["compared"]
    assert "sampled" not in whole["evaluation.json"]


def test_only_the_wanted_rows_of_each_batch_are_asked_about(journey: Journey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive.unpack(journey.model, tmp_path / "version")
    held = held_out.read(journey.folder / "test", served.load(tmp_path / "version"))
    monkeypatch.setattr(held_out, "BATCH_ROWS", 7)
    wanted = np.arange(held.count) % 3 == 1
    np.testing.assert_array_equal(np.concatenate([rows.target for rows in held.batches(wanted)]), held.sample.target[wanted])


def test_of_more_rows_than_are_resampled_the_values_are_of_all_and_the_rest_says_of_how_many(
    journey: Journey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = evaluated(journey, tmp_path / "whole")["evaluation.json"]
    monkeypatch.setattr(resampling, "MOST_ROWS", 20)
    sampled = evaluated(journey, tmp_path / "sampled")["evaluation.json"]
    rows = whole["rows"]["test"]
    assert sampled["sampled"] == {"rows": 20, "of": rows}
    schema = next(name for name in whole if name.endswith("_metrics"))
    for name, metric in sampled[schema].items():
        assert metric.get("value") == whole[schema][name].get("value")
    assert sampled["champion"]["gain"] == whole["champion"]["gain"]
    assert f"a sample of 20 of {rows} rows" in (tmp_path / "sampled" / "report.html").read_text(encoding="utf-8")
    review = json.loads((tmp_path / "sampled" / "review.json").read_text(encoding="utf-8"))
    assert all(group["rows"] <= 20 for group in review["groups"])


def test_an_interval_from_a_sample_is_as_wide_as_that_of_all_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The standard error of a mean of n rows is their deviation divided by the root of n."""
    rows, generator = 40_000, np.random.default_rng(5)
    target = generator.normal(size=rows)
    ours, theirs = (Predictions.of(target + generator.normal(0, spread, rows), None) for spread in (1.0, 1.1))
    errors = (target - ours.scores) ** 2, (target - theirs.scores) ** 2
    monkeypatch.setattr(resampling, "MOST_ROWS", 4_000)
    mse = quality.overall(("mse",), target, ours)["mse"]
    assert mse["value"] == pytest.approx(errors[0].mean())
    assert mse["standard_deviation"] == pytest.approx(errors[0].std() / np.sqrt(rows), rel=0.15)
    gained = compare("mse", target, ours, theirs, more_is_better=False)
    lower, upper = gained["lower"], gained["upper"]
    assert lower is not None and upper is not None
    assert upper - lower == pytest.approx(2 * 1.96 * (errors[1] - errors[0]).std() / np.sqrt(rows), rel=0.15)
    assert (lower + upper) / 2 == pytest.approx((errors[1] - errors[0]).mean(), abs=0.2 * (upper - lower))


def test_rows_are_taken_by_their_place_from_whichever_shard_has_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "ROWS_PER_SHARD", 4)
    features = np.arange(20, dtype=np.float32).reshape(10, 2)
    dataset.save(Part(features, np.arange(10.0), np.arange(10.0) / 2), tmp_path / "train", {"columns": ["a", "b"]})
    places = np.array([0, 3, 4, 9])
    found = prepared_rows.at(tmp_path / "train", places)
    np.testing.assert_array_equal(found.features, features[places])
    np.testing.assert_array_equal(found.target, [0, 3, 4, 9])
    np.testing.assert_array_equal(found.weight, [0, 1.5, 2, 4.5])
    np.testing.assert_array_equal(prepared_rows.targets(tmp_path / "train"), np.arange(10.0))
