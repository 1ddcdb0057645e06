"""Claims about data files: a good one is uploaded with its hash before its marker; a bad one is one line and uploads nothing."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from build_scripts import upload_data
from build_scripts.command_line import run
from settings_schema import Retraining
from tests.example_models import ABALONE, SETTINGS
from tests.unit import script_account
from tests.unit.script_account import NAMES, ScriptAccount, set_values

HEADER = "sex,length,diameter,height,whole_weight,shucked_weight,viscera_weight,shell_weight,rings"
ROWS = [
    "M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,15",
    "F,0.53,0.42,0.135,0.677,0.2565,0.1415,0.21,9",
    "I,0.33,0.255,0.08,0.205,0.0895,0.0395,0.055,7",
    "M,0.44,0.365,0.125,0.516,0.2155,0.114,0.155,10",
    "I,0.425,0.3,0.095,0.3515,0.141,0.0775,0.12,8",
    "F,0.55,0.44,0.15,0.8945,0.3145,0.151,0.32,19",
]


#: Enough rows for every part of the split: those above, each a little larger than the one before.
MORE_ROWS = [
    ",".join([row.split(",")[0], *(f"{float(cell) * (1 + copy / 100):.4f}" for cell in row.split(",")[1:-1]), row.split(",")[-1]])
    for copy in range(8)
    for row in ROWS
]
GOOD = "\n".join([HEADER, *MORE_ROWS]) + "\n"


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> ScriptAccount:
    return script_account.install(monkeypatch)


def table(folder: Path, text: str | bytes, name: str = "mine.csv") -> str:
    content = text if isinstance(text, bytes) else text.encode()
    (folder / name).write_bytes(content)
    return str(folder / name)


def test_good_file_is_uploaded_with_its_hash_and_then_marked(account: ScriptAccount, tmp_path: Path) -> None:
    path = table(tmp_path, GOOD)
    assert run(upload_data.main, [path]) == 0
    assert account.s3.writes == ["training/abalone/mine.csv", "training/abalone/_SUCCESS"]
    assert account.s3.metadata["data/training/abalone/mine.csv"]["sha256"] == hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_no_trigger_leaves_the_marker_out(account: ScriptAccount, tmp_path: Path) -> None:
    assert run(upload_data.main, [table(tmp_path, GOOD), "--no-trigger"]) == 0
    assert account.s3.writes == ["training/abalone/mine.csv"]


@pytest.mark.parametrize(
    ("name", "text", "named"),
    [
        ("empty.csv", b"", "empty"),
        ("header.csv", (HEADER + "\n").encode(), "no rows"),
        ("target.csv", "\n".join([HEADER.removesuffix(",rings"), *[row.rsplit(",", 1)[0] for row in ROWS]]).encode(), "'rings'"),
        ("types.csv", "\n".join([HEADER, ROWS[0].replace("0.455", "long"), *ROWS[1:]]).encode(), "'length'"),
        ("broken.parquet", b"PAR1 but not really", "not a Parquet file"),
        ("latin.csv", "\n".join([HEADER, ROWS[0].replace("M", "\xd1")]).encode("latin-1"), "UTF-8"),
        ("table.xlsx", b"PK", "neither .csv nor .parquet"),
        ("_table.csv", "\n".join([HEADER, *ROWS]).encode(), "begins with '_', and training leaves out such files; rename it"),
        ("few.csv", "\n".join([HEADER, *ROWS]).encode(), "split has 0 rows of 6; give more data"),
        ("semicolons.csv", "\n".join([HEADER, *ROWS]).replace(",", ";").encode(), "cells are separated by semicolons"),
    ],
)
def test_bad_file_is_one_line_and_uploads_nothing(
    account: ScriptAccount, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: bytes, named: str
) -> None:
    assert run(upload_data.main, [table(tmp_path, text, name)]) == 2
    error = capsys.readouterr().err
    assert named in error
    assert error.count("\n") == 1
    assert account.s3.writes == []


# ------------------------------------------------------------------------------- beside what lies at the address


def test_a_file_that_does_not_go_with_those_at_the_address_is_refused(
    account: ScriptAccount, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header, *rows = GOOD.splitlines()
    older = "\n".join([f"{header},weight", *(f"{row},1" for row in rows)])
    account.s3.objects["data/training/abalone/older.csv"] = older.encode()
    assert run(upload_data.main, [table(tmp_path, GOOD)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: mine.csv fits alone, but training reads it together with older.csv: ")
    assert "columns differ" in error and "'weight'" in error and error.endswith("to put it in their place, add --replace\n")
    assert error.count("\n") == 1
    assert account.s3.writes == []


def test_replace_takes_the_place_of_every_file_but_of_what_is_no_data(
    account: ScriptAccount, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("older.csv", "more/oldest.parquet", "_notes.txt"):
        account.s3.objects[f"data/training/abalone/{name}"] = b"no table"
    assert run(upload_data.main, [table(tmp_path, GOOD), "--replace"]) == 0
    assert set(account.s3.objects) == {f"data/training/abalone/{name}" for name in ("mine.csv", "_SUCCESS", "_notes.txt")}
    assert "it replaces older.csv, oldest.parquet" in capsys.readouterr().out


def test_a_file_of_the_same_name_is_replaced_whatever_it_holds(account: ScriptAccount, tmp_path: Path) -> None:
    account.s3.objects["data/training/abalone/mine.csv"] = b"no table"
    assert run(upload_data.main, [table(tmp_path, GOOD)]) == 0
    assert account.s3.objects["data/training/abalone/mine.csv"] == GOOD.encode()


def test_files_that_go_together_are_checked_together(account: ScriptAccount, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    account.s3.objects["data/training/abalone/2025/older.csv"] = GOOD.encode()
    assert run(upload_data.main, [table(tmp_path, GOOD)]) == 0
    said = capsys.readouterr().out
    assert "warning: 48 rows repeat another row" in said  # the file alone has no copies
    assert "training reads it together with older.csv" in said


def deployed(account: ScriptAccount, learns_from: str = "s3://data/training/abalone/") -> ScriptAccount:
    """An account whose training pipeline learns from an address, and whose trigger watches it."""
    parameters = [{"Name": "InputDataUrl", "Type": "String", "DefaultValue": learns_from}]
    account.sagemaker.pipelines[NAMES.training_pipeline] = {"PipelineDefinition": json.dumps({"Parameters": parameters})}
    account.cloudformation.names.add(NAMES.stack)
    return account


def last_line(capsys: pytest.CaptureFixture[str], tmp_path: Path, *options: str) -> str:
    assert run(upload_data.main, [table(tmp_path, GOOD), *options]) == 0
    return capsys.readouterr().out.splitlines()[-1]


def test_a_training_that_starts_is_announced(account: ScriptAccount, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    deployed(account)
    account.sagemaker.executions = [{"PipelineExecutionStatus": "Succeeded"}]
    assert last_line(capsys, tmp_path).startswith("training starts")


def test_where_nothing_starts_it_says_why_and_what_to_do(
    account: ScriptAccount, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = last_line(capsys, tmp_path)
    assert said.startswith("nothing starts: pipeline ") and "the first push makes it and starts it" in said
    said = last_line(capsys, tmp_path, "--no-trigger")
    assert said == "nothing starts (--no-trigger)"
    deployed(account, "s3://data/training/arrests/")
    said = last_line(capsys, tmp_path)
    assert "learns from s3://data/training/arrests/; a push makes it anew" in said
    deployed(account).cloudformation.names.clear()
    said = last_line(capsys, tmp_path)
    assert "which watches for new data, is not deployed" in said and "npx cdk deploy --all" in said
    deployed(account).sagemaker.executions = [{"PipelineExecutionStatus": "Executing"}]
    said = last_line(capsys, tmp_path)
    assert "a run is active" in said and "run_pipeline --model abalone --force" in said


def test_a_model_that_new_data_do_not_train_says_so(
    account: ScriptAccount, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = ABALONE.but(retraining=Retraining(on_new_data=False))
    set_values(monkeypatch, replace(SETTINGS, models={"abalone": waits}))
    deployed(account)
    assert "Retraining.on_new_data of abalone is False" in last_line(capsys, tmp_path)


def test_missing_file_is_named(account: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(upload_data.main, ["nowhere.csv"]) == 2
    assert "nowhere.csv is not a file" in capsys.readouterr().err


@pytest.mark.thorough  # the package of the examples takes seconds to import
def test_both_examples_fit_their_contracts(account: ScriptAccount, tmp_path: Path) -> None:
    for name in upload_data.EXAMPLES:
        rows, _ = upload_data.check(upload_data.example_file(name, tmp_path), SETTINGS.models[name])
        assert rows > 4000


@pytest.mark.thorough
def test_an_example_is_of_the_model_of_its_name(
    account: ScriptAccount, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MODEL")
    assert run(upload_data.main, ["--example", "arrests", "--no-trigger"]) == 0
    assert account.s3.writes == ["training/arrests/arrests.csv"]
    assert run(upload_data.main, ["--model", "abalone", "--example", "--no-trigger"]) == 0
    assert account.s3.writes[1:] == ["training/abalone/abalone.csv"]
    set_values(monkeypatch, replace(SETTINGS, models={"abalone": ABALONE}))
    assert run(upload_data.main, ["--example", "arrests"]) == 2
    assert "--model is 'arrests'; allowed: abalone" in capsys.readouterr().err
    assert run(upload_data.main, ["--example", "penguins"]) == 2
    assert "--example is 'penguins'; allowed: abalone, arrests" in capsys.readouterr().err


def test_a_file_is_held_to_the_contract_of_the_model_that_is_named(
    account: ScriptAccount, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(upload_data.main, ["--model", "arrests", table(tmp_path, GOOD)]) == 2
    assert "the contract of models/arrests.py" in capsys.readouterr().err
    assert account.s3.writes == []


def test_what_production_learned_is_neither_checked_nor_replaced(account: ScriptAccount, tmp_path: Path) -> None:
    """It may be of columns that the model had once; training leaves out what does not fit, and an upload is none of its business."""
    learned = f"data/{NAMES.training_data}learned/live/2026-11-27T14Z--2026-11-27T15Z.csv"
    account.s3.objects[learned] = b"other,columns\n1,2\n"
    assert run(upload_data.main, [table(tmp_path, GOOD)]) == 0
    assert run(upload_data.main, [table(tmp_path, GOOD, "other.csv"), "--replace"]) == 0
    left = {key for key in account.s3.objects if key.endswith(".csv")}
    assert left == {learned, f"data/{NAMES.training_data}other.csv"}
