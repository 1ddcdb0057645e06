"""Claims about the end of the project: what could bring something back goes first, and then everything, or all but what is to be kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from build_scripts.command_line import run
from deploy_scripts import retirement, tear_down
from tests.unit import deployed_account
from tests.unit.deployed_account import DeployedAccount, deploy_model
from tests.unit.script_account import PROJECT, SETTINGS, set_values

SHARED = ("shop--foundation", "shop--build", "shop--environment--try", "shop--environment--live")


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> DeployedAccount:
    """Two models that are set, one whose file is gone, and another project."""
    made = deployed_account.install(monkeypatch)
    monkeypatch.setattr(retirement, "_POLL_SECONDS", 0)
    for name in ("abalone", "arrests", "fish"):
        deploy_model(made, name, "try", "live")
    for stack in (*SHARED, "shop--image", "shop--foundation--eu-west-1", "shop-x--fish", "CDKToolkit"):
        made.cloudformation.add(stack, protected=stack == "shop--foundation")
    return made


def test_with_nothing_to_be_kept_nothing_is_left(account: DeployedAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    set_values(monkeypatch, replace(SETTINGS, project=PROJECT.but(retain_data=False)))
    assert run(tear_down.main, ["--yes", "--really"]) == 0
    assert set(account.cloudformation.stacks) == {"shop-x--fish", "CDKToolkit"}
    assert (account.sagemaker.runs, account.sagemaker.groups, account.sagemaker.models) == ({}, {}, set())


def test_what_a_retired_model_left_goes_and_another_project_s_stays(account: DeployedAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was retired before `retain_data=False`, so that its group and versions were kept."""
    account.sagemaker.groups |= {"shop--churn": ["arn:package/shop--churn/1"], "shop-x--fish": [], "my-shop--fish": []}
    set_values(monkeypatch, replace(SETTINGS, project=PROJECT.but(retain_data=False)))
    assert run(tear_down.main, ["--yes", "--really"]) == 0
    assert set(account.sagemaker.groups) == {"shop-x--fish", "my-shop--fish"}


def test_the_build_goes_first_and_what_the_others_use_last(account: DeployedAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    set_values(monkeypatch, replace(SETTINGS, project=PROJECT.but(retain_data=False)))
    run(tear_down.main, ["--yes", "--really"])
    first, *_, environment, other, regional, last = account.cloudformation.deleted
    assert (first, {environment, other}) == ("shop--build", {"shop--environment--try", "shop--environment--live"})
    assert (regional, last) == ("shop--foundation--eu-west-1", "shop--foundation")


def test_what_is_to_be_kept_stays_and_is_named(account: DeployedAccount, capsys: pytest.CaptureFixture[str]) -> None:
    """Keys, buckets and versions; the protected foundation is then in nobody's way."""
    assert run(tear_down.main, ["--yes"]) == 0
    kept = {"shop--foundation", "shop--foundation--eu-west-1", "shop--environment--try", "shop--environment--live"}
    assert set(account.cloudformation.stacks) == {*kept, "shop-x--fish", "CDKToolkit"}
    assert [len(versions) for versions in account.sagemaker.groups.values()] == [1, 1, 1]
    said = capsys.readouterr().out
    assert "versions: 3, which stay" in said
    assert all(name in said.rpartition("what stays:")[2] for name in kept)


def test_what_is_protected_goes_only_if_it_is_really_meant(
    account: DeployedAccount, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    set_values(monkeypatch, replace(SETTINGS, project=PROJECT.but(retain_data=False)))
    assert run(tear_down.main, ["--yes"]) == 2
    assert "--stack-name shop--foundation" in capsys.readouterr().err
    assert account.cloudformation.deleted == []


def test_a_repetition_finds_nothing_and_succeeds(account: DeployedAccount, capsys: pytest.CaptureFixture[str]) -> None:
    run(tear_down.main, ["--yes"])
    capsys.readouterr()
    assert run(tear_down.main, ["--yes"]) == 0
    assert "stacks: none\npipelines: none\n" in capsys.readouterr().out


def test_a_person_is_asked_and_may_say_no(account: DeployedAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: "")
    assert run(tear_down.main, ["--really"]) == 0
    assert account.cloudformation.deleted == []


def test_a_version_that_somebody_else_deletes_meanwhile_is_no_error(account: DeployedAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    set_values(monkeypatch, replace(SETTINGS, project=PROJECT.but(retain_data=False)))
    deleted = account.sagemaker.delete_model_package

    def delete_twice(**request: str) -> None:
        deleted(**request)
        raise deployed_account.refusal("ValidationException", "ModelPackage does not exist.", "DeleteModelPackage")

    monkeypatch.setattr(account.sagemaker, "delete_model_package", delete_twice)
    assert run(tear_down.main, ["--yes", "--really"]) == 0
