"""What starts training without a push: the decision, and the calls made for it."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from build_scripts import run_pipeline
from infra.model_build.start_retraining import handler as start_retraining

DEFAULTS = {
    "InputDataUrl": "s3://data/training/abalone/",
    "InputDataVersion": "unspecified",
    "TriggerReason": "manual",
    "GitCommit": "abc123",
}
SCHEDULE = {"source": "schedule"}
DRIFT = {"source": "aws.cloudwatch", "id": "e-1", "detail": {"alarmName": "mlops-production-drift", "state": {"value": "ALARM"}}}


def new_data(key: str) -> dict[str, Any]:
    return {"source": "aws.s3", "id": "e-2", "detail": {"bucket": {"name": "data"}, "object": {"key": key}}}


@pytest.mark.parametrize("event", [SCHEDULE, DRIFT, new_data("training/abalone/_SUCCESS")])
def test_every_trigger_starts_a_run(event):
    assert start_retraining.plan(event, DEFAULTS, False, "v1").start


@pytest.mark.parametrize("event", [SCHEDULE, DRIFT, new_data("training/abalone/_SUCCESS")])
def test_no_trigger_starts_a_second_run(event):
    decision = start_retraining.plan(event, DEFAULTS, True, "v1")
    assert not decision.start
    assert "a run is active" in decision.reason


def test_data_of_another_data_set_starts_nothing():
    decision = start_retraining.plan(new_data("training/arrests/_SUCCESS"), DEFAULTS, False, "v1")
    assert not decision.start
    assert "s3://data/training/abalone/" in decision.reason


def test_the_run_knows_what_started_it_and_which_data_it_reads():
    decision = start_retraining.plan(DRIFT, DEFAULTS, False, "v1")
    assert decision.parameters == {"TriggerReason": "alarm mlops-production-drift", "InputDataVersion": "v1", "GitCommit": "abc123"}


def test_an_unknown_event_is_an_error_that_reaches_the_dead_letter_queue():
    with pytest.raises(ValueError, match=r"aws\.ec2"):
        start_retraining.plan({"source": "aws.ec2"}, DEFAULTS, False, "v1")


class FakeS3:
    def __init__(self, files: dict[str, str]) -> None:
        self._contents = [{"Key": key, "ETag": tag} for key, tag in files.items()]

    def get_paginator(self, operation: str) -> FakeS3:
        assert operation == "list_objects_v2"
        return self

    def paginate(self, **request: str) -> list[dict[str, Any]]:
        assert request == {"Bucket": "data", "Prefix": "training/abalone/"}
        return [{"Contents": self._contents}, {}]


class FakeSageMaker:
    class exceptions:  # noqa: N801 - boto3's own name
        ResourceNotFound = KeyError

    def __init__(self, statuses: list[str], pipelines: tuple[str, ...] = ("mlops-training",)) -> None:
        self.statuses, self.pipelines, self.started = statuses, pipelines, []

    def describe_pipeline(self, *, PipelineName: str) -> dict[str, str]:  # noqa: N803 - boto3's own name
        if PipelineName not in self.pipelines:
            raise KeyError(PipelineName)
        parameters = [{"Name": k, "DefaultValue": v} for k, v in DEFAULTS.items()]
        return {"PipelineDefinition": json.dumps({"Parameters": parameters}), "PipelineDescription": "commit fedcba"}

    def list_pipeline_executions(self, **request: Any) -> dict[str, Any]:
        assert (request["SortBy"], request["SortOrder"]) == ("CreationTime", "Descending")
        return {"PipelineExecutionSummaries": [{"PipelineExecutionStatus": status} for status in self.statuses]}

    def start_pipeline_execution(self, **request: Any) -> dict[str, str]:
        self.started.append(request)
        return {"PipelineExecutionArn": "arn:run"}


@pytest.fixture
def account(monkeypatch):
    def install(sagemaker: FakeSageMaker) -> FakeSageMaker:
        clients = {"sagemaker": sagemaker, "s3": FakeS3({"training/abalone/a.csv": "1"})}
        monkeypatch.setattr(boto3, "client", clients.__getitem__)
        monkeypatch.setenv("SAGEMAKER_PIPELINE_NAME", "mlops-training")
        return sagemaker

    return install


def test_a_redelivered_event_starts_nothing_new(account):
    sagemaker = account(FakeSageMaker(["Succeeded", "Failed"]))
    assert start_retraining.handler(DRIFT, None)["started"] == "arn:run"
    assert sagemaker.started[0]["ClientRequestToken"] == "e-1"


@pytest.mark.parametrize("status", ["Executing", "Stopping"])
def test_an_active_run_is_found_among_finished_ones(account, status):
    sagemaker = account(FakeSageMaker(["Succeeded", status]))
    assert start_retraining.handler(SCHEDULE, None)["started"] is None
    assert sagemaker.started == []


def test_a_retraining_is_registered_with_the_commit_of_the_deployed_definition(account):
    sagemaker = account(FakeSageMaker([]))
    start_retraining.handler(SCHEDULE, None)
    assert {"Name": "GitCommit", "Value": "fedcba"} in sagemaker.started[0]["PipelineParameters"]


def test_the_push_and_the_lambda_agree_on_the_data_version():
    """Seam: two values for the same data would train again what the step cache already has."""
    files, url = FakeS3({"training/abalone/b.csv": "2", "training/abalone/a.csv": "1"}), "s3://data/training/abalone/"
    assert run_pipeline.data_version(files, url) == start_retraining.find_data_version(files, url)
    assert run_pipeline.COMMIT_PREFIX == start_retraining.COMMIT_PREFIX


def test_before_the_first_push_there_is_nothing_to_start(account):
    account(FakeSageMaker([], pipelines=()))
    assert "does not exist yet" in start_retraining.handler(SCHEDULE, None)["reason"]


def test_the_data_version_changes_with_any_file():
    versions = {
        start_retraining.find_data_version(FakeS3(files), "s3://data/training/abalone/")
        for files in ({"a.csv": "1"}, {"a.csv": "2"}, {"a.csv": "1", "b.csv": "1"}, {"b.csv": "1"})
    }
    assert len(versions) == 4


def test_the_data_version_does_not_depend_on_the_order_of_the_listing():
    first, second = {"a.csv": "1", "b.csv": "2"}, {"b.csv": "2", "a.csv": "1"}
    assert start_retraining.find_data_version(FakeS3(first), "s3://data/training/abalone/") == start_retraining.find_data_version(
        FakeS3(second), "s3://data/training/abalone/"
    )
