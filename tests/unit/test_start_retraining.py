"""What starts training without a push: the decision, and the calls made for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.loaders import Loader

from build_scripts import run_pipeline
from infra.model.start_retraining import handler as start_retraining

DEFAULTS = {
    "InputDataUrl": "s3://data/training/abalone/",
    "TriggerReason": "manual",
    "GitCommit": "abc123",
}
SCHEDULE = {"source": "schedule"}
DRIFT = {"source": "aws.cloudwatch", "id": "e-1", "detail": {"alarmName": "mlops-production-drift", "state": {"value": "ALARM"}}}


def new_data(key: str) -> dict[str, Any]:
    return {"source": "aws.s3", "id": "e-2", "detail": {"bucket": {"name": "data"}, "object": {"key": key}}}


def run(status: str, arn: str = "arn:run", cause: str = "event e-0") -> dict[str, str]:
    """A run as ListPipelineExecutions tells it."""
    return {"PipelineExecutionArn": arn, "PipelineExecutionStatus": status, "PipelineExecutionDescription": cause}


@pytest.mark.parametrize("event", [SCHEDULE, DRIFT, new_data("training/abalone/_SUCCESS")])
def test_every_trigger_starts_a_run(event):
    assert start_retraining.plan(event, DEFAULTS, []).start


@pytest.mark.parametrize("event", [SCHEDULE, DRIFT, new_data("training/abalone/_SUCCESS")])
def test_no_trigger_starts_a_second_run(event):
    decision = start_retraining.plan(event, DEFAULTS, [run("Executing")])
    assert not decision.start
    assert "a run is active" in decision.reason


def test_data_of_another_data_set_starts_nothing():
    decision = start_retraining.plan(new_data("training/arrests/_SUCCESS"), DEFAULTS, [])
    assert not decision.start
    assert "s3://data/training/abalone/" in decision.reason


def test_the_run_knows_what_started_it_and_which_commit_it_is_of():
    decision = start_retraining.plan(DRIFT, DEFAULTS, [])
    assert decision.parameters == {"TriggerReason": "alarm mlops-production-drift", "GitCommit": "abc123"}


def test_an_unknown_event_is_an_error_that_reaches_the_dead_letter_queue():
    with pytest.raises(ValueError, match=r"aws\.ec2"):
        start_retraining.plan({"source": "aws.ec2"}, DEFAULTS, [])


class FakeSageMaker:
    """One pipeline and its runs, newest first. The same token starts nothing new, whatever else the request says."""

    class exceptions:  # noqa: N801 - boto3's own name
        ResourceNotFound = KeyError

    def __init__(self, statuses: list[str], pipelines: tuple[str, ...] = ("mlops-training",)) -> None:
        self.runs = [run(status, f"arn:old-{number}") for number, status in enumerate(statuses)]
        self.pipelines, self.started = pipelines, []
        self.created = datetime(2026, 1, 1, tzinfo=UTC)
        self.after_listing: Callable[[], object] | None = None
        self.refuses_other_parameters = False

    def describe_pipeline(self, *, PipelineName: str) -> dict[str, Any]:  # noqa: N803 - boto3's own name
        if PipelineName not in self.pipelines:
            raise KeyError(PipelineName)
        definition = {"Parameters": [{"Name": k, "DefaultValue": v} for k, v in DEFAULTS.items()]}
        return {
            "PipelineArn": "arn:pipeline/mlops-training",
            "PipelineDefinition": json.dumps(definition),
            "PipelineDescription": "commit fedcba",
            "CreationTime": self.created,
        }

    def list_pipeline_executions(self, **request: Any) -> dict[str, Any]:
        assert (request["SortBy"], request["SortOrder"]) == ("CreationTime", "Descending")
        seen = [dict(item) for item in self.runs]
        after, self.after_listing = self.after_listing, None
        if after:
            after()
        return {"PipelineExecutionSummaries": seen}

    def start_pipeline_execution(self, **request: Any) -> dict[str, str]:
        for number, earlier in enumerate(self.started):
            if earlier["ClientRequestToken"] == request["ClientRequestToken"]:
                if self.refuses_other_parameters and earlier != request:
                    raise ClientError({"Error": {"Code": "ConflictException"}}, "StartPipelineExecution")
                return {"PipelineExecutionArn": f"arn:new-{number}"}
        self.started.append(request)
        arn = f"arn:new-{len(self.started) - 1}"
        self.runs.insert(0, run("Executing", arn, request["PipelineExecutionDescription"]))
        return {"PipelineExecutionArn": arn}

    def end(self, status: str) -> None:
        self.runs[0]["PipelineExecutionStatus"] = status


@pytest.fixture
def account(monkeypatch):
    def install(sagemaker: FakeSageMaker) -> FakeSageMaker:
        monkeypatch.setattr(boto3, "client", {"sagemaker": sagemaker}.__getitem__)
        monkeypatch.setenv("SAGEMAKER_PIPELINE_NAME", "mlops-training")
        return sagemaker

    return install


@pytest.mark.parametrize("statuses", [[], ["Succeeded", "Failed"]], ids=["first run", "later run"])
@pytest.mark.parametrize("first", [DRIFT, SCHEDULE], ids=["drift", "schedule"])
def test_two_events_that_saw_the_same_runs_start_one(account, statuses, first):
    sagemaker = account(FakeSageMaker(statuses))
    answers = []
    sagemaker.after_listing = lambda: answers.append(start_retraining.handler(first, None))
    answers.append(start_retraining.handler(new_data("training/abalone/_SUCCESS"), None))
    assert [answer["started"] for answer in answers] == ["arn:new-0", "arn:new-0"]
    assert len(sagemaker.started) == 1


def test_an_event_whose_request_is_refused_finds_the_run_when_lambda_tries_again(account):
    """AWS does not say what the same token with other parameters does; an error must neither hide nor start a second run."""
    sagemaker = account(FakeSageMaker(["Succeeded"]))
    sagemaker.refuses_other_parameters = True
    sagemaker.after_listing = lambda: start_retraining.handler(DRIFT, None)
    with pytest.raises(ClientError, match="ConflictException"):
        start_retraining.handler(SCHEDULE, None)
    assert "a run is active" in start_retraining.handler(SCHEDULE, None)["reason"]
    assert len(sagemaker.started) == 1


@pytest.mark.parametrize("status", ["Failed", "Succeeded", "Stopped"])
def test_an_event_after_a_run_has_ended_starts_the_next(account, status):
    sagemaker = account(FakeSageMaker([]))
    start_retraining.handler(SCHEDULE, None)
    sagemaker.end(status)
    assert start_retraining.handler(SCHEDULE, None)["started"] == "arn:new-1"


def test_a_pipeline_that_was_deleted_and_made_again_starts_its_first_run(account):
    sagemaker = account(FakeSageMaker([]))
    start_retraining.handler(SCHEDULE, None)
    sagemaker.runs, sagemaker.created = [], datetime(2026, 1, 2, tzinfo=UTC)
    assert start_retraining.handler(SCHEDULE, None)["started"] == "arn:new-1"


def test_the_request_is_one_that_the_api_allows(account):
    """Seam: the token's length is all that botocore's model of the operation asks of it."""
    shapes = Loader().load_service_model("sagemaker", "service-2")["shapes"]
    allowed = shapes[shapes["StartPipelineExecutionRequest"]["members"]["ClientRequestToken"]["shape"]]
    assert set(allowed) == {"type", "min", "max"}
    sagemaker = account(FakeSageMaker([]))
    start_retraining.handler(SCHEDULE, None)
    assert allowed["min"] <= len(sagemaker.started[0]["ClientRequestToken"]) <= allowed["max"]


@pytest.mark.parametrize("status", ["Executing", "Failed", "Succeeded"])
def test_a_redelivered_event_starts_nothing_new_even_when_its_run_is_over(account, status):
    sagemaker = account(FakeSageMaker(["Succeeded", "Failed"]))
    assert start_retraining.handler(DRIFT, None)["started"] == "arn:new-0"
    sagemaker.end(status)
    assert start_retraining.handler(DRIFT, None) == {
        "started": None,
        "reason": "alarm mlops-production-drift, but event e-1 has already started a run",
    }
    assert len(sagemaker.started) == 1


@pytest.mark.parametrize("status", ["Executing", "Stopping"])
def test_an_active_run_is_found_among_finished_ones(account, status):
    sagemaker = account(FakeSageMaker(["Succeeded", status]))
    assert start_retraining.handler(SCHEDULE, None)["started"] is None
    assert sagemaker.started == []


def test_a_retraining_is_registered_with_the_commit_of_the_deployed_definition(account):
    sagemaker = account(FakeSageMaker([]))
    start_retraining.handler(SCHEDULE, None)
    assert {"Name": "GitCommit", "Value": "fedcba"} in sagemaker.started[0]["PipelineParameters"]


def test_the_push_writes_the_commit_as_the_lambda_reads_it():
    assert run_pipeline.COMMIT_PREFIX == start_retraining.COMMIT_PREFIX


def test_before_the_first_push_there_is_nothing_to_start(account):
    account(FakeSageMaker([], pipelines=()))
    assert "does not exist yet" in start_retraining.handler(SCHEDULE, None)["reason"]


NEW_MODEL = {"source": "aws.cloudformation", "id": "e-3", "detail": {"status-details": {"status": "CREATE_COMPLETE"}}}


class FakeCodePipeline:
    """The build pipeline, and what it was asked to start."""

    def __init__(self, *triggers: str) -> None:
        self.executions = [{"pipelineExecutionId": trigger, "trigger": {"triggerType": trigger}} for trigger in triggers]
        self.started: list[dict[str, str]] = []

    def list_pipeline_executions(self, *, pipelineName: str, maxResults: int) -> dict[str, Any]:  # noqa: N803 - boto3's own names
        assert pipelineName == "shop--build"
        return {"pipelineExecutionSummaries": self.executions[:maxResults]}

    def start_pipeline_execution(self, **request: str) -> dict[str, str]:
        self.started.append(request)
        return {"pipelineExecutionId": "new"}


@pytest.fixture
def build(monkeypatch):
    def install(*triggers: str) -> FakeCodePipeline:
        pipeline = FakeCodePipeline(*triggers)
        monkeypatch.setattr(boto3, "client", {"codepipeline": pipeline}.__getitem__)
        monkeypatch.setenv("BUILD_PIPELINE_NAME", "shop--build")
        return pipeline

    return install


def test_a_new_model_is_built_without_another_push_and_once_per_event(build):
    pipeline = build("StartPipelineExecution", "CreatePipeline")
    assert start_retraining.handler(NEW_MODEL, None)["started"] == "new"
    assert pipeline.started == [{"name": "shop--build", "clientRequestToken": "e-3"}]


@pytest.mark.parametrize("triggers", [(), ("CreatePipeline",)])
def test_a_new_project_waits_for_its_first_push(build, triggers):
    """Its repository is empty, so a build could only fail, as the one does that a new pipeline starts by itself."""
    pipeline = build(*triggers)
    assert "the first push is built" in start_retraining.handler(NEW_MODEL, None)["reason"]
    assert pipeline.started == []
