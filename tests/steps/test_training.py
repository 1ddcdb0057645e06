"""Training whose memory is bounded, and on several hosts: one model, whatever holds the rows and however many share them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import uuid
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import checkpoints
import dataset
import hosts
import matrices
import numpy as np
import pytest
import tuner_contract
import xgboost
from algorithms import gradient_boosting, linear, random_forest
from dataset import Part
from decisions import Predictions
from failure import BadInput
from measures import measure

from build_scripts import reproduce
from build_scripts.recorded_lineage import Lineage
from tests.steps.conftest import STEPS

#: Processes, samples and files of their own: a build leaves them to `make test`.
pytestmark = pytest.mark.thorough

ABOUT = {"problem": "binary", "metric": "auc", "decision_metric": "f1", "classes": ["no", "yes"], "columns": [f"c{i}" for i in range(12)]}
ONE_HOST = Path(__file__).with_name("one_host.py")


def part(rows: int, seed: int) -> Part:
    """Four numeric columns and eight that are mostly zero."""
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(rows, 12)).astype(np.float32)
    features[:, 4:] = generator.random((rows, 8)) < 0.1
    chance = 1 / (1 + np.exp(-(features[:, 0] + features[:, 1] * features[:, 2] + 2 * features[:, 4])))
    return Part(features, (generator.random(rows) < chance).astype(float), generator.random(rows) + 0.5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2,900 training rows in six shards, 700 validation rows in two."""
    made = tmp_path_factory.mktemp("parts")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "ROWS_PER_SHARD", 500)
        dataset.save(part(2900, 0), made / "train", ABOUT)
        dataset.save(part(700, 1), made / "validation", ABOUT)
    return made


@pytest.fixture(params=["in memory", "on disk"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "on disk":
        monkeypatch.setattr(matrices, "machine_bytes", lambda: 1000)
    return str(request.param)


def of_dense_rows(parameters: Mapping[str, Any], rounds: int, **options: Any) -> Any:
    rows = part(2900, 0)
    dense = xgboost.DMatrix(rows.features, rows.target, weight=rows.weight)
    fixed = {"objective": "binary:logistic", "eval_metric": "logloss", "tree_method": "hist", "seed": 0, "nthread": 1}
    return xgboost.train({**fixed, **parameters}, dense, rounds, verbose_eval=False, **options)


@pytest.mark.parametrize("threads", [1, 2])
def test_boosting_from_shards_is_boosting_of_the_dense_rows_in_memory(
    folder: Path, place: str, threads: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("trees.FEWEST_CELLS_PER_THREAD", 1)
    monkeypatch.setenv("SM_NUM_CPUS", str(threads))
    given = {"num_round": "200", "early_stopping_rounds": "5", "eta": "0.5", "max_depth": "4"}
    model = gradient_boosting.fit(dataset.shards(folder / "train"), dataset.shards(folder / "validation"), ABOUT, given)
    shared = {"eta": 0.5, "max_depth": 4, "min_child_weight": 1.0, "subsample": 0.8, "colsample_bytree": 0.8, "lambda": 1.0}
    judged = part(700, 1)
    evals = [(xgboost.DMatrix(judged.features, judged.target, weight=judged.weight), "validation")]
    dense = of_dense_rows(shared, 200, evals=evals, early_stopping_rounds=5)
    kept = dense[: dense.best_iteration + 1]
    kept.set_attr(best_iteration=None, best_score=None)
    assert 1 < model.settings["num_round"] == dense.best_iteration + 1 < 195
    assert model.booster.save_raw("ubj") == kept.save_raw("ubj")
    assert ("binned on disk" in capsys.readouterr().out) == (place == "on disk")


@pytest.mark.usefixtures("place")
def test_a_forest_from_shards_is_the_forest_of_the_dense_rows_in_memory(folder: Path) -> None:
    model = random_forest.fit(dataset.shards(folder / "train"), None, ABOUT, {"num_parallel_tree": "5", "max_depth": "4"})
    forest = {"eta": 1.0, "lambda": 1e-5, "num_parallel_tree": 5, "max_depth": 4, "colsample_bynode": 0.6, "subsample": 0.632}
    assert model.booster.save_raw("ubj") == of_dense_rows({**forest, "min_child_weight": 2.0}, 1).save_raw("ubj")


@pytest.mark.parametrize("classes", [None, ["a", "b"], ["a", "b", "c"]])
def test_a_linear_model_from_shards_is_scikit_learns_of_all_rows(folder: Path, tmp_path: Path, classes: list[str] | None) -> None:
    from sklearn.linear_model import LogisticRegression, Ridge

    rows = part(1200, 2)
    target = rows.features[:, 0] + rows.target if classes is None else np.digitize(rows.features[:, 0], [-0.3, 0.8][: len(classes) - 1])
    rows = Part(rows.features, np.asarray(target, dtype=np.float64), rows.weight)
    about = {**ABOUT, "classes": classes, "problem": "regression" if classes is None else "multiclass" if len(classes) > 2 else "binary"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "ROWS_PER_SHARD", 500)
        dataset.save(rows, tmp_path / "train", about)
    model = linear.fit(dataset.shards(tmp_path / "train"), None, about, {"lambda": "2.5"})
    theirs = Ridge(alpha=2.5) if classes is None else LogisticRegression(C=1 / 2.5, max_iter=2000, tol=1e-8)
    theirs.fit(rows.features.astype(np.float64), rows.target, sample_weight=rows.weight)
    if classes is None:
        np.testing.assert_allclose(model.predict(rows.features), theirs.predict(rows.features), atol=1e-9)
    else:
        likely = theirs.predict_proba(rows.features)
        np.testing.assert_allclose(model.predict(rows.features), likely if len(classes) > 2 else likely[:, 1], atol=2e-3)
    np.testing.assert_allclose(model.centre, rows.features.mean(axis=0), atol=1e-6)


def boosted(folder: Path, **more: str) -> Any:
    given = {"num_round": "200", "early_stopping_rounds": "5", "eta": "0.5", **more}
    return gradient_boosting.fit(dataset.shards(folder / "train"), dataset.shards(folder / "validation"), ABOUT, given)


def test_where_the_tuner_judges_each_round_it_is_told_of_all_and_the_model_stays_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    silent = boosted(folder).booster.save_raw("ubj")
    assert "validation-auc" not in capsys.readouterr().out
    monkeypatch.setenv(tuner_contract.EACH_ROUND_VARIABLE, "1")
    told = boosted(folder)
    lines = capsys.readouterr().out.splitlines()
    assert told.booster.save_raw("ubj") == silent
    assert [line.split("#011")[0] for line in lines] == [f"[{number}]" for number in range(told.settings["num_round"] + 5)]
    validation = dataset.load(folder / "validation")[0]
    first = told.booster[:1].inplace_predict(validation.features)
    expected = measure("auc", validation.target, Predictions.of(first.astype(float), None), validation.weight)
    assert float(lines[0].rsplit(":", 1)[1]) == pytest.approx(expected, abs=1e-4)


def test_a_metric_that_no_round_has_is_refused_where_the_tuner_judges_each(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(tuner_contract.EACH_ROUND_VARIABLE, "1")
    rows = dataset.shards(folder / "train")
    with pytest.raises(BadInput, match="no round is judged by f1"):
        gradient_boosting.fit(rows, rows, {**ABOUT, "metric": "f1"}, {})


@pytest.mark.parametrize("saves", [1, 3])
def test_an_interrupted_trial_goes_on_and_ends_with_the_model_it_would_have_had(
    folder: Path, tmp_path: Path, saves: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With rows and columns drawn in each round, and early stopping. What is rebuilt elsewhere from the settings is the same."""
    monkeypatch.setattr(checkpoints, "ROUNDS", 4)
    monkeypatch.setenv("SM_MODEL_DIR", str(tmp_path / "model"))
    monkeypatch.setenv("TRAINING_JOB_NAME", "whole")
    (tmp_path / "checkpoints").mkdir()
    whole, left = boosted(folder), iter(range(1, saves))
    save = checkpoints.Checkpoints.save

    def interrupted(kept: Any, booster: Any) -> None:
        save(kept, booster)
        if next(left, None) is None:
            raise KeyboardInterrupt

    monkeypatch.setenv("TRAINING_JOB_NAME", "interrupted")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(checkpoints.Checkpoints, "save", interrupted)
        boosted(folder)
    capsys.readouterr()
    resumed = boosted(folder)
    assert f"goes on after round {4 * saves}," in capsys.readouterr().out
    assert resumed.booster.save_raw("ubj") == whole.booster.save_raw("ubj")
    monkeypatch.delenv("SM_MODEL_DIR")
    rebuilt = boosted(folder, checkpoint_rounds=str(whole.settings["checkpoint_rounds"]))
    assert rebuilt.booster.save_raw("ubj") == whole.booster.save_raw("ubj")
    assert boosted(folder).booster.save_raw("ubj") != whole.booster.save_raw("ubj")
    assert whole.booster.num_boosted_rounds() > 8


def test_a_broken_checkpoint_is_none(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SM_MODEL_DIR", str(tmp_path / "model"))
    (tmp_path / "checkpoints").mkdir()
    first = boosted(folder).booster.save_raw("ubj")
    (tmp_path / "checkpoints" / checkpoints.FILE).write_bytes(first[:100])
    assert boosted(folder).booster.save_raw("ubj") == first


def start(folder: Path, algorithm: str, names: list[str], *flags: Mapping[str, str]) -> dict[str, subprocess.Popen[str]]:
    """A process for each host, all of one job. `flags`: of a host by its name."""
    job, own = uuid.uuid4().hex, dict(flags[0]) if flags else {}
    started = {}
    for name in names:
        environment = {**os.environ, "SM_HOSTS": json.dumps(names), "SM_CURRENT_HOST": name, "SM_NETWORK_INTERFACE_NAME": "lo"}
        command = [sys.executable, str(ONE_HOST), str(STEPS), str(folder), algorithm, *([own[name]] if name in own else [])]
        environment |= {"TRAINING_JOB_NAME": job, "SM_NUM_CPUS": "1", "SM_OUTPUT_DIR": str(folder / f"output-{name}")}
        started[name] = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return started


def step_on_two_hosts(folder: Path, job: Path, job_name: str) -> dict[str, str]:
    """The step as SageMaker runs it: one `train.py` a host, each with a model folder of its own. What each printed."""
    names, started, said = ["algo-1", "algo-2"], {}, {}
    for name in names:
        environment = {**os.environ, "SM_HOSTS": json.dumps(names), "SM_CURRENT_HOST": name, "SM_NETWORK_INTERFACE_NAME": "lo"}
        environment |= {"TRAINING_JOB_NAME": job_name, "SM_OUTPUT_DIR": str(job), "SM_MODEL_DIR": str(job / name)}
        folders = ["--train", str(folder / "train"), "--validation", str(folder / "validation")]
        given = ["--num_round", "60", "--early_stopping_rounds", "60", "--eta", "0.02"]
        command = [sys.executable, str(STEPS / "train.py"), "--algorithm", "gradient_boosting", *folders, *given]
        started[name] = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for name, process in started.items():
        said[name], errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    return said


def test_of_two_hosts_the_first_writes_and_prints_and_both_go_on_from_its_checkpoint(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    first, second = uuid.uuid4().hex, uuid.uuid4().hex  # of one name in a container's life; here the port would have to be waited for
    said = step_on_two_hosts(folder, tmp_path, first)
    assert [said[name].count("#011validation-auc:") for name in ("algo-1", "algo-2")] == [1, 0]
    written = {file.name: file.read_bytes() for file in (tmp_path / "algo-1").iterdir()}
    assert sorted(written) == ["model.ubj", "predictions.json", "settings.json", "trial.json"]
    assert json.loads(written["trial.json"])["instances"] == 2
    assert not (tmp_path / "algo-2").exists()
    (tmp_path / "checkpoints" / first).rename(tmp_path / "checkpoints" / second)
    (tmp_path / "checkpoints" / second / "algo-2" / checkpoints.FILE).unlink()  # it was lost; the first host's is for both
    again = step_on_two_hosts(folder, tmp_path, second)
    assert all("goes on after round 50," in again[name] for name in ("algo-1", "algo-2"))
    assert {file.name: file.read_bytes() for file in (tmp_path / "algo-1").iterdir()} == written


def test_a_version_of_two_hosts_is_rebuilt_by_two_processes_with_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    step_on_two_hosts(folder, tmp_path, uuid.uuid4().hex)
    (tmp_path / "code").symlink_to(STEPS)
    for name in ("train", "validation"):
        (tmp_path / name).symlink_to(folder / name)
    rebuilding = reproduce.Rebuild(lineage(json.loads((tmp_path / "algo-1" / "trial.json").read_text())), tmp_path, sys.executable)
    rebuilding.train()
    assert packed(tmp_path / "candidates") == {file.name: file.read_bytes() for file in (tmp_path / "algo-1").iterdir()}


def lineage(trial: dict[str, Any]) -> Lineage:
    """What was recorded of a trial; the rest is of no account."""
    kinds = {"str": "", "int": 1, "Mapping[str, str]": {}}
    rest = {item.name: kinds.get(str(item.type), {}) for item in fields(Lineage)}
    hyperparameters = {name: str(value) for name, value in trial["hyperparameters"].items()}
    recorded = {"algorithm": trial["algorithm"], "hyperparameters": hyperparameters, "instances": trial["instances"]}
    recorded["trials"] = {trial["algorithm"]: hyperparameters}
    return Lineage(**{**rest, **recorded})


def packed(candidates: Path) -> dict[str, bytes]:
    (archive,) = candidates.glob("*/model.tar.gz")
    with tarfile.open(archive) as opened:
        return {member.name: opened.extractfile(member).read() for member in opened.getmembers()}  # type: ignore[union-attr] - files only


def auc(folder: Path, trained: Path, algorithm: Any) -> tuple[float, float]:
    """On the validation rows, and half of its 95% interval."""
    judged, _ = dataset.load(folder / "validation")
    scores = algorithm.load(trained, ABOUT).predict(judged.features)
    generator = np.random.default_rng(0)
    draws = [generator.integers(0, judged.rows, judged.rows) for _ in range(200)]
    spread = np.std([measure("auc", judged.target[draw], Predictions.of(scores[draw], 0.5)) for draw in draws])
    return measure("auc", judged.target, Predictions.of(scores, 0.5)), float(1.96 * spread)


@pytest.mark.parametrize("algorithm", [gradient_boosting, linear])
def test_one_two_and_three_hosts_train_one_model_each_as_good_as_one(folder: Path, algorithm: Any) -> None:
    name = algorithm.__name__.removeprefix("algorithms.")
    quality = {}
    for count in (1, 2, 3):
        names = [f"algo-{number + 1}" for number in range(count)]
        for host, process in start(folder, name, names).items():
            _, errors = process.communicate(timeout=120)
            assert process.returncode == 0, (host, errors)
        models = [{file.name: file.read_bytes() for file in (folder / f"{name}-{count}-{host}").iterdir()} for host in names]
        assert all(model == models[0] for model in models)
        quality[count] = auc(folder, folder / f"{name}-{count}-algo-1", algorithm)
    value, half = quality[1]
    assert value > 0.6
    assert abs(quality[2][0] - value) < half and abs(quality[3][0] - value) < half


@pytest.mark.parametrize("lost", ["algo-1", "algo-3"])
def test_a_lost_host_ends_the_others_with_one_line(folder: Path, lost: str) -> None:
    started = start(folder, "gradient_boosting", ["algo-1", "algo-2", "algo-3"], {lost: "--dies"})
    said = {host: process.communicate(timeout=120)[1] for host, process in started.items()}
    assert started.pop(lost).returncode == 9
    for host, process in started.items():
        assert process.returncode == 2, said[host]
        line = said[host].splitlines()[-1]
        assert line.startswith(f"error: {host}: training stopped, because one of algo-1, algo-2, algo-3 is lost (")


def test_the_order_of_hosts_is_that_of_their_numbers() -> None:
    names = [f"algo-{number}" for number in (10, 2, 1)]
    here = hosts.of_job({"SM_HOSTS": json.dumps(names), "SM_CURRENT_HOST": "algo-2"})
    assert (here.names, here.rank, here.is_first) == (("algo-1", "algo-2", "algo-10"), 1, False)
    assert hosts.of_job({}) == hosts.Hosts(("algo-1",), "algo-1")


def test_every_row_is_one_hosts_and_more_hosts_than_shards_are_refused(folder: Path) -> None:
    stored = dataset.shards(folder / "train")
    for shared in ([stored.share(rank, 4) for rank in range(4)], [stored.every(rank, 4) for rank in range(4)]):
        targets = np.concatenate([piece.weight for share in shared for piece in share])
        assert sorted(targets) == sorted(part(2900, 0).weight)
    with pytest.raises(BadInput, match=r"train: 2,900 rows are 6 shards .* 7 instances .* allowed: 1 to 6 \(TrainingInstanceCount\)"):
        stored.share(0, 7)
