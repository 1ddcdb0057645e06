"""Claims about who decided what: it is kept once, also where an event was lost, and read as it was kept."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from deploy_scripts import decisions as read
from infra.model.start_deployment import decisions as kept
from tests.unit.script_account import PACKAGE

PREFIX = "deployments/abalone/decisions/"
AT = datetime(2026, 11, 27, 4, 3, tzinfo=UTC)
JANE = "arn:aws:iam::111122223333:user/jane"


def package(number: int, status: str, words: str = "") -> dict[str, Any]:
    described = {"ModelPackageArn": f"{PACKAGE}/{number}", "ModelPackageVersion": number, "ModelApprovalStatus": status}
    changed = {"LastModifiedTime": AT, "LastModifiedBy": {"IamIdentity": {"Arn": JANE}}, "ApprovalDescription": words}
    return {**described, "CreationTime": AT, **changed}


def review(status: str, who: str = JANE, words: str = "staging is fine") -> dict[str, Any]:
    return {
        "pipelineExecutionId": "e",
        "stageName": "Staging",
        "actionName": "Approve",
        "status": status,
        "lastUpdateTime": AT,
        **({"updatedBy": who} if who else {}),
        "input": {"actionTypeId": {"category": "Approval"}},
        "output": {"executionResult": {"externalExecutionSummary": words}},
    }


class Aws:
    """S3 that takes an object once, a registry and a pipeline."""

    def __init__(self, packages: list[dict[str, Any]], actions: list[dict[str, Any]]) -> None:
        self.packages, self.actions, self.objects, self.described = packages, actions, dict[str, bytes](), list[str]()

    def get_paginator(self, operation: str) -> Any:
        pages = {
            "list_objects_v2": {"Contents": [{"Key": key} for key in self.objects]},
            "list_model_packages": {"ModelPackageSummaryList": self.packages},
        }
        return SimpleNamespace(paginate=lambda **_: [pages[operation]])

    def describe_model_package(self, *, ModelPackageName: str) -> dict[str, Any]:  # noqa: N803 - boto3 spells them so
        self.described.append(ModelPackageName)
        return next(item for item in self.packages if item["ModelPackageArn"] == ModelPackageName)

    def list_action_executions(self, **_: Any) -> dict[str, Any]:
        return {"actionExecutionDetails": self.actions}

    def put_object(self, *, Key: str, Body: bytes, IfNoneMatch: str, **_: str) -> None:  # noqa: N803
        if Key in self.objects:
            raise ClientError({"Error": {"Code": "PreconditionFailed", "Message": ""}}, "PutObject")
        self.objects[Key] = Body

    def get_object(self, *, Key: str, **_: str) -> dict[str, Any]:  # noqa: N803
        return {"Body": io.BytesIO(self.objects[Key])}


def keep(monkeypatch: pytest.MonkeyPatch, aws: Aws) -> None:
    monkeypatch.setattr(boto3, "client", lambda _: aws)
    kept.keep("bucket", PREFIX, "group", "deploy", lambda execution: f"{PACKAGE}/2")


def test_what_was_decided_is_kept_with_who_when_and_which_words(monkeypatch: pytest.MonkeyPatch) -> None:
    aws = Aws([package(1, "PendingManualApproval"), package(2, "Approved", "better")], [review("Succeeded"), review("InProgress")])
    keep(monkeypatch, aws)
    assert sorted(json.loads(body)["words"] for body in aws.objects.values()) == ["better", "staging is fine"]
    assert set(aws.objects) == {
        f"{PREFIX}2/2026-11-27T04:03:00Z-registry-Approved.json",
        f"{PREFIX}2/2026-11-27T04:03:00Z-Staging-Approve-Approved.json",
    }


def test_it_is_asked_for_and_written_once_and_again_when_it_is_decided_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    aws = Aws([package(2, "Approved", "better")], [])
    keep(monkeypatch, aws)
    keep(monkeypatch, aws)
    assert len(aws.described) == 1
    aws.packages = [{**package(2, "Rejected", "worse after all"), "LastModifiedTime": AT.replace(hour=5)}]
    keep(monkeypatch, aws)
    assert [json.loads(aws.objects[key])["what"] for key in sorted(aws.objects)] == ["Approved", "Rejected"]


def test_two_that_keep_at_once_do_not_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    aws = Aws([package(2, "Approved")], [])
    keep(monkeypatch, aws)
    seen, aws.objects = aws.objects, {}
    monkeypatch.setattr(aws, "get_paginator", _empty(aws))
    aws.objects = seen
    keep(monkeypatch, aws)
    assert len(aws.objects) == 1


def _empty(aws: Aws) -> Any:
    """A listing from before the other one wrote."""
    real = aws.get_paginator
    nothing = SimpleNamespace(paginate=lambda **_: [{}])
    return lambda operation: nothing if operation == "list_objects_v2" else real(operation)


def test_a_review_that_nobody_answered_in_time_is_no_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    aws = Aws([], [review("Failed", who="")])
    keep(monkeypatch, aws)
    assert aws.objects == {}


def test_both_sides_read_the_services_alike() -> None:
    """Neither can import the other, and what is kept must be what is read beside it."""
    assert read.Decision(**kept.of_registry(package(2, "Rejected", "no"))) == read.of_registry(package(2, "Rejected", "no"))
    for status in ("Succeeded", "Failed"):
        assert read.Decision(**kept.of_pipeline(review(status), 2)) == read.of_pipeline(review(status), 2)
    assert read.of_registry(package(1, "PendingManualApproval")) is None
