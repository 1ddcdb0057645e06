"""Claims about sending labels: a file is right as a whole or stays here; what is sent says where it went, and which ids nobody got."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from build_scripts.command_line import run
from deploy_scripts import send_labels
from settings_schema import Environment
from tests.example_models import ABALONE, ARRESTS, PRODUCTION, PROJECT, SETTINGS, STAGING
from tests.unit import script_account
from tests.unit.deployed_account import Sts
from tests.unit.script_account import ScriptAccount, set_values

BUCKET = PRODUCTION.names(PROJECT).bucket("111122223333", "us-east-1")
SENT = re.compile(r"labels/abalone/\d{4}-\d\d-\d\dT\d{6}Z-[0-9a-f]{12}\.csv")


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> ScriptAccount:
    made = script_account.install(monkeypatch)
    made.clients["sts"] = Sts()
    made.register(3, ABALONE.data, [])
    return made


def labels(folder: Path, text: str | bytes, name: str = "labels.csv") -> str:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(folder / name)


def answered(account: ScriptAccount, window: str, *ids: str) -> None:
    content = io.BytesIO()
    parquet.write_table(pa.table({"inference_id": list(ids), "row": [1] * len(ids)}), content)
    account.s3.objects[f"{BUCKET}/monitoring/abalone/windows/{window}/answered/3-00001.parquet"] = content.getvalue()


def test_a_good_file_is_sent_as_it_is_below_the_models_prefix(
    account: ScriptAccount, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = labels(tmp_path, "inference_id,truth,reason\na,9,\nb,11.5,too old\n")
    assert run(send_labels.main, [file]) == 0
    (key,) = account.s3.writes
    assert SENT.fullmatch(key)
    assert account.s3.objects[f"{BUCKET}/{key}"] == Path(file).read_bytes()
    said = capsys.readouterr().out
    assert f"sent 2 truths and 1 reasons to s3://{BUCKET}/{key}" in said
    assert "no window of this model has been judged" in said


def test_labels_go_to_the_environment_that_answered(account: ScriptAccount, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(send_labels.main, [labels(tmp_path, "inference_id,truth\na,9\n"), "--environment", STAGING.name]) == 0
    assert f"s3://{STAGING.names(PROJECT).bucket('111122223333', 'us-east-1')}/labels/abalone/" in capsys.readouterr().out


def test_the_same_file_is_sent_once(account: ScriptAccount, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = labels(tmp_path, "inference_id,truth\na,9\n")
    assert run(send_labels.main, [file]) == run(send_labels.main, [file]) == 0
    assert len(account.s3.writes) == 1
    assert f"sent already: s3://{BUCKET}/{account.s3.writes[0]}" in capsys.readouterr().out


def test_ids_that_no_judged_window_has_are_named(account: ScriptAccount, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answered(account, "2026-11-27T10Z--2026-11-27T11Z", "a")
    answered(account, "2026-11-27T11Z--2026-11-27T12Z", "b")
    assert run(send_labels.main, [labels(tmp_path, "inference_id,truth\na,9\nb,9\n")]) == 0
    assert capsys.readouterr().out.endswith("every id was answered\n")
    assert run(send_labels.main, [labels(tmp_path, "inference_id,truth,row\na,9,1\nb,9,2\nmine,8,1\n")]) == 0
    assert "warning: no judged window has b, mine: answered since the last run of the watch, or never" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (b"", "empty"),
        (b"inference_id,truth\n", "has no rows"),
        (b"inference_id,value\na,1\n", "has no column truth"),
        ("inference_id,truth\na,9\nb,\xf6\n".encode("latin-1"), "line 3 is not UTF-8"),
        (b"inference_id,truth\na,9\nb,\n", "line 3: truth is empty"),
        (b"inference_id,truth\na,9\nb,many\n", "line 3: truth is 'many'; allowed: a number"),
        (b"inference_id,truth,row\na,9,0\n", "line 2: row is '0'; allowed: a whole number from 1 on"),
        (b"inference_id,truth,observed_at\na,9,2999-01-01\n", "line 2: observed_at is '2999-01-01', which is in the future"),
        (b"inference_id,truth\na,9\na,10\n", "line 3: inference_id 'a' has another truth or reason than on line 2"),
    ],
)
def test_one_bad_row_keeps_the_whole_file_here(
    account: ScriptAccount, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: bytes, named: str
) -> None:
    assert run(send_labels.main, [labels(tmp_path, text)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: labels.csv: ") and named in error and error.endswith("; nothing was sent\n")
    assert error.count("\n") == 1
    assert account.s3.writes == []


def test_of_many_bad_rows_the_first_are_named_and_the_rest_counted(
    account: ScriptAccount, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(send_labels.main, [labels(tmp_path, "inference_id,truth\n" + "".join(f"id-{row},x\n" for row in range(13)))]) == 2
    error = capsys.readouterr().err
    assert "line 11: truth" in error and "line 12" not in error and "; and 3 more; nothing was sent" in error


def test_a_class_is_one_that_the_approved_version_answers(
    account: ScriptAccount, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    account.register(4, ARRESTS.data, [], classes=["No", "Yes"])
    assert run(send_labels.main, [labels(tmp_path, "inference_id,truth\na,Yes\nb,yes\n")]) == 2
    assert "line 3: truth is 'yes'; allowed: No, Yes" in capsys.readouterr().err


def test_what_is_no_file_of_labels_is_one_line(account: ScriptAccount, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for given in ("nowhere.csv", labels(tmp_path, "a,b\n", "labels.xlsx")):
        assert run(send_labels.main, [given]) == 2
        assert f"{given} is not a .csv file" in capsys.readouterr().err


def test_without_an_approved_version_nothing_was_answered(
    account: ScriptAccount, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    account.sagemaker.packages.clear()
    assert run(send_labels.main, [labels(tmp_path, "inference_id,truth\na,9\n")]) == 2
    assert "is approved" in capsys.readouterr().err


def test_an_environment_of_another_account_needs_that_accounts_credentials(
    account: ScriptAccount, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    far = Environment(name="far", account="444455556666", region="us-east-1")
    set_values(monkeypatch, replace(SETTINGS, environments=(STAGING, far)))
    assert run(send_labels.main, [labels(tmp_path, "inference_id,truth\na,9\n"), "--environment", "far"]) == 2
    error = capsys.readouterr().err
    assert "environment far lives in 444455556666; labels go there with credentials of that account: add --profile NAME" in error
    assert account.s3.writes == []
