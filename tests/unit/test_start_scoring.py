"""What is scored without anybody's request: every complete upload, once by each version."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from infra.serving.start_scoring import handler as start_scoring

PACKAGE = "arn:aws:sagemaker:us-east-1:111122223333:model-package/mlops--abalone"
SETTINGS = {
    "model": "abalone-model",
    "package": f"{PACKAGE}/3",
    "version": "3",
    "bucket": "environment",
    "input": "batch/abalone/",
    "output": "predictions/abalone/",
    "jobs": "mlops--abalone--production--",
    "key": "arn:aws:kms:us-east-1:111122223333:key/k",
    "resources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    "tags": {"model": "abalone"},
}
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


class InUseError(ClientError):
    """ResourceInUse: there is a job of that name."""


class Account:
    """S3 and SageMaker in one: pages of two items, so that there is always another."""

    class exceptions:  # noqa: N801 - boto3's own name
        ResourceInUse = InUseError

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.jobs: dict[str, str] = {}
        self.requests: list[dict[str, Any]] = []
        self.unacceptable: set[str] = set()
        self.before_creating: Any = None

    def put(self, *keys: str, content: str = "1", at: int = 0) -> None:
        """Keys below `batch/`, `at` minutes after noon."""
        for key in keys:
            self.objects[f"batch/{key}"] = {"Key": f"batch/{key}", "ETag": content, "LastModified": NOON + timedelta(minutes=at)}

    def get_paginator(self, operation: str) -> Account:
        self._operation = operation
        return self

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        if self._operation == "list_objects_v2":
            found = [item for key, item in sorted(self.objects.items()) if key.startswith(request["Prefix"])]
            return [{"Contents": found[at : at + 2]} for at in range(0, len(found), 2)] + [{}]
        jobs = [{"TransformJobName": name, "TransformJobStatus": status} for name, status in self.jobs.items()]
        found = [job for job in jobs if request["NameContains"] in job["TransformJobName"]]
        return [{"TransformJobSummaries": found[at : at + 2]} for at in range(0, len(found) + 1, 2)]

    def create_transform_job(self, **request: Any) -> None:
        before, self.before_creating = self.before_creating, None
        if before:
            before()
        if request["TransformJobName"] in self.jobs:
            raise InUseError({"Error": {"Code": "ResourceInUse", "Message": "exists"}}, "CreateTransformJob")
        if source_of(request) in self.unacceptable:
            raise ClientError({"Error": {"Code": "ValidationException", "Message": "S3Uri is too long"}}, "CreateTransformJob")
        self.requests.append(request)
        self.jobs[request["TransformJobName"]] = "InProgress"

    def end(self, status: str) -> None:
        self.jobs[self.requests[-1]["TransformJobName"]] = status

    @property
    def scored(self) -> list[str]:
        return [source_of(request) for request in self.requests]


def source_of(request: dict[str, Any]) -> str:
    return str(request["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]).removeprefix("s3://environment/batch/")


def wake() -> list[str]:
    return start_scoring.handler({"source": "schedule"}, None)["started"]


def deploy(monkeypatch: pytest.MonkeyPatch, version: int) -> None:
    monkeypatch.setenv(
        "SETTINGS", json.dumps({**SETTINGS, "package": f"{PACKAGE}/{version}", "version": str(version), "model": f"model-{version}"})
    )


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    made = Account()
    monkeypatch.setattr(boto3, "client", lambda _: made)
    monkeypatch.setenv("SETTINGS", json.dumps(SETTINGS))
    return made


def test_a_complete_folder_is_scored_once(account: Account):
    account.put("abalone/monday/rows.csv", "abalone/monday/_SUCCESS")
    assert len(wake()) == 1
    assert wake() == []
    account.end("Completed")
    assert wake() == []
    assert account.scored == ["abalone/monday/rows.csv"]


def test_a_folder_s_files_are_one_job_and_its_marker_is_not_scored(account: Account):
    account.put("abalone/monday/part-1.csv", "abalone/monday/part-2.csv", "abalone/monday/_SUCCESS")
    wake()
    assert account.scored == ["abalone/monday/part-"]


def test_files_that_begin_differently_are_scored_by_what_they_begin_with(account: Account):
    account.put("abalone/monday/east-1.csv", "abalone/monday/east-2.csv", "abalone/monday/west.csv", "abalone/monday/_SUCCESS")
    wake()
    assert account.scored == ["abalone/monday/east-", "abalone/monday/west.csv"]


def test_one_event_catches_up_with_every_folder_that_earlier_ones_missed(account: Account):
    for day in ("monday", "tuesday", "wednesday"):
        account.put(f"abalone/{day}/rows.csv", f"abalone/{day}/_SUCCESS")
    assert len(wake()) == 3


def test_a_folder_waits_for_its_marker(account: Account):
    account.put("abalone/monday/rows.csv", "abalone/tuesday/_SUCCESS", "abalone/monday/earlier/_SUCCESS")
    assert wake() == []
    account.put("abalone/monday/_SUCCESS", at=1)
    assert len(wake()) == 1


def test_an_upload_that_is_newer_than_the_marker_waits_for_the_next_marker(account: Account):
    account.put("abalone/monday/rows.csv", "abalone/monday/_SUCCESS")
    wake()
    account.put("abalone/monday/rows.csv", content="2", at=1)
    assert wake() == []
    account.put("abalone/monday/_SUCCESS", at=2)
    assert len(wake()) == 1


def test_a_marker_that_comes_again_scores_nothing_again(account: Account):
    account.put("abalone/monday/rows.csv", "abalone/monday/_SUCCESS")
    wake()
    account.put("abalone/monday/_SUCCESS", at=5)
    assert wake() == []


def test_another_version_scores_anew_beside_the_answers_of_the_first(account: Account, monkeypatch: pytest.MonkeyPatch):
    account.put("abalone/monday/rows.csv", "abalone/monday/_SUCCESS")
    wake()
    deploy(monkeypatch, 4)
    assert len(wake()) == 1
    first, second = account.requests
    assert first["TransformOutput"]["S3OutputPath"].startswith("s3://environment/predictions/abalone/monday/version-3/")
    assert second["TransformOutput"]["S3OutputPath"].startswith("s3://environment/predictions/abalone/monday/version-4/")
    assert second["ModelName"] == "model-4"
    deploy(monkeypatch, 3)
    assert wake() == []


def test_two_events_at_once_start_one_job_and_neither_fails(account: Account):
    account.put("abalone/monday/rows.csv", "abalone/monday/_SUCCESS")
    others: list[list[str]] = []
    account.before_creating = lambda: others.append(wake())
    assert wake() == []
    assert [len(started) for started in others] == [1]
    assert len(account.requests) == 1


def test_what_another_model_has_is_left_alone(account: Account):
    account.put("abalone-2/monday/rows.csv", "abalone-2/monday/_SUCCESS", "arrests/rows.csv", "arrests/_SUCCESS")
    assert wake() == []


def test_a_folder_that_begins_like_a_file_beside_it_is_not_scored_with_it(account: Account):
    """The folder `part-old` is not complete; a prefix `part-` would score it."""
    account.put("abalone/part-1.csv", "abalone/part-2.csv", "abalone/_SUCCESS", "abalone/part-old/rows.csv")
    wake()
    assert account.scored == ["abalone/part-1.csv", "abalone/part-2.csv"]


def test_a_name_that_cannot_be_told_from_a_folder_s_is_refused_and_the_rest_is_scored(account: Account):
    account.put("abalone/rows", "abalone/_SUCCESS", "abalone/rows-old/rows.csv", "abalone/tuesday/rows.csv", "abalone/tuesday/_SUCCESS")
    with pytest.raises(RuntimeError, match="batch/abalone/rows: other keys begin with this one"):
        wake()
    assert account.scored == ["abalone/tuesday/rows.csv"]


def test_a_folder_made_in_the_console_is_no_file(account: Account):
    """S3's console makes an empty object whose key ends with a slash."""
    account.put("abalone/", "abalone/monday/", "abalone/monday/rows.csv", "abalone/monday/_SUCCESS")
    wake()
    assert account.scored == ["abalone/monday/rows.csv"]


def test_a_request_that_is_refused_holds_up_no_other_and_is_told(account: Account):
    account.put("abalone/a/rows.csv", "abalone/a/_SUCCESS", "abalone/b/rows.csv", "abalone/b/_SUCCESS")
    account.unacceptable = {"abalone/a/rows.csv"}
    with pytest.raises(RuntimeError, match=r"not scored: batch/abalone/a/rows\.csv: S3Uri is too long"):
        wake()
    assert account.scored == ["abalone/b/rows.csv"]


@pytest.mark.parametrize("status", ["Failed", "Stopped"])
def test_a_failed_job_is_tried_once_more_and_then_told_until_the_rows_are_mended(account: Account, status: str):
    account.put("abalone/monday/rows.csv", "abalone/monday/_SUCCESS")
    wake()
    account.end(status)
    assert len(wake()) == 1
    assert wake() == []
    account.end(status)
    with pytest.raises(RuntimeError, match="failed 2 times"):
        wake()
    account.put("abalone/monday/rows.csv", "abalone/monday/_SUCCESS", content="mended", at=1)
    assert len(wake()) == 1


@pytest.mark.parametrize("prefix", ["a--b--c--", "p" * 52 + "--"], ids=["short", "longest"])
def test_a_job_s_name_is_one_that_the_api_allows(prefix: str):
    shape = Loader().load_service_model("sagemaker", "service-2")["shapes"]["TransformJobName"]
    name = start_scoring.job_name(prefix, f"{PACKAGE}/3", "batch/abalone/rows.csv", {"batch/abalone/rows.csv": "1"}, 0)
    assert len(name) <= shape["max"]
    assert len(name) - len(prefix) >= 9
    assert name.startswith(prefix)
    assert set(name[len(prefix) :]) <= set("abcdefghijklmnopqrstuvwxyz234567")


def test_a_request_is_one_that_the_api_takes(account: Account):
    """Names and types of everything in it, by botocore's model of the operation."""
    account.put("abalone/monday/rows.csv", "abalone/monday/_SUCCESS")
    wake()
    shape = ServiceModel(Loader().load_service_model("sagemaker", "service-2")).operation_model("CreateTransformJob").input_shape
    assert ParamValidator().validate(account.requests[0], shape).generate_report() == ""
