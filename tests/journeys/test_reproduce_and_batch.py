"""A version that was really registered is rebuilt byte for byte, and scores a file."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pytest

from local_account.account import Account
from tests.journeys.registered_version import DATA, Registered, register
from tests.loop.person import ABALONE


@pytest.fixture(scope="module")
def registered(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Registered:
    return register(account, tmp_path_factory.mktemp("data"))


def test_a_registered_version_is_rebuilt_byte_for_byte_although_the_data_has_moved_on(
    account: Account, registered: Registered, tmp_path: Path
) -> None:
    account.client("s3").put_object(Bucket=DATA, Key=f"{ABALONE.names.training_data}abalone.csv", Body=b"sex,length\nM,1\n")
    rebuilt = tmp_path / "rebuilt.tar.gz"
    finished = registered.script("reproduce", "--model-package-arn", registered.arn, "--save", str(rebuilt))
    assert finished.returncode == 0, finished.stdout + finished.stderr
    facts = account.client("sagemaker").describe_model_package(ModelPackageName=registered.arn)["CustomerMetadataProperties"]
    assert finished.stdout.splitlines()[-1] == f"identical: model.tar.gz has sha256 {facts['model-sha256']}"
    assert facts["data-versions"] in finished.stdout


def test_an_approved_version_scores_a_file_and_each_answer_is_that_of_its_row(
    account: Account, registered: Registered, tmp_path: Path
) -> None:
    rows, sagemaker = tmp_path / "rows.csv", account.client("sagemaker")
    lines = registered.data.read_text(encoding="utf-8").splitlines()
    rows.write_text("\n".join(lines[:31]) + "\n", encoding="utf-8")
    refused = registered.script("score_file", "--model", "abalone", str(rows))
    assert refused.returncode == 2
    assert f"no version of {ABALONE.names.model_package_group} is approved" in refused.stderr
    sagemaker.update_model_package(ModelPackageArn=registered.arn, ModelApprovalStatus="Approved")
    finished = registered.script("score_file", "--model", "abalone", str(rows))
    assert finished.returncode == 0, finished.stdout + finished.stderr
    scored = list(csv.DictReader((tmp_path / "rows.scored.csv").open(encoding="utf-8")))
    assert [{**row, "prediction": None} for row in scored] == [{**row, "prediction": None} for row in csv.DictReader(rows.open())]
    assert [float(row["prediction"]) for row in scored] == golden_answers(account, registered, scored)
    assert len({row["prediction"] for row in scored}) > 10, "rows differ, and so do their answers"


def golden_answers(account: Account, registered: Registered, rows: list[dict[str, str]]) -> list[float]:
    """What the registered archive's own code says of each row, asked directly."""
    package = account.client("sagemaker").describe_model_package(ModelPackageName=registered.arn)
    bucket, key = package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"].removeprefix("s3://").split("/", 1)
    packed = account.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(folder, filter="data")
        text = "".join(",".join(row[name] for name in ABALONE.model.data.features) + "\n" for row in rows)
        Path(folder, "rows.csv").write_text(text, encoding="utf-8")
        arguments = ["--model-dir", folder, "--rows", f"{folder}/rows.csv", "--output", f"{folder}/answer.json"]
        subprocess.run([sys.executable, f"{folder}/code/score.py", *arguments], check=True, timeout=120)
        return [answer["score"] for answer in json.loads(Path(folder, "answer.json").read_text(encoding="utf-8"))["predictions"]]


def test_rows_that_are_in_s3_already_are_scored_there(account: Account, registered: Registered) -> None:
    account.client("s3").put_object(Bucket=DATA, Key="nightly/one.csv", Body=b"0.4,0.3,0.1,0.5,0.2,0.1,0.15,M\n")
    finished = registered.script("score_file", "--model", "abalone", f"s3://{DATA}/nightly/", "--version", "1")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    folder = finished.stdout.splitlines()[-1].removeprefix("answers: ").split(",")[0]
    bucket, prefix = folder.removeprefix("s3://").split("/", 1)
    answer = account.client("s3").get_object(Bucket=bucket, Key=f"{prefix}one.csv.out")["Body"].read().decode()
    assert answer.startswith("0.4,0.3,0.1,0.5,0.2,0.1,0.15,M,")


def test_a_version_that_does_not_exist_and_data_that_is_gone_are_one_line_each(account: Account, registered: Registered) -> None:
    """The last test here: it deletes the data for good."""
    unknown = registered.script("reproduce", "--model-package-arn", registered.arn.rsplit("/", 1)[0] + "/99")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert unknown.stderr.count("\n") == 1
    s3, prefix = account.client("s3"), "training/abalone/"
    for version in s3.list_object_versions(Bucket=DATA, Prefix=prefix)["Versions"]:
        s3.delete_object(Bucket=DATA, Key=version["Key"], VersionId=version["VersionId"])
    gone = registered.script("reproduce", "--model-package-arn", registered.arn)
    assert gone.returncode == 2
    assert gone.stderr.startswith("error: s3://data/training/abalone/ no longer has abalone.csv@")
