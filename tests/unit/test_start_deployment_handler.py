"""What starts deployments, as a function: what it asks the services for, what it starts and stops there, and whom it tells once."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from infra.model.start_deployment import handler as start_deployment

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
GROUP = "arn:aws:sagemaker:us-east-1:111122223333:model-package/shop--abalone"
COPIES = GROUP.replace("us-east-1", "eu-west-1")
APPROVAL = {"source": "aws.sagemaker", "id": "e1"}
ENDED = {"source": "aws.codepipeline", "id": "e2"}


def day(number: int) -> datetime:
    return MONDAY + timedelta(days=number)


def refusal(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Operation")


class Aws:
    """Version 1 served, version 2 serves in another region; both were deployed by commit `first`, and `second` was built since."""

    def __init__(self) -> None:
        self.approval = {1: "Approved", 2: "Approved"}
        self.runs = {
            "build": [("b2", "second", "Succeeded", 6), ("bx", "broken", "Failed", 5), ("b1", "first", "Succeeded", 1)],
            "deploy": [("2", "first", "Succeeded", 4), ("x", "broken", "Failed", 3), ("1", "first", "Succeeded", 2)],
            "return": [],
        }
        self.live = f"{COPIES}/7"  # a copy has a number of its own
        self.template: dict[str, Any] = {"Resources": {"Size": 1}}
        self.kept = ["code/templates/second/shop--abalone--live.template.json"]
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.started: list[dict[str, Any]] = []
        self.stopped: list[dict[str, Any]] = []
        self.published: list[str] = []
        self.objects: dict[str, bytes] = {}
        self.in_production: dict[str, str] = {}
        self.over: set[str] = set()
        self.reviewed: dict[str, list[tuple[str, str, str]]] = {}
        self.parameters: list[dict[str, str]] = []
        self.variables: dict[str, list[dict[str, str]]] = {}
        self.as_others_start = lambda: None
        self.stop_refused = "PipelineExecutionNotStoppableException"
        self.kept_decisions: list[Any] = []
        self.meta = SimpleNamespace(region_name="us-east-1")

    def client(self, service: str, **place: str) -> Aws:
        self.asked.append((service, place))
        return self

    def get_paginator(self, operation: str) -> Any:
        pages = {
            "list_model_packages": self._versions,
            "list_objects_v2": self._kept,
            "list_pipeline_executions": self._executions,
            "list_action_executions": self._actions,
        }
        return SimpleNamespace(paginate=lambda **request: [pages[operation](**request)])

    def _actions(self, *, pipelineName: str, filter: dict[str, str]) -> dict[str, Any]:  # noqa: N803
        found = self.reviewed.get(filter["pipelineExecutionId"], [])
        return {
            "actionExecutionDetails": [
                {"actionName": name, "input": {"actionTypeId": {"category": category}}, "status": status}
                for name, category, status in found
            ]
        }

    def _versions(self, **_: str) -> dict[str, Any]:
        numbers = [number for number, said in self.approval.items() if said == "Approved"]
        found = [{"ModelPackageStatus": "Completed", "ModelPackageArn": f"{GROUP}/{number}", "CreationTime": day(1)} for number in numbers]
        return {"ModelPackageSummaryList": found}

    def _kept(self, **_: str) -> dict[str, Any]:
        return {"Contents": [{"Key": key} for key in self.kept]}

    def _executions(self, *, pipelineName: str) -> dict[str, Any]:  # noqa: N803 - boto3 spells them so
        def execution(name: str, commit: str, status: str, started: int) -> dict[str, Any]:
            revisions = [{"actionName": "Repository", "revisionId": commit}] if commit else []
            moments = {"startTime": day(started), "lastUpdateTime": day(started) + timedelta(hours=1)}
            return {"pipelineExecutionId": name, "status": status, "sourceRevisions": revisions, **moments}

        return {"pipelineExecutionSummaries": [execution(*given) for given in self.runs[pipelineName]]}

    def describe_model_package(self, *, ModelPackageName: str) -> dict[str, Any]:  # noqa: N803
        number = int(ModelPackageName.rsplit("/", 1)[-1])
        if ModelPackageName.startswith(COPIES):
            return {"ModelPackageArn": ModelPackageName, "ModelPackageDescription": f"copy of {GROUP}/2"}
        if number not in self.approval:
            raise refusal("ValidationException", f"ModelPackage {ModelPackageName} does not exist.")
        version = {"ModelPackageArn": ModelPackageName, "ModelApprovalStatus": self.approval[number], "CreationTime": day(1)}
        return {**version, "CustomerMetadataProperties": {"git-commit": "first"}}

    def get_pipeline_execution(self, *, pipelineName: str, pipelineExecutionId: str) -> dict[str, Any]:  # noqa: N803
        assert pipelineName != "build"
        number = pipelineExecutionId.partition("-")[0]
        return {
            "pipelineExecution": {
                "variables": [
                    {"name": "ModelPackageArn", "resolvedValue": f"{GROUP}/{number}"},
                    *self.variables.get(pipelineExecutionId, []),
                ]
            }
        }

    def get_pipeline_state(self, *, name: str) -> dict[str, Any]:
        assert name == "deploy"
        production = {"stageName": "Production", "latestExecution": self.in_production}
        return {"stageStates": [{"stageName": "Source"}, {"stageName": "Staging"}, production]}

    def describe_stacks(self, *, StackName: str) -> dict[str, Any]:  # noqa: N803
        if not self.template:
            raise refusal("ValidationError", f"Stack with id {StackName} does not exist")
        return {
            "Stacks": [{"Parameters": self.parameters, "Outputs": [{"OutputKey": "DeployedModelPackageArn", "OutputValue": self.live}]}]
        }

    def get_template(self, **_: str) -> dict[str, Any]:
        if not self.template:
            raise refusal("ValidationError", "Stack with id shop--abalone--live does not exist")
        return {"TemplateBody": self.template}

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        if Key in self.kept:
            return {"Body": io.BytesIO(json.dumps({"Resources": {"Size": 1}}).encode())}
        if Key not in self.objects:
            raise refusal("NoSuchKey", "The specified key does not exist.")
        return {"Body": io.BytesIO(self.objects[Key])}

    def list_objects_v2(self, *, Bucket: str, Prefix: str) -> dict[str, Any]:  # noqa: N803
        return {"Contents": [{"Key": key} for key in self.objects if key.startswith(Prefix)]}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803
        self.objects[Key] = Body

    def publish(self, *, TopicArn: str, Subject: str, Message: str) -> None:  # noqa: N803
        assert len(Subject) < 100
        assert Subject.isascii()
        self.published.append(Message)

    def assume_role(self, *, RoleArn: str, RoleSessionName: str) -> dict[str, Any]:  # noqa: N803
        return {"Credentials": {"AccessKeyId": RoleArn, "SecretAccessKey": "secret", "SessionToken": RoleSessionName}}

    def start_pipeline_execution(self, **request: Any) -> dict[str, str]:
        self.started.append(request)
        self.as_others_start()
        return {"pipelineExecutionId": "started"}

    def stop_pipeline_execution(self, **request: Any) -> None:
        if request["pipelineExecutionId"] in self.over:
            raise refusal(self.stop_refused, "it has ended")
        self.stopped.append(request)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Aws:
    made = Aws()
    monkeypatch.setattr(boto3, "client", made.client)
    values = {
        "MODEL": "abalone",
        "MODEL_PACKAGE_GROUP": "shop--abalone",
        "VERSIONS_ARN": f"{GROUP}/",
        "BUILD_PIPELINE_NAME": "build",
        "DEPLOY_PIPELINE_NAME": "deploy",
        "RETURN_PIPELINE_NAME": "return",
        "SOURCE_ACTION_NAME": "Repository",
        "ARTIFACT_BUCKET": "artifacts",
        "TOLD_KEY": "told.txt",
        "DECISIONS_PREFIX": "decisions/",
        "ALERT_TOPIC_ARN": "arn:topic",
        "SERVING_STACKS": json.dumps([{"name": "shop--abalone--live", "region": "eu-west-1", "role": ""}]),
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(start_deployment.decisions, "keep", lambda *given: made.kept_decisions.append(given))
    return made


def wake(event: Any) -> dict[str, str | None]:
    return start_deployment.handler(event, None)


def test_rejecting_the_live_version_starts_the_return_pipeline_with_both_versions(aws: Aws) -> None:
    """What the stack says is a copy in another region, of the version that people decide about."""
    aws.approval[2] = "Rejected"
    answer = wake({**APPROVAL, "detail": {"ModelPackageArn": f"{GROUP}/2", "ModelApprovalStatus": "Rejected"}})
    assert (answer["returned"], answer["started"]) == ("started", None)
    (request,) = aws.started
    assert request["name"] == "return"
    assert {item["name"]: item["value"] for item in request["variables"]} == {"ModelPackageArn": f"{GROUP}/1", "Leaving": f"{GROUP}/2"}
    assert request["sourceRevisions"] == [{"actionName": "Repository", "revisionType": "COMMIT_ID", "revisionValue": "first"}]


def test_a_copy_that_is_gone_leaves_production_alone(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows then which version it is, and a guess would take a good one out."""
    monkeypatch.setattr(aws, "describe_model_package", lambda **_: (_ for _ in ()).throw(refusal("ValidationException", "does not exist")))
    assert wake(APPROVAL)["returned"] is None


def test_two_events_at_once_start_one_return(aws: Aws) -> None:
    """Both read that nothing is under way. CodePipeline starts one execution for one token."""
    aws.approval[2] = "Rejected"
    wake(APPROVAL)
    wake({**APPROVAL, "id": "e2"})
    aws.runs["return"] = [("1-failed", "first", "Failed", 8)]
    wake({})
    first, second, after_another = (request["clientRequestToken"] for request in aws.started)
    assert first == second != after_another
    assert len(first) <= 128


def test_a_redelivered_event_starts_nothing_while_its_deployment_goes_on(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.approval[3] = "Approved"
    aws.runs["deploy"].insert(0, ("3", "", "InProgress", 7))
    assert wake(APPROVAL)["started"] is None
    assert "version 3 is already on its way" in capsys.readouterr().out


def test_a_build_starts_a_deployment_only_where_a_template_differs(aws: Aws) -> None:
    assert wake(ENDED)["reason"] == "the serving templates are the ones deployed"
    aws.template = {"Resources": {"Size": 2}}
    assert wake(ENDED)["started"] == "started"
    (request,) = aws.started
    assert (request["name"], request["sourceRevisions"][0]["revisionValue"]) == ("deploy", "second")
    assert [item["name"] for item in request["variables"]] == ["ModelPackageArn"]


def test_a_commit_that_does_not_have_the_model_deploys_no_settings_of_it(aws: Aws) -> None:
    """Its build kept templates of other models only: the model's file is gone, or came later."""
    aws.kept, aws.template = ["code/templates/second/shop--other--live.template.json"], {"Resources": {"Size": 2}}
    assert wake(ENDED)["started"] is None


def test_what_is_not_deployed_yet_is_deployed(aws: Aws) -> None:
    aws.template, aws.runs["deploy"] = {}, []
    assert wake(APPROVAL)["started"] == "started"


def test_a_stack_is_looked_at_where_it_is(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the function's account as the function, in another one as a role there."""
    wake(ENDED)
    assert ("cloudformation", {"region_name": "eu-west-1"}) in aws.asked
    role = "arn:aws:iam::333333333333:role/shop--abalone--live--verify"
    monkeypatch.setenv("SERVING_STACKS", json.dumps([{"name": "shop--abalone--live", "region": "eu-central-1", "role": role}]))
    wake(ENDED)
    (there,) = [place for service, place in aws.asked if service == "cloudformation" and place["region_name"] == "eu-central-1"]
    assert there["aws_access_key_id"] == role


def in_review(aws: Aws) -> None:
    aws.approval[3] = "Rejected"
    aws.runs["deploy"].insert(0, ("3-review", "first", "InProgress", 7))


def test_the_review_of_a_rejected_version_is_closed_with_the_reason(aws: Aws) -> None:
    in_review(aws)
    wake(APPROVAL)
    reason = "version 3 is Rejected: its deployment is stopped"
    assert aws.stopped == [{"pipelineName": "deploy", "pipelineExecutionId": "3-review", "abandon": True, "reason": reason}]
    assert aws.started == []


@pytest.mark.parametrize("refused", ["PipelineExecutionNotStoppableException", "DuplicatedStopRequestException"])
def test_one_that_is_in_production_or_has_just_ended_is_not_stopped(aws: Aws, refused: str) -> None:
    """Nor one that the same rejection, delivered twice, is just stopping."""
    in_review(aws)
    aws.over, aws.stop_refused = {"3-review"}, refused
    wake(APPROVAL)
    aws.over, aws.in_production = set(), {"pipelineExecutionId": "3-review", "status": "InProgress"}
    wake(APPROVAL)
    assert aws.stopped == []


def test_people_are_told_once_and_again_when_it_happens_again(aws: Aws) -> None:
    aws.approval = {2: "Rejected"}
    for _ in range(3):
        wake({"source": "schedule"})
    assert len(aws.published) == 1
    assert "version 2 is Rejected and serves production" in aws.published[0]
    aws.approval = {2: "Approved"}
    wake({"source": "schedule"})
    assert len(aws.published) == 1
    aws.approval = {2: "Rejected"}
    wake({"source": "schedule"})
    assert len(aws.published) == 2


def test_an_approval_of_an_older_version_is_answered_with_the_way_back(aws: Aws) -> None:
    wake({**APPROVAL, "detail": {"ModelPackageArn": f"{GROUP}/1", "ModelApprovalStatus": "Approved"}})
    assert aws.started == []
    assert "to go back: `python -m deploy_scripts.roll_back --model abalone --to-version 1`" in aws.published[0]


def test_a_second_thing_to_tell_does_not_repeat_the_first(aws: Aws) -> None:
    """It comes with the event of an approval, and goes with the next look."""
    aws.approval = {2: "Rejected", 3: "Approved", 4: "Approved"}
    aws.runs["deploy"].insert(0, ("4-review", "first", "InProgress", 9))
    wake({"source": "schedule"})
    wake({**APPROVAL, "detail": {"ModelPackageArn": f"{GROUP}/3", "ModelApprovalStatus": "Approved"}})
    wake({"source": "schedule"})
    first, second = aws.published
    assert "version 2 is Rejected and serves production" in first
    assert "version 4 is newer than version 3" in second
    assert "version 2 is Rejected" not in second


@pytest.mark.parametrize(
    "event",
    [
        {"package": f"{GROUP}/2".replace("us-east-1", "eu-west-1")},
        {"package": f"{GROUP}/2".replace("111122223333", "999999999999")},
        {"package": f"{GROUP}/2".replace("shop--abalone", "shop--fish")},
        {"package": f"{GROUP}/latest"},
        {"package": f"{GROUP}/2/2"},
        {"package": f"{GROUP}/9"},
        {"package": "2"},
        {"package": ""},
        {"package": 2},
        {"pakage": f"{GROUP}/2"},
        {"package": f"{GROUP}/2", "force": True},
        {"key1": "value1"},
        f"{GROUP}/2",
        [f"{GROUP}/2"],
    ],
    ids=str,
)
def test_what_is_no_approved_version_of_the_model_is_one_line_by_hand_and_nothing_changes(aws: Aws, event: Any) -> None:
    """Also what `{}` would try again: a version that was declined."""
    aws.approval[3] = "Approved"
    aws.runs["deploy"].insert(0, ("3", "first", "Failed", 7))
    answer = wake(event)
    typed = event["package"] if isinstance(event, dict) and isinstance(event.get("package"), str) and len(event) == 1 else ""
    assert str(answer["reason"]).endswith("; allowed: the ARN of an approved version of abalone")
    assert str(answer["reason"]).startswith(typed or json.dumps(event))
    assert "\n" not in str(answer["reason"])
    assert (answer["started"], answer["returned"], aws.started, aws.stopped, aws.published) == (None, None, [], [], [])


@pytest.mark.parametrize("event", [{}, None], ids=["{}", "no payload"])
def test_nothing_by_hand_tries_again_what_was_declined(aws: Aws, event: Any) -> None:
    aws.approval[3] = "Approved"
    aws.runs["deploy"].insert(0, ("3", "first", "Failed", 7))
    assert wake(event)["started"] == "started"


def test_of_two_approvals_at_once_the_older_one_s_deployment_is_stopped_whichever_was_started_first(aws: Aws) -> None:
    """Neither event has seen the other's deployment before it started its own."""
    aws.approval |= {3: "Approved", 4: "Approved"}

    def both_run() -> None:
        aws.runs["deploy"] = [("4", "", "InProgress", 7), ("3", "", "InProgress", 7), *aws.runs["deploy"]]

    aws.as_others_start = both_run
    assert wake(APPROVAL)["started"] == "started"
    assert [stop["pipelineExecutionId"] for stop in aws.stopped] == ["3"]


OPEN, SAID_YES = ("Approve", "Approval", "InProgress"), ("Approve", "Approval", "Succeeded")


@pytest.mark.parametrize(
    "actions",
    [
        [OPEN],
        [("NotTheAuthor", "Invoke", "InProgress"), SAID_YES],
        [SAID_YES],
        [("ApproveAgain", "Approval", "InProgress"), SAID_YES],
        [("TwoPeople", "Invoke", "Succeeded"), SAID_YES],
        [("Decide", "Approval", "InProgress"), SAID_YES],
    ],
    ids=[
        "its review is open",
        "the first yes is checked",
        "between two actions",
        "a second is asked",
        "it waits for production",
        "it is tried",
    ],
)
def test_a_version_about_which_somebody_was_asked_is_not_stopped_for_a_newer_one(aws: Aws, actions: list[tuple[str, str, str]]) -> None:
    """The stage that has the review may be over, or between two actions; the execution's own actions say it."""
    aws.approval |= {3: "Approved", 4: "Approved"}
    aws.runs["deploy"] = [("4", "", "InProgress", 7), ("3", "", "InProgress", 7), *aws.runs["deploy"]]
    aws.reviewed = {"3": [("Verify", "Test", "Succeeded"), *actions]}
    wake(APPROVAL)
    assert aws.stopped == []


def test_what_was_made_anew_and_not_verified_is_returned_with_another_day(aws: Aws) -> None:
    aws.kept, aws.parameters = [], [{"ParameterKey": "Rebuilt", "ParameterValue": "2026-02-09"}]
    aws.runs["deploy"].insert(0, ("2-anew", "first", "Failed", 35))
    aws.variables["2-anew"] = [{"name": "Rebuilt", "resolvedValue": "2026-02-09"}]
    assert wake(ENDED)["returned"] == "started"
    assert {item["name"]: item["value"] for item in aws.started[0]["variables"]} == {
        "ModelPackageArn": f"{GROUP}/2",
        "Leaving": f"{GROUP}/2",
        "Rebuilt": "2026-02-08",
    }


def test_a_schedule_of_its_own_makes_anew_what_serves_by_the_time_that_it_says(aws: Aws) -> None:
    event = {"source": "schedule", "time": "2026-02-09T06:00:00Z", "rebuild_after_days": "30"}
    aws.kept = []
    assert start_deployment.handler(event, None)["started"] == "started"
    assert {item["name"]: item["value"] for item in aws.started[0]["variables"]} == {
        "ModelPackageArn": f"{GROUP}/2",
        "Rebuilt": "2026-02-09",
    }
    assert start_deployment.handler({**event, "time": "2026-02-01T06:00:00Z"}, None)["started"] is None


def test_bad_input_by_hand_does_not_make_people_hear_again_what_they_know(aws: Aws) -> None:
    aws.approval = {2: "Rejected"}
    for event in ({"source": "schedule"}, {"package": "2"}, {"source": "schedule"}):
        wake(event)
    assert len(aws.published) == 1


def test_every_wake_keeps_who_decided_what_of_the_executions_that_it_has_read(aws: Aws) -> None:
    wake(ENDED)
    ((bucket, prefix, group, pipeline, package_of),) = aws.kept_decisions
    assert (bucket, prefix, group, pipeline) == ("artifacts", "decisions/", "shop--abalone", "deploy")
    assert package_of("1") == f"{GROUP}/1"
    assert package_of("of nothing") == ""
