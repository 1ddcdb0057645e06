"""Claims about decisions: the evidence is shown, the right version changes, and status says where things are."""

from __future__ import annotations

import io
import json
import sys

import pytest

from build_scripts.command_line import run
from deploy_scripts import approve, status, still_approved
from tests.unit import script_account
from tests.unit.script_account import PACKAGE, ScriptAccount


class DeployPipeline:
    def get_pipeline_state(self, name: str) -> dict[str, object]:
        waiting = {"actionName": "Approve", "latestExecution": {"status": "InProgress", "token": "t-1"}}
        return {"pipelineName": name, "stageStates": [{"stageName": "Staging", "actionStates": [waiting]}]}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> ScriptAccount:
    made = script_account.install(monkeypatch)
    made.clients["codepipeline"] = DeployPipeline()
    made.sagemaker.add(1, "Approved", metric="rmse", **{"metric-value": "2.2001", "git-commit": "0123456789abcdef"})
    made.sagemaker.add(2, "PendingManualApproval", metric="rmse", **{"metric-value": "2.1"})
    return made


def approval(account: ScriptAccount, number: int) -> str:
    return str(account.sagemaker.packages[number]["ModelApprovalStatus"])


def test_evidence_is_shown_and_the_version_is_approved(account: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(approve.main, ["--version", "2", "--comment", "better", "--yes"]) == 0
    assert "2.1" in capsys.readouterr().out
    assert approval(account, 2) == "Approved"
    assert account.sagemaker.packages[2]["ApprovalDescription"] == "better"
    assert approval(account, 1) == "Approved"


def test_gates_verdict_is_part_of_the_evidence(account: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    account.sagemaker.packages[2]["ModelMetrics"] = {"ModelQuality": {"Statistics": {"S3Uri": "s3://artifacts/evaluation.json"}}}
    account.s3.objects["artifacts/evaluation.json"] = json.dumps({"gate": {"passed": False, "reasons": "bias"}}).encode()
    run(approve.main, ["--version", "2", "--yes"])
    assert "not passed: bias" in capsys.readouterr().out


def test_the_warnings_of_the_gate_and_the_decision_threshold_are_part_of_the_evidence(
    account: ScriptAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    account.sagemaker.packages[2]["ModelMetrics"] = {"ModelQuality": {"Statistics": {"S3Uri": "s3://artifacts/evaluation.json"}}}
    account.sagemaker.packages[2]["CustomerMetadataProperties"] |= {"decision-metric": "f1", "decision-threshold": "0.31"}
    gate = {"passed": True, "reasons": "every check passed", "warnings": ["a linear model is as good", "scores are off"]}
    account.s3.objects["artifacts/evaluation.json"] = json.dumps({"gate": gate}).encode()
    run(approve.main, ["--version", "2", "--yes"])
    shown = capsys.readouterr().out
    for word in ("a linear model is as good", "scores are off", "0.31"):
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


def test_version_rejected_meanwhile_stops_production(account: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(still_approved.main, ["--package", f"{PACKAGE}/1"]) == 0
    account.sagemaker.packages[1]["ModelApprovalStatus"] = "Rejected"
    assert run(still_approved.main, ["--package", f"{PACKAGE}/1"]) == 1
    assert "version 1 is Rejected now" in capsys.readouterr().err


def test_status_says_where_versions_are_and_what_waits(account: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    account.sagemaker.serve("mlops-production", 1)
    assert run(status.main, ["--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    staging, production = shown["stages"]
    assert (staging["status"], staging["version"]) == ("not deployed", None)
    assert (production["version"], production["commit"], production["metric"]) == (1, "0123456789ab", "rmse 2.2")
    assert [item["what"] for item in shown["waiting"]] == ["version 2 rmse 2.1", "Staging Approve"]
    assert "--token t-1" in shown["waiting"][1]["command"]


def test_a_version_in_production_that_was_deleted_is_shown_with_what_is_known(
    account: ScriptAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    account.sagemaker.serve("mlops-production", 1)
    account.sagemaker.serve("mlops-staging", 2, config="config-2")
    del account.sagemaker.packages[1]
    assert run(status.main, ["--json"]) == 0
    staging, production = json.loads(capsys.readouterr().out)["stages"]
    assert (production["version"], production["status"]) == (1, "InService, version deleted from the registry")
    assert (staging["version"], staging["status"], staging["metric"]) == (2, "InService", "rmse 2.1")
    assert run(status.main, []) == 0
    assert "deleted from the registry" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("gone", ["config", "model"])
def test_an_endpoint_whose_description_was_deleted_is_shown(account: ScriptAccount, capsys: pytest.CaptureFixture[str], gone: str) -> None:
    account.sagemaker.serve("mlops-production", 1)
    account.sagemaker.deleted.add(gone)
    assert run(status.main, ["--json"]) == 0
    production = json.loads(capsys.readouterr().out)["stages"][1]
    assert (production["version"], production["status"]) == (None, "InService, of no known version")


def test_version_deleted_meanwhile_stops_production(account: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(still_approved.main, ["--package", f"{PACKAGE}/8"]) == 1
    assert "version 8 was deleted from the registry meanwhile; production keeps what it has" in capsys.readouterr().err


def test_the_evidence_says_how_it_compares_with_production(account: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    account.sagemaker.packages[2]["ModelMetrics"] = {"ModelQuality": {"Statistics": {"S3Uri": "s3://artifacts/evaluation.json"}}}
    detail = "not compared: version 1 in production was deleted from the registry"
    account.s3.objects["artifacts/evaluation.json"] = json.dumps({"gate": {"passed": True}, "champion": {"detail": detail}}).encode()
    assert run(approve.main, ["--version", "2", "--yes"]) == 0
    assert detail in capsys.readouterr().out


REFUSED = "User: arn:aws:sts::111122223333:assumed-role/build/b is not authorized to perform: s3:PutObject on resource: arn:aws:s3:::a/k"


class FailedBuild:
    """CodePipeline, CodeBuild and its log, after a build whose role lacked a permission."""

    def get_pipeline_state(self, name: str) -> dict[str, object]:
        failed = {"status": "Failed", "errorDetails": {"message": "exit status 1"}, "externalExecutionId": "b:1"}
        stage = {"stageName": "Build", "latestExecution": {"status": "Failed"}}
        return {"pipelineName": name, "stageStates": [{**stage, "actionStates": [{"actionName": "Test", "latestExecution": failed}]}]}

    def batch_get_builds(self, ids: list[str]) -> dict[str, object]:
        return {"builds": [{"id": ids[0], "logs": {"groupName": "g", "streamName": "s"}}]}

    def get_log_events(self, **_: object) -> dict[str, object]:
        return {"events": [{"message": text} for text in ("collecting\n", f"error: PutObject: AccessDenied: {REFUSED}\n", "done\n")]}


def test_status_says_what_failed_last_and_which_permission_it_lacked(account: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    account.clients |= dict.fromkeys(("codepipeline", "codebuild", "logs"), FailedBuild())
    assert run(status.main, ["--json"]) == 0
    failures = json.loads(capsys.readouterr().out)["failures"]
    assert failures[0]["what"].endswith(" Build Test")
    assert failures[0]["reason"] == f"exit status 1 error: PutObject: AccessDenied: {REFUSED}"
    assert run(status.main, []) == 0
    assert REFUSED in capsys.readouterr().out


def test_status_says_why_the_last_training_and_an_endpoint_failed() -> None:
    summary = {"PipelineExecutionStatus": "Failed", "PipelineExecutionFailureReason": REFUSED}
    assert [failure.reason for failure in status.failed_training("mlops-training", summary)] == [REFUSED]
    assert status.failed_training("mlops-training", {**summary, "PipelineExecutionStatus": "Succeeded"}) == []
    assert [failure.what for failure in status.failed_endpoint("e", {"FailureReason": REFUSED})] == ["endpoint e"]
    assert status.failed_endpoint("e", {"EndpointStatus": "InService"}) == []
