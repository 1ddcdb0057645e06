"""Claims about what status says of versions that are not where they should be: rejected and live, not deployed, not verified."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from build_scripts.command_line import run
from deploy_scripts import status
from tests.unit import deployed_account
from tests.unit.deployed_account import NOW, DeployedAccount, deploy_model
from tests.unit.script_account import PACKAGE, SETTINGS, set_values

DEPLOY, RETURN = "shop--abalone--deploy", "shop--abalone--return"
AGAIN = "aws lambda invoke --function-name shop--abalone--start-deployment"


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> DeployedAccount:
    """Version 2 is live, having been released after version 1; both are approved. Nothing else is under way."""
    made = deployed_account.install(monkeypatch)
    made.codepipeline.add("shop--build")
    deploy_model(made, "abalone", "live")
    made.codepipeline.add(RETURN)
    made.codepipeline.executions |= {DEPLOY: [], RETURN: []}
    made.sagemaker.serve("shop--abalone--live", 2)
    for number in (1, 2):
        add(made, number)
        made.codepipeline.run(DEPLOY, f"e{number}", "Succeeded", f"{PACKAGE}/{number}", minute=number)
    return made


def add(account: DeployedAccount, number: int, approval: str = "Approved") -> str:
    arn = account.sagemaker.add(number, approval)
    account.sagemaker.packages[number]["CreationTime"] = NOW + timedelta(seconds=number)
    return arn


def stage(
    account: DeployedAccount, pipeline: str, name: str, execution: str, status: str, *actions: tuple[str, dict[str, Any]], **more: Any
) -> None:
    """What the stage of a pipeline had last."""
    latest = {"pipelineExecutionId": execution, "status": status}
    states = [{"actionName": action, "latestExecution": told} for action, told in actions]
    account.codepipeline.states[pipeline]["stageStates"].append(
        {"stageName": name, "latestExecution": latest, "actionStates": states, **more}
    )


def review(account: DeployedAccount, number: int, *behind: int) -> None:
    """A version waits for the second approval, and others behind it."""
    for version in (number, *behind):
        account.codepipeline.run(DEPLOY, f"e{version}", "InProgress", f"{PACKAGE}/{version}", minute=10 + version)
    queue = [{"pipelineExecutionId": f"e{version}"} for version in behind]
    open_review = ("Approve", {"status": "InProgress", "token": "t-1", "lastStatusChange": NOW})
    stage(account, DEPLOY, "Staging", f"e{number}", "InProgress", open_review, inboundExecutions=queue)


def shown(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert run(status.main, ["--json", "--model", "abalone"]) == 0
    content: dict[str, Any] = json.loads(capsys.readouterr().out)
    return content


def waiting(capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str]]:
    return [(item["what"], item["command"]) for item in shown(capsys)["waiting"]]


def test_where_everything_is_as_it_should_be_nothing_waits(account: DeployedAccount, capsys: pytest.CaptureFixture[str]) -> None:
    assert waiting(capsys) == []


def test_a_live_version_that_is_rejected_is_shown_with_the_command_that_leaves_it(
    account: DeployedAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    account.sagemaker.packages[2]["ModelApprovalStatus"] = "Rejected"
    content = shown(capsys)
    live = next(item for item in content["stages"] if item["stage"] == "live")
    assert live["status"] == "InService, version rejected"
    (item,) = content["waiting"]
    assert item["what"] == "version 2 of abalone serves live and is rejected"
    assert item["command"] == 'python -m deploy_scripts.roll_back --model abalone --reason "…"'


def test_while_its_return_is_under_way_nobody_has_to_do_anything(account: DeployedAccount, capsys: pytest.CaptureFixture[str]) -> None:
    account.sagemaker.packages[2]["ModelApprovalStatus"] = "Rejected"
    stage(account, RETURN, "Return", "back", "InProgress")
    assert waiting(capsys) == []


def test_a_review_says_of_which_version_it_is_and_what_waits_behind_it(
    account: DeployedAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (3, 4):
        add(account, number)
    review(account, 3, 4)
    opened, behind = waiting(capsys)
    assert opened[0] == "shop--abalone--deploy Staging Approve: version 3; version 4 waits behind it"
    assert behind[0] == "version 4 of abalone is approved and not deployed: it waits behind the review of version 3"


def test_a_newer_version_waits_until_the_experiment_is_over(account: DeployedAccount, capsys: pytest.CaptureFixture[str]) -> None:
    for number in (3, 4):
        add(account, number)
        account.codepipeline.run(DEPLOY, f"e{number}", "InProgress", f"{PACKAGE}/{number}", minute=10 + number)
    decide = ("Decide", {"status": "InProgress", "token": "t-1", "lastStatusChange": NOW})
    stage(account, DEPLOY, "Experiment", "e3", "InProgress", decide, inboundExecutions=[{"pipelineExecutionId": "e4"}])
    opened, behind = waiting(capsys)
    assert opened[0] == (
        "shop--abalone--deploy Experiment Decide: version 3, to be answered once its experiment is decided; version 4 waits behind it"
    )
    assert behind[0] == "version 4 of abalone is approved and not deployed: it waits behind the review of version 3"


def test_a_version_that_waits_before_a_closed_stage_says_who_opens_it(account: DeployedAccount, capsys: pytest.CaptureFixture[str]) -> None:
    account.codepipeline.run(DEPLOY, "e3", "InProgress", add(account, 3), minute=5)
    closed = {"enabled": False, "disabledReason": "no releases before Monday", "lastChangedAt": NOW}
    stage(
        account, DEPLOY, "Production", "e2", "Succeeded", inboundExecutions=[{"pipelineExecutionId": "e3"}], inboundTransitionState=closed
    )
    ((what, command),) = waiting(capsys)
    assert what == "version 3 waits before shop--abalone--deploy Production, which is closed: no releases before Monday"
    assert command == (
        "aws codepipeline enable-stage-transition --pipeline-name shop--abalone--deploy --stage-name Production --transition-type Inbound"
    )


def test_a_build_that_an_update_of_its_pipeline_ended_is_named_with_how_it_begins_again(
    account: DeployedAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing else begins it: the commit was pushed, and is not pushed again."""
    account.codepipeline.states["shop--build"]["stageStates"] = []
    for name, ended in (("Source", "Succeeded"), ("Build", "Cancelled")):
        stage(account, "shop--build", name, "b2", ended)
    ((what, command),) = waiting(capsys)
    assert what == "shop--build was updated (cdk deploy) while it ran, which ended what it did with the last push"
    assert command == "aws codepipeline start-pipeline-execution --name shop--build"
    account.codepipeline.states["shop--build"]["stageStates"][0]["latestExecution"]["pipelineExecutionId"] = "b3"
    assert waiting(capsys) == [], "a later push was built"


def test_a_review_of_a_version_that_was_rejected_says_so(account: DeployedAccount, capsys: pytest.CaptureFixture[str]) -> None:
    add(account, 3, "Rejected")
    review(account, 3)
    assert waiting(capsys)[0][0] == "shop--abalone--deploy Staging Approve: version 3, which is rejected"


@pytest.mark.parametrize(
    ("ended", "more", "why"),
    [
        ("Superseded", {}, "a newer one took its place"),
        ("Stopped", {"stopTrigger": {"reason": "not today"}}, "it was stopped: not today"),
        ("Cancelled", {}, "an update of its pipeline (cdk deploy) ended it; start_deployment begins it anew within 15 minutes"),
        ("Succeeded", {}, "it served, and production was taken back to an earlier one"),
    ],
)
def test_an_approved_version_that_is_not_deployed_says_why_not_and_how_it_is(
    account: DeployedAccount, capsys: pytest.CaptureFixture[str], ended: str, more: dict[str, Any], why: str
) -> None:
    arn = add(account, 3)
    account.codepipeline.run(DEPLOY, "e3", ended, arn, minute=5, **more)
    ((what, command),) = waiting(capsys)
    assert what == f"version 3 of abalone is approved and not deployed: {why}"
    assert command == f"""echo '{{"package": "{arn}"}}' | {AGAIN} --payload fileb:///dev/stdin /dev/stdout"""


@pytest.mark.parametrize(
    ("action", "category", "summary", "why"),
    [
        ("Staging/Approve", "Approval", "too old a sample", "it was declined: too old a sample"),
        ("Staging/Approve", "Approval", "", "nobody answered its review in time, or declined it without a word"),
        ("Staging/Verify", "Test", "exit status 1", "Staging/Verify failed: exit status 1"),
        ("Experiment/Decide", "Approval", "production went back", "its experiment ended without it: production went back"),
    ],
)
def test_a_version_that_was_declined_or_failed_says_by_what(
    account: DeployedAccount, capsys: pytest.CaptureFixture[str], action: str, category: str, summary: str, why: str
) -> None:
    account.codepipeline.run(DEPLOY, "e3", "Failed", add(account, 3), minute=5)
    times = {"startTime": NOW, "lastUpdateTime": NOW}
    account.codepipeline.failed["e3"] = [
        {
            "actionExecutionId": "a",
            "stageName": action.split("/")[0],
            "actionName": action.split("/")[1],
            "status": "Failed",
            **times,
            "input": {"actionTypeId": {"category": category}},
            "output": {"executionResult": {"externalExecutionSummary": summary}},
        }
    ]
    assert waiting(capsys)[0][0] == f"version 3 of abalone is approved and not deployed: {why}"


def test_a_version_that_nothing_has_started_yet_says_who_will(account: DeployedAccount, capsys: pytest.CaptureFixture[str]) -> None:
    add(account, 3)
    assert waiting(capsys)[0][0].endswith("nothing has started it yet; start_deployment looks every 15 minutes")


def test_a_version_that_is_on_its_way_waits_for_nobody(account: DeployedAccount, capsys: pytest.CaptureFixture[str]) -> None:
    account.codepipeline.run(DEPLOY, "e3", "InProgress", add(account, 3), minute=5)
    stage(account, DEPLOY, "Production", "e3", "InProgress")
    assert waiting(capsys) == []


def test_older_versions_are_no_concern(account: DeployedAccount, capsys: pytest.CaptureFixture[str]) -> None:
    account.sagemaker.serve("shop--abalone--live", 2)
    account.codepipeline.executions[DEPLOY] = []
    assert waiting(capsys) == []


@pytest.mark.parametrize(("pipeline", "name"), [(DEPLOY, "Production"), (RETURN, "Return")])
def test_a_version_whose_verification_failed_once_it_was_in_production_is_said_to_serve(
    account: DeployedAccount, capsys: pytest.CaptureFixture[str], pipeline: str, name: str
) -> None:
    account.codepipeline.run(pipeline, "e9", "Failed", f"{PACKAGE}/2", minute=9)
    stage(account, pipeline, name, "e9", "Failed", ("Deploy", {"status": "Succeeded"}), ("Verify", {"status": "Failed"}))
    ((what, command),) = waiting(capsys)
    assert what == "version 2 of abalone serves live although its verification failed; to verify it again"
    assert command == (
        f"aws codepipeline retry-stage-execution --pipeline-name {pipeline} --stage-name {name} "
        "--pipeline-execution-id e9 --retry-mode FAILED_ACTIONS"
    )


def actions(**statuses: str) -> list[tuple[str, dict[str, Any]]]:
    return [(name, {"status": status}) for name, status in statuses.items()]


def test_what_broke_off_between_its_two_updates_was_verified_by_nothing(
    account: DeployedAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    """That the last verification succeeded is of an earlier deployment."""
    account.codepipeline.run(DEPLOY, "e9", "Failed", f"{PACKAGE}/2", minute=9)
    stage(account, DEPLOY, "Production", "e9", "Failed", *actions(Deploy="Succeeded", ChangeType="Failed", Verify="Succeeded"))
    ((what, command),) = waiting(capsys)
    assert what == "version 2 of abalone serves live although ChangeType failed, after which nothing verified it; to verify it again"
    assert command.endswith("--pipeline-execution-id e9 --retry-mode FAILED_ACTIONS")


@pytest.mark.parametrize(
    ("status", "change"), [("InProgress", "InProgress"), ("InProgress", "Succeeded"), ("Stopped", "Abandoned"), ("Failed", "Abandoned")]
)
def test_a_verification_that_failed_in_an_earlier_deployment_says_nothing_of_this_one(
    account: DeployedAccount, capsys: pytest.CaptureFixture[str], status: str, change: str
) -> None:
    """CodePipeline tells the last state of each action, whichever execution had it."""
    account.codepipeline.run(DEPLOY, "e9", status, f"{PACKAGE}/2", minute=9)
    stage(account, DEPLOY, "Production", "e9", status, *actions(Deploy="Succeeded", ChangeType=change, Verify="Failed"))
    assert not [what for what, _ in waiting(capsys) if "verif" in what]


@pytest.mark.parametrize("what_happened", ["another one serves", "it was not deployed"])
def test_a_verification_of_what_does_not_serve_is_only_a_failure(
    account: DeployedAccount, capsys: pytest.CaptureFixture[str], what_happened: str
) -> None:
    package, deployed = (f"{PACKAGE}/1", "Succeeded") if what_happened == "another one serves" else (f"{PACKAGE}/2", "Failed")
    account.codepipeline.run(DEPLOY, "e9", "Failed", package, minute=9)
    stage(account, DEPLOY, "Production", "e9", "Failed", ("Deploy", {"status": deployed}), ("Verify", {"status": "Failed"}))
    assert waiting(capsys) == []


def test_a_stack_or_an_endpoint_that_needs_a_person_is_shown_with_the_one_command(
    account: DeployedAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    account.cloudformation.stacks["shop--abalone--live"]["StackStatus"] = "UPDATE_ROLLBACK_FAILED"
    account.cloudformation.stacks["shop--abalone"]["StackStatus"] = "DELETE_FAILED"
    serving, model = waiting(capsys)
    assert serving[0].startswith("abalone in live: shop--abalone--live is UPDATE_ROLLBACK_FAILED")
    assert serving[1] == "aws cloudformation continue-update-rollback --stack-name shop--abalone--live"
    assert model[0].startswith("shop--abalone is DELETE_FAILED")
    assert model[1] == "aws cloudformation delete-stack --stack-name shop--abalone"
    account.cloudformation.stacks["shop--abalone--live"]["StackStatus"] = "UPDATE_COMPLETE"
    account.sagemaker.endpoints["shop--abalone--live"]["status"] = "Failed"
    assert waiting(capsys)[0][0].startswith("abalone in live: endpoint shop--abalone--live is Failed")


def test_a_return_that_failed_is_told_until_a_version_was_released_after_it(
    account: DeployedAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = {"status": "Failed", "summary": "no archive", "lastStatusChange": NOW}
    stage(account, RETURN, "Return", "back", "Failed", ("Render", broken))
    assert ("shop--abalone--return Return Render", "no archive") in [(item["what"], item["reason"]) for item in shown(capsys)["failures"]]
    released = {"status": "Succeeded", "lastStatusChange": NOW + timedelta(hours=1)}
    stage(account, DEPLOY, "Production", "e2", "Succeeded", ("Verify", released))
    assert shown(capsys)["failures"] == []


def test_twenty_models_as_they_should_be_take_four_questions_each(account: DeployedAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the pipelines and the registry; only what is not as it should be is asked about further."""
    models = {f"model-{number}": SETTINGS.models["abalone"].but(name=f"model-{number}") for number in range(20)}
    set_values(monkeypatch, replace(SETTINGS, models=models))
    asked: Counter[str] = Counter()
    for client, names in (
        (account.codepipeline, ("get_pipeline_state", "get_pipeline_execution", "list_pipeline_executions", "list_action_executions")),
        (account.sagemaker, ("list_model_packages", "list_pipeline_executions")),
    ):
        for name in names:
            monkeypatch.setattr(client, name, counted(getattr(client, name), name, asked))
    assert run(status.main, []) == 0
    # One more state is the build's, and the model of the fixture is still deployed though it is not set any more.
    assert asked == {"get_pipeline_state": 2 * 21 + 1, "list_model_packages": 21, "list_pipeline_executions": 21}


def counted(call: Any, name: str, asked: Counter[str]) -> Any:
    def noted(**request: Any) -> Any:
        asked[name] += 1
        return call(**request)

    return noted
