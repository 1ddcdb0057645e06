"""The CDK's own constructs for a connection, its source action and its triggers deploy and run, with the permissions that they grant."""

from __future__ import annotations

from pathlib import Path

from local_account.account import Account

from . import connected_pipelines as connected
from . import small_pipelines as small
from .cdk_command import run_cdk

APP = Path(__file__).parent / "connected_app" / "app.py"


def test_a_push_to_the_repository_of_a_deployed_connection_is_built(account: Account, tmp_path: Path) -> None:
    run_cdk(account, APP, "bootstrap", "aws://111122223333/us-east-1")
    run_cdk(account, APP, "deploy", "--all", "--require-approval", "never")
    connected.complete(account, "github")
    clone = connected.Clone(account, "team/app", tmp_path / "clone")
    clone.change("README.md")

    clone.change("docs/page.md")
    commit = clone.change("src/app.py")

    started = [each for each in connected.executions(account, "connected") if each["trigger"]["triggerType"] == "WebhookV2"]
    assert len(started) == 1
    execution_id = started[0]["pipelineExecutionId"]
    assert small.wait(account, "connected", execution_id) == "Succeeded", small.failure(account, "connected")
    assert connected.variables(account, "connected", execution_id)["CommitId"] == commit
