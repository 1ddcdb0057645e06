"""Claims about scoring a file: what is sent, what is refused before anything runs, and what comes back."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from build_scripts import batch_rows, command_line, score_file
from build_scripts.command_line import ProblemError
from build_scripts.version_contract import Contract, from_preparation
from settings_schema import Categorical, DataSet, Numeric, Problem
from tests.unit.script_account import GROUP, ScriptAccount, install, prepared

HOUSES = DataSet(
    problem=Problem.REGRESSION,
    target="price",
    numeric=(Numeric(name="area"), Numeric(name="rooms")),
    categorical=(Categorical(name="town"),),
    metric="rmse",
    threshold=1.0,
)
#: What the approved version was trained for.
TRAINED_FOR = HOUSES.but(
    numeric=(Numeric(name="area", minimum=0, maximum=1000), Numeric(name="rooms")),
    categorical=(Categorical(name="town", values=("Lima, Peru", "x", "4", "true")),),
)
ROWS = 'id,town,rooms,area\na,"Lima, Peru",2,50.5\nb,NA,,70\n'


def register(account: ScriptAccount, number: int, approval: str = "Approved", **changes: Any) -> None:
    """A version whose contract says what it was trained for."""
    account.register(number, TRAINED_FOR.but(**changes), [])
    account.sagemaker.packages[number]["ModelApprovalStatus"] = approval


def contract_of(dataset: DataSet) -> Contract:
    return from_preparation(prepared(dataset))


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> ScriptAccount:
    """One approved version of houses; the batch pipeline predicts ten times the rooms, and what it was asked is kept in `asked`."""
    made = install(monkeypatch)
    register(made, 1)
    made.clients["asked"] = []

    def run(_place: Any, _names: Any, version: Any, where: score_file.Places) -> None:
        made.clients["asked"].append((version.number, where))
        source, destination = (address.removeprefix("s3://") for address in (where.source, where.destination))
        lines = made.s3.objects[source].decode().splitlines()
        answered = "".join(f"{line},{10 * float(line.split(',')[1] or 0)}\n" for line in lines)
        made.s3.put_object(
            Bucket="data", Key=f"{destination.removeprefix('data/')}/{source.rsplit('/', 1)[-1]}.out", Body=answered.encode()
        )

    monkeypatch.setattr(score_file, "score", run)
    return made


def scored(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str]:
    code = command_line.run(score_file.main, [str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return code, printed.out + printed.err


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    file = tmp_path / "rows.csv"
    file.write_text(ROWS, encoding="utf-8")
    return file


def test_columns_are_sent_in_the_order_of_a_request_and_come_back_in_the_persons(account, rows, capsys):
    assert scored(capsys, rows)[0] == 0
    where = account.clients["asked"][0][1]
    assert account.s3.objects[where.source.removeprefix("s3://")] == b'50.5,2.0,"Lima, Peru"\n70.0,,\n'
    assert list(csv.reader(rows.with_name("rows.scored.csv").open(encoding="utf-8"))) == [
        ["id", "town", "rooms", "area", "prediction"],
        ["a", "Lima, Peru", "2", "50.5", "20.0"],
        ["b", "", "", "70", "0.0"],
    ]


def test_parquet_means_the_same_as_csv(account, rows, tmp_path, capsys):
    table = pa.table({"town": ["Lima, Peru", None], "rooms": pa.array([2, None], pa.int8()), "area": pa.array([50.5, 70.0], pa.float32())})
    parquet.write_table(table, tmp_path / "other.parquet")
    assert scored(capsys, rows)[0] == 0
    assert scored(capsys, tmp_path / "other.parquet")[0] == 0
    sent = [account.s3.objects[where.source.removeprefix("s3://")] for _, where in account.clients["asked"]]
    assert sent[0] == sent[1]


def test_the_newest_approved_version_is_used_unless_another_is_named(account, rows, capsys):
    for number, approval in ((2, "Approved"), (3, "Rejected")):
        register(account, number, approval)
    scored(capsys, rows)
    scored(capsys, rows, "--version", "3")
    assert [number for number, _ in account.clients["asked"]] == [2, 3]
    assert len({where.destination for _, where in account.clients["asked"]}) == 2, "versions keep their answers apart"


def test_rows_in_s3_are_scored_where_they_are(account, capsys):
    account.s3.put_object(Bucket="lake", Key="rows/", Body=b"1,2,x\n")
    code, text = scored(capsys, "s3://lake/rows/")
    where = account.clients["asked"][0][1]
    assert (code, where.source) == (0, "s3://lake/rows/")
    assert f"answers: {where.destination}/" in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "id,town,rooms\na,x,1\n",
            "rows.csv has no column area; the version takes area, rooms, town, and the file has 'id', 'town', 'rooms'",
        ),
        ("area,rooms,town\n", "has no rows"),
        ("area,rooms,town\n1,two,x\n", "rooms is 'two' (rows.csv line 2)"),
        ("area,rooms,town\n1,2,x\ninf,2,x\n", "area is infinite (rows.csv line 3)"),
        ('area,rooms,town\n1,2,"a\nb"\n', "town has a line break (rows.csv line 2)"),
        ("", "is empty (0 bytes)"),
        ("area,rooms,town\n\n1,2,x\n\n1,2,Quito\n", "town is 'Quito' (rows.csv line 5); allowed: Lima, Peru, x, 4, true"),
        ('area,rooms,town\n1,2,x\n"1,5",2,x\n', "area is '1,5' (rows.csv line 3), not a number: a decimal comma; write 1.5"),
        ("area,rooms,town\n1,2,x\n1001,2,x\n", "area is 1001 (rows.csv line 3); allowed: 0 to 1000"),
        ("area,rooms,town,prediction\n1,2,x,7\n", "rows.csv has a column 'prediction', which is how the answer is called; rename it"),
        ("area;rooms;town\n1;2;x\n", "cells are separated by semicolons"),
        (f"area,rooms,town\n{'9' * 1_200_000}x,2,x\n", "(1200001 characters)"),
    ],
)
def test_a_file_that_cannot_be_scored_is_one_line_and_nothing_is_uploaded(account, rows, capsys, text, expected):
    rows.write_text(text, encoding="utf-8")
    writes = list(account.s3.writes)
    code, said = scored(capsys, rows)
    assert code == 2
    assert expected in said
    assert len(said) < 500
    assert account.s3.writes == writes
    assert not rows.with_name("rows.scored.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--version", "9"], f"version 9 of {GROUP} does not exist; existing: 1"),
        (["--output", "/no/such/folder/x.csv"], "whose folder does not exist"),
    ],
)
def test_wrong_options_are_one_line(account, rows, capsys, arguments, expected):
    code, text = scored(capsys, rows, *arguments)
    assert code == 2
    assert expected in text


def test_an_empty_prefix_is_found_before_anything_runs(account, capsys):
    code, text = scored(capsys, "s3://lake/nothing/")
    assert (code, account.clients["asked"]) == (2, [])
    assert "s3://lake/nothing/ has no objects" in text


def test_without_an_approved_version_the_person_is_told_what_to_do(account, rows, capsys):
    account.sagemaker.packages[1]["ModelApprovalStatus"] = "PendingManualApproval"
    code, text = scored(capsys, rows)
    assert code == 2
    assert "deploy_scripts.approve" in text


def test_cells_are_sent_in_their_one_form(account, rows, capsys):
    rows.write_text("area,rooms,town\n 1 ,+2, TRUE\n.5,1e1,4.0\n", encoding="utf-8")
    assert scored(capsys, rows)[0] == 0
    where = account.clients["asked"][0][1]
    assert account.s3.objects[where.source.removeprefix("s3://")] == b"1.0,2.0,true\n0.5,10.0,4\n"


def test_a_category_that_counts_as_other_is_scored(account, tmp_path, capsys):
    register(account, 2, categorical=(Categorical(name="town", values=("x",), unlisted="other"),))
    (tmp_path / "rows.csv").write_text("area,rooms,town\n1,2, Quito \n", encoding="utf-8")
    assert scored(capsys, tmp_path / "rows.csv")[0] == 0
    assert account.s3.objects[account.clients["asked"][0][1].source.removeprefix("s3://")] == b"1.0,2.0,Quito\n"


def test_the_versions_own_contract_decides_what_is_allowed(account, rows, capsys):
    """Not the model's file of today, which may allow more or less."""
    register(account, 2, categorical=(Categorical(name="town", values=("Quito",)),))
    rows.write_text("area,rooms,town\n1,2,Quito\n", encoding="utf-8")
    assert scored(capsys, rows, "--version", "2")[0] == 0
    code, text = scored(capsys, rows, "--version", "1")
    assert code == 2
    assert "town is 'Quito'" in text


def test_an_earlier_version_is_sent_its_own_columns(account, rows, capsys):
    """Whatever the model's file describes today: this version had a column less, and in another order."""
    register(account, 1, numeric=(Numeric(name="rooms"), Numeric(name="area")), categorical=())
    rows.write_text("area,rooms\n50.5,2\n", encoding="utf-8")
    assert scored(capsys, rows)[0] == 0
    where = account.clients["asked"][0][1]
    assert account.s3.objects[where.source.removeprefix("s3://")] == b"2.0,50.5\n"
    assert where.source.startswith("s3://data/batch/abalone/") and where.destination.startswith("s3://data/predictions/abalone/version-1/")


def test_an_earlier_version_s_answers_are_named_by_what_it_decides(account, rows, capsys):
    register(account, 1, problem=Problem.BINARY, metric="auc", positive_class="sold", target="state")
    assert scored(capsys, rows)[0] == 0
    assert rows.with_name("rows.scored.csv").read_text(encoding="utf-8").splitlines()[0].endswith(",probability_sold")


def test_a_version_without_its_contract_is_one_line(account, rows, capsys):
    del account.s3.objects["artifacts/1/contract.json"]
    code, text = scored(capsys, rows)
    assert code == 2
    assert "version 1 does not say what it takes: s3://artifacts/1/contract.json is gone" in text


@pytest.mark.parametrize(
    ("problem", "name", "is_taken"),
    [
        (Problem.BINARY, "probability_yes", True),
        (Problem.BINARY, "prediction", True),
        (Problem.BINARY, "probability_no", False),
        (Problem.MULTICLASS, "probability_2", True),
        (Problem.MULTICLASS, "prediction", True),
        (Problem.REGRESSION, "Prediction", False),
        (Problem.REGRESSION, "prediction_2025", False),
    ],
)
def test_no_column_gets_the_name_of_an_answer(tmp_path, problem, name, is_taken):
    metric = {Problem.BINARY: "auc", Problem.MULTICLASS: "accuracy", Problem.REGRESSION: "rmse"}[problem]
    positive = "yes" if problem is Problem.BINARY else None
    dataset = HOUSES.but(problem=problem, metric=metric, positive_class=positive)
    (tmp_path / "rows.csv").write_text(f"area,rooms,town,{name}\n1,2,x,3\n", encoding="utf-8")
    if is_taken:
        with pytest.raises(ProblemError, match=f"has a column '{name}'"):
            batch_rows.read(tmp_path / "rows.csv", contract_of(dataset))
    else:
        names = batch_rows.prediction_names(contract_of(dataset), 4)
        assert name not in names
        batch_rows.read(tmp_path / "rows.csv", contract_of(dataset))


def test_every_name_of_an_answer_is_kept_free(tmp_path):
    for dataset in (HOUSES, HOUSES.but(problem=Problem.MULTICLASS, metric="accuracy")):
        for name in batch_rows.prediction_names(contract_of(dataset), 12):
            (tmp_path / "rows.csv").write_text(f"area,rooms,town,{name}\n1,2,x,3\n", encoding="utf-8")
            with pytest.raises(ProblemError):
                batch_rows.read(tmp_path / "rows.csv", contract_of(dataset))


def test_the_files_own_numbers_come_back_as_they_were(account, tmp_path, capsys):
    columns = {"area": pa.array([0.1, None], pa.float32()), "rooms": [1, 2], "town": ["x", "x"], "seen": [True, None]}
    parquet.write_table(pa.table(columns), tmp_path / "rows.parquet")
    assert scored(capsys, tmp_path / "rows.parquet")[0] == 0
    lines = (tmp_path / "rows.scored.csv").read_text(encoding="utf-8").splitlines()
    assert lines == ["area,rooms,town,seen,prediction", "0.1,1,x,True,10.0", ",2,x,,20.0"]


@pytest.mark.parametrize("received", [b"1,a,5\n", b"1,a,5\n3,b,6\n", b"1,a,5\n2,b,6\n4,c,7\n"])
def test_answers_that_are_not_those_of_the_rows_are_never_written(received):
    with pytest.raises(ProblemError):
        batch_rows.answers(b"1,a\n2,b\n", received)


def test_quoting_does_not_matter_when_answers_are_matched():
    assert batch_rows.answers(b'1,"a, b"\n2,c\n', b'"1","a, b",yes,0.5\n2,c,no,0.1\n') == [["yes", "0.5"], ["no", "0.1"]]


def test_a_binary_version_answers_the_class_and_its_probability_and_an_older_one_the_probability() -> None:
    loans = contract_of(HOUSES.but(problem=Problem.BINARY, positive_class="yes", metric="auc", threshold=0.5))
    assert batch_rows.prediction_names(loans, 2) == ["prediction", "probability_yes"]
    assert batch_rows.prediction_names(loans, 1) == ["probability_yes"]
