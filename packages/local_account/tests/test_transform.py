"""Batch transform: cutting, filtering and joining records without an account, then a job that really scores a file."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account.account import Account
from local_account.sagemaker.transform import records
from local_account.sagemaker.transform.json_path import JsonPathError, select

from . import sagemaker_requests as small

ROW = ["a", "b", "c", "d"]
DOCUMENT = {"features": [1, 2, 3], "id": 7, "nested": {"deep": "x"}}


@pytest.mark.parametrize(
    ("document", "path", "selected"),
    [
        (ROW, "$", ROW),
        (ROW, "$[0]", "a"),
        (ROW, "$[-1]", "d"),
        (ROW, "$[1:]", ["b", "c", "d"]),
        (ROW, "$[:2]", ["a", "b"]),
        (ROW, "$[1:-1]", ["b", "c"]),
        (ROW, "$[0,-1]", ["a", "d"]),
        (DOCUMENT, "$.features", [1, 2, 3]),
        (DOCUMENT, "$.nested.deep", "x"),
        (DOCUMENT, "$['id']", 7),
        (DOCUMENT, "$['id','features']", {"id": 7, "features": [1, 2, 3]}),
        (DOCUMENT, "$.features[*]", [1, 2, 3]),
    ],
)
def test_supported_json_paths_select(document: Any, path: str, selected: Any) -> None:
    assert select(document, path) == selected


@pytest.mark.parametrize("path", ["features", "$..id", "$[?(@.x)]", "$[a]"])
def test_other_json_paths_are_refused(path: str) -> None:
    with pytest.raises(JsonPathError):
        select(DOCUMENT, path)


def groups(content: bytes, strategy: str, max_bytes: int) -> list[list[bytes]]:
    return list(records.payloads(records.split(content, "Line"), strategy=strategy, max_bytes=max_bytes))


def test_multi_record_payloads_are_as_full_as_allowed_and_single_record_ones_hold_one() -> None:
    content = b"11\n22\r\n33\n\n"
    assert groups(content, "MultiRecord", 6) == [[b"11", b"22"], [b"33"]]
    assert groups(content, "SingleRecord", 6) == [[b"11"], [b"22"], [b"33"]]


def test_without_splitting_a_file_is_one_record_and_an_empty_file_none() -> None:
    assert records.split(b"1\n2\n", "None") == [b"1\n2\n"]
    assert records.split(b"", "None") == []


def test_a_record_larger_than_a_payload_is_refused() -> None:
    with pytest.raises(records.RecordError, match="MaxPayloadInMB"):
        groups(b"1234567", "MultiRecord", 4)


def test_a_csv_join_appends_the_prediction_and_the_filter_selects_of_both() -> None:
    arguments = {"content_type": records.CSV, "accept": records.CSV, "join": True}
    assert records.joined(b'id1,"a, b",2', b"0.5", **arguments, output_filter="$") == b'id1,"a, b",2,0.5'
    assert records.joined(b"id1,1,2", b"0.5", **arguments, output_filter="$[0,-1]") == b"id1,0.5"


def test_a_json_join_adds_sagemaker_output() -> None:
    arguments = {"content_type": records.JSON_LINES, "accept": records.JSON_LINES, "join": True}
    merged = records.joined(b'{"id": 1, "x": 2}', b'{"score": 0.5}', **arguments, output_filter="$['id','SageMakerOutput']")
    assert json.loads(merged) == {"id": 1, "SageMakerOutput": {"score": 0.5}}


def test_a_count_of_predictions_that_does_not_match_is_an_error() -> None:
    with pytest.raises(records.RecordError, match="2 predictions for 3 records"):
        records.predictions(b"1\n2\n", records.CSV, 3)


INFERENCE = """
import flask, json, os
def model_fn(directory): return json.load(open(os.path.join(directory, "factor.json")))
def input_fn(body, content_type):
    if body == "?": return flask.Response("? is no number", 400)
    return [[float(field) for field in line.split(",")] for line in body.splitlines()]
def predict_fn(rows, factor): return rows if isinstance(rows, flask.Response) else [sum(row) * factor for row in rows]
def output_fn(prediction, accept):
    return prediction if isinstance(prediction, flask.Response) else "\\n".join(str(value) for value in prediction)
"""


@pytest.fixture(scope="module")
def model(account: Account) -> str:
    """A model whose prediction is ten times the sum of its row."""
    small.publish(account.client("s3"), {})
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, text in (("factor.json", "10"), ("code/inference.py", INFERENCE)):
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    account.client("s3").put_object(Bucket=small.BUCKET, Key="model.tar.gz", Body=archive.getvalue())
    environment = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
    container = {"Image": small.IMAGE, "ModelDataUrl": f"s3://{small.BUCKET}/model.tar.gz", "Environment": environment}
    account.client("sagemaker").create_model(ModelName="ten-times", ExecutionRoleArn=small.ROLE, PrimaryContainer=container)
    return "ten-times"


def transform(account: Account, model: str, key: str, **more: Any) -> dict[str, Any]:
    sagemaker, name = account.client("sagemaker"), small.new_name("transform")
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{small.BUCKET}/{key}"}}
    sagemaker.create_transform_job(
        TransformJobName=name,
        ModelName=model,
        TransformInput={"DataSource": source, "ContentType": "text/csv", "SplitType": "Line"},
        TransformOutput={"S3OutputPath": f"s3://{small.BUCKET}/scored/{name}", "AssembleWith": "Line", "Accept": "text/csv"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
        **more,
    )
    return small.wait(lambda: sagemaker.describe_transform_job(TransformJobName=name), "TransformJobStatus")


def test_every_file_of_a_prefix_is_scored_into_a_file_of_its_own(account: Account, model: str) -> None:
    job = transform(account, model, "data/")
    output, s3 = job["TransformOutput"]["S3OutputPath"], account.client("s3")
    assert job["TransformJobStatus"] == "Completed"
    assert small.read(s3, f"{output}/one.csv.out") == b"30.0\n70.0\n"
    assert small.read(s3, f"{output}/two.csv.out") == b"110.0\n"


def test_predictions_are_joined_with_their_records(account: Account, model: str) -> None:
    account.client("s3").put_object(Bucket=small.BUCKET, Key="with-id/rows.csv", Body="r1,1,2\nr2,3,4\n")
    processing = {"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-1]"}
    job = transform(account, model, "with-id/rows.csv", DataProcessing=processing, BatchStrategy="SingleRecord")
    assert small.read(account.client("s3"), job["TransformOutput"]["S3OutputPath"] + "/rows.csv.out") == b"r1,30.0\nr2,70.0\n"


def test_a_record_that_the_model_refuses_fails_the_job_with_its_words(account: Account, model: str) -> None:
    account.client("s3").put_object(Bucket=small.BUCKET, Key="bad/rows.csv", Body="?\n")
    job = transform(account, model, "bad/")
    assert job["TransformJobStatus"] == "Failed"
    assert "the model answered 400 for b'?'…: ? is no number" in job["FailureReason"]


def test_a_record_on_which_the_program_breaks_fails_the_job_and_the_log_says_why(account: Account, model: str) -> None:
    account.client("s3").put_object(Bucket=small.BUCKET, Key="broken/rows.csv", Body="1,x\n")
    reason = transform(account, model, "broken/")["FailureReason"]
    assert "the model answered 500 for b'1,x'" in reason
    assert "could not convert string to float: 'x'" in Path(reason.rpartition("log: ")[2]).read_text(encoding="utf-8")


@pytest.mark.parametrize(("value", "status"), [("1", "Failed"), ("0", "Completed")])
def test_a_model_in_network_isolation_starts_only_if_its_program_needs_no_download(
    account: Account, model: str, value: str, status: str
) -> None:
    sagemaker = account.client("sagemaker")
    container = sagemaker.describe_model(ModelName=model)["PrimaryContainer"]
    container["Environment"] = {**container["Environment"], "PIP_NO_BUILD_ISOLATION": value}
    name = f"isolated-{value}"
    sagemaker.create_model(ModelName=name, ExecutionRoleArn=small.ROLE, PrimaryContainer=container, EnableNetworkIsolation=True)
    job = transform(account, name, "data/")
    assert job["TransformJobStatus"] == status
    if status == "Failed":
        assert 'InstallModuleError: Command "/opt/venv/bin/python3 -m pip install ."' in job["FailureReason"]


def test_a_transform_of_a_model_that_does_not_exist_is_not_created(account: Account, model: str) -> None:
    with pytest.raises(ClientError, match="no-such-model"):
        transform(account, "no-such-model", "data/")


def test_a_filter_that_is_not_supported_is_refused(account: Account, model: str) -> None:
    with pytest.raises(ClientError, match=r"DataProcessing\.InputFilter"):
        transform(account, model, "data/", DataProcessing={"InputFilter": "$..x"})
