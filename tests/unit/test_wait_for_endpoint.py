"""Claims about what comes before a deployment: it waits while stack or endpoint change, says so, and not longer than it should."""

from __future__ import annotations

from typing import Any

import pytest

from build_scripts.command_line import VerdictError
from build_scripts.project_environment import ProjectEnvironment
from deploy_scripts import wait_for_endpoint
from deploy_scripts.environment_place import EnvironmentPlace
from deploy_scripts.wait_for_endpoint import IN_PROGRESS, LIMIT_MINUTES, POLL_SECONDS, wait_until_updatable
from settings_schema import Batch, Component, Endpoint
from tests.unit import script_account
from tests.unit.script_account import NAMES, PRODUCTION, PROJECT, Registry, ScriptAccount

SERVING = NAMES.at(PRODUCTION.name)
NAME = SERVING.endpoint


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


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> ScriptAccount:
    return script_account.install(monkeypatch)


def wait(
    account: ScriptAccount, sagemaker: Registry | None = None, *, serving: Endpoint | Batch | None = None, alone: bool = False
) -> None:
    account.clients["sagemaker"] = sagemaker or Registry()
    place = EnvironmentPlace(ProjectEnvironment(PROJECT), PRODUCTION, SERVING)
    wait_until_updatable(place, SERVING, serving or Endpoint(), alone=alone)


@pytest.mark.parametrize("status", ["InService", "Failed", "OutOfService", "UpdateRollbackFailed"])
def test_what_does_not_pass_by_itself_is_not_waited_for(
    account: ScriptAccount, slept: list[float], capsys: pytest.CaptureFixture[str], status: str
) -> None:
    """Not a Failed endpoint either: the deployment may be what repairs it."""
    wait(account, Changing(status))
    assert slept == []
    assert capsys.readouterr().out == ""


def test_a_component_waits_for_itself_and_for_the_endpoint_that_it_shares(
    account: ScriptAccount, slept: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    sagemaker, fleet = Registry(), SERVING.fleet("small").endpoint
    account.clients["sagemaker"] = sagemaker
    sagemaker.serve(fleet, 1)
    sagemaker.endpoints[fleet]["status"] = "Updating"
    sagemaker.put_on_fleet(SERVING.component, fleet, 1, InferenceComponentStatus="Updating")
    settled = [
        lambda: sagemaker.put_on_fleet(SERVING.component, fleet, 1),
        lambda: sagemaker.endpoints[fleet].update(status="InService"),
    ]
    wait_for_endpoint.time.sleep = lambda _: settled.pop(0)()  # type: ignore[assignment]  # until the end of the test: `slept`
    place = EnvironmentPlace(ProjectEnvironment(PROJECT), PRODUCTION, SERVING)
    wait_until_updatable(place, SERVING, Component(fleet="small"))
    assert not settled
    assert f"component {SERVING.component} is Updating" in capsys.readouterr().out


class Tried(Changing):
    """A challenger is beside the version that serves, at the first look; or it `stays`."""

    stays = False

    def describe_endpoint(self, *, EndpointName: str) -> dict[str, Any]:  # noqa: N803 - boto3 spells it so
        there = self.stays or len(self.left) > 1
        endpoint = super().describe_endpoint(EndpointName=EndpointName)
        return {**endpoint, "ProductionVariants": [{"VariantName": name} for name in ("AllTraffic", *(["Challenger"] if there else []))]}


def test_a_guarded_update_waits_until_what_is_tried_has_left(
    account: ScriptAccount, slept: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    """A return does not, nor what no function takes it out for: it does that itself."""
    wait(account, Tried("InService", "InService"), alone=True)
    assert slept == [POLL_SECONDS]
    assert "has a version in an experiment, which leaves first" in capsys.readouterr().out
    wait(account, Tried("InService", "InService"))
    assert slept == [POLL_SECONDS]


def test_what_is_tried_and_does_not_leave_is_not_waited_for_for_ever(account: ScriptAccount, slept: list[float]) -> None:
    left = Tried("InService")
    left.stays = True
    with pytest.raises(VerdictError, match="has a version in an experiment, which leaves first"):
        wait(account, left, alone=True)
    assert sum(slept) > LIMIT_MINUTES * 60


def test_the_first_deployment_has_nothing_to_wait_for(account: ScriptAccount, slept: list[float]) -> None:
    wait(account)
    assert slept == []


@pytest.mark.parametrize("status", IN_PROGRESS)
def test_a_change_in_progress_is_waited_for_and_said_once(
    account: ScriptAccount, slept: list[float], capsys: pytest.CaptureFixture[str], status: str
) -> None:
    wait(account, Changing(status, status, "InService"))
    assert slept == [POLL_SECONDS] * 2
    assert capsys.readouterr().out == f"endpoint {NAME} is {status}; waiting until it can be changed (0 of {LIMIT_MINUTES} min)\n"


@pytest.mark.parametrize("end", ["Failed", "gone"])
def test_an_endpoint_that_fails_or_goes_meanwhile_ends_the_wait(account: ScriptAccount, slept: list[float], end: str) -> None:
    wait(account, Changing("Updating", end))
    assert slept == [POLL_SECONDS]


@pytest.mark.parametrize("serving", [Endpoint(), Batch()], ids=["endpoint", "batch"])
@pytest.mark.parametrize("status", ["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"])
def test_a_stack_that_is_changing_is_waited_for_also_of_a_batch_model(
    account: ScriptAccount, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], status: str, serving: Endpoint | Batch
) -> None:
    """CloudFormation goes on with an update whose pipeline was stopped."""
    stack = {"StackName": SERVING.stack, "StackStatus": status}
    account.cloudformation.described[SERVING.stack] = stack
    monkeypatch.setattr(wait_for_endpoint.time, "sleep", lambda _: stack.update(StackStatus="UPDATE_COMPLETE"))
    wait(account, serving=serving)
    assert f"stack {SERVING.stack} is {status}; waiting" in capsys.readouterr().out


def test_a_change_set_alone_is_no_change(account: ScriptAccount, slept: list[float]) -> None:
    account.cloudformation.described[SERVING.stack] = {"StackName": SERVING.stack, "StackStatus": "REVIEW_IN_PROGRESS"}
    wait(account)
    assert slept == []


def test_a_change_without_end_is_one_line_that_says_what_to_do(
    account: ScriptAccount, slept: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(VerdictError) as caught:
        wait(account, Changing("Updating"))
    assert f"endpoint {NAME} is Updating still, after {LIMIT_MINUTES} min" in str(caught.value)
    assert f"lambda invoke --function-name {NAMES.start_deployment_function}" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert LIMIT_MINUTES * 60 <= sum(slept) <= LIMIT_MINUTES * 60 + POLL_SECONDS
    assert len(capsys.readouterr().out.splitlines()) == LIMIT_MINUTES + 1  # one a minute
