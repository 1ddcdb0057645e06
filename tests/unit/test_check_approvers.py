"""Claims about the second pair of eyes: two people, neither of whom pushed or wrote the commit, whatever they approved with."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from infra.model.check_approvers import handler as check
from infra.model.check_approvers.people import Author, judge, person

USER = "arn:aws:iam::111122223333:user/team/"
SESSION = "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Approver_0a1b/"
PUSHED = [Author("c" * 40, arn=f"{USER}jane"), Author("c" * 40, email="jane@example.com")]


@pytest.mark.parametrize(
    ("approvers", "wanted", "said"),
    [
        ({"Approve": f"{USER}joe"}, 1, ""),
        ({"Approve": f"{USER}joe", "ApproveAgain": f"{SESSION}kim@example.com"}, 2, ""),
        ({"Approve": f"{USER}joe"}, 2, "2 approvals are needed, 1 given"),
        ({"Approve": f"{USER}joe", "ApproveAgain": f"{USER}joe"}, 2, "were both given by"),
        ({"Approve": f"{USER}joe", "ApproveAgain": f"{SESSION}Joe"}, 2, "were both given by"),
        ({"Approve": f"{USER}jane"}, 1, "who pushed (as"),
        ({"Approve": f"{SESSION}jane"}, 1, "who pushed (as"),
        ({"Approve": f"{SESSION}JANE@example.com"}, 1, "who wrote (as jane@example.com)"),
        ({"Approve": f"{SESSION}botocore-session-1700000000"}, 1, "names no person"),
        ({"Approve": ""}, 1, "names no person"),
    ],
)
def test_who_may_approve(approvers: dict[str, str], wanted: int, said: str) -> None:
    refused = judge(approvers, PUSHED, wanted)
    assert (said in refused) if said else refused == ""


def test_where_nobody_knows_the_author_nobody_can_be_another_person() -> None:
    assert "nobody knows" in judge({"Approve": f"{USER}joe"}, [Author("c")], 1)


def test_a_person_is_the_last_part_of_an_arn() -> None:
    assert [person(arn) for arn in (f"{USER}Joe", f"{SESSION}joe", "arn:aws:iam::111122223333:root")] == ["joe", "joe", "root"]


class CodePipeline:
    """An execution of commit `c` with two approvals, whose build somebody pushed; and what is answered about the job."""

    def __init__(self, *approvers: str, pushed_by: str = f"{USER}jane") -> None:
        self.approvers, self.pushed_by, self.answers = approvers, pushed_by, dict[str, Any]()

    def get_pipeline_execution(self, *, pipelineName: str, pipelineExecutionId: str) -> dict[str, Any]:  # noqa: N803 - boto3 spells them so
        if pipelineName == "build":
            return {"pipelineExecution": {"variables": [{"name": "PushedBy", "resolvedValue": self.pushed_by}]}}
        package = {"name": "ModelPackageArn", "resolvedValue": "arn:aws:sagemaker:::model-package/shop/4"}
        return {"pipelineExecution": {"artifactRevisions": [{"revisionId": "c"}], "variables": [package]}}

    def list_action_executions(self, *, pipelineName: str, filter: dict[str, str]) -> dict[str, Any]:  # noqa: N803
        first = datetime(2026, 11, 27, tzinfo=UTC)
        given = zip(("Approve", "ApproveAgain"), self.approvers, strict=False)
        return {
            "actionExecutionDetails": [
                {**_review(name, who), "startTime": first + timedelta(minutes=index)} for index, (name, who) in enumerate(given)
            ]
        }

    def list_pipeline_executions(self, *, pipelineName: str) -> dict[str, Any]:  # noqa: N803
        return {"pipelineExecutionSummaries": [{"pipelineExecutionId": "b", "sourceRevisions": [{"revisionId": "c"}]}]}

    def get_paginator(self, operation: str) -> Any:
        return SimpleNamespace(paginate=lambda **request: [getattr(self, operation)(**request)])

    def put_job_success_result(self, *, jobId: str) -> None:  # noqa: N803
        self.answers[jobId] = "ok"

    def put_job_failure_result(self, *, jobId: str, failureDetails: dict[str, str]) -> None:  # noqa: N803
        self.answers[jobId] = failureDetails["message"]


def _review(name: str, who: str) -> dict[str, Any]:
    return {"stageName": "Staging", "actionName": name, "status": "Succeeded", "updatedBy": who}


def asked(monkeypatch: pytest.MonkeyPatch, codepipeline: CodePipeline, made_by: str = "c", approvals: int = 2) -> str:
    def commit(*, repositoryName: str, commitId: str) -> dict[str, Any]:  # noqa: N803
        return {"commit": {"author": {"email": {"c": "jane@example.com", "m": "kim@example.com"}[commitId]}}}

    package = {"CustomerMetadataProperties": {"git-commit": made_by}}
    clients = {
        "codepipeline": codepipeline,
        "codecommit": SimpleNamespace(get_commit=commit),
        "sagemaker": SimpleNamespace(describe_model_package=lambda **_: package),
    }
    monkeypatch.setattr(boto3, "client", clients.__getitem__)
    names = {"BUILD_PIPELINE_NAME": "build", "DEPLOY_PIPELINE_NAME": "deploy", "STAGE_NAME": "Staging", "REPOSITORY_NAME": "shop"}
    for name, value in {**names, "APPROVAL_NAMES": "Approve,ApproveAgain", "SOURCE_ACTION_NAME": "Repository"}.items():
        monkeypatch.setenv(name, value)
    given = json.dumps({"execution": "e", "approvals": approvals})
    check.handler({"CodePipeline.job": {"id": "j", "data": {"actionConfiguration": {"configuration": {"UserParameters": given}}}}}, None)
    return str(codepipeline.answers["j"])


def test_two_people_who_did_not_push_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, CodePipeline(f"{USER}joe", f"{USER}kim")) == "ok"


def test_one_person_twice_and_the_one_who_pushed_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "were both given by" in asked(monkeypatch, CodePipeline(f"{USER}joe", f"{USER}joe"))
    assert "who pushed" in asked(monkeypatch, CodePipeline(f"{USER}joe", f"{USER}jane"))


def test_what_was_given_before_the_stage_ran_again_is_not_held_against_the_first_of_the_new_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kim gave the second approval in vain, and gives the first one now: the second is asked anew, of somebody else."""
    assert asked(monkeypatch, CodePipeline(f"{USER}kim", f"{USER}kim"), approvals=1) == "ok"


def test_who_wrote_the_commit_that_made_the_version_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "kim@example.com" in asked(monkeypatch, CodePipeline(f"{USER}joe", f"{USER}kim"), made_by="m")


def test_what_cannot_be_checked_is_refused_and_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the stage would wait until its time is over."""
    assert "cannot be checked: KeyError" in asked(monkeypatch, CodePipeline(f"{USER}joe", f"{USER}kim"), made_by="of nobody")
