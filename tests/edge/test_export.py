"""Claims about `python -m build_scripts.export`: one file of a version that answers as the version does, or one line and no file."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from build_scripts import command_line, export
from build_scripts.edge import linear
from build_scripts.step_modules import STEPS, load
from settings_schema import Categorical, DataSet, Numeric, Problem
from tests.edge.versions import CLASSES, SIZES, TOWNS, columns, fitted, target
from tests.unit.script_account import PACKAGE, ScriptAccount, install, prepared

DOCUMENT = Path(__file__).parents[2] / "docs" / "edge.md"
NUMERIC = (Numeric(name="area", minimum=0), Numeric(name="score"))
CATEGORICAL = (Categorical(name="town"), Categorical(name="size", values=tuple(SIZES)))


def trees(problem: str) -> DataSet:
    """The data that the versions of versions.py are fitted to."""
    shared = {"problem": Problem(problem), "target": "level", "numeric": NUMERIC, "categorical": CATEGORICAL, "threshold": 1.0}
    own = {"regression": {"metric": "rmse"}, "binary": {"metric": "auc", "positive_class": "yes"}, "multiclass": {"metric": "accuracy"}}
    return DataSet(**shared, **own[problem])  # type: ignore[arg-type]


def golden_rows(served: Any, problem: str) -> list[list[str]]:
    """The first rows, their truth, and what the version answers."""
    numeric, categorical = columns()
    numbers = load("features").stack(numeric, served.preparer.numeric, len(numeric["area"]))[:12]
    labels = [(distinct, codes[:12]) for distinct, codes in categorical.values()]
    scores, classes = served.predict(numbers, labels), CLASSES[problem]
    truth = target(problem)[:12]
    said = scores if classes is None else [classes[int(index)] for index in served.decide(scores)]
    texts = [[distinct[code] or "" for code in codes] for distinct, codes in labels]
    cells = [["" if np.isnan(number) else repr(float(number)) for number in column] for column in numbers.T] + texts
    named = truth if classes is None else [classes[int(index)] for index in truth]
    return [[*row, str(true), str(answer)] for *row, true, answer in zip(*cells, named, said, strict=True)]


def register(
    account: ScriptAccount, number: int, problem: str = "regression", algorithm: str = "linear", **changes: Any
) -> dict[str, bytes]:
    """A version whose archive is made as choose.py makes it. Returns its members. `changes`: other members, by name."""
    served, dataset, classes = fitted(problem, algorithm), trees(problem), CLASSES[problem]
    state = {**served.state, **{name: prepared(dataset, classes)[name] for name in ("model", "dataset", "preparation")}, "outputs": []}
    folder = Path(account.clients["scratch"]) / str(number)
    folder.mkdir()
    served.model.save(folder)
    code = load("archive").code_files(STEPS)
    members = {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    members |= {f"code/{name}": content for name, content in code.items()}
    members |= {"preparation.json": json.dumps(state).encode(), "version.json": json.dumps(served.version).encode(), **changes}
    packed = load("archive").pack({name: content for name, content in members.items() if content is not None})
    account.s3.objects[f"artifacts/{number}/model.tar.gz"] = packed
    hashes = {"model-sha256": hashlib.sha256(packed).hexdigest(), "code-sha256": load("archive").sha256(code), "git-commit": "c" * 40}
    account.register(number, dataset, golden_rows(served, problem), classes, **hashes)
    return members


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ScriptAccount:
    made = install(monkeypatch)
    made.clients["scratch"] = tmp_path / "scratch"
    (tmp_path / "scratch").mkdir()
    monkeypatch.chdir(tmp_path)
    return made


def exported(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = command_line.run(export.main, list(arguments))
    printed = capsys.readouterr()
    return code, printed.out + printed.err


def metadata(file: Path) -> dict[str, str]:
    return {item.key: item.value for item in onnx.load(file).metadata_props}


@pytest.mark.parametrize(
    ("problem", "algorithm"), [("binary", "gradient_boosting"), ("multiclass", "random_forest"), ("multiclass", "blend")]
)
def test_a_version_becomes_one_file_that_says_what_it_is(account: ScriptAccount, capsys, problem: str, algorithm: str) -> None:
    register(account, 3, problem, algorithm)
    code, printed = exported(capsys, "--format", "onnx")
    assert code == 0, printed
    assert "answers as the version does on 12 golden rows and 11 with gaps, unseen categories and numbers far outside" in printed
    file = Path("out/edge/abalone-version-3.onnx")
    facts, model = metadata(file), onnx.load(file)
    opsets = {item.domain: str(item.version) for item in model.opset_import}
    assert {"": facts["opset"], "ai.onnx.ml": facts["opset-ai.onnx.ml"]} == opsets
    assert facts["ir-version"] == str(model.ir_version)
    assert facts["model-package-arn"] == f"{PACKAGE}/3"
    assert facts["model-sha256"] == account.sagemaker.packages[3]["CustomerMetadataProperties"]["model-sha256"]
    assert facts["compared-with"].startswith("onnxruntime 1.")
    assert all(f"{name}: {value}" in printed for name, value in facts.items())
    area, score, town, size = json.loads(facts["inputs"])
    assert area == {"name": "area", "type": "float64", "minimum": 0.0}
    assert score == {"name": "score", "type": "float64"}
    assert town == {"name": "town", "type": "string", "categories": sorted(TOWNS[:3])}
    assert size["values"] == SIZES
    assert json.loads(facts["outputs"]) == ["score_", "predicted_label", "probabilities"]


def test_the_documents_program_serves_the_file_with_onnx_runtime_alone(account: ScriptAccount, capsys, tmp_path: Path) -> None:
    register(account, 1, "binary", "linear")
    assert exported(capsys, "--output", "abalone.onnx")[0] == 0
    program = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)[0]
    rows = 'rows = [{"area": 2.5, "score": 1, "town": "a b", "size": "4"}, {"area": None, "size": "10"}]'
    program = re.sub(r"(?s)^rows = .*?\]$", lambda _: rows, program, flags=re.MULTILINE)
    # Neither the project nor its packages: only NumPy and ONNX Runtime may be imported.
    barred = "import sys\nsys.modules.update(dict.fromkeys(['pandas', 'sklearn', 'xgboost', 'onnx', 'build_scripts', 'flask']))\n"
    finished = subprocess.run([sys.executable, "-c", barred + program], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert finished.returncode == 0, finished.stderr
    served = fitted("binary", "linear")
    numbers = np.array([[2.5, 1.0], [np.nan, np.nan]])
    expected = served.predict(numbers, [(["a b", None], np.array([0, 1])), (["4", "10"], np.array([0, 1]))])
    labels = [CLASSES["binary"][index] for index in (expected >= 0.37).astype(int)]  # type: ignore[index]
    assert finished.stdout.splitlines() == [f"{score:.6f} {label}" for score, label in zip(expected, labels, strict=True)]


def test_a_file_that_answers_otherwise_is_not_written(account: ScriptAccount, capsys, monkeypatch) -> None:
    register(account, 1)
    right = linear.scores
    monkeypatch.setattr(linear, "scores", lambda graph, matrix, model: graph.add("Mul", name := right(graph, matrix, model), name))
    code, printed = exported(capsys)
    assert code == 1
    assert re.search(r"^error: not exported: the file answers [\d.]+ to row 1 \(.*\), the version '[-\d.]+'$", printed, re.MULTILINE)
    assert not list(Path().rglob("*.onnx"))


def test_a_version_that_answers_otherwise_than_when_it_was_evaluated_is_not_exported(account: ScriptAccount, capsys) -> None:
    register(account, 1)
    key = "artifacts/1/golden.csv"
    lines = list(csv.reader(account.s3.objects[key].decode().splitlines()))
    account.s3.objects[key] = "\n".join([",".join(lines[0]), '1.0,1.0,a b,4,1.0,"77.5"']).encode()
    code, printed = exported(capsys)
    assert (code, "the version '77.5'" in printed) == (1, True)


def test_a_difference_in_a_rare_row_is_found(account: ScriptAccount, capsys, monkeypatch) -> None:
    """The golden rows have no gap in `score`; the row that is asked with one finds a wrong fill."""
    register(account, 1)
    served = load("served")
    right = served.load

    def other_fill(folder: Path) -> Any:
        made = right(folder)
        made.state["numeric"][1]["fill"] += 0.5
        return made

    monkeypatch.setattr(served, "load", other_fill)
    code, printed = exported(capsys)
    assert code == 1
    assert re.search(r"to row \d+ \([^,]*,,", printed), printed


def test_versions_are_named_by_number_or_by_arn(account: ScriptAccount, capsys) -> None:
    register(account, 1)
    register(account, 2)
    account.sagemaker.packages[2]["ModelApprovalStatus"] = "PendingManualApproval"
    assert exported(capsys, "--output", "newest.onnx")[0] == 0
    assert metadata(Path("newest.onnx"))["model-package-arn"] == f"{PACKAGE}/1"
    assert exported(capsys, "--package", f"{PACKAGE}/2", "--output", "two.onnx")[0] == 0
    assert metadata(Path("two.onnx"))["model-package-arn"] == f"{PACKAGE}/2"


BAD = {
    "another group": (["--package", "arn:aws:sagemaker:us-east-1:111122223333:model-package/other/1"], "--package is 'arn:"),
    "no such version": (["--version", "9"], "version 9 of"),
    "both": (["--version", "1", "--package", f"{PACKAGE}/1"], "not allowed with argument"),
    "another format": (["--format", "pmml"], "invalid choice: 'pmml'"),
    "no such folder": (["--output", "gone/file.onnx"], "--output is 'gone/file.onnx'"),
    "a folder": (["--output", "."], "--output is '.'"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_meant_is_one_line_and_no_file(account: ScriptAccount, capsys, case: str) -> None:
    account.register(1, trees("regression"), [["1.0", "1.0", "a b", "4", "1.0", "1.0"]])
    arguments, said = BAD[case]
    try:
        code, printed = exported(capsys, *arguments)
    except SystemExit as ended:  # argparse
        code, printed = int(str(ended.code)), capsys.readouterr().err
    assert (code, len(printed.splitlines())) == (2, 1), printed
    assert said in printed
    assert not list(Path().rglob("*.onnx"))


ARCHIVES: dict[str, tuple[dict[str, bytes | None], str]] = {
    "no preparation": ({"preparation.json": None}, "is none that this commit can read (FileNotFoundError"),
    "an older preparation": ({"preparation.json": b"{}"}, "is none that this commit can read (KeyError"),
    "an algorithm of before": ({"version.json": b'{"algorithm": "gone"}'}, "algorithm 'gone' is unknown"),
    "code that does not run": ({"code/inference.py": b"raise SystemExit('no such library')"}, "is not what was evaluated"),
}


@pytest.mark.parametrize("case", ARCHIVES)
def test_an_archive_that_is_none_of_this_commits_is_one_line(account: ScriptAccount, capsys, case: str) -> None:
    changes, said = ARCHIVES[case]
    register(account, 1, **changes)
    code, printed = exported(capsys)
    assert (code, said in printed) == (2, True), printed
    assert not list(Path().rglob("*.onnx"))


def test_only_what_was_evaluated_is_exported(account: ScriptAccount, capsys) -> None:
    members = register(account, 1)
    account.s3.objects["artifacts/1/model.tar.gz"] = load("archive").pack({**members, "linear.json": b"{}"})
    code, printed = exported(capsys)
    assert (code, "version 1 is not what was evaluated" in printed) == (2, True)


@pytest.mark.parametrize("fact", ["contract-url", "golden-url", "model-sha256"])
def test_a_version_of_before_these_facts_says_what_is_missing(account: ScriptAccount, capsys, fact: str) -> None:
    register(account, 1)
    del account.sagemaker.packages[1]["CustomerMetadataProperties"][fact]
    code, printed = exported(capsys)
    assert (code, fact in printed.splitlines()[-1]) == (2, True)


def test_without_the_packages_it_says_where_they_come_from(account: ScriptAccount, capsys, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    code, printed = exported(capsys)
    assert (code, printed.startswith("error: onnxruntime is not installed; `make setup` brings it")) == (2, True)
