"""Claims about a deployment that cannot succeed: it is refused before anything is written or copied, with what mends it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from build_scripts.command_line import run
from deploy_scripts import render
from deploy_scripts.stack_states import obstacle
from tests.unit import script_account
from tests.unit.script_account import NAMES, PACKAGE, PRODUCTION, STAGING, ScriptAccount

STACK, TRIAL = NAMES.at(PRODUCTION.name).stack, NAMES.at(STAGING.name).stack


def described(status: str, **more: Any) -> dict[str, Any]:
    return {"StackName": STACK, "StackStatus": status, "StackId": f"arn:aws:cloudformation:us-east-1:111122223333:stack/{STACK}/1", **more}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ScriptAccount:
    monkeypatch.chdir(tmp_path)
    account = script_account.install(monkeypatch)
    account.sagemaker.add(1)
    return account


def test_a_stack_that_was_never_made_is_refused_in_render_before_a_version_goes_anywhere(
    account: ScriptAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    account.cloudformation.described[STACK] = described("ROLLBACK_COMPLETE", EnableTerminationProtection=True)

    assert run(render.main, ["--package", f"{PACKAGE}/1"]) == 2

    said = capsys.readouterr().err
    assert f"{PRODUCTION.name}: {STACK} (111122223333, us-east-1) is ROLLBACK_COMPLETE" in said
    assert f"aws cloudformation delete-stack --stack-name {STACK} --region us-east-1" in said
    assert said.count("\n") == 1
    assert not Path("rendered").exists()


def test_everything_that_stands_in_the_way_is_said_at_once(account: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    account.cloudformation.described[STACK] = described("UPDATE_ROLLBACK_FAILED")
    account.cloudformation.described[TRIAL] = {**described("UPDATE_COMPLETE"), "StackName": TRIAL}
    account.sagemaker.serve(NAMES.at(STAGING.name).endpoint, 1)
    account.sagemaker.endpoints[NAMES.at(STAGING.name).endpoint]["status"] = "Failed"

    assert run(render.main, ["--package", f"{PACKAGE}/1"]) == 2

    said = capsys.readouterr().err
    assert f"continue-update-rollback --stack-name {STACK}" in said
    assert f"delete-stack --stack-name {TRIAL}" in said


@pytest.mark.parametrize("status", ["CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED", "UPDATE_ROLLBACK_FAILED"])
def test_what_failed_in_an_unprotected_environment_the_pipeline_replaces_by_itself(status: str) -> None:
    assert obstacle(described(status), False) is None
    assert obstacle(described(status), True) is not None


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"])
def test_what_can_be_updated_or_soon_can_is_not_refused(status: str) -> None:
    assert obstacle(described(status), True) is None


def test_nothing_there_is_nothing_in_the_way() -> None:
    assert obstacle(None, True) is None


def test_a_failed_endpoint_does_not_stop_the_pipeline_that_replaces_its_stack() -> None:
    failed = {"EndpointName": "fish", "EndpointStatus": "Failed", "FailureReason": "no capacity"}
    assert obstacle(described("UPDATE_ROLLBACK_FAILED"), False, failed) is None
    assert "no capacity" in (obstacle(described("UPDATE_COMPLETE"), False, failed) or "")
