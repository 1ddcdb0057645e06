"""Bad data and hopeless settings, given to the real pipeline: it fails, says why in one line, and registers nothing."""

from __future__ import annotations

import datetime
import io
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from build_scripts.command_line import run
from build_scripts.follow import follow
from build_scripts.publish import code_files, publish
from build_scripts.run_pipeline import start
from local_account.account import Account
from packages.local_account.tests.small_pipelines import wait_for
from tests.example_models import PROJECT
from tests.journeys.bad_input_models import MODELS
from tests.journeys.data_version_function import create_data_version_function
from tests.steps.small_data import houses, loans

ROOT = Path(__file__).resolve().parents[2]
DEFINE = Path(__file__).with_name("define_bad_input_pipelines.py")
ROLE = "arn:aws:iam::111122223333:role/pipeline"
Columns = dict[str, list[Any]]


def as_csv(columns: Columns) -> bytes:
    rows = zip(*columns.values(), strict=True)
    return "\n".join([",".join(columns), *(",".join("" if cell is None else str(cell) for cell in row) for row in rows)]).encode()


def as_parquet(columns: Columns) -> bytes:
    packed = io.BytesIO()
    parquet.write_table(pa.table(columns), packed)
    return packed.getvalue()


def changed(columns: Columns, name: str, row: int, cell: Any) -> Columns:
    return {**columns, name: [cell if index == row else old for index, old in enumerate(columns[name])]}


def without(columns: Columns, name: str) -> Columns:
    return {other: cells for other, cells in columns.items() if other != name}


def first(columns: Columns, rows: int) -> Columns:
    return {name: cells[:rows] for name, cells in columns.items()}


@dataclass(frozen=True)
class Case:
    """A file, and what its pipeline says."""

    file: str
    content: Callable[[], bytes]
    says: str
    pipeline: str = "houses"


_HUGE = {name: cells * 500 for name, cells in houses().items()}
CASES = {
    "missing target": Case("a.csv", lambda: as_csv(without(houses(), "price")), "column 'price': missing"),
    "extra column": Case("a.csv", lambda: as_csv({**houses(), "garden": [1] * 200}), "column 'garden': not in the model's file"),
    "empty file": Case("a.csv", lambda: b"", "a.csv is empty (0 bytes)"),
    "0-byte Parquet": Case("a.parquet", lambda: b"", "a.parquet is empty (0 bytes)"),
    "broken Parquet": Case("a.parquet", lambda: as_parquet(houses())[:-9], "a.parquet is not a Parquet file, or a part of it is missing"),
    "not a table": Case("notes.txt", lambda: b"hello", "notes.txt is neither .csv nor .parquet"),
    "no rows": Case("a.csv", lambda: as_csv(first(houses(), 0)), "there is no row below the header"),
    "non-UTF-8": Case("a.csv", lambda: as_csv(changed(houses(), "town", 1, "Bogotá")).decode().encode("latin-1"), "line 3 is not UTF-8"),
    "wrong type": Case("a.csv", lambda: as_csv(changed(houses(), "area", 2, "big")), "values such as 'big' are not numbers"),
    "out of range": Case("a.csv", lambda: as_csv(changed(houses(), "area", 3, -1)), "column 'area': below the minimum 0"),
    "infinity": Case("a.csv", lambda: as_csv(changed(houses(), "rooms", 4, "inf")), "column 'rooms': infinite values"),
    "dates": Case("a.parquet", lambda: as_parquet({**houses(), "area": [datetime.date(2026, 1, 2)] * 200}), "column 'area': holds date32"),
    "unseen category": Case("a.csv", lambda: as_csv(changed(houses(), "kind", 5, "castle")), "column 'kind': values ['castle']"),
    "all missing": Case("a.csv", lambda: as_csv({**houses(), "town": [None] * 200}), "column 'town': every value is missing"),
    "constant target": Case("a.csv", lambda: as_csv({**houses(), "price": [7] * 200}), "column 'price': constant"),
    "leakage": Case("a.csv", lambda: as_csv({**houses(), "rooms": [2 * price for price in houses()["price"]]}), "leakage suspect"),
    "1e5 categories": Case("a.csv", lambda: as_csv({**_HUGE, "town": list(range(100_000))}), "column 'town': 100000 different values"),
    "one row": Case("a.csv", lambda: as_csv(first(houses(), 1)), "the table has 1 row"),
    "no row in a split": Case("a.csv", lambda: as_csv(first(loans(), 10)), "the validation split has 0 rows of 10", "loans"),
    "one row in a split": Case("a.csv", lambda: as_csv(first(loans(), 20)), "the test split has 1 row of 20", "loans"),
    "class missing from a split": Case(
        "a.csv", lambda: as_csv({**loans(), "granted": ["no"] + ["yes"] * 399}), "class 'no' does not occur in the", "loans"
    ),
    "third class": Case("a.csv", lambda: as_csv(changed(loans(), "granted", 0, "maybe")), "3 classes ['maybe', 'no', 'yes']", "loans"),
}


@dataclass(frozen=True)
class Runs:
    """Executions by the name of their case; `explain` says how one ended, as `run_pipeline --wait` does."""

    account: Account
    arns: dict[str, str]

    def outcome(self, name: str) -> dict[str, Any]:
        sagemaker = self.account.client("sagemaker")

        def ended() -> Any:
            found = sagemaker.describe_pipeline_execution(PipelineExecutionArn=self.arns[name])
            return found if found["PipelineExecutionStatus"] != "Executing" else None

        return dict(wait_for(ended, 120))

    def failed_steps(self, name: str) -> list[str]:
        steps = self.account.client("sagemaker").list_pipeline_execution_steps(PipelineExecutionArn=self.arns[name])
        return [step["StepName"] for step in steps["PipelineExecutionSteps"] if step["StepStatus"] == "Failed"]


@pytest.fixture(scope="module")
def runs(account: Account) -> Runs:
    """Every case started at once."""
    s3, sagemaker = account.client("s3"), account.client("sagemaker")
    for bucket in ("artifacts", "data"):
        s3.create_bucket(Bucket=bucket)
    for model in MODELS:
        create_data_version_function(account, model.names(PROJECT))
    definitions = _definitions(*(publish(s3, "artifacts", code_files(model))[0] for model in MODELS))
    for name, definition in definitions.items():
        sagemaker.create_pipeline(PipelineName=name, PipelineDefinition=definition, RoleArn=ROLE)
    for number, case in enumerate(CASES.values()):
        s3.put_object(Bucket="data", Key=f"case-{number}/{case.file}", Body=case.content())
    s3.put_object(Bucket="data", Key="good/a.csv", Body=as_csv(houses()))
    good = {"InputDataUrl": "s3://data/good/"}
    arns = {
        name: start(sagemaker, case.pipeline, {"InputDataUrl": f"s3://data/case-{number}/"}, "unknown")
        for number, (name, case) in enumerate(CASES.items())
    }
    arns["no data"] = start(sagemaker, "houses", {"InputDataUrl": "s3://data/nothing/"}, "unknown")
    arns["no bucket"] = start(sagemaker, "houses", {"InputDataUrl": "s3://nowhere/x/"}, "unknown")
    arns["threshold"] = start(sagemaker, "houses", {**good, "MetricThreshold": "0.001"}, "unknown")
    arns["every trial fails"] = start(sagemaker, "doomed", good, "unknown")
    return Runs(account, arns)


def _definitions(*code_uris: str) -> dict[str, str]:
    given = pickle.dumps((PROJECT, list(zip(MODELS, code_uris, strict=True))))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    defined = subprocess.run(
        [sys.executable, str(DEFINE)], cwd=ROOT, env=environment, input=given, capture_output=True, timeout=120, check=False
    )
    assert defined.returncode == 0, defined.stderr
    return dict(json.loads(defined.stdout))


@pytest.mark.parametrize("name", CASES)
def test_bad_data_fails_the_preparation_and_says_what_is_wrong(runs: Runs, name: str) -> None:
    outcome = runs.outcome(name)
    assert outcome["PipelineExecutionStatus"] == "Failed"
    assert CASES[name].says in outcome["FailureReason"]
    assert "Traceback" not in outcome["FailureReason"]
    assert "\n" not in outcome["FailureReason"]
    assert runs.failed_steps(name) == ["Prepare"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("no data", "there is no data at s3://data/nothing/; `python -m build_scripts.upload_data` uploads it"),
        ("no bucket", "InputDataUrl is 's3://nowhere/x/', but there is no bucket 'nowhere'"),
    ],
)
def test_an_address_without_data_ends_the_run_before_any_job_starts(runs: Runs, name: str, says: str) -> None:
    assert runs.outcome(name)["PipelineExecutionStatus"] == "Failed"
    assert runs.failed_steps(name) == ["DataVersion"]
    assert says in runs.outcome(name)["FailureReason"]


def test_a_threshold_that_no_model_meets_is_named_with_what_was_reached(runs: Runs) -> None:
    reason = runs.outcome("threshold")["FailureReason"]
    assert "Not registered: rmse is " in reason
    assert "at most 0.001 is needed" in reason
    assert runs.failed_steps("threshold") == ["Refuse"]


def test_a_search_whose_every_trial_fails_gives_the_reason_that_a_script_left_in_its_log(
    runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    """SageMaker tells how many trials failed, and the toolkit in the image which command."""
    assert "No training job succeeded after 1 attempts." in runs.outcome("every trial fails")["FailureReason"]
    assert runs.failed_steps("every trial fails") == ["TuneLinear"]
    sagemaker, logs = runs.account.client("sagemaker"), runs.account.client("logs")
    assert run(lambda _: follow(sagemaker, runs.arns["every trial fails"], poll_seconds=0.1, logs=logs), []) == 1
    assert "linear has no hyperparameter 'gamma'; it has lambda" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["missing target", "threshold", "every trial fails"])
def test_who_waits_gets_one_line_and_exit_code_1(runs: Runs, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(lambda _: follow(runs.account.client("sagemaker"), runs.arns[name], poll_seconds=0.1), []) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: pipeline execution failed: ")


def test_nothing_is_registered(runs: Runs) -> None:
    for name in runs.arns:
        runs.outcome(name)
    assert runs.account.client("sagemaker").list_model_package_groups()["ModelPackageGroupSummaryList"] == []
