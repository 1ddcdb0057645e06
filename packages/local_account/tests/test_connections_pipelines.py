"""Pipelines with a connection's repository as their source: pushes start them, builds get the commit, roles need the connection."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account.account import Account

from . import connected_pipelines as connected
from . import small_pipelines as small
from .connected_pipelines import Clone, create, executions, source, variables
from .roles import EVERYTHING, make_role, open_to_services

DENIED = "The provided role does not have sufficient permissions"


@pytest.fixture(scope="module", autouse=True)
def prepared(account: Account) -> None:
    small.prepare(account)


@pytest.fixture
def name() -> str:
    """Of a pipeline, its connection and its repository's last part: new for each test."""
    return f"p-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def clone(account: Account, name: str, tmp_path: Path) -> Clone:
    """The repository `team/<name>` with one commit on main, pushed."""
    clone = Clone(account, f"team/{name}", tmp_path / "clone")
    clone.change("README.md", content="first\n")
    return clone


def ended(account: Account, name: str, execution_id: str) -> str:
    """Why the execution failed, empty if it did not."""
    status = small.wait(account, name, execution_id)
    return small.failure(account, name) if status == "Failed" else ""


def refusal(account: Account, name: str) -> dict[str, str]:
    """The error of the source action of the one execution, which fails."""
    assert small.wait(account, name, executions(account, name)[-1]["pipelineExecutionId"]) == "Failed"
    found: dict[str, str] = small.action_state(account, name, "Source", "Repository")["errorDetails"]
    return found


# ------------------------------------------------------------------------------------------- what a push does


def test_a_push_starts_the_pipeline_and_its_build_gets_the_commit(account: Account, name: str, clone: Clone) -> None:
    arn = connected.connect(account, name)
    seen = 'test "$COMMIT $AUTHOR" = "$CODEBUILD_RESOLVED_SOURCE_VERSION ada@example.com" && grep second README.md'
    given = {"COMMIT": "#{Code.CommitId}", "AUTHOR": "#{Code.AuthorEmail}"}
    create(account, name, source(arn, clone.full_name), small.command("Build", seen, env=given))

    commit = clone.change("README.md", content="second\n")

    (started,) = executions(account, name)
    assert ended(account, name, started["pipelineExecutionId"]) == ""
    assert started["trigger"] == {"triggerType": "Webhook", "triggerDetail": arn}
    (revision,) = small.execution(account, name, started["pipelineExecutionId"])["artifactRevisions"]
    assert (revision["name"], revision["revisionId"]) == ("Source", commit)
    assert json.loads(revision["revisionSummary"]) == {"ProviderType": "GitHub", "CommitMessage": "change README.md"}


def test_the_first_push_of_a_repository_starts_its_pipeline(account: Account, name: str, tmp_path: Path) -> None:
    create(account, name, source(connected.connect(account, name), f"team/{name}"))

    commit = Clone(account, f"team/{name}", tmp_path / "clone").change("README.md")

    assert variables(account, name, executions(account, name)[0]["pipelineExecutionId"])["CommitId"] == commit


def test_the_source_action_says_what_it_took(account: Account, name: str, clone: Clone) -> None:
    arn = connected.connect(account, name, "Bitbucket")
    create(account, name, source(arn, clone.full_name))
    commit = clone.change("README.md")

    found = variables(account, name, executions(account, name)[0]["pipelineExecutionId"])

    dated = found.pop("AuthorDate")
    assert dated == connected.git("show", "--no-patch", "--format=%aI", commit, cwd=clone.directory).stdout.strip()
    assert found == {
        "AuthorDisplayName": "Ada",
        "AuthorEmail": "ada@example.com",
        "AuthorId": "ada@example.com",
        "BranchName": "main",
        "CommitId": commit,
        "CommitMessage": "change README.md",
        "ConnectionArn": arn,
        "FullRepositoryName": clone.full_name,
        "ProviderType": "Bitbucket",
    }


def test_the_event_of_a_started_pipeline_says_what_was_pushed(account: Account, name: str, clone: Clone) -> None:
    sqs, events, arn = account.client("sqs"), account.client("events"), connected.connect(account, name)
    url = sqs.create_queue(QueueName=name, Attributes=open_to_services())["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(
        Name=name,
        EventPattern=json.dumps(
            {"detail-type": ["CodePipeline Pipeline Execution State Change"], "detail": {"pipeline": [name], "state": ["STARTED"]}}
        ),
    )
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": queue}])
    create(account, name, source(arn, clone.full_name))

    commit = clone.change("README.md")

    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"][:1]
    trigger = json.loads(message["Body"])["detail"]["execution-trigger"]
    assert (trigger["commit-id"], trigger["branch-name"], trigger["connection-arn"]) == (commit, "main", arn)
    assert (trigger["full-repository-name"], trigger["author-display-name"]) == (clone.full_name, "Ada")


@pytest.mark.parametrize("references", [("main:other",), ("main:refs/tags/v1",)])
def test_another_branch_and_a_tag_start_nothing(account: Account, name: str, clone: Clone, references: tuple[str, ...]) -> None:
    create(account, name, source(connected.connect(account, name), clone.full_name))

    clone.change("README.md", *references)

    assert executions(account, name) == []


def test_a_deleted_branch_starts_nothing(account: Account, name: str, clone: Clone) -> None:
    clone.push("main:old")
    create(account, name, source(connected.connect(account, name), clone.full_name, BranchName="old"))

    clone.push("--delete", "old")

    assert executions(account, name) == []


def test_a_pipeline_that_detects_no_changes_is_started_by_hand(account: Account, name: str, clone: Clone) -> None:
    create(account, name, source(connected.connect(account, name), clone.full_name, DetectChanges="false"))
    newest = clone.change("README.md")
    assert executions(account, name) == []

    execution_id = small.start(account, name)

    assert variables(account, name, execution_id)["CommitId"] == newest
    assert executions(account, name)[0]["trigger"]["triggerType"] == "StartPipelineExecution"


def test_an_execution_takes_the_commit_that_its_start_names(account: Account, name: str, clone: Clone) -> None:
    create(account, name, source(connected.connect(account, name), clone.full_name, DetectChanges="false"))
    older = clone.change("README.md")
    clone.change("README.md")
    revisions = [{"actionName": "Repository", "revisionType": "COMMIT_ID", "revisionValue": older}]

    execution_id = small.start(account, name, sourceRevisions=revisions)

    assert variables(account, name, execution_id)["CommitId"] == older


def test_a_repository_of_another_connection_and_name_starts_nothing(account: Account, name: str, clone: Clone, tmp_path: Path) -> None:
    create(account, name, source(connected.connect(account, name), clone.full_name))

    Clone(account, f"team/{name}-x", tmp_path / "longer").change("README.md")
    Clone(account, f"other/{name}", tmp_path / "other").change("README.md")

    assert executions(account, name) == []


# --------------------------------------------------------------------------------------------- the connection


def test_a_pending_connection_is_of_no_use_until_its_handshake(account: Account, name: str, clone: Clone) -> None:
    arn = account.client("codeconnections").create_connection(ConnectionName=name, ProviderType="GitHub")["ConnectionArn"]
    create(account, name, source(arn, clone.full_name))
    clone.change("README.md")
    assert executions(account, name) == [], "a provider that knows of no connection tells of no push"
    small.start(account, name)
    assert f"Unable to use Connection: {arn}. It is PENDING until" in refusal(account, name)["message"]
    assert f"python -m local_account.handshake {name}" in refusal(account, name)["message"]

    connected.complete(account, name)
    commit = clone.change("README.md")

    assert variables(account, name, executions(account, name)[-1]["pipelineExecutionId"])["CommitId"] == commit


def test_a_deleted_connection_is_of_no_use(account: Account, name: str, clone: Clone) -> None:
    arn = connected.connect(account, name)
    create(account, name, source(arn, clone.full_name))
    account.client("codeconnections").delete_connection(ConnectionArn=arn)
    clone.change("README.md")
    assert executions(account, name) == []

    small.start(account, name)

    assert f"Connection not found: {arn}" in refusal(account, name)["message"]


def test_a_repository_that_nobody_pushed_fails_the_action_with_its_address(account: Account, name: str) -> None:
    create(account, name, source(connected.connect(account, name), f"team/{name}"))

    small.start(account, name)

    assert f"{account.settings.endpoint_url}/v1/connections/team/{name}" in refusal(account, name)["message"]


# ---------------------------------------------------------------------------------------------- permissions


def but_for_the_connection(*statements: dict[str, Any]) -> list[dict[str, Any]]:
    """A role that may do everything that pipelines do, and with connections what these statements say."""
    return [{"Effect": "Allow", "Action": ["s3:*", "codebuild:*"], "Resource": "*"}, *statements]


def use(effect: str = "Allow", prefix: str = "codeconnections", resource: str = "*", **condition: str) -> dict[str, Any]:
    """A statement about UseConnection; `condition`: keys with the values that they must have."""
    keys = {f"{prefix}:{key}": value for key, value in condition.items()}
    statement = {"Effect": effect, "Action": f"{prefix}:UseConnection", "Resource": resource}
    return {**statement, **({"Condition": {"StringEquals": keys}} if keys else {})}


REFUSED: dict[str, list[dict[str, Any]]] = {
    "no statement": [],
    "another connection": [use(resource="arn:aws:codeconnections:us-east-1:111122223333:connection/another")],
    "another repository": [use(FullRepositoryId="team/another")],
    "another branch": [use(BranchName="another")],
    "no archive": [use(ProviderAction="GetBranch")],
    "pushes only": [use(ProviderPermissionsRequired="read_write")],
    "denied": [use(), use("Deny")],
    "denied by its old name": [use(), use("Deny", "codestar-connections")],
}


@pytest.mark.parametrize("statements", REFUSED.values(), ids=REFUSED.keys())
def test_a_role_that_may_not_use_the_connection_fails_by_name(account: Account, name: str, clone: Clone, statements: Any) -> None:
    arn = connected.connect(account, name)
    role = make_role(account, name, *but_for_the_connection(*statements))
    create(account, name, source(arn, clone.full_name), role=role)

    clone.change("README.md")

    error = refusal(account, name)
    assert error["code"] == "PermissionError"
    assert f"Unable to use Connection: {arn}. {DENIED}" in error["message"]
    assert "codeconnections:UseConnection" in error["message"]


@pytest.mark.parametrize("prefix", ["codeconnections", "codestar-connections"])
def test_a_role_may_use_the_connection_by_either_name_of_the_permission(account: Account, name: str, clone: Clone, prefix: str) -> None:
    arn = connected.connect(account, name)
    statements = [
        use(prefix=prefix, resource=arn, FullRepositoryId=clone.full_name, BranchName="main", ProviderPermissionsRequired="read_only")
    ]
    role = make_role(account, name, *but_for_the_connection(*statements))
    create(account, name, source(arn, clone.full_name), small.command("Build", "true"), role=role)

    clone.change("README.md")

    assert ended(account, name, executions(account, name)[0]["pipelineExecutionId"]) == ""


# ---------------------------------------------------------------------------------------------- a full clone


def test_a_build_can_have_the_history(account: Account, name: str, clone: Clone) -> None:
    action = source(connected.connect(account, name), clone.full_name, OutputArtifactFormat="CODEBUILD_CLONE_REF")
    seen = 'test "$(git log --format=%s | tr "\\n" ,)" = "change README.md,change README.md," && test "$(git rev-parse HEAD)" = "$COMMIT"'
    resolved = 'test "$CODEBUILD_RESOLVED_SOURCE_VERSION" = "$COMMIT"'
    origin = f'test "$(git remote get-url origin)" = {account.settings.endpoint_url}/v1/connections/{clone.full_name}'
    create(account, name, action, small.command("Build", " && ".join((seen, resolved, origin)), env={"COMMIT": "#{Code.CommitId}"}))

    clone.change("README.md")

    assert ended(account, name, executions(account, name)[0]["pipelineExecutionId"]) == ""


def test_a_build_that_clones_needs_the_connection_too(account: Account, name: str, clone: Clone) -> None:
    arn = connected.connect(account, name)
    build_role = make_role(account, name, EVERYTHING, use("Deny", resource=arn, ProviderAction="GitPull"))
    account.client("codebuild").create_project(
        name=name,
        source={"type": "CODEPIPELINE", "buildspec": "version: 0.2\nphases: {build: {commands: ['true']}}"},
        artifacts={"type": "CODEPIPELINE"},
        environment={
            "type": "LINUX_CONTAINER",
            "image": "aws/codebuild/amazonlinux2-x86_64-standard:5.0",
            "computeType": "BUILD_GENERAL1_SMALL",
        },
        serviceRole=build_role,
    )
    build = small.action("Build", "Build", "CodeBuild", {"ProjectName": name}, inputArtifacts=[{"name": "Source"}])
    create(account, name, source(arn, clone.full_name, OutputArtifactFormat="CODEBUILD_CLONE_REF"), build)

    commit = clone.change("README.md")

    failed = ended(account, name, executions(account, name)[0]["pipelineExecutionId"])
    assert f"authorization failed for primary source and source version {commit}" in failed
    assert DENIED in failed


def test_only_builds_read_a_reference_to_clone(account: Account, name: str, clone: Clone) -> None:
    settings = {"ActionMode": "CREATE_UPDATE", "StackName": name, "TemplatePath": "Source::template.json", "RoleArn": small.ROLE}
    deploy = small.action("Deploy", "Deploy", "CloudFormation", settings, inputArtifacts=[{"name": "Source"}])
    action = source(connected.connect(account, name), clone.full_name, OutputArtifactFormat="CODEBUILD_CLONE_REF")
    create(account, name, action, deploy)

    clone.change("README.md")

    assert "only CodeBuild actions can read" in ended(account, name, executions(account, name)[0]["pipelineExecutionId"])


# --------------------------------------------------------------------------------------------- declarations


@pytest.mark.parametrize(
    ("configuration", "said"),
    [
        ({"OutputArtifactFormat": "TAR"}, "invalid value 'TAR' for OutputArtifactFormat"),
        ({"DetectChanges": "yes"}, "invalid value 'yes' for DetectChanges"),
        ({"PollForSourceChanges": "false"}, "unknown configuration 'PollForSourceChanges'"),
        ({"FullRepositoryId": None}, "missing required configuration 'FullRepositoryId'"),
    ],
)
def test_a_configuration_that_aws_does_not_take_is_refused(
    account: Account, name: str, configuration: dict[str, str | None], said: str
) -> None:
    action = source("arn:aws:codeconnections:us-east-1:111122223333:connection/x", f"team/{name}")
    given = {**action["configuration"], **configuration}
    action["configuration"] = {key: value for key, value in given.items() if value is not None}

    with pytest.raises(ClientError, match=f"InvalidActionDeclarationException.*{said}"):
        create(account, name, action)
