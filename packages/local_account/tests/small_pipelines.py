"""Small pipelines for tests: a repository, one CodeBuild project that runs the command it is given, and stages."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from local_account.account import Account
from local_account.codecommit import repository
from local_account.git_repositories import GitRepository

BUCKET, ROLE, REPOSITORY = "pipeline-artifacts", "arn:aws:iam::111122223333:role/any", "code"
_BUILDSPEC = """
version: 0.2
env: {exported-variables: [RESULT]}
phases: {build: {commands: ['eval "$COMMAND"']}}
artifacts: {files: ['**/*']}
"""


def prepare(account: Account) -> None:
    """Bucket, repository and project that every pipeline here uses."""
    account.client("s3").create_bucket(Bucket=BUCKET)
    account.client("codecommit").create_repository(repositoryName=REPOSITORY)
    account.client("codebuild").create_project(
        name="runner",
        source={"type": "CODEPIPELINE", "buildspec": _BUILDSPEC},
        artifacts={"type": "CODEPIPELINE"},
        environment={
            "type": "LINUX_CONTAINER",
            "image": "aws/codebuild/amazonlinux2-x86_64-standard:5.0",
            "computeType": "BUILD_GENERAL1_SMALL",
        },
        serviceRole=ROLE,
    )


def commit(account: Account, directory: Path, files: dict[str, str], message: str = "change") -> str:
    """A commit of exactly these files on main; returns its id."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (directory / name).write_text(text)
    return commit_directory(repository(account.context, REPOSITORY), directory, message)


def commit_directory(git: GitRepository, files: Path, message: str) -> str:
    """Add a commit of exactly `files` to main, as a push would, and return its id."""
    index = {"GIT_INDEX_FILE": str(git.directory / "initial.index")}
    author = {f"GIT_{who}_{what}": "tests@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    git.git("--work-tree", str(files), "add", "--all", "--force", ".", environment=index)
    tree = git.git("write-tree", environment=index).decode().strip()
    made = git.git("commit-tree", tree, "-m", message, environment=author).decode().strip()
    git.git("update-ref", "refs/heads/main", made)
    (git.directory / "initial.index").unlink()
    return made


def kind(category: str, provider: str) -> dict[str, str]:
    return {"category": category, "owner": "AWS", "provider": provider, "version": "1"}


def action(name: str, category: str, provider: str, configuration: dict[str, str], **more: Any) -> dict[str, Any]:
    return {"name": name, "actionTypeId": kind(category, provider), "configuration": configuration, **more}


def command(name: str, text: str, **more: Any) -> dict[str, Any]:
    """A build action that runs `text`; `env` adds environment variables."""
    variables = {"COMMAND": text, **more.pop("env", {})}
    declared = json.dumps([{"name": key, "value": value, "type": "PLAINTEXT"} for key, value in variables.items()])
    settings = {"ProjectName": "runner", "EnvironmentVariables": declared}
    return action(name, "Build", "CodeBuild", settings, **{"inputArtifacts": [{"name": "Source"}], **more})


def approval(name: str = "Approve", **configuration: str) -> dict[str, Any]:
    return action(name, "Approval", "Manual", configuration)


def create(account: Account, name: str, *stages: dict[str, Any], mode: str = "SUPERSEDED", **more: Any) -> None:
    """A V2 pipeline whose source stage is added in front."""
    source = action(
        "Repository",
        "Source",
        "CodeCommit",
        {"RepositoryName": REPOSITORY, "BranchName": "main", "PollForSourceChanges": "false"},
        outputArtifacts=[{"name": "Source"}],
        namespace="SourceVariables",
    )
    account.client("codepipeline").create_pipeline(
        pipeline={
            "name": name,
            "roleArn": ROLE,
            "artifactStore": {"type": "S3", "location": BUCKET},
            "pipelineType": "V2",
            "executionMode": mode,
            "stages": [{"name": "Source", "actions": [source]}, *stages],
            **more,
        }
    )


def start(account: Account, name: str, **more: Any) -> str:
    return str(account.client("codepipeline").start_pipeline_execution(name=name, **more)["pipelineExecutionId"])


def execution(account: Account, name: str, execution_id: str) -> dict[str, Any]:
    found: dict[str, Any] = account.client("codepipeline").get_pipeline_execution(pipelineName=name, pipelineExecutionId=execution_id)
    return found["pipelineExecution"]


def wait(account: Account, name: str, execution_id: str, *states: str) -> str:
    """Wait for one of the states (by default any that ends the execution) and return it."""
    wanted = states or ("Succeeded", "Failed", "Stopped", "Superseded")
    return wait_for(lambda: (status := execution(account, name, execution_id)["status"]) in wanted and status)


def wait_for(found: Any, seconds: float = 30.0) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := found():
            return result
        time.sleep(0.03)
    raise AssertionError(f"waited {seconds} s in vain")


def failure(account: Account, name: str) -> str:
    """Why the latest execution failed, for the message of an assertion."""
    details = account.client("codepipeline").list_action_executions(pipelineName=name)["actionExecutionDetails"]
    return "; ".join(f"{detail['actionName']}: {detail['output']['executionResult'].get('errorDetails')}" for detail in details)


def stage_state(account: Account, name: str, stage: str) -> dict[str, Any]:
    states = account.client("codepipeline").get_pipeline_state(name=name)["stageStates"]
    return next(state for state in states if state["stageName"] == stage)


def action_state(account: Account, name: str, stage: str, action_name: str) -> dict[str, Any]:
    states = stage_state(account, name, stage)["actionStates"]
    return next(state for state in states if state["actionName"] == action_name).get("latestExecution", {})


def token(account: Account, name: str, stage: str, action_name: str = "Approve") -> str:
    return str(wait_for(lambda: action_state(account, name, stage, action_name).get("token")))


def decide(account: Account, name: str, stage: str, status: str, token_text: str, action_name: str = "Approve") -> None:
    account.client("codepipeline").put_approval_result(
        pipelineName=name,
        stageName=stage,
        actionName=action_name,
        result={"summary": f"{status} by test", "status": status},
        token=token_text,
    )
