"""For tests: connections, their repositories with stock git, and pipelines whose source they are."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from local_account import handshake
from local_account.account import Account

from . import small_pipelines as small


def git(*arguments: str, cwd: Path | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Stock git, without the person's own configuration."""
    who = {
        f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in (("NAME", "Ada"), ("EMAIL", "ada@example.com"))
    }
    quiet = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
    return subprocess.run(
        ["git", *arguments], cwd=cwd, env={**os.environ, **who, **quiet}, capture_output=True, text=True, timeout=60, check=check
    )


def address(account: Account, full_name: str, password: str | None = None) -> str:
    settings = account.settings
    return f"http://ada:{password or settings.secret}@127.0.0.1:{settings.port}/v1/connections/{full_name}"


def connect(account: Account, name: str, provider: str = "GitHub") -> str:
    """A connection whose handshake is done; its ARN."""
    arn: str = account.client("codeconnections").create_connection(ConnectionName=name, ProviderType=provider)["ConnectionArn"]
    complete(account, name)
    return arn


def complete(account: Account, name: str) -> None:
    assert (
        handshake.main([name], {"AWS_ENDPOINT_URL": account.settings.endpoint_url, "AWS_SECRET_ACCESS_KEY": account.settings.secret}) == 0
    )


class Clone:
    """A working copy of a connection's repository, on main."""

    def __init__(self, account: Account, full_name: str, directory: Path) -> None:
        self.full_name, self.directory = full_name, directory
        git("init", "--quiet", "--initial-branch=main", str(directory))
        git("remote", "add", "origin", address(account, full_name), cwd=directory)

    def commit(self, files: dict[str, str], message: str = "change") -> str:
        """Write files (path -> content) and commit them; the commit's id."""
        for path, content in files.items():
            (self.directory / path).parent.mkdir(parents=True, exist_ok=True)
            (self.directory / path).write_text(content)
        git("add", "--all", cwd=self.directory)
        git("commit", "--quiet", "-m", message, cwd=self.directory)
        return git("rev-parse", "HEAD", cwd=self.directory).stdout.strip()

    def push(self, *references: str) -> None:
        git("push", "--quiet", "origin", *(references or ("main",)), cwd=self.directory)

    def change(self, path: str, *references: str, content: str | None = None) -> str:
        """Commit one more line of a file, and push; the commit's id."""
        file = self.directory / path
        commit = self.commit({path: content or (file.read_text() if file.exists() else "") + "x\n"}, f"change {path}")
        self.push(*references)
        return commit


def source(arn: str, full_name: str, **configuration: str) -> dict[str, Any]:
    """A source action on main."""
    given = {"ConnectionArn": arn, "FullRepositoryId": full_name, "BranchName": "main", **configuration}
    made = {"outputArtifacts": [{"name": "Source"}], "namespace": "Code"}
    return small.action("Repository", "Source", "CodeStarSourceConnection", given, **made)


def declaration(
    name: str, action: dict[str, Any], *actions: dict[str, Any], triggers: Any = None, role: str = small.ROLE
) -> dict[str, Any]:
    """A V2 pipeline of the source and one stage, which waits for an approval unless `actions` are given."""
    return {
        "name": name,
        "roleArn": role,
        "artifactStore": {"type": "S3", "location": small.BUCKET},
        "pipelineType": "V2",
        "stages": [{"name": "Source", "actions": [action]}, {"name": "Next", "actions": list(actions) or [small.approval()]}],
        **({"triggers": triggers} if triggers is not None else {}),
    }


def create(account: Account, name: str, action: dict[str, Any], *actions: dict[str, Any], **more: Any) -> None:
    account.client("codepipeline").create_pipeline(pipeline=declaration(name, action, *actions, **more))


def trigger(*filters: dict[str, Any], action: str = "Repository") -> list[dict[str, Any]]:
    push = {"push": list(filters)} if filters else {}
    return [{"providerType": "CodeStarSourceConnection", "gitConfiguration": {"sourceActionName": action, **push}}]


def executions(account: Account, name: str) -> list[dict[str, Any]]:
    """The executions of a pipeline, oldest first. A push has started what it starts by the time that git has its answer."""
    found = account.client("codepipeline").list_pipeline_executions(pipelineName=name)["pipelineExecutionSummaries"]
    return list(reversed(found))


def variables(account: Account, name: str, execution_id: str) -> dict[str, str]:
    """The output variables of the source action, once it has ended."""

    def ended() -> Any:
        answer = account.client("codepipeline").list_action_executions(pipelineName=name, filter={"pipelineExecutionId": execution_id})
        found = [each for each in answer["actionExecutionDetails"] if each["stageName"] == "Source" and each["status"] != "InProgress"]
        return found[0] if found else None

    found: dict[str, str] = small.wait_for(ended)["output"]["outputVariables"]
    return found
