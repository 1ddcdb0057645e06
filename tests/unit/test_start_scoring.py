"""Which of the uploaded rows are scored: each complete folder once by each version, again when it changes or a job has failed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from infra.serving.start_scoring import handler as start_scoring
from infra.serving.start_scoring.handler import plan

PREFIX = "batch/arrests/"
PACKAGE = "arn:aws:sagemaker:eu-west-1:111122223333:model-package/shop--arrests/3"
JOBS = "shop--arrests--live--"
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def uploaded(key: str, etag: str = "1", minute: int = 0) -> dict[str, Any]:
    """An object as S3 lists it."""
    return {"Key": f"{PREFIX}{key}", "ETag": f'"{etag}"', "LastModified": NOON + timedelta(minutes=minute)}


def marked(folder: str, *files: dict[str, Any], minute: int = 5) -> list[dict[str, Any]]:
    return [*files, uploaded(f"{folder}/_SUCCESS", minute=minute)]


def decided(objects: list[dict[str, Any]], jobs: dict[str, str] | None = None, package: str = PACKAGE) -> start_scoring.Decision:
    return plan(objects, PREFIX, package, jobs or {}, JOBS)


def test_a_complete_folder_is_scored_as_a_whole_and_without_its_marker():
    """The job's prefix is what the files have in common, and the marker not."""
    decision = decided(marked("monday", uploaded("monday/part-0.csv"), uploaded("monday/part-1.csv")))
    assert [(job.source, job.folder) for job in decision.start] == [(f"{PREFIX}monday/part-", "monday")]


def test_files_that_have_only_their_folder_in_common_are_scored_one_by_one():
    decision = decided(marked("monday", uploaded("monday/men.csv"), uploaded("monday/women.csv")))
    assert [job.source for job in decision.start] == [f"{PREFIX}monday/men.csv", f"{PREFIX}monday/women.csv"]


def test_a_folder_inside_that_begins_like_its_files_is_no_part_of_it():
    decision = decided([*marked("monday", uploaded("monday/part-0"), uploaded("monday/part-1")), uploaded("monday/part-later/a.csv")])
    assert [job.source for job in decision.start] == [f"{PREFIX}monday/part-0", f"{PREFIX}monday/part-1"]


def test_a_folder_without_its_marker_waits():
    assert decided([uploaded("monday/a.csv")]).start == []


def test_a_folder_whose_files_are_newer_than_its_marker_waits_for_the_next_marker():
    """It is being uploaded again."""
    assert decided(marked("monday", uploaded("monday/a.csv", minute=6), minute=5)).start == []


def test_a_folder_below_a_folder_is_one_of_its_own():
    decision = decided(marked("2026/01/05", uploaded("2026/01/05/a.csv")))
    assert [job.folder for job in decision.start] == ["2026/01/05"]


def test_rows_at_the_top_are_scored_too():
    objects = [uploaded("a.csv"), {**uploaded("_SUCCESS", minute=5)}]
    assert [(job.source, job.folder) for job in decided(objects).start] == [(f"{PREFIX}a.csv", "")]


@pytest.mark.parametrize("status", ["InProgress", "Completed", "Stopping"])
def test_what_was_started_is_not_started_again(status: str):
    objects = marked("monday", uploaded("monday/a.csv"))
    (job,) = decided(objects).start
    assert decided(objects, {job.name: status}).start == []


def test_a_new_version_scores_what_an_earlier_one_has_scored():
    objects = marked("monday", uploaded("monday/a.csv"))
    (earlier,), (later,) = decided(objects).start, decided(objects, package=PACKAGE.replace("/3", "/4")).start
    assert earlier.name != later.name


def test_rows_that_were_replaced_are_scored_again():
    (first,) = decided(marked("monday", uploaded("monday/a.csv", etag="1"))).start
    (second,) = decided(marked("monday", uploaded("monday/a.csv", etag="2")), {first.name: "Completed"}).start
    assert first.name != second.name


def test_a_failed_job_is_tried_once_more_and_then_given_up():
    objects = marked("monday", uploaded("monday/a.csv"))
    (first,) = decided(objects).start
    (second,) = decided(objects, {first.name: "Failed"}).start
    assert second.name != first.name
    assert decided(objects, {first.name: "Failed", second.name: "InProgress"}).start == []
    decision = decided(objects, {first.name: "Failed", second.name: "Failed"})
    assert (decision.start, decision.given_up) == ([], [f"{PREFIX}monday/a.csv"])


@pytest.mark.parametrize("prefix", ["s--m--e--", f"{'p' * 16}--{'m' * 20}--{'e' * 12}--"])
def test_the_name_of_a_job_is_one_that_sagemaker_takes(prefix: str):
    shape = ServiceModel(Loader().load_service_model("sagemaker", "service-2")).shape_for("TransformJobName")
    (job,) = plan(marked("monday", uploaded("monday/a.csv")), PREFIX, PACKAGE, {}, prefix).start
    assert len(job.name) <= shape.metadata["max"]
    assert len(job.name.removeprefix(prefix)) >= 9


class Taken(Exception):  # noqa: N818 - stands for boto3's ResourceInUse
    pass


class Aws:
    """S3 and SageMaker in one: a folder that was uploaded, and the jobs that were started."""

    class exceptions:  # noqa: N801 - boto3's own name
        ResourceInUse = Taken

    def __init__(self) -> None:
        self.objects = marked("monday", uploaded("monday/a.csv"))
        self.jobs: dict[str, str] = {}
        self.requests: list[dict[str, Any]] = []
        self.started_elsewhere = False

    def get_paginator(self, operation: str) -> Any:
        summaries = [{"TransformJobName": name, "TransformJobStatus": status} for name, status in self.jobs.items()]
        page = {"list_objects_v2": {"Contents": self.objects}, "list_transform_jobs": {"TransformJobSummaries": summaries}}[operation]
        return type("Pages", (), {"paginate": lambda _, **request: iter([page])})()

    def create_transform_job(self, **request: Any) -> None:
        if self.started_elsewhere:
            raise Taken
        self.requests.append(request)
        self.jobs[request["TransformJobName"]] = "InProgress"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Aws:
    made = Aws()
    settings = {
        "model": "model-abc",
        "package": PACKAGE,
        "bucket": "live",
        "input": PREFIX,
        "output": "predictions/arrests/",
        "jobs": JOBS,
        "key": "arn:aws:kms:eu-west-1:111122223333:key/0",
        "resources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        "tags": {"model": "arrests", "environment": "live"},
    }
    monkeypatch.setattr(boto3, "client", lambda _: made)
    monkeypatch.setenv("SETTINGS", json.dumps(settings))
    return made


def test_two_events_start_one_job(aws: Aws):
    first, second = (start_scoring.handler({"source": "aws.s3"}, None) for _ in range(2))
    assert first["started"] == list(aws.jobs)
    assert second["started"] == []


def test_of_two_invocations_at_once_the_later_one_starts_nothing(aws: Aws):
    """Both saw no job; SageMaker takes a name once."""
    aws.started_elsewhere = True
    assert start_scoring.handler({"source": "aws.s3"}, None) == {"started": []}


def test_a_job_that_was_given_up_is_an_error_that_calls_someone(aws: Aws):
    for _ in range(start_scoring.ATTEMPTS):
        start_scoring.handler({"source": "schedule"}, None)
        aws.jobs = dict.fromkeys(aws.jobs, "Failed")
    with pytest.raises(RuntimeError, match=r"batch/arrests/monday/a\.csv"):
        start_scoring.handler({"source": "aws.sagemaker"}, None)


def test_a_request_is_one_that_sagemaker_takes_and_keeps_each_row_beside_its_prediction(aws: Aws):
    start_scoring.handler({"source": "schedule"}, None)
    (request,) = aws.requests
    shape = ServiceModel(Loader().load_service_model("sagemaker", "service-2")).operation_model("CreateTransformJob").input_shape
    assert not ParamValidator().validate(request, shape).has_errors()
    assert request["DataProcessing"] == {"JoinSource": "Input"}
    assert request["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"] == "s3://live/batch/arrests/monday/a.csv"
    assert request["TransformOutput"]["S3OutputPath"].startswith("s3://live/predictions/arrests/monday/version-3/")
    assert {"Key": "model", "Value": "arrests"} in request["Tags"]
