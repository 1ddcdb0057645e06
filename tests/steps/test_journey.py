"""The whole model build on real data: from a raw file to a version with its evidence."""

from __future__ import annotations

import csv
import itertools
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import dataset as datasets
import inference
import numpy as np
import pytest
import registry_text
import xgboost
from decisions import Predictions
from evaluation import held_out
from evaluation.comparison import compare
from pyarrow import parquet
from sklego.datasets import load_abalone, load_arrests

from build_scripts import golden, version_contract
from settings_schema import Categorical, DataSet, Numeric
from tests.steps.conftest import STEPS
from tests.steps.journey import BUDGET, EVIDENCE, Journey
from tests.steps.small_data import ABALONE, ARRESTS, HOUSES, LOANS, SPECIES, as_json, houses, loans, species, write_csv


def begin(folder: Path, dataset: DataSet, *, draws: bool = False) -> Journey:
    (folder / "data").mkdir(parents=True)
    load = load_abalone if dataset == ABALONE else load_arrests
    load(as_frame=True).to_csv(folder / "data" / "rows.csv", index=False)
    return Journey.begin(folder, dataset, draws=draws)


@pytest.fixture(scope="module")
def abalone(tmp_path_factory: pytest.TempPathFactory) -> Journey:
    journey = begin(tmp_path_factory.mktemp("abalone"), ABALONE, draws=True)
    journey.all("--git-commit", "0123abc")
    return journey


@pytest.fixture(scope="module")
def arrests(tmp_path_factory: pytest.TempPathFactory) -> Journey:
    journey = begin(tmp_path_factory.mktemp("arrests"), ARRESTS, draws=True)
    journey.all()
    return journey


def test_both_example_data_sets_pass_their_gate(abalone: Journey, arrests: Journey) -> None:
    for journey in (abalone, arrests):
        assert journey.evaluation["gate"]["passed"], journey.evaluation["gate"]["reasons"]


def test_the_evidence_is_complete(abalone: Journey, arrests: Journey) -> None:
    for journey in (abalone, arrests):
        assert {file.name for file in (journey.folder / "evaluation").iterdir()} == EVIDENCE


def test_the_metrics_follow_sagemakers_schema(abalone: Journey, arrests: Journey) -> None:
    for journey, schema, metric in ((abalone, "regression_metrics", "rmse"), (arrests, "binary_classification_metrics", "auc")):
        values = journey.evaluation[schema][metric]
        assert values["lower"] < values["value"] < values["upper"]
        assert values["standard_deviation"] > 0
    assert set(arrests.evaluation["binary_classification_metrics"]["confusion_matrix"]) == {"No", "Yes"}


def test_what_the_registry_records_is_short_text(abalone: Journey) -> None:
    recorded = abalone.evaluation["metadata"]
    assert all(map(registry_text.is_metadata, recorded.values()))
    assert recorded["git_commit"] == "0123abc"
    assert "xgboost=3.2.0" in recorded["libraries"]
    assert float(recorded["metric_value"]) == abalone.evaluation["gate"]["value"]
    assert isinstance(abalone.evaluation["gate"]["passed"], bool)
    assert isinstance(abalone.evaluation["gate"]["reasons"], str)


def test_the_best_candidate_on_validation_was_chosen(abalone: Journey) -> None:
    choice = as_json(abalone.folder / "choice" / "choice.json")
    assert choice[0]["algorithm"] == abalone.evaluation["lineage"]["algorithm"]
    trials = [item for item in choice if item["algorithm"] != "blend"]  # which is last where it is not better by more than noise
    assert [item["validation"] for item in trials] == sorted(item["validation"] for item in trials)
    assert {item["algorithm"] for item in trials} == set(BUDGET)


def test_bias_is_measured_where_a_facet_is_declared(abalone: Journey, arrests: Journey) -> None:
    report = as_json(arrests.folder / "evaluation" / "bias.json")
    metrics = report["post_training_bias_metrics"]["facets"]["colour"][0]["metrics"]
    assert {metric["name"] for metric in metrics} == {"DPPL", "DI", "EOD"}
    assert {check["name"].split()[1] for check in arrests.evaluation["gate"]["checks"] if check["name"].startswith("bias")} == {
        "DPPL",
        "DI",
        "EOD",
    }
    assert as_json(abalone.folder / "evaluation" / "bias.json")["post_training_bias_metrics"] == {}


def test_attributions_cover_every_column_and_find_the_known_driver(abalone: Journey) -> None:
    explanations = as_json(abalone.folder / "evaluation" / "explainability.json")["explanations"]
    values = next(iter(explanations.values()))["label0"]["global_shap_values"]
    assert set(values) == set(ABALONE.features)
    assert max(values, key=values.get) == "shell_weight"  # known of this data: the shell grows with age


def test_drift_baselines_describe_every_column_and_the_prediction(arrests: Journey) -> None:
    described = {feature["name"]: feature for feature in as_json(arrests.folder / "evaluation" / "statistics.json")["features"]}
    assert set(described) == {*ARRESTS.features, "prediction"}
    buckets = described["age"]["numerical_statistics"]["distribution"]["kll"]["buckets"]
    assert sum(bucket["count"] for bucket in buckets) == arrests.evaluation["rows"]["train"]
    assert all(left["upper_bound"] == right["lower_bound"] for left, right in itertools.pairwise(buckets))
    constraints = {item["name"]: item for item in as_json(arrests.folder / "evaluation" / "constraints.json")["features"]}
    assert constraints["sex"]["string_constraints"]["domains"] == ["Male", "Female"]


def test_a_version_carries_its_test_rows_and_how_its_metric_is_estimated(abalone: Journey, arrests: Journey, tmp_path: Path) -> None:
    for journey, schema in ((abalone, "regression_metrics"), (arrests, "binary_classification_metrics")):
        with np.load(journey.folder / "evaluation" / "reference.npz", allow_pickle=False) as reference:
            assert len(reference["target"]) == len(reference["scores"]) == len(reference["numeric"]) == journey.evaluation["rows"]["test"]
        estimator = as_json(journey.folder / "evaluation" / "estimator.json")
        assert estimator["at_evaluation"] == journey.evaluation[schema][estimator["metric"]]["value"]
        assert estimator["method"] is not None
        journey.evaluate("--output", str(tmp_path))
        for name in ("reference.npz", "estimator.json"):
            assert (tmp_path / name).read_bytes() == (journey.folder / "evaluation" / name).read_bytes()


def test_the_report_is_one_file_that_shows_the_evidence(abalone: Journey, arrests: Journey) -> None:
    for journey, words in (
        (abalone, ["Residuals", "Broken inputs", "0123abc"]),
        (arrests, ["ROC", "Calibration", "Confusion", "equal-opportunity", "colour"]),
    ):
        page = (journey.folder / "evaluation" / "report.html").read_text(encoding="utf-8")
        for word in [*words, "Passed the gate", "Would more data help?", "What the model relies on", "Who competed"]:
            assert word in page
        assert "src=" not in page  # nothing outside of the file


def test_the_packed_version_answers_its_golden_rows(abalone: Journey, arrests: Journey, tmp_path: Path) -> None:
    for journey in (abalone, arrests):
        folder = tmp_path / journey.folder.name
        with tarfile.open(journey.model) as archive:
            archive.extractall(folder, filter="data")
        with (journey.folder / "evaluation" / "golden.csv").open(encoding="utf-8", newline="") as stream:
            header, *rows = list(csv.reader(stream))
        model = inference.model_fn(str(folder))
        assert header[:-2] == model.features
        assert header[-1] == "prediction"
        body = "\n".join(",".join(row[:-2]) for row in rows)
        answer = inference.predict_fn(inference.input_fn(body, "text/csv"), model)
        given = [row[-1] for row in rows]
        assert given == (answer.get("predicted_label") or [repr(score) for score in answer["score"]])


def test_the_archive_holds_code_model_and_preparation_without_times(abalone: Journey) -> None:
    with tarfile.open(abalone.model) as archive:
        members = archive.getmembers()
    names = {member.name for member in members}
    assert {"code/inference.py", "code/features.py", "preparation.json", "version.json"} <= names
    assert {(member.mtime, member.uid, member.gid, member.uname) for member in members} == {(0, 0, 0, "")}
    assert abalone.model.read_bytes()[4:8] == b"\0\0\0\0"  # gzip's own time


@pytest.mark.parametrize("algorithm", list(BUDGET))
def test_the_same_data_gives_the_same_bytes_on_one_and_two_threads(abalone: Journey, tmp_path: Path, algorithm: str) -> None:
    """The rows are few, so XGBoost would take one thread: the limit is lowered to make two threads work."""
    archives = []
    for threads in (1, 2):
        run = abalone.again(tmp_path / f"{threads}")
        run.prepare()
        lowered = "import sys; sys.path.insert(0, sys.argv[1]); import trees; trees.FEWEST_CELLS_PER_THREAD = 1"
        code = f"{lowered}; import train; train.main(sys.argv[2:])"
        _train_in_process(run, algorithm, code, threads)
        run.choose()
        archives.append(run.model.read_bytes())
    assert archives[0] == archives[1]


def _train_in_process(run: Journey, algorithm: str, code: str, threads: int) -> None:
    trained = run.folder / "trained"
    pairs = [text for name, value in BUDGET[algorithm].items() for text in (f"--{name}", value)]
    command = [sys.executable, "-c", code, str(STEPS), "--algorithm", algorithm, "--train", str(run.folder / "train")]
    command += ["--validation", str(run.folder / "validation"), "--model-dir", str(trained), *pairs]
    environment = {**os.environ, "SM_NUM_CPUS": str(threads), "OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
    subprocess.run(command, check=True, capture_output=True, timeout=120, env=environment)
    candidate = run.folder / "candidates" / "candidate-one"
    candidate.mkdir(parents=True)
    with tarfile.open(candidate / "model.tar.gz", "w:gz") as archive:
        archive.add(trained, arcname=".")


def test_the_version_in_production_is_scored_by_its_own_code_and_compared(abalone: Journey, tmp_path: Path) -> None:
    challenger = abalone.again(tmp_path / "challenger")
    evaluation = challenger.all("--champion-model", str(abalone.model), algorithms=("linear",))
    champion = evaluation["champion"]
    assert champion["compared"]
    assert champion["value"] == pytest.approx(abalone.evaluation["regression_metrics"]["rmse"]["value"], rel=1e-12)
    assert champion["gain"] == pytest.approx(champion["value"] - evaluation["regression_metrics"]["rmse"]["value"])
    page = (challenger.folder / "evaluation" / "report.html").read_text(encoding="utf-8")
    assert abalone.evaluation["lineage"]["algorithm"] in page
    assert "Hyperparameter lambda" in page


def test_the_version_that_is_already_in_production_is_not_new(abalone: Journey, tmp_path: Path) -> None:
    result = abalone.evaluate("--champion-model", str(abalone.model), "--output", str(tmp_path / "evaluation"))
    assert "identical to the version in production: nothing to register" in result.stdout
    assert as_json(tmp_path / "evaluation" / "evaluation.json")["gate"]["is_new"] is False
    assert abalone.evaluation["gate"]["is_new"] is True


def test_production_that_answers_another_question_is_not_compared(abalone: Journey, arrests: Journey) -> None:
    result = arrests.evaluate("--champion-model", str(abalone.model))
    assert "production predicts rings" in result.stdout
    arrests.evaluate()


def test_production_is_compared_on_values_that_only_the_new_contract_allows(tmp_path: Path) -> None:
    """At its endpoint it refuses them; a category or range that is declared later must not end every training."""
    write_csv(tmp_path / "old" / "data" / "houses.csv", houses())
    old = Journey.begin(tmp_path / "old", HOUSES)
    old.all(algorithms=("linear",))
    columns = houses(400)
    columns["kind"][::5], columns["area"][::7] = ["castle"] * 80, [1500.0] * 58
    kinds = Categorical(name="kind", values=("flat", "house", "castle"))
    wider = HOUSES.but(numeric=(Numeric(name="area"), HOUSES.numeric[1]), categorical=(kinds, HOUSES.categorical[1]))
    write_csv(tmp_path / "new" / "data" / "houses.csv", columns)
    evaluation = Journey.begin(tmp_path / "new", wider).all("--champion-model", str(old.model), algorithms=("linear",))
    assert evaluation["champion"]["compared"]
    assert evaluation["champion"]["gain"] > 0


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Journey:
    """A version of houses in production."""
    folder = tmp_path_factory.mktemp("production")
    write_csv(folder / "data" / "houses.csv", houses(2400))
    journey = Journey.begin(folder, HOUSES)
    journey.all(algorithms=("linear",))
    return journey


def judged_against(old: Journey, folder: Path, dataset: DataSet, columns: dict[str, list[Any]]) -> Journey:
    write_csv(folder / "data" / "houses.csv", columns)
    journey = Journey.begin(folder, dataset)
    journey.all("--champion-model", str(old.model), algorithms=("linear",))
    return journey


def test_with_a_column_more_production_is_compared_on_rows_that_it_has_not_learned_from(old: Journey, tmp_path: Path) -> None:
    """What a row's side depends on has changed: most of the new test rows are ones that production trained on."""
    columns = {**houses(2400), "garden": [index % 7 for index in range(2400)]}
    wider = HOUSES.but(numeric=(*HOUSES.numeric, Numeric(name="garden")))
    new = judged_against(old, tmp_path, wider, columns)
    assert new.evaluation["champion"]["compared"]
    learned = set(rows_of(old.folder / "test" / "test.parquet"))
    fair = [row for row in rows_of(new.folder / "test" / "test.parquet") if row in learned]
    assert f"on the {len(fair)} test rows that production has not learned from" in new.evaluation["champion"]["detail"]
    assert 0 < len(fair) < len(rows_of(new.folder / "test" / "test.parquet")) / 2


def rows_of(file: Path) -> list[tuple[Any, ...]]:
    columns = parquet.read_table(file).to_pydict()
    return list(zip(*(columns[name] for name in (*HOUSES.features, HOUSES.target)), strict=True))


def test_without_a_column_that_production_needs_it_is_not_compared_and_the_new_version_may_still_pass(old: Journey, tmp_path: Path) -> None:
    columns = {name: cells for name, cells in houses(2400).items() if name != "town"}
    narrower = HOUSES.but(categorical=HOUSES.categorical[:1])
    new = judged_against(old, tmp_path, narrower, columns)
    assert new.evaluation["champion"]["detail"] == "not compared: production needs the column 'town'"
    assert new.evaluation["gate"]["passed"]


def test_a_renamed_target_is_another_question(old: Journey, tmp_path: Path) -> None:
    columns = {"euros" if name == "price" else name: cells for name, cells in houses(2400).items()}
    new = judged_against(old, tmp_path, HOUSES.but(target="euros"), columns)
    assert new.evaluation["champion"]["detail"] == "not compared: production predicts price (regression)"


def test_a_number_that_became_a_category_is_not_read_by_production(old: Journey, tmp_path: Path) -> None:
    columns = houses(2400)
    columns["rooms"] = ["few" if rooms < 4 else "many" for rooms in columns["rooms"]]
    changed = HOUSES.but(numeric=HOUSES.numeric[:1], categorical=(*HOUSES.categorical, Categorical(name="rooms")))
    new = judged_against(old, tmp_path, changed, columns)
    assert new.evaluation["champion"]["detail"] == "not compared: production reads the column 'rooms' as a number"


def test_the_version_s_contract_is_beside_its_evidence_and_says_what_its_archive_says(old: Journey, tmp_path: Path) -> None:
    contract = as_json(old.folder / "evaluation" / "contract.json")
    with tarfile.open(old.model) as archive:
        archive.extractall(tmp_path, filter="data")
    assert (contract["model"], contract["dataset"]["target"], contract["dataset"]["metric"]) == ("small", "price", "rmse")
    assert contract["dataset"] == as_json(tmp_path / "preparation.json")["dataset"]
    assert contract["code_sha256"] == as_json(tmp_path / "version.json")["code_sha256"]
    read = version_contract.from_preparation(contract)
    golden_rows = golden.parse((old.folder / "evaluation" / "golden.csv").read_text(encoding="utf-8"), read)
    assert read.features == ("area", "rooms", "kind", "town")
    assert len(golden_rows.rows) == 50


def test_a_threshold_that_no_model_can_meet_is_refused_with_the_reason(abalone: Journey, tmp_path: Path) -> None:
    result = abalone.evaluate("--threshold", "0.1", "--output", str(tmp_path / "evaluation"))
    assert "gate refused: rmse is" in result.stdout
    decision = as_json(tmp_path / "evaluation" / "evaluation.json")["gate"]
    assert decision["passed"] is False
    assert "at most 0.1 is needed" in decision["reasons"]


def test_a_multiclass_problem_goes_all_the_way(tmp_path: Path) -> None:
    write_csv(tmp_path / "data" / "species.csv", species())
    journey = Journey.begin(tmp_path, SPECIES, draws=True)
    evaluation = journey.all()
    assert evaluation["gate"]["passed"]
    assert evaluation["multiclass_classification_metrics"]["accuracy"]["value"] > 0.8
    assert set(evaluation["multiclass_classification_metrics"]["confusion_matrix"]) == {"ant", "bee", "fly"}


def test_bad_input_is_one_line_an_exit_code_and_nothing_written(tmp_path: Path) -> None:
    columns = loans()
    del columns["granted"]
    write_csv(tmp_path / "data" / "loans.csv", columns)
    journey = Journey.begin(tmp_path, LOANS)
    result = journey.prepare(check=False)
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert "'granted': missing" in result.stderr
    assert (tmp_path / "failure" / "message").read_text(encoding="utf-8") in result.stderr
    assert not (tmp_path / "train").exists()


def test_a_bad_trial_is_one_line(tmp_path: Path) -> None:
    write_csv(tmp_path / "data" / "loans.csv", loans())
    journey = Journey.begin(tmp_path, LOANS)
    journey.prepare()
    folders = ["--train", str(tmp_path / "train"), "--validation", str(tmp_path / "validation"), "--model-dir", str(tmp_path / "trained")]
    for arguments, expected in (
        (["--algorithm", "magic"], "algorithm 'magic' is unknown; available: gradient_boosting"),
        (["--algorithm", "linear", "--lambda", "much"], "lambda is 'much'; give a number"),
        (["--algorithm", "linear", "--depth", "3"], "no hyperparameter 'depth'; it has lambda"),
    ):
        result = journey.script("train", *arguments, *folders, check=False)
        assert result.returncode == 2
        assert expected in result.stderr
        assert result.stderr.count("\n") == 1
    assert not (tmp_path / "trained").exists()


def test_without_a_candidate_nothing_is_chosen(tmp_path: Path) -> None:
    write_csv(tmp_path / "data" / "loans.csv", loans())
    journey = Journey.begin(tmp_path, LOANS)
    journey.prepare()
    result = journey.choose(check=False)
    assert result.returncode == 2
    assert "every tuning step must have one trial that succeeded" in result.stderr
    assert not journey.model.exists()


def test_the_chosen_model_is_no_worse_than_the_abalone_sample_of_aws(abalone: Journey, tmp_path: Path) -> None:
    """The hyperparameters of AWS's abalone sample pipeline, on the same prepared rows; paired bootstrap on the test rows."""
    train, _ = datasets.load(abalone.folder / "train")
    sample = {
        "objective": "reg:squarederror",
        "max_depth": 5,
        "eta": 0.2,
        "gamma": 4,
        "min_child_weight": 6,
        "subsample": 0.7,
        "nthread": 1,
    }
    booster = xgboost.train(sample, xgboost.DMatrix(train.features, train.target), 50)
    with tarfile.open(abalone.model) as archive:
        archive.extractall(tmp_path, filter="data")
    served = inference.model_fn(str(tmp_path))
    rows = held_out.read(abalone.folder / "test", served).sample
    raw = held_out.raw(rows, served)
    theirs = np.asarray(booster.inplace_predict(served.prepare(*raw)), dtype=np.float64)
    comparison = compare("rmse", rows.target, served.answer(*raw), Predictions.of(theirs, None), more_is_better=False)
    assert comparison["p_not_worse"] is not None
    assert comparison["p_not_worse"] > 0.05, json.dumps(comparison)
