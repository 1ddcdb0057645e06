"""Claims about what runs before a deployment: it waits while the endpoint changes, says so, and never longer than it should."""

from __future__ import annotations

from typing import Any

import pytest

from build_scripts.command_line import VerdictError, run
from deploy_scripts import render, still_approved, wait_for_endpoint
from deploy_scripts.wait_for_endpoint import IN_PROGRESS, LIMIT_MINUTES, POLL_SECONDS, wait_until_updatable
from tests.unit import script_account
from tests.unit.script_account import PACKAGE, Registry, ScriptAccount
from tests.unit.test_render import TEMPLATE, synthesize

NAME = "mlops-production"


class Changing(Registry):
    """An endpoint whose status is the next of `statuses` each time that one looks; the last one stays."""

    def __init__(self, *statuses: str) -> None:
        super().__init__()
        self.serve(NAME, 1)
        self.left = list(statuses)

    def describe_endpoint(self, *, EndpointName: str) -> dict[str, Any]:  # noqa: N803 - boto3 spells it so
        status = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        if status == "gone":
            self.endpoints.clear()
        else:
            self.endpoints[NAME]["status"] = status
        return super().describe_endpoint(EndpointName=EndpointName)


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses, which take no time here."""
    pauses: list[float] = []
    monkeypatch.setattr(wait_for_endpoint.time, "sleep", pauses.append)
    return pauses


@pytest.mark.parametrize("status", ["InService", "Failed", "OutOfService", "UpdateRollbackFailed"])
def test_what_does_not_pass_by_itself_is_not_waited_for(slept: list[float], capsys: pytest.CaptureFixture[str], status: str) -> None:
    """Not a Failed endpoint either: the deployment may be what repairs it."""
    wait_until_updatable(Changing(status), NAME)
    assert slept == []
    assert capsys.readouterr().out == ""


def test_the_first_deployment_has_no_endpoint_to_wait_for(slept: list[float]) -> None:
    wait_until_updatable(Registry(), NAME)
    assert slept == []


@pytest.mark.parametrize("status", IN_PROGRESS)
def test_a_change_in_progress_is_waited_for_and_said_once(slept: list[float], capsys: pytest.CaptureFixture[str], status: str) -> None:
    wait_until_updatable(Changing(status, status, "InService"), NAME)
    assert slept == [POLL_SECONDS] * 2
    assert capsys.readouterr().out == f"endpoint {NAME} is {status}; waiting until it can be updated (0 of {LIMIT_MINUTES} min)\n"


@pytest.mark.parametrize("end", ["Failed", "gone"])
def test_an_endpoint_that_fails_or_goes_meanwhile_ends_the_wait(slept: list[float], end: str) -> None:
    wait_until_updatable(Changing("Updating", end), NAME)
    assert slept == [POLL_SECONDS]


def test_a_change_without_end_is_one_line_that_says_what_to_do(slept: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(VerdictError) as caught:
        wait_until_updatable(Changing("Updating"), NAME)
    assert f"endpoint {NAME} is still Updating after {LIMIT_MINUTES} min" in str(caught.value)
    assert f"lambda invoke --function-name {wait_for_endpoint.PROJECT.start_deployment_function}" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert LIMIT_MINUTES * 60 <= sum(slept) <= LIMIT_MINUTES * 60 + POLL_SECONDS
    assert len(capsys.readouterr().out.splitlines()) == LIMIT_MINUTES + 1  # one a minute


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> ScriptAccount:
    """Version 1 is approved and serves both stages."""
    made = script_account.install(monkeypatch)
    made.sagemaker.add(1)
    for stage in ("staging", "production"):
        made.sagemaker.serve(f"mlops-{stage}", 1)
    return made


def when_waiting(account: ScriptAccount, monkeypatch: pytest.MonkeyPatch, endpoint: str, **package: str) -> list[str]:
    """The endpoint is Updating until one waits for it, and version 1 changes meanwhile; the statuses at each pause."""
    account.sagemaker.endpoints[endpoint]["status"] = "Updating"
    seen: list[str] = []

    def pause(_: float) -> None:
        seen.append(account.sagemaker.endpoints[endpoint]["status"])
        account.sagemaker.endpoints[endpoint]["status"] = "InService"
        account.sagemaker.packages[1].update(package)

    monkeypatch.setattr(wait_for_endpoint.time, "sleep", pause)
    return seen


def test_rendering_ends_when_staging_can_be_updated(account: ScriptAccount, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.chdir(tmp_path)
    synthesize(tmp_path / "cdk.out", TEMPLATE)
    seen = when_waiting(account, monkeypatch, "mlops-staging")
    assert run(render.main, []) == 0
    assert seen == ["Updating"]


def test_production_waits_for_its_endpoint(account: ScriptAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = when_waiting(account, monkeypatch, NAME)
    assert run(still_approved.main, ["--package", f"{PACKAGE}/1"]) == 0
    assert seen == ["Updating"]


def test_a_rejection_during_the_wait_counts(account: ScriptAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    when_waiting(account, monkeypatch, NAME, ModelApprovalStatus="Rejected")
    assert run(still_approved.main, ["--package", f"{PACKAGE}/1"]) == 1
