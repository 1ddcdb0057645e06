"""Claims about decisions: the evidence is shown, the right version changes, and what was rejected meanwhile goes no further."""

from __future__ import annotations

import io
import json
import sys

import pytest

from build_scripts.command_line import run
from deploy_scripts import approve, still_approved
from tests.unit import script_account
from tests.unit.script_account import PACKAGE, ScriptAccount


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


def test_version_deleted_meanwhile_stops_production(account: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(still_approved.main, ["--package", f"{PACKAGE}/8"]) == 1
    assert "version 8 was deleted from the registry meanwhile; production keeps what it has" in capsys.readouterr().err


def test_the_evidence_says_how_it_compares_with_production(account: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    account.sagemaker.packages[2]["ModelMetrics"] = {"ModelQuality": {"Statistics": {"S3Uri": "s3://artifacts/evaluation.json"}}}
    detail = "not compared: version 1 in production was deleted from the registry"
    account.s3.objects["artifacts/evaluation.json"] = json.dumps({"gate": {"passed": True}, "champion": {"detail": detail}}).encode()
    assert run(approve.main, ["--version", "2", "--yes"]) == 0
    assert detail in capsys.readouterr().out


def test_a_version_of_another_model_s_is_not_this_model_s(account: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(still_approved.main, ["--model", "arrests", "--package", f"{PACKAGE}/1"]) == 2
    assert "model-package/shop--arrests/<number>" in capsys.readouterr().err
    assert run(approve.main, ["--model", "arrests", "--version", "1", "--yes"]) == 2
    assert "shop--arrests does not exist" in capsys.readouterr().err
