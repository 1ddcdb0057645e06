"""What the deploy pipeline is started with: which version, from which commit, and whether a person is asked."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from infra.model.start_deployment import handler as start_deployment
from infra.model.start_deployment.handler import Release, Version, plan_settings, plan_version

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
GROUP = "arn:aws:sagemaker:us-east-1:111122223333:model-package/mlops--abalone"


def day(number: int) -> datetime:
    return MONDAY + timedelta(days=number)


def version(number: int, commit: str = "made-it", created: int = 0) -> Version:
    return Version(f"{GROUP}/{number}", day(created), commit)


def release(number: int, commit: str, started: int = 1) -> Release:
    return Release(f"{GROUP}/{number}", commit, day(started))


def test_a_new_version_goes_out_with_the_commit_that_made_it_and_asks():
    decision = plan_version(version(2), [], ["pushed-later", "made-it", "first"])
    assert (decision.start, decision.commit, decision.returning) == (True, "made-it", False)


def test_a_newer_commit_of_production_is_not_taken_back_by_a_version_that_an_older_one_made():
    decision = plan_version(version(2), [release(1, "scaled")], ["pushed-later", "scaled", "made-it"])
    assert (decision.commit, decision.returning) == ("scaled", False)


@pytest.mark.parametrize("claimed", ["never-built", "unknown", ""])
def test_a_commit_that_was_never_built_deploys_nothing(claimed: str):
    """The metadata of a version says what pushed code wrote there."""
    assert plan_version(version(2, claimed), [release(1, "first")], ["pushed-later", "first"]).commit == "first"
    assert plan_version(version(2, claimed), [], ["newest", "first"]).commit == "newest"
    assert not plan_version(version(2, claimed), [], []).start


def test_a_version_that_served_production_returns_with_what_production_runs_and_asks_nobody():
    releases = [release(2, "production", 5), release(1, "older", 3)]
    decision = plan_version(version(1, "made-it"), releases, ["pushed-later", "production", "older", "made-it"])
    assert (decision.start, decision.commit, decision.returning) == (True, "production", True)


def test_another_version_that_had_the_same_name_is_not_the_one_that_served():
    """The group was deleted and made again: version 1 is another model."""
    decision = plan_version(version(1, created=10), [release(1, "first", started=3)], ["first"])
    assert decision.start
    assert not decision.returning


def test_without_an_approved_version_nothing_is_deployed():
    assert not plan_version(None, [], ["first"]).start
    assert not plan_settings(None, [], ["first"], ["staging"]).start


def test_a_push_that_changes_a_template_rolls_the_approved_version_and_asks():
    """Also a version that served: with these settings it did not."""
    decision = plan_settings(version(3), [release(3, "first")], ["scaled", "first"], ["production"])
    assert (decision.start, decision.commit, decision.returning) == (True, "scaled", False)
    assert "version 3 goes out with a changed production" in decision.reason


def test_equal_templates_deploy_nothing():
    assert not plan_settings(version(3), [release(3, "first")], ["refactored", "first"], []).start


def test_what_production_already_runs_is_not_deployed_again():
    """Otherwise a deployment that ends would start the next one."""
    assert not plan_settings(version(3), [release(3, "first")], ["first"], ["production"]).start


def test_settings_that_wait_for_their_approval_are_not_deployed_a_second_time():
    decision = plan_settings(version(3), [release(3, "first")], ["scaled", "first"], ["production"], under_way=True)
    assert (decision.start, decision.reason) == (False, "scaled is already on its way")


class Pages:
    def __init__(self, answer: dict[str, Any]) -> None:
        self._answer = answer

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        return [self._answer]


class Aws:
    """What the function asks of the services. Version 1 served, version 2 was rejected; both were deployed by commit `first`."""

    def __init__(self) -> None:
        self.started: list[dict[str, Any]] = []
        self.template = {"Resources": {"Size": 1}}
        self.live = 2
        self.under_way: list[tuple[str, str, str, int]] = []
        self.kept = ["code/templates/second/endpoint.template.json"]
        self.clients: list[tuple[str, dict[str, str]]] = []

    def client(self, service: str, **given: str) -> Aws:
        self.clients.append((service, given))
        return self

    def assume_role(self, *, RoleArn: str, RoleSessionName: str) -> dict[str, Any]:  # noqa: N803 - boto3 spells them so
        return {"Credentials": {"AccessKeyId": RoleArn, "SecretAccessKey": "secret", "SessionToken": RoleSessionName}}

    def get_paginator(self, operation: str) -> Any:
        if operation == "list_model_packages":
            summary = {"ModelPackageStatus": "Completed", "ModelPackageArn": f"{GROUP}/1", "ModelPackageVersion": 1}
            return Pages({"ModelPackageSummaryList": [summary]})
        if operation == "list_objects_v2":
            return Pages({"Contents": [{"Key": key} for key in self.kept]} if self.kept else {})
        return self

    def paginate(self, *, pipelineName: str) -> list[dict[str, Any]]:  # noqa: N803 - boto3 spells them so
        def execution(name: str, commit: str, status: str, started: int) -> dict[str, Any]:
            revisions = [{"actionName": "Repository", "revisionId": commit}] if commit else []
            return {"pipelineExecutionId": name, "status": status, "sourceRevisions": revisions, "startTime": day(started)}

        released = [("?", "", "Succeeded", 5), ("2", "first", "Succeeded", 4), ("x", "broken", "Failed", 3), ("1", "first", "Succeeded", 2)]
        found = {
            "build": [("b2", "second", "Succeeded", 6), ("bx", "broken", "Failed", 5), ("b1", "first", "Succeeded", 1)],
            "deploy": [*self.under_way, *(given for given in released if given[0] != "2" or self.live == 2)],
        }
        return [{"pipelineExecutionSummaries": [execution(*given) for given in found[pipelineName]]}]

    def describe_model_package(self, *, ModelPackageName: str) -> dict[str, Any]:  # noqa: N803
        number = ModelPackageName.rsplit("/", 1)[-1]
        return {
            "ModelPackageArn": ModelPackageName,
            "ModelPackageGroupName": "mlops--abalone",
            "ModelApprovalStatus": "Approved" if number == "1" else "Rejected",
            "CreationTime": day(1),
            "CustomerMetadataProperties": {"git-commit": "first"},
        }

    def get_pipeline_execution(self, *, pipelineName: str, pipelineExecutionId: str) -> dict[str, Any]:  # noqa: N803
        assert pipelineName == "deploy"
        return {"pipelineExecution": {"variables": [{"name": "ModelPackageArn", "resolvedValue": f"{GROUP}/{pipelineExecutionId}"}]}}

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        assert Key == "code/templates/second/endpoint.template.json"
        return {"Body": io.BytesIO(json.dumps({"Resources": {"Size": 1}}).encode())}

    def get_template(self, **_: str) -> dict[str, Any]:
        if not self.template:
            raise ClientError({"Error": {"Code": "ValidationError", "Message": "Stack with id endpoint does not exist"}}, "GetTemplate")
        return {"TemplateBody": self.template}

    def start_pipeline_execution(self, **request: Any) -> dict[str, str]:
        self.started.append(request)
        return {"pipelineExecutionId": "started"}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Aws:
    made = Aws()
    monkeypatch.setattr(boto3, "client", made.client)
    values = {
        "MODEL_PACKAGE_GROUP": "mlops--abalone",
        "BUILD_PIPELINE_NAME": "build",
        "DEPLOY_PIPELINE_NAME": "deploy",
        "SOURCE_ACTION_NAME": "Repository",
        "ARTIFACT_BUCKET": "artifacts",
        "SERVING_STACKS": json.dumps([{"name": "endpoint", "region": "us-east-1", "role": ""}]),
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return made


def test_rejecting_the_live_version_starts_the_one_before_at_production_s_commit(aws: Aws):
    start_deployment.handler({"source": "aws.sagemaker", "id": "e1"}, None)
    (request,) = aws.started
    assert {item["name"]: item["value"] for item in request["variables"]} == {"ModelPackageArn": f"{GROUP}/1", "Returning": "true"}
    assert request["sourceRevisions"] == [{"actionName": "Repository", "revisionType": "COMMIT_ID", "revisionValue": "first"}]


def test_two_events_at_once_start_one_deployment(aws: Aws):
    """The approval's and its build's: both read that nothing is under way. CodePipeline starts one execution for one token."""
    start_deployment.handler({"source": "aws.sagemaker", "id": "e1"}, None)
    start_deployment.handler({"source": "aws.sagemaker", "id": "e2"}, None)
    aws.under_way = [("later", "first", "Failed", 8)]
    start_deployment.handler({"source": "aws.sagemaker", "id": "e1"}, None)
    first, second, after_another = (request["clientRequestToken"] for request in aws.started)
    assert first == second != after_another


def test_a_redelivered_event_starts_nothing_while_its_deployment_goes_on(aws: Aws, capsys: pytest.CaptureFixture[str]):
    aws.under_way = [("1", "", "InProgress", 7)]
    assert start_deployment.handler({"source": "aws.sagemaker", "id": "e1"}, None)["started"] is None
    assert "version 1 is already on its way" in capsys.readouterr().out


def test_a_build_starts_a_deployment_only_where_a_template_differs(aws: Aws, capsys: pytest.CaptureFixture[str]):
    event = {"source": "aws.codepipeline", "id": "e2"}
    assert start_deployment.handler(event, None)["started"] is None
    assert "the endpoint templates are the ones deployed" in capsys.readouterr().out
    aws.template = {"Resources": {"Size": 2}}
    assert start_deployment.handler(event, None)["started"] == "started"
    (request,) = aws.started
    assert request["sourceRevisions"][0]["revisionValue"] == "second"
    assert {"name": "Returning", "value": "false"} in request["variables"]


@pytest.mark.parametrize("commit", ["second", ""])
def test_a_build_whose_commit_is_being_deployed_starts_nothing(aws: Aws, commit: str):
    """Also where the other deployment has only begun, as when a version is approved while its build's event is on its way."""
    aws.template, aws.under_way = {"Resources": {"Size": 2}}, [("3", commit, "InProgress", 7)]
    assert start_deployment.handler({"source": "aws.codepipeline", "id": "e4"}, None)["started"] is None


def test_a_stack_that_is_not_there_is_deployed(aws: Aws):
    aws.template = {}
    assert start_deployment.handler({"source": "aws.codepipeline", "id": "e3"}, None)["started"] == "started"


def test_a_build_of_a_commit_without_the_model_deploys_nothing(aws: Aws):
    """It kept no template of the model's stacks, which are to stay as they are."""
    aws.template, aws.kept = {"Resources": {"Size": 2}}, []
    assert start_deployment.handler({"source": "aws.codepipeline", "id": "e5"}, None)["started"] is None


def test_a_stack_is_looked_at_where_it_is(aws: Aws, monkeypatch: pytest.MonkeyPatch):
    elsewhere = {"name": "endpoint", "region": "eu-west-1", "role": "arn:aws:iam::444455556666:role/verify"}
    here = {"name": "canary", "region": "eu-central-1", "role": ""}
    aws.kept.append("code/templates/second/canary.template.json")
    monkeypatch.setattr(aws, "get_object", lambda **_: {"Body": io.BytesIO(b"{}")})
    monkeypatch.setenv("SERVING_STACKS", json.dumps([elsewhere, here]))
    start_deployment.handler({"source": "aws.codepipeline", "id": "e6"}, None)
    first, second = (given for service, given in aws.clients if service == "cloudformation")
    assert (first["region_name"], first["aws_access_key_id"]) == ("eu-west-1", "arn:aws:iam::444455556666:role/verify")
    assert second == {"region_name": "eu-central-1"}


def test_a_person_who_deploys_again_gets_the_settings_that_did_not_get_out(aws: Aws):
    aws.live, aws.template = 1, {"Resources": {"Size": 2}}
    start_deployment.handler({}, None)
    aws.template = {"Resources": {"Size": 1}}
    start_deployment.handler({}, None)
    assert [request["sourceRevisions"][0]["revisionValue"] for request in aws.started] == ["second", "first"]


def test_a_person_names_a_version_and_gets_only_an_approved_one(aws: Aws):
    assert start_deployment.handler({"package": f"{GROUP}/2"}, None)["started"] is None
    assert start_deployment.handler({"package": f"{GROUP}/1"}, None)["started"] == "started"
