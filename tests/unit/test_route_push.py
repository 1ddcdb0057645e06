"""What a push starts: the decision, and the calls made for it."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from infra.build.route_push import handler as route_push

DOCUMENTATION = ["*.md", "docs/*"]
PUSH = {
    "id": "7c4d4b54-9c62-4a0f-8d7a-6f2f6d0f3a11",
    "detail": {"event": "referenceUpdated", "repositoryName": "mlops", "referenceName": "main", "commitId": "b2", "oldCommitId": "a1"},
}
PUSH["detail"]["callerUserArn"] = "arn:aws:iam::111122223333:user/jane"
FIRST_PUSH = {
    "id": PUSH["id"],
    "detail": {"event": "referenceCreated", "repositoryName": "mlops", "referenceName": "main", "commitId": "b2"},
}


@pytest.mark.parametrize(
    ("paths", "built"),
    [
        (["README.md"], False),
        (["docs/how/to.png", "docs/index.md"], False),
        (["README.md", "settings.py"], True),
        (["documentation.py"], True),
        ([], False),
    ],
)
def test_a_push_is_built_unless_it_changes_only_documentation(paths, built):
    assert route_push.plan(PUSH, paths, DOCUMENTATION).build is built


def test_the_first_push_is_built_although_there_is_nothing_to_compare():
    assert route_push.plan(FIRST_PUSH, [], DOCUMENTATION).build


class FakeCodeCommit:
    """Two pages of differences: a renamed file, then a new one."""

    def get_differences(self, **request: Any) -> dict[str, Any]:
        assert (request["beforeCommitSpecifier"], request["afterCommitSpecifier"]) == ("a1", "b2")
        if "NextToken" not in request:
            return {"differences": [{"beforeBlob": {"path": "settings.py"}, "afterBlob": {"path": "docs/settings.md"}}], "NextToken": "2"}
        return {"differences": [{"afterBlob": {"path": "docs/new.md"}}]}


class FakeCodePipeline:
    def __init__(self) -> None:
        self.started: list[dict[str, Any]] = []

    def start_pipeline_execution(self, **request: Any) -> dict[str, str]:
        self.started.append(request)
        return {"pipelineExecutionId": "run-1"}


@pytest.fixture
def code_pipeline(monkeypatch):
    pipeline = FakeCodePipeline()
    clients = {"codecommit": FakeCodeCommit(), "codepipeline": pipeline}
    monkeypatch.setattr(boto3, "client", clients.__getitem__)
    monkeypatch.setenv("BUILD_PIPELINE_NAME", "mlops--build")
    monkeypatch.setenv("SOURCE_ACTION_NAME", "Repository")
    monkeypatch.setenv("DOCUMENTATION_PATTERNS", ",".join(DOCUMENTATION))
    return pipeline


def test_moving_code_into_the_documentation_is_a_code_change(code_pipeline):
    assert route_push.handler(PUSH, None)["started"] == "run-1"


def test_exactly_the_pushed_commit_is_built_and_once_per_event(code_pipeline):
    route_push.handler(PUSH, None)
    (request,) = code_pipeline.started
    assert request["name"] == "mlops--build"
    assert request["sourceRevisions"] == [{"actionName": "Repository", "revisionType": "COMMIT_ID", "revisionValue": "b2"}]
    assert request["clientRequestToken"] == PUSH["id"]
    assert request["variables"] == [{"name": "PushedBy", "value": "arn:aws:iam::111122223333:user/jane"}]


def test_a_documentation_push_starts_nothing_and_says_why(code_pipeline, monkeypatch, capsys):
    monkeypatch.setenv("DOCUMENTATION_PATTERNS", "*")
    assert route_push.handler(PUSH, None) == {"started": None, "reason": "only documentation changed"}
    assert code_pipeline.started == []
    assert "nothing started" in capsys.readouterr().out
