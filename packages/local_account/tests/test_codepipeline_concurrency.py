"""Claims about several executions at once, failures that are retried or rolled back, stops, transitions and events."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account.account import Account

from . import small_pipelines as small
from .roles import open_to_services


@pytest.fixture(scope="module", autouse=True)
def head(account: Account, tmp_path_factory: pytest.TempPathFactory) -> str:
    small.prepare(account)
    return small.commit(account, tmp_path_factory.mktemp("files"), {"readme.md": "hello"})


def stage(name: str, *actions: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "actions": list(actions), **more}


def close(account: Account, name: str, stage_name: str) -> None:
    account.client("codepipeline").disable_stage_transition(
        pipelineName=name, stageName=stage_name, transitionType="Inbound", reason="test holds it"
    )


def open_again(account: Account, name: str, stage_name: str) -> None:
    account.client("codepipeline").enable_stage_transition(pipelineName=name, stageName=stage_name, transitionType="Inbound")


def is_before(account: Account, name: str, stage_name: str, execution_id: str) -> bool:
    waiting = small.stage_state(account, name, stage_name)["inboundExecutions"]
    return execution_id in [execution["pipelineExecutionId"] for execution in waiting]


def test_newer_execution_supersedes_the_one_that_waits(account: Account) -> None:
    small.create(account, "superseding", stage("Go", small.command("Go", "true")))
    close(account, "superseding", "Go")
    executions = []
    for _ in range(3):
        executions.append(small.start(account, "superseding"))
        small.wait_for(lambda: is_before(account, "superseding", "Go", executions[-1]))
    assert small.stage_state(account, "superseding", "Go")["inboundTransitionState"]["disabledReason"] == "test holds it"
    open_again(account, "superseding", "Go")
    assert [small.wait(account, "superseding", execution) for execution in executions] == ["Superseded", "Superseded", "Succeeded"]


def test_execution_inside_a_stage_is_not_superseded(account: Account) -> None:
    small.create(account, "locked", stage("Gate", small.approval()))
    first = small.start(account, "locked")
    token = small.token(account, "locked", "Gate")
    second = small.start(account, "locked")
    small.wait_for(lambda: is_before(account, "locked", "Gate", second))
    assert small.execution(account, "locked", first)["status"] == "InProgress"
    small.decide(account, "locked", "Gate", "Approved", token)
    assert small.wait(account, "locked", first) == "Succeeded"
    new_token = small.wait_for(lambda: (found := small.token(account, "locked", "Gate")) != token and found)
    small.decide(account, "locked", "Gate", "Approved", new_token)
    assert small.wait(account, "locked", second) == "Succeeded"


def test_an_update_of_the_pipeline_cancels_what_is_under_way(account: Account) -> None:
    """ "Edit a pipeline in CodePipeline": a revision that runs through it will not complete the run; PipelineExecution: Cancelled."""
    small.create(account, "edited", stage("Gate", small.approval()))
    first = small.start(account, "edited")
    token = small.token(account, "edited", "Gate")
    second = small.start(account, "edited")
    small.wait_for(lambda: is_before(account, "edited", "Gate", second))
    codepipeline = account.client("codepipeline")
    declared = codepipeline.get_pipeline(name="edited")["pipeline"]
    declared["stages"][1]["actions"][0]["name"] = "Other"
    codepipeline.update_pipeline(pipeline=declared)
    assert [small.wait(account, "edited", execution, "Cancelled") for execution in (first, second)] == ["Cancelled"] * 2
    with pytest.raises(ClientError, match="ApprovalAlreadyCompletedException"):
        small.decide(account, "edited", "Gate", "Approved", token)
    third = small.start(account, "edited")
    small.decide(account, "edited", "Gate", "Approved", small.token(account, "edited", "Gate", "Other"), "Other")
    assert small.wait(account, "edited", third) == "Succeeded"


def test_queued_executions_all_run_in_order(account: Account, tmp_path: Path) -> None:
    record = f"echo $ID >> {tmp_path}/order"
    small.create(
        account, "queued", stage("Go", small.command("Go", record, env={"ID": "#{codepipeline.PipelineExecutionId}"})), mode="QUEUED"
    )
    executions = [small.start(account, "queued") for _ in range(3)]
    assert [small.wait(account, "queued", execution) for execution in executions] == ["Succeeded"] * 3
    assert (tmp_path / "order").read_text().split() == executions


def test_failed_stage_rolls_back_to_the_artifacts_of_the_last_success(account: Account, tmp_path: Path) -> None:
    deploy = f"cat version.txt >> {tmp_path}/deployed; grep -q bad version.txt && exit 1 || true"
    small.create(
        account,
        "rollback",
        stage("Go", small.command("Deploy", deploy), onFailure={"result": "ROLLBACK"}),
        stage("After", small.command("After", f"echo after >> {tmp_path}/deployed")),
    )
    small.commit(account, tmp_path / "v1", {"version.txt": "one\n"})
    good = small.start(account, "rollback")
    assert small.wait(account, "rollback", good) == "Succeeded"
    small.commit(account, tmp_path / "v2", {"version.txt": "bad\n"})
    bad = small.start(account, "rollback")
    assert small.wait(account, "rollback", bad) == "Failed"

    def rolled_back() -> Any:
        newest = account.client("codepipeline").list_pipeline_executions(pipelineName="rollback")["pipelineExecutionSummaries"][0]
        return newest["executionType"] == "ROLLBACK" and newest["status"] == "Succeeded" and newest

    rollback = small.wait_for(rolled_back)
    assert rollback["rollbackMetadata"]["rollbackTargetPipelineExecutionId"] == good
    assert rollback["trigger"] == {"triggerType": "AutomatedRollback", "triggerDetail": bad}
    assert (tmp_path / "deployed").read_text().split() == ["one", "after", "bad", "one"]
    assert small.stage_state(account, "rollback", "Go")["latestExecution"]["type"] == "ROLLBACK"


def test_failure_without_an_earlier_success_is_not_rolled_back(account: Account) -> None:
    small.create(account, "first-fails", stage("Go", small.command("Go", "false"), onFailure={"result": "ROLLBACK"}))
    assert small.wait(account, "first-fails", small.start(account, "first-fails")) == "Failed"
    assert len(account.client("codepipeline").list_pipeline_executions(pipelineName="first-fails")["pipelineExecutionSummaries"]) == 1


def test_automatic_retry_runs_failed_actions_once_more(account: Account, tmp_path: Path) -> None:
    flaky = f"test -f {tmp_path}/tried || {{ touch {tmp_path}/tried; exit 1; }}"
    small.create(
        account,
        "retrying",
        stage(
            "Go",
            small.command("Good", f"echo good >> {tmp_path}/good"),
            small.command("Flaky", flaky),
            onFailure={"result": "RETRY", "retryConfiguration": {"retryMode": "FAILED_ACTIONS"}},
        ),
    )
    assert small.wait(account, "retrying", small.start(account, "retrying")) == "Succeeded"
    assert (tmp_path / "good").read_text() == "good\n"
    assert small.stage_state(account, "retrying", "Go")["retryStageMetadata"]["autoStageRetryAttempt"] == 1


def test_failed_stage_can_be_retried_and_the_execution_goes_on(account: Account, tmp_path: Path) -> None:
    small.create(
        account,
        "manual-retry",
        stage("Go", small.command("Go", f"test -f {tmp_path}/repaired")),
        stage("After", small.command("After", f"touch {tmp_path}/after")),
    )
    execution = small.start(account, "manual-retry")
    retry = {"pipelineName": "manual-retry", "stageName": "Go", "pipelineExecutionId": execution, "retryMode": "FAILED_ACTIONS"}
    assert small.wait(account, "manual-retry", execution) == "Failed"
    (tmp_path / "repaired").touch()
    account.client("codepipeline").retry_stage_execution(**retry)
    assert small.wait(account, "manual-retry", execution) == "Succeeded"
    assert (tmp_path / "after").exists()
    with pytest.raises(ClientError, match="StageNotRetryable"):
        account.client("codepipeline").retry_stage_execution(**retry)


def test_stop_waits_for_the_running_action_and_abandon_does_not(account: Account, tmp_path: Path) -> None:
    block = f"touch {tmp_path}/$ID.started; while ! test -f {tmp_path}/release; do sleep 0.05; done"
    small.create(
        account,
        "stopping",
        stage("Go", small.command("Go", block, env={"ID": "#{codepipeline.PipelineExecutionId}"})),
        stage("Never", small.command("Never", f"touch {tmp_path}/never")),
    )
    execution = small.start(account, "stopping")
    small.wait_for(lambda: (tmp_path / f"{execution}.started").exists())
    account.client("codepipeline").stop_pipeline_execution(pipelineName="stopping", pipelineExecutionId=execution, reason="enough")
    assert small.execution(account, "stopping", execution)["status"] == "Stopping"
    (tmp_path / "release").touch()
    assert small.wait(account, "stopping", execution) == "Stopped"
    assert small.action_state(account, "stopping", "Go", "Go")["status"] == "Succeeded"
    assert not (tmp_path / "never").exists()
    (tmp_path / "release").unlink()

    abandoned = small.start(account, "stopping")
    small.wait_for(lambda: (tmp_path / f"{abandoned}.started").exists())
    account.client("codepipeline").stop_pipeline_execution(pipelineName="stopping", pipelineExecutionId=abandoned, abandon=True)
    assert small.wait(account, "stopping", abandoned) == "Stopped"
    assert small.action_state(account, "stopping", "Go", "Go")["status"] == "Abandoned"
    (tmp_path / "release").touch()


def test_approval_that_is_abandoned_cannot_be_given(account: Account) -> None:
    small.create(account, "abandoned", stage("Gate", small.approval()))
    execution = small.start(account, "abandoned")
    token = small.token(account, "abandoned", "Gate")
    account.client("codepipeline").stop_pipeline_execution(pipelineName="abandoned", pipelineExecutionId=execution, abandon=True)
    assert small.wait(account, "abandoned", execution) == "Stopped"
    with pytest.raises(ClientError, match="ApprovalAlreadyCompleted"):
        small.decide(account, "abandoned", "Gate", "Approved", token)


def test_every_change_of_state_is_an_event(account: Account) -> None:
    queue = account.client("sqs").create_queue(QueueName="pipeline-events", Attributes=open_to_services())["QueueUrl"]
    pattern = {"source": ["aws.codepipeline"], "detail": {"pipeline": ["eventful"]}}
    account.client("events").put_rule(Name="pipeline-events", EventPattern=json.dumps(pattern))
    account.client("events").put_targets(
        Rule="pipeline-events", Targets=[{"Id": "q", "Arn": "arn:aws:sqs:us-east-1:111122223333:pipeline-events"}]
    )
    small.create(account, "eventful", stage("Go", small.command("Go", "false")))
    small.wait(account, "eventful", small.start(account, "eventful"))
    seen: list[tuple[str, str, str]] = []

    def complete() -> bool:
        for message in account.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            event = json.loads(message["Body"])
            what = event["detail-type"].removeprefix("CodePipeline ").removesuffix(" Execution State Change")
            seen.append((what, event["detail"].get("action") or event["detail"].get("stage") or "", event["detail"]["state"]))
        return len(seen) >= 10

    small.wait_for(complete)
    expected = {
        ("Pipeline", "", "STARTED"),
        ("Stage", "Source", "SUCCEEDED"),
        ("Action", "Go", "FAILED"),
        ("Stage", "Go", "FAILED"),
        ("Pipeline", "", "FAILED"),
    }
    assert expected <= set(seen)


def test_lambda_action_ends_when_the_function_reports(account: Account) -> None:
    code = (
        "import boto3\ndef handler(event, context):\n    job = event['CodePipeline.job']\n"
        "    said = job['data']['actionConfiguration']['configuration']['UserParameters']\n    client = boto3.client('codepipeline')\n"
        "    if said == 'fail':\n"
        "        client.put_job_failure_result(jobId=job['id'], failureDetails={'type': 'JobFailed', 'message': 'asked to fail'})\n"
        "    else:\n        client.put_job_success_result(jobId=job['id'], outputVariables={'Said': said})\n"
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        bundle.writestr("index.py", code)
    account.client("lambda").create_function(
        FunctionName="reporter",
        Runtime="python3.11",
        Handler="index.handler",
        Role=small.ROLE,
        Code={"ZipFile": buffer.getvalue()},
        Timeout=30,
    )

    def invoke(name: str, said: str) -> dict[str, Any]:
        return small.action(name, "Invoke", "Lambda", {"FunctionName": "reporter", "UserParameters": said}, namespace=name)

    small.create(
        account,
        "invoking",
        stage("Good", invoke("Good", "hello")),
        stage("Use", small.command("Use", 'test "$SAID" = hello', env={"SAID": "#{Good.Said}"})),
        stage("Bad", invoke("Bad", "fail")),
    )
    small.wait(account, "invoking", small.start(account, "invoking"))
    assert small.action_state(account, "invoking", "Use", "Use")["status"] == "Succeeded", small.failure(account, "invoking")
    assert small.action_state(account, "invoking", "Bad", "Bad")["errorDetails"]["message"] == "asked to fail"


def test_deleted_pipeline_ends_its_executions(account: Account) -> None:
    small.create(account, "deleted", stage("Gate", small.approval()))
    small.start(account, "deleted")
    small.token(account, "deleted", "Gate")
    account.client("codepipeline").delete_pipeline(name="deleted")
    with pytest.raises(ClientError, match="PipelineNotFound"):
        account.client("codepipeline").get_pipeline_state(name="deleted")
