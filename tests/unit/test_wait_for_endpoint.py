"""Claims about what runs before a deployment: it waits while the endpoint changes, says so, and never longer than it should."""

from __future__ import annotations

from typing import Any

import pytest

from build_scripts.command_line import VerdictError, run
from deploy_scripts import wait_for_endpoint
from deploy_scripts.wait_for_endpoint import IN_PROGRESS, LIMIT_MINUTES, POLL_SECONDS, wait_until_updatable
from tests.unit import script_account
from tests.unit.script_account import NAMES, PRODUCTION, STAGING, Registry, ScriptAccount

NAME = NAMES.at(PRODUCTION.name).endpoint


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
    wait_until_updatable(Changing(status), NAMES, PRODUCTION.name)
    assert slept == []
    assert capsys.readouterr().out == ""


def test_the_first_deployment_has_no_endpoint_to_wait_for(slept: list[float]) -> None:
    wait_until_updatable(Registry(), NAMES, PRODUCTION.name)
    assert slept == []


@pytest.mark.parametrize("status", IN_PROGRESS)
def test_a_change_in_progress_is_waited_for_and_said_once(slept: list[float], capsys: pytest.CaptureFixture[str], status: str) -> None:
    wait_until_updatable(Changing(status, status, "InService"), NAMES, PRODUCTION.name)
    assert slept == [POLL_SECONDS] * 2
    assert capsys.readouterr().out == f"endpoint {NAME} is {status}; waiting until it can be updated (0 of {LIMIT_MINUTES} min)\n"


@pytest.mark.parametrize("end", ["Failed", "gone"])
def test_an_endpoint_that_fails_or_goes_meanwhile_ends_the_wait(slept: list[float], end: str) -> None:
    wait_until_updatable(Changing("Updating", end), NAMES, PRODUCTION.name)
    assert slept == [POLL_SECONDS]


def test_a_change_without_end_is_one_line_that_says_what_to_do(slept: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(VerdictError) as caught:
        wait_until_updatable(Changing("Updating"), NAMES, PRODUCTION.name)
    assert f"endpoint {NAME} is still Updating after {LIMIT_MINUTES} min" in str(caught.value)
    assert f"lambda invoke --function-name {NAMES.start_deployment_function}" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert LIMIT_MINUTES * 60 <= sum(slept) <= LIMIT_MINUTES * 60 + POLL_SECONDS
    assert len(capsys.readouterr().out.splitlines()) == LIMIT_MINUTES + 1  # one a minute


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> ScriptAccount:
    """Version 1 serves both environments."""
    made = script_account.install(monkeypatch)
    for environment in (STAGING, PRODUCTION):
        made.sagemaker.serve(NAMES.at(environment.name).endpoint, 1)
    return made


@pytest.mark.parametrize(("which", "environment"), [("first", STAGING.name), ("last", PRODUCTION.name)])
def test_the_script_waits_for_the_environment_that_comes_next(
    account: ScriptAccount, monkeypatch: pytest.MonkeyPatch, which: str, environment: str
) -> None:
    endpoint = account.sagemaker.endpoints[NAMES.at(environment).endpoint]
    endpoint["status"] = "Updating"
    monkeypatch.setattr(wait_for_endpoint.time, "sleep", lambda _: endpoint.update(status="InService"))
    assert run(wait_for_endpoint.main, [which]) == 0
    assert endpoint["status"] == "InService"


def test_a_batch_model_has_nothing_to_wait_for(account: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(wait_for_endpoint.main, ["last", "--model", "arrests"]) == 0
    assert "arrests has no endpoint in live" in capsys.readouterr().out
