"""Claims about leaving a live version: what is rejected, in which order, what returns, and that nothing changes where it could not."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from build_scripts.command_line import run
from deploy_scripts import roll_back
from tests.unit import deployed_account
from tests.unit.deployed_account import NOW, DeployedAccount, deploy_model
from tests.unit.script_account import GROUP, PACKAGE, SETTINGS, refusal, set_values

DEPLOY, RETURN = "shop--abalone--deploy", "shop--abalone--return"
STACK = "shop--abalone--live"


class StartDeployment:
    """Starts a return, as the function does once the live version is rejected; `begins` False: the function is silent."""

    def __init__(self, account: DeployedAccount) -> None:
        self.account, self.asked, self.begins, self.status = account, list[dict[str, Any]](), True, "Succeeded"
        self.returns = 2

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803 - boto3 spells them so
        assert FunctionName == "shop--abalone--start-deployment"
        self.asked.append(json.loads(Payload))
        if self.begins:
            self.account.codepipeline.run(RETURN, "back", self.status, f"{PACKAGE}/{self.returns}", minute=9)
        return {"Payload": io.BytesIO(json.dumps({"reason": "version 3 is Rejected"}).encode())}


@pytest.fixture
def function(account: DeployedAccount) -> StartDeployment:
    made = StartDeployment(account)
    account.clients["lambda"] = made
    return made


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> DeployedAccount:
    """Versions 1, 2 and 3 have served, 3 is live; 4 is approved and waits in its review; nothing has ever come of 5."""
    made = deployed_account.install(monkeypatch)
    deploy_model(made, "abalone")
    made.cloudformation.add(STACK, DeployedModelPackageArn=f"{PACKAGE}/3", EndpointName=STACK)
    made.sagemaker.serve(STACK, 3)
    made.codepipeline.executions[RETURN] = []
    for number, approval in enumerate(("Approved", "Approved", "Approved", "Approved", "PendingManualApproval"), start=1):
        made.sagemaker.add(number, approval)
        made.sagemaker.packages[number]["CreationTime"] = NOW + timedelta(minutes=number)
        if number < 4:
            made.codepipeline.run(DEPLOY, f"e{number}", "Succeeded", f"{PACKAGE}/{number}", minute=number + 1)
    made.codepipeline.run(DEPLOY, "e4", "InProgress", f"{PACKAGE}/4", minute=6)
    made.clients |= {"s3": made.sagemaker.s3, "codebuild": None, "logs": None}
    return made


def approvals(account: DeployedAccount) -> dict[int, str]:
    return {number: package["ModelApprovalStatus"] for number, package in account.sagemaker.packages.items()}


def rejected(account: DeployedAccount) -> dict[int, str]:
    return {
        number: package["ApprovalDescription"] for number, package in account.sagemaker.packages.items() if "ApprovalDescription" in package
    }


def leave(*arguments: str) -> int:
    return run(roll_back.main, ["--model", "abalone", "--reason", "answers 5xx", "--yes", *arguments])


def test_the_live_version_is_rejected_with_the_reason_and_what_served_before_it_returns(
    account: DeployedAccount, function: StartDeployment, capsys: pytest.CaptureFixture[str]
) -> None:
    assert leave() == 0
    assert rejected(account) == {3: "answers 5xx"}
    said = capsys.readouterr().out
    assert "live in live: version 3 of abalone (Approved)" in said
    assert "rejects: version 3 (live)" in said
    assert "returns: version 2, whose last release began on 2026-11-27 04:06" in said
    assert "version 2 serves live again" in said


def test_an_approved_version_that_never_served_is_not_what_production_goes_back_to(
    account: DeployedAccount, function: StartDeployment
) -> None:
    """Version 4 is newer and approved; it stays in its review."""
    assert leave() == 0
    assert approvals(account)[4] == "Approved"


def test_with_a_version_named_every_newer_approved_one_is_rejected_and_the_live_one_last(
    account: DeployedAccount, function: StartDeployment, capsys: pytest.CaptureFixture[str]
) -> None:
    function.returns = 1
    assert leave("--to-version", "1") == 0
    assert set(rejected(account)) == {2, 3, 4}
    assert approvals(account)[5] == "PendingManualApproval"
    lines = [line for line in capsys.readouterr().out.splitlines() if line.endswith("is rejected")]
    assert lines == ["version 4 is rejected", "version 2 is rejected", "version 3 is rejected"]


def test_a_version_can_be_named_by_its_arn(account: DeployedAccount, function: StartDeployment) -> None:
    assert leave("--to-version", f"{PACKAGE}/2") == 0
    assert set(rejected(account)) == {3, 4}


def test_the_function_is_told_of_the_rejection_because_its_event_may_be_lost(account: DeployedAccount, function: StartDeployment) -> None:
    leave()
    (event,) = function.asked
    assert event["source"] == "aws.sagemaker"
    assert event["detail"] == {"ModelPackageArn": f"{PACKAGE}/3", "ModelPackageGroupName": GROUP, "ModelApprovalStatus": "Rejected"}


def test_a_function_that_may_not_be_asked_is_woken_by_the_event(
    account: DeployedAccount, function: StartDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:
        account.codepipeline.run(RETURN, "back", "Succeeded", f"{PACKAGE}/2", minute=9)
        raise refusal("AccessDeniedException", "no", "Invoke")

    monkeypatch.setattr(function, "invoke", refuse)
    assert leave() == 0


def test_a_live_version_that_somebody_rejected_before_is_rejected_again_so_that_its_return_is_tried_again(
    account: DeployedAccount, function: StartDeployment
) -> None:
    account.sagemaker.packages[3]["ModelApprovalStatus"] = "Rejected"
    account.codepipeline.run(RETURN, "failed", "Failed", f"{PACKAGE}/2", minute=8)
    assert leave() == 0
    assert rejected(account) == {3: "answers 5xx"}


def test_a_live_version_that_was_deleted_cannot_be_rejected_so_what_returns_is_asked_for(
    account: DeployedAccount, function: StartDeployment, capsys: pytest.CaptureFixture[str]
) -> None:
    del account.sagemaker.packages[3]
    assert leave() == 0
    assert (rejected(account), function.asked) == ({}, [{"package": f"{PACKAGE}/2"}])
    assert "live in live: version 3 of abalone (deleted)" in capsys.readouterr().out


def test_a_return_that_fails_is_a_verdict_with_the_build_s_own_words(
    account: DeployedAccount, function: StartDeployment, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    function.status = "Failed"
    result = {"externalExecutionId": "b:1", "externalExecutionSummary": "exit status 1"}
    times = {"startTime": NOW, "lastUpdateTime": NOW + timedelta(seconds=2)}
    account.codepipeline.failed["back"] = [
        {
            "actionExecutionId": "a",
            "stageName": "Return",
            "actionName": "Render",
            "status": "Failed",
            **times,
            "output": {"executionResult": result},
        }
    ]
    monkeypatch.setattr(roll_back.build_logs, "reason", lambda *_: "error: version 2 is not what was evaluated")
    assert leave() == 1
    told = capsys.readouterr()
    assert "Return/Render" in told.out and "2.0 s  Failed" in told.out
    assert told.err == (
        "error: shop--abalone--return failed: Return/Render failed: exit status 1 error: version 2 is not what was evaluated\n"
    )


def test_a_return_to_another_version_that_was_under_way_is_not_the_one_that_is_followed(
    account: DeployedAccount, function: StartDeployment, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody has rejected version 3 a moment ago, and the engineer on call wants version 1."""
    account.sagemaker.packages[3]["ModelApprovalStatus"] = "Rejected"
    account.codepipeline.run(RETURN, "to-2", "InProgress", f"{PACKAGE}/2", minute=8)
    function.returns = 1
    assert leave("--to-version", "1") == 0
    assert "started shop--abalone--return back" in capsys.readouterr().out


def test_a_return_that_does_not_begin_is_a_verdict_with_what_the_function_says(
    account: DeployedAccount, function: StartDeployment, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roll_back.return_start, "START_SECONDS", 0.0)
    function.begins = False
    assert leave() == 1
    assert "no execution of shop--abalone--return began" in capsys.readouterr().err


def test_one_may_leave_once_the_return_has_started(
    account: DeployedAccount, function: StartDeployment, capsys: pytest.CaptureFixture[str]
) -> None:
    function.status = "InProgress"
    assert leave("--no-wait") == 0
    assert "started shop--abalone--return back" in capsys.readouterr().out


def test_a_batch_model_is_left_like_one_behind_an_endpoint(
    account: DeployedAccount, function: StartDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no endpoint to look at: its stack says what scores."""
    batch = SETTINGS.models["arrests"].serving["live"]
    as_batch = SETTINGS.models["abalone"].but(serving={"try": batch, "live": batch})
    set_values(monkeypatch, replace(SETTINGS, models={"abalone": as_batch}))
    account.sagemaker.endpoints.clear()
    assert leave() == 0
    assert rejected(account) == {3: "answers 5xx"}


def test_nothing_is_rejected_unasked(
    account: DeployedAccount, function: StartDeployment, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    assert run(roll_back.main, ["--model", "abalone", "--reason", "slow"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert rejected(account) == {}


# ------------------------------------------------------------------- while production is being changed


def deploying(account: DeployedAccount, status: str = "InProgress") -> None:
    """Version 4 was let in, and its update goes on: until it ends, the stack says that version 3 is deployed."""
    stage = {"stageName": "Production", "latestExecution": {"pipelineExecutionId": "e4", "status": status}, "actionStates": []}
    account.codepipeline.states[DEPLOY] = {"pipelineName": DEPLOY, "stageStates": [stage]}


def test_a_version_that_is_just_being_deployed_is_not_mistaken_for_the_one_before(
    account: DeployedAccount, function: StartDeployment, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which of the two breaks, only a person knows."""
    deploying(account)
    before = approvals(account)
    assert leave() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "version 4 is being deployed to live over version 3" in line
    assert "--to-version 3 leaves version 4, an earlier one leaves both" in line
    assert (approvals(account), function.asked) == (before, [])


def ends(account: DeployedAccount, monkeypatch: pytest.MonkeyPatch, after_polls: int, live: int, returns_after: int | None) -> None:
    """The deployment, after so many looks; the return to version 3 begins that many looks later, if it does."""
    polls = 0

    def sleep(_: float) -> None:
        nonlocal polls
        polls += 1
        assert polls < 100
        if polls == after_polls:
            deploying(account, "Succeeded" if live == 4 else "Failed")
            account.cloudformation.add(STACK, DeployedModelPackageArn=f"{PACKAGE}/{live}", EndpointName=STACK)
        if returns_after is not None and polls == after_polls + returns_after:
            account.codepipeline.run(RETURN, "back", "Succeeded", f"{PACKAGE}/3", minute=9)

    clock = iter(range(0, 100_000, 5))
    monkeypatch.setattr(roll_back.return_start.time, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(roll_back.return_start.time, "sleep", sleep)


def test_it_is_left_for_the_one_before_it_once_it_is_there_however_long_that_takes(
    account: DeployedAccount, function: StartDeployment, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Longer than a return takes to begin, which is counted from the end of the deployment on."""
    deploying(account)
    function.begins = False
    ends(account, monkeypatch, after_polls=40, live=4, returns_after=3)
    assert leave("--to-version", "3") == 0
    assert rejected(account) == {4: "answers 5xx"}
    said = capsys.readouterr().out
    assert "being deployed to live: version 4 of abalone (Approved)" in said
    assert "rejects: version 4 (being deployed)" in said
    assert said.count("a deployment is changing production; the return begins when it ends") == 1
    assert "version 3 serves live again" in said


def test_one_that_its_alarms_undid_or_that_was_refused_in_time_needs_no_return(
    account: DeployedAccount, function: StartDeployment, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    deploying(account)
    function.begins = False
    ends(account, monkeypatch, after_polls=2, live=3, returns_after=None)
    assert leave("--to-version", "3") == 0
    assert "version 3 serves live: version 4 never came to stay, and no return was needed" in capsys.readouterr().out


def test_a_stack_that_changes_without_a_pipeline_is_waited_for(
    account: DeployedAccount, function: StartDeployment, capsys: pytest.CaptureFixture[str]
) -> None:
    """A deployment that was stopped goes on in CloudFormation; what it brings, its stack does not say yet."""
    account.cloudformation.stacks[STACK] |= {"StackStatus": "UPDATE_ROLLBACK_IN_PROGRESS"}
    assert leave() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{STACK} is UPDATE_ROLLBACK_IN_PROGRESS; wait until it is done: `aws cloudformation wait stack-update-complete" in line
    assert rejected(account) == {}


def test_a_version_that_enters_or_leaves_the_shadow_is_not_waited_for(account: DeployedAccount, function: StartDeployment) -> None:
    """The stack changes, and its version stays; the return waits for the update's end by itself."""
    parameters = [{"ParameterKey": "ShadowPackageArn", "ParameterValue": f"{PACKAGE}/4"}]
    account.cloudformation.stacks[STACK] |= {"StackStatus": "UPDATE_IN_PROGRESS", "Parameters": [*parameters, brings(3)]}
    assert leave() == 0
    assert rejected(account) == {3: "answers 5xx"}


@pytest.mark.parametrize(("status", "number"), [("UPDATE_IN_PROGRESS", 4), ("DELETE_IN_PROGRESS", 3)])
def test_another_version_that_comes_without_a_pipeline_is_waited_for(
    account: DeployedAccount,
    function: StartDeployment,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    status: str,
    number: int,
) -> None:
    account.cloudformation.stacks[STACK] |= {"StackStatus": status, "Parameters": [brings(number)]}
    stack = dict(account.cloudformation.stacks[STACK])
    monkeypatch.setattr(account.cloudformation, "describe_stacks", lambda **_: {"Stacks": [stack]})  # for longer than one look
    assert leave() == 2
    assert "which version it brings is not known yet" in capsys.readouterr().err
    assert rejected(account) == {}


def brings(number: int) -> dict[str, str]:
    return {"ParameterKey": "ModelPackageArn", "ParameterValue": f"{PACKAGE}/{number}"}


def test_a_return_that_is_under_way_may_be_followed_by_another_terminal(account: DeployedAccount, function: StartDeployment) -> None:
    """Its update is the one that changes the stack."""
    account.cloudformation.stacks[STACK] |= {"StackStatus": "UPDATE_ROLLBACK_IN_PROGRESS"}
    account.codepipeline.run(RETURN, "back", "InProgress", f"{PACKAGE}/2", minute=8)
    function.begins = False
    assert leave("--no-wait") == 0


def test_what_a_person_agreed_to_is_asked_again_where_it_is_not_the_case_any_more(
    account: DeployedAccount, function: StartDeployment, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A colleague was faster: production is back at version 2 when the question is answered."""

    def agree(question: str, *, asked: bool) -> bool:
        account.cloudformation.add(STACK, DeployedModelPackageArn=f"{PACKAGE}/2", EndpointName=STACK)
        return True

    monkeypatch.setattr(roll_back, "person_agrees", agree)
    assert run(roll_back.main, ["--model", "abalone", "--reason", "slow"]) == 2
    assert "production has changed since the question; nothing changed. Run it again" in capsys.readouterr().err
    assert (rejected(account), function.asked) == ({}, [])


# ------------------------------------------------------------------------------------------ what is refused


def nothing_is_live(account: DeployedAccount) -> None:
    del account.cloudformation.stacks[STACK]


def nothing_served_before(account: DeployedAccount) -> None:
    account.codepipeline.executions[DEPLOY] = [
        item for item in account.codepipeline.executions[DEPLOY] if item["pipelineExecutionId"] == "e3"
    ]


def the_one_before_is_another_of_that_name(account: DeployedAccount) -> None:
    """Its group was deleted and made again: what served was another version 1 and 2."""
    for number in (1, 2):
        account.sagemaker.packages[number]["CreationTime"] = NOW + timedelta(hours=1)


def it_was_rejected(account: DeployedAccount) -> None:
    account.sagemaker.packages[2]["ModelApprovalStatus"] = "Rejected"


def it_was_deleted(account: DeployedAccount) -> None:
    del account.sagemaker.packages[2]


def its_archive_is_gone(account: DeployedAccount) -> None:
    del account.sagemaker.s3.objects["artifacts/2/model.tar.gz"]


def it_names_no_archive(account: DeployedAccount) -> None:
    del account.sagemaker.packages[2]["InferenceSpecification"]


def its_stack_cannot_be_updated(account: DeployedAccount) -> None:
    account.cloudformation.stacks[STACK]["StackStatus"] = "UPDATE_ROLLBACK_FAILED"


def its_endpoint_failed(account: DeployedAccount) -> None:
    account.sagemaker.endpoints[STACK]["status"] = "Failed"


def as_it_is(account: DeployedAccount) -> None:
    pass


@pytest.mark.parametrize(
    ("state", "arguments", "said"),
    [
        (nothing_is_live, [], "nothing of abalone is live in live, so there is nothing to leave; approve a version"),
        (
            nothing_served_before,
            [],
            "there is nothing to go back to: no version but 3, which is live, served production and is approved still",
        ),
        (the_one_before_is_another_of_that_name, [], "there is nothing to go back to"),
        (its_archive_is_gone, [], "version 2 cannot go back: its archive s3://artifacts/2/model.tar.gz is gone"),
        (it_names_no_archive, [], "version 2 cannot go back: it names no archive; name another with --to-version"),
        (its_stack_cannot_be_updated, [], f"`aws cloudformation continue-update-rollback --stack-name {STACK}`"),
        (its_endpoint_failed, [], f"endpoint {STACK} is Failed"),
        (it_was_rejected, ["--to-version", "2"], "--to-version is 2, which is Rejected; allowed: 1"),
        (it_was_deleted, ["--to-version", "2"], "--to-version is 2, which does not exist in the registry or was deleted; allowed: 1"),
        (as_it_is, ["--to-version", "4"], "--to-version is 4, which never served production"),
        (as_it_is, ["--to-version", "3"], "--to-version is 3, which is live; allowed: 2, 1"),
        (as_it_is, ["--to-version", "9"], "--to-version is 9, which does not exist in the registry or was deleted; allowed: 2, 1"),
        (as_it_is, ["--to-version", "latest"], f"--to-version is 'latest'; allowed: the number of a version of {GROUP}, or its ARN"),
        (as_it_is, ["--to-version", PACKAGE.replace(GROUP, "shop--fish") + "/2"], "allowed: the number of a version of shop--abalone"),
        (as_it_is, ["--to-version", f"{PACKAGE}/2".replace("us-east-1", "eu-west-1")], "allowed: the number of a version of shop--abalone"),
        (as_it_is, ["--environment", "try"], "--environment is 'try'; allowed: live"),
        (as_it_is, ["--reason", "  "], "--reason has 0 characters; allowed: 1 to 1024"),
    ],
)
def test_what_would_not_end_with_the_earlier_version_in_production_is_one_line_and_changes_nothing(
    account: DeployedAccount, function: StartDeployment, capsys: pytest.CaptureFixture[str], state: Any, arguments: list[str], said: str
) -> None:
    state(account)
    before = approvals(account)
    assert leave(*arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert (approvals(account), rejected(account), function.asked) == (before, {}, [])
