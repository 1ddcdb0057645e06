"""Claims about decisions: the evidence is shown, the right version changes, and what it does to production is said before."""

from __future__ import annotations

import io
import json
import sys

import pytest

from build_scripts.command_line import run
from deploy_scripts import approve
from tests.unit import deployed_account, script_account
from tests.unit.deployed_account import DeployedAccount, deploy_model
from tests.unit.script_account import PACKAGE, ScriptAccount, refusal


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> ScriptAccount:
    made = script_account.install(monkeypatch)
    made.sagemaker.add(1, "Approved", metric="rmse", **{"metric-value": "2.2001", "git-commit": "0123456789abcdef"})
    made.sagemaker.add(2, "PendingManualApproval", metric="rmse", **{"metric-value": "2.1"})
    return made


def approval(account: ScriptAccount, number: int) -> str:
    return str(account.sagemaker.packages[number]["ModelApprovalStatus"])


def test_evidence_is_shown_and_the_version_is_approved(account: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(approve.main, ["--version", "2", "--comment", "better", "--yes"]) == 0
    assert "abalone: version 2 for live" in capsys.readouterr().out
    assert approval(account, 2) == "Approved"
    assert account.sagemaker.packages[2]["ApprovalDescription"] == "better"
    assert approval(account, 1) == "Approved"


def test_what_nothing_can_serve_is_not_approved_and_may_be_rejected(account: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    """SageMaker registers a version without an inference specification, too; its deployment could only fail."""
    del account.sagemaker.packages[2]["InferenceSpecification"]
    assert run(approve.main, ["--version", "2", "--yes"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "version 2 cannot be deployed: it has no inference specification with a model archive" in line
    assert approval(account, 2) == "PendingManualApproval"
    assert run(approve.main, ["--version", "2", "--reject", "--yes"]) == 0


def test_gates_verdict_is_part_of_the_evidence(account: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    account.sagemaker.packages[2]["ModelMetrics"] = {"ModelQuality": {"Statistics": {"S3Uri": "s3://artifacts/evaluation.json"}}}
    account.s3.objects["artifacts/evaluation.json"] = json.dumps({"gate": {"passed": False, "reasons": "bias"}}).encode()
    run(approve.main, ["--version", "2", "--yes"])
    assert "Did not pass its gate: bias" in capsys.readouterr().out


def test_the_warnings_of_the_gate_are_part_of_the_evidence(account: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    account.sagemaker.packages[2]["ModelMetrics"] = {"ModelQuality": {"Statistics": {"S3Uri": "s3://artifacts/evaluation.json"}}}
    warnings = ["a linear model is as good", "scores are off"]
    checks = [{"name": "x", "passed": False, "refuses": False, "detail": text} for text in warnings]
    gate = {"passed": True, "reasons": "every check passed", "warnings": warnings, "checks": checks}
    account.s3.objects["artifacts/evaluation.json"] = json.dumps({"gate": gate}).encode()
    run(approve.main, ["--version", "2", "--yes"])
    shown = capsys.readouterr().out
    for word in ("a linear model is as good", "scores are off", "with 2 warnings"):
        assert word in shown
    assert shown.index("scores are off") < shown.index("version 2 is approved")


def test_nothing_is_decided_unasked(account: ScriptAccount, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    assert run(approve.main, ["--version", "2"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert approval(account, 2) == "PendingManualApproval"


def test_rejecting_needs_no_pending_version(account: ScriptAccount) -> None:
    assert run(approve.main, ["--version", "1", "--reject", "--yes"]) == 0
    assert approval(account, 1) == "Rejected"


def test_newest_waiting_version_is_the_default(account: ScriptAccount) -> None:
    assert run(approve.main, ["--yes"]) == 0
    assert approval(account, 2) == "Approved"


def test_unknown_version_names_the_existing_ones(account: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(approve.main, ["--version", "9"]) == 2
    assert "existing: 1, 2" in capsys.readouterr().err


def test_the_evidence_says_how_it_compares_with_production(account: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    account.sagemaker.packages[2]["ModelMetrics"] = {"ModelQuality": {"Statistics": {"S3Uri": "s3://artifacts/evaluation.json"}}}
    detail = "not compared: version 1 in production was deleted from the registry"
    account.s3.objects["artifacts/evaluation.json"] = json.dumps({"gate": {"passed": True}, "champion": {"detail": detail}}).encode()
    assert run(approve.main, ["--version", "2", "--yes"]) == 0
    assert detail in capsys.readouterr().out


def test_a_version_of_another_model_s_is_not_this_model_s(account: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(approve.main, ["--model", "arrests", "--version", "1", "--yes"]) == 2
    assert "shop--arrests does not exist" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------ what a decision does to production

DEPLOY, STACK = "shop--abalone--deploy", "shop--abalone--live"
OLDER = "approving version 2 deploys nothing: version 3 is newer, approved and "
BACK = 'to go back to it: python -m deploy_scripts.roll_back --model abalone --to-version 2 --reason "…"'


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> DeployedAccount:
    """Version 3 is live; it and version 2 have served production, version 1 never did. All are approved."""
    made = deployed_account.install(monkeypatch)
    deploy_model(made, "abalone")
    made.cloudformation.add(STACK, DeployedModelPackageArn=f"{PACKAGE}/3")
    for number in (1, 2, 3):
        made.sagemaker.add(number)
    made.codepipeline.executions[DEPLOY] = []
    for number in (2, 3):
        made.codepipeline.run(DEPLOY, f"e{number}", "Succeeded", f"{PACKAGE}/{number}", minute=number)
    made.clients["s3"] = made.sagemaker.s3
    return made


def said_by(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(approve.main, ["--model", "abalone", "--yes", *arguments]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("was", ["Rejected", "Approved"])
def test_approving_an_older_version_says_first_that_it_deploys_nothing_and_offers_the_way_back(
    deployed: DeployedAccount, capsys: pytest.CaptureFixture[str], was: str
) -> None:
    deployed.sagemaker.packages[2]["ModelApprovalStatus"] = was
    said = said_by(capsys, "--version", "2")
    assert OLDER + "live in live" in said
    assert BACK in said
    assert said.index(BACK) < said.index("version 2 is")


def test_nothing_is_approved_before_a_person_has_read_it(deployed: DeployedAccount, capsys: pytest.CaptureFixture[str]) -> None:
    deployed.sagemaker.packages[2]["ModelApprovalStatus"] = "Rejected"
    assert run(approve.main, ["--model", "abalone", "--version", "2"]) == 2
    assert OLDER in capsys.readouterr().out
    assert deployed.sagemaker.packages[2]["ModelApprovalStatus"] == "Rejected"


def test_a_newer_version_on_its_way_counts_as_a_live_one(deployed: DeployedAccount, capsys: pytest.CaptureFixture[str]) -> None:
    deployed.cloudformation.add(STACK, DeployedModelPackageArn=f"{PACKAGE}/1")
    assert OLDER not in said_by(capsys, "--version", "2")
    deployed.codepipeline.run(DEPLOY, "again", "InProgress", f"{PACKAGE}/3", minute=9)
    latest = {"pipelineExecutionId": "again", "status": "InProgress"}
    deployed.codepipeline.states[DEPLOY]["stageStates"] = [{"stageName": "Staging", "latestExecution": latest}]
    assert OLDER + "on its way" in said_by(capsys, "--version", "2")


def test_a_version_that_never_served_is_offered_the_way_through_the_gates(
    deployed: DeployedAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    said = said_by(capsys, "--version", "1")
    assert "it has never served production; once it is approved, this takes it through the gates: echo " in said
    assert f'{{"package": "{PACKAGE}/1"}}' in said


def test_rejecting_the_live_version_says_what_returns(deployed: DeployedAccount, capsys: pytest.CaptureFixture[str]) -> None:
    said = said_by(capsys, "--version", "3", "--reject")
    assert "version 3 is live in live: version 2, which served before, returns at once" in said
    assert said.index("returns at once") < said.index("version 3 is rejected")


def test_rejecting_the_only_version_that_served_says_that_it_serves_on(
    deployed: DeployedAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    deployed.sagemaker.packages[2]["ModelApprovalStatus"] = "Rejected"
    said = said_by(capsys, "--version", "3", "--reject")
    assert "version 3 is live in live and serves on: no other version that served is approved still" in said


@pytest.mark.parametrize(("version", "options"), [("3", []), ("1", ["--reject"])])
def test_a_decision_that_does_what_one_expects_says_nothing_of_production(
    deployed: DeployedAccount, capsys: pytest.CaptureFixture[str], version: str, options: list[str]
) -> None:
    said = said_by(capsys, "--version", version, *options)
    assert "deploys nothing" not in said
    assert "is live in live" not in said


def test_who_may_not_look_at_production_decides_all_the_same(
    deployed: DeployedAccount, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:
        raise refusal("AccessDenied", "no", "DescribeStacks")

    monkeypatch.setattr(deployed.cloudformation, "describe_stacks", refuse)
    said = said_by(capsys, "--version", "3", "--reject")
    assert "what it does to production cannot be said with these credentials: DescribeStacks: AccessDenied" in said
    assert deployed.sagemaker.packages[3]["ModelApprovalStatus"] == "Rejected"


def test_another_instance_type_of_what_scales_is_announced_with_its_steps(
    deployed: DeployedAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    """By whoever says yes to it, before they do."""
    deployed.sagemaker.add(9, "PendingManualApproval")
    deployed.sagemaker.serve("shop--abalone--live", 1, instance_type="ml.c5.large", instances=3)
    assert run(approve.main, ["--version", "9", "--yes", "--model", "abalone"]) == 0
    said = capsys.readouterr().out
    assert "abalone in live gets another instance type, ml.c5.large to ml.m5.large: 1. its scaling is taken away" in said
    assert "2. 3 × ml.m5.large replace 3 × ml.c5.large; 3. it scales again" in said
    assert said.index("gets another instance type") < said.index("version 9 is approved")
    assert "2. another instance type, ml.c5.large to ml.m5.large: 1. its scaling is taken away" in said  # on the page
    assert "3. a second fleet of 3 ml.m5.large starts" in said
