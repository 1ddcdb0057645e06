"""A classifier from the raw file to its answers: it learns probabilities, decides by a fitted threshold, and is refused if it does not."""

from __future__ import annotations

import csv
import io
import json
import shutil
import tarfile
from pathlib import Path

import inference
import pytest
from evaluation import golden

from settings_schema import DataSet
from tests.steps.journey import Journey
from tests.steps.small_data import PATIENTS, as_json, patients, write_csv, write_specification

SLOW = {"num_round": "600", "eta": "0.03", "max_depth": "3"}


def begin(folder: Path, dataset: DataSet = PATIENTS) -> Journey:
    write_csv(folder / "data" / "patients.csv", patients())
    journey = Journey.begin(folder, dataset)
    journey.prepare()
    journey.train("gradient_boosting", SLOW)
    return journey


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Journey:
    journey = begin(tmp_path_factory.mktemp("patients"))
    journey.choose()
    journey.evaluate()
    return journey


def evaluated_with(trained: Journey, folder: Path, **changed: object) -> Journey:
    """The same trial with something else in its record, chosen and evaluated anew."""
    shutil.copytree(trained.folder, folder)
    journey = Journey(folder, folder / "specification.json")
    record = folder / "trained" / "gradient_boosting" / "trial.json"
    record.write_text(json.dumps({**as_json(record), **changed}))
    journey.pack("gradient_boosting")
    journey.choose()
    journey.evaluate()
    return journey


def version_of(journey: Journey) -> dict[str, object]:
    with tarfile.open(journey.model) as archive:
        stream = archive.extractfile("version.json")
        assert stream is not None
        return dict(json.load(stream))


def test_boosting_goes_on_while_the_probabilities_improve_although_the_metric_is_the_auc(trained: Journey) -> None:
    """Nearly everyone above a point is ill and hardly anyone else: the probabilities have to say so, not only the order."""
    metrics = trained.evaluation["binary_classification_metrics"]
    assert metrics["log_loss"]["value"] < 0.45, "0.57 is what a constant has"
    assert metrics["f1"]["value"] > 0.6
    assert trained.evaluation["gate"]["passed"], trained.evaluation["gate"]["reasons"]


def test_the_threshold_is_fitted_on_validation_rows_and_travels_with_the_version(trained: Journey) -> None:
    trial = as_json(trained.folder / "trained" / "gradient_boosting" / "trial.json")
    assert trial["decision_metric"] == "balanced_accuracy"
    assert 0.06 < trial["decision_threshold"] < 0.85, "between the two groups' shares"
    assert version_of(trained)["decision_threshold"] == trial["decision_threshold"]
    lineage = trained.evaluation["lineage"]
    assert (lineage["decision_metric"], float(lineage["decision_threshold"])) == ("balanced_accuracy", trial["decision_threshold"])
    page = (trained.folder / "evaluation" / "report.html").read_text(encoding="utf-8")
    assert f"Decides for yes from a probability of {trial['decision_threshold']} on" in page


def test_one_threshold_decides_in_answers_golden_rows_and_metrics(trained: Journey, tmp_path: Path) -> None:
    other = evaluated_with(trained, tmp_path / "other", decision_threshold=0.9)
    for journey, threshold in ((trained, version_of(trained)["decision_threshold"]), (other, 0.9)):
        folder = tmp_path / f"version-{threshold}"
        with tarfile.open(journey.model) as archive:
            archive.extractall(folder, filter="data")
        with (journey.folder / "evaluation" / "golden.csv").open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        body = "".join(f"{row['pain']},{row['age']}\n" for row in rows)
        model = inference.model_fn(str(folder))
        answer = inference.predict_fn(inference.input_fn(body, "text/csv"), model)
        assert len(rows) == golden.GOLDEN_ROWS
        assert answer["predicted_label"] == ["yes" if score >= threshold else "no" for score in answer["score"]]
        assert [row["prediction"] for row in rows] == answer["predicted_label"]
        matrix = journey.evaluation["binary_classification_metrics"]["confusion_matrix"]
        right = matrix["no"]["no"] + matrix["yes"]["yes"]
        measured = journey.evaluation["binary_classification_metrics"]["accuracy"]["value"]
        assert measured == pytest.approx(right / sum(sum(row.values()) for row in matrix.values()))
    assert other.evaluation["binary_classification_metrics"]["recall"]["value"] < 0.5


def test_a_version_in_production_decides_as_its_own_code_does_and_at_one_half_if_it_is_older_than_the_threshold(
    trained: Journey, tmp_path: Path
) -> None:
    low, half = (evaluated_with(trained, tmp_path / str(threshold), decision_threshold=threshold) for threshold in (0.001, 0.5))
    version = version_of(low)
    old = tmp_path / "old.tar.gz"
    with tarfile.open(low.model) as source, tarfile.open(old, "w:gz") as target:
        for member in source.getmembers():
            stream = source.extractfile(member)
            assert stream is not None
            content = stream.read()
            if member.name == "version.json":
                content = json.dumps({name: value for name, value in version.items() if not name.startswith("decision_")}).encode()
                member.size = len(content)
            target.addfile(member, io.BytesIO(content))
    judged_by_decisions = write_specification(tmp_path / "accuracy.json", PATIENTS.but(metric="accuracy", threshold=0.5))
    for champion, expected in (
        (low.model, low.evaluation["binary_classification_metrics"]["accuracy"]["value"]),
        (old, half.evaluation["binary_classification_metrics"]["accuracy"]["value"]),
    ):
        output = tmp_path / f"against-{champion.name}"
        trained.evaluate("--champion-model", str(champion), "--output", str(output), "--specification", str(judged_by_decisions))
        assert as_json(output / "evaluation.json")["champion"]["value"] == pytest.approx(expected)


def test_batch_answers_carry_the_class_beside_the_probability(trained: Journey, tmp_path: Path) -> None:
    with tarfile.open(trained.model) as archive:
        archive.extractall(tmp_path, filter="data")
    answer = inference.predict_fn(inference.input_fn("0.9,50\n0.1,50", "text/csv"), inference.model_fn(str(tmp_path)))
    lines = list(csv.reader(io.StringIO(inference.output_fn(answer, "text/csv")[0])))
    assert [line[0] for line in lines] == ["yes", "no"]
    assert [float(line[1]) for line in lines] == answer["score"]


def test_a_version_that_never_predicts_a_class_is_refused_and_the_class_is_named(trained: Journey, tmp_path: Path) -> None:
    refused = evaluated_with(trained, tmp_path / "refused", decision_threshold=0.999)
    assert refused.evaluation["gate"]["passed"] is False
    assert "never predicted: class 'yes'" in refused.evaluation["gate"]["reasons"]
    page = (refused.folder / "evaluation" / "report.html").read_text(encoding="utf-8")
    assert "Refused by the gate." in page and "class &#39;yes&#39;" in page


def test_a_linear_model_that_is_as_good_is_the_first_thing_that_the_report_and_the_step_say(tmp_path: Path) -> None:
    columns = patients()
    columns["ill"] = ["yes" if pain + (age - 50) / 40 > 0.7 else "no" for pain, age in zip(columns["pain"], columns["age"], strict=True)]
    write_csv(tmp_path / "data" / "patients.csv", columns)
    journey = Journey.begin(tmp_path, PATIENTS)
    journey.prepare()
    journey.train("random_forest")
    journey.choose()
    said = journey.evaluate().stdout.splitlines()
    assert any(line.startswith("warning: a plain linear model is ") for line in said)
    assert said[-1].startswith("gate passed with") and "linear model" in said[-1]
    assert "linear model" in journey.evaluation["gate"]["warned_of"]
    page = (tmp_path / "evaluation" / "report.html").read_text(encoding="utf-8")
    assert page.index("A plain linear model is") < page.index("<h2>Gate")
    assert "Passed the gate, with" in page
    specification = as_json(journey.specification)
    specification["gate"]["compare_with_linear"] = False
    journey.specification.write_text(json.dumps(specification))
    assert journey.evaluate().stdout.splitlines()[-1] == "gate passed"


def test_a_chosen_linear_model_is_not_compared_with_itself(tmp_path: Path) -> None:
    write_csv(tmp_path / "data" / "patients.csv", patients())
    evaluation = Journey.begin(tmp_path, PATIENTS).all(algorithms=("linear",))
    assert not any("linear" in check["name"] for check in evaluation["gate"]["checks"])


def test_probabilities_that_are_far_off_warn(tmp_path: Path) -> None:
    """A single step of boosting: the order is right, the probabilities are still near one in four."""
    write_csv(tmp_path / "data" / "patients.csv", patients())
    journey = Journey.begin(tmp_path, PATIENTS)
    journey.prepare()
    journey.train("gradient_boosting", {**SLOW, "num_round": "3"})
    journey.choose()
    journey.evaluate()
    assert "calibration" in journey.evaluation["gate"]["warned_of"]
    assert any("read the scores as ranks" in warning for warning in journey.evaluation["gate"]["warnings"])


def test_a_model_of_noise_is_refused(tmp_path: Path) -> None:
    columns = patients(seed=3)
    columns["ill"] = [columns["ill"][(index * 7) % 600] for index in range(600)]  # nothing of the row is left in its answer
    write_csv(tmp_path / "data" / "patients.csv", columns)
    gate = Journey.begin(tmp_path, PATIENTS.but(threshold=0.0)).all()["gate"]
    assert gate["passed"] is False
    assert "of a constant answer" in gate["reasons"]


def test_the_threshold_is_fitted_for_the_metric_that_is_named_or_for_the_metric_of_the_gate_if_it_judges_decisions(tmp_path: Path) -> None:
    for name, dataset in {
        "macro_f1": PATIENTS.but(decision_metric="macro_f1"),
        "f1": PATIENTS.but(metric="f1", threshold=0.5),
    }.items():
        journey = begin(tmp_path / name, dataset)
        assert as_json(journey.folder / "trained" / "gradient_boosting" / "trial.json")["decision_metric"] == name


def test_average_precision_can_be_the_metric_all_the_way(tmp_path: Path) -> None:
    write_csv(tmp_path / "data" / "patients.csv", patients())
    evaluation = Journey.begin(tmp_path, PATIENTS.but(metric="average_precision", threshold=0.6)).all()
    assert evaluation["gate"]["passed"], evaluation["gate"]["reasons"]
    assert evaluation["gate"]["value"] == evaluation["binary_classification_metrics"]["average_precision"]["value"]
    choice = as_json(tmp_path / "choice" / "choice.json")
    trials = [item["validation"] for item in choice if item["algorithm"] != "blend"]
    assert trials == sorted(trials, reverse=True)
    constraints = as_json(tmp_path / "evaluation" / "model_constraints.json")["binary_classification_constraints"]
    assert constraints["average_precision"] == {"threshold": 0.6, "comparison_operator": "LessThanThreshold"}


def test_training_again_with_the_recorded_hyperparameters_gives_the_same_bytes_and_threshold(trained: Journey, tmp_path: Path) -> None:
    """What build_scripts/reproduce.py does: the rounds in force instead of those that were allowed."""
    recorded = dict(pair.split("=") for pair in trained.evaluation["lineage"]["hyperparameters"].split(" "))
    assert int(recorded["num_round"]) < 600
    again = trained.again(tmp_path / "again")
    again.prepare()
    again.train("gradient_boosting", recorded)
    again.choose()
    assert again.model.read_bytes() == trained.model.read_bytes()


@pytest.mark.parametrize("threshold", ["7", "-1", "nan", "inf"])
def test_a_threshold_that_the_metric_cannot_reach_is_one_line(trained: Journey, tmp_path: Path, threshold: str) -> None:
    result = trained.evaluate(f"--threshold={threshold}", "--output", str(tmp_path / "evaluation"), check=False)
    assert result.returncode == 2
    assert result.stderr == (
        f"error: --threshold is {threshold}; allowed for auc: 0 to 1 "
        "(the parameter MetricThreshold, or DataSet.threshold in models/small.py)\n"
    )
    assert not (tmp_path / "evaluation").exists()
