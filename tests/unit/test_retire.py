"""Claims about the end of a model or an environment: all that it had goes, in an order that brings nothing back; nobody else's does."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from build_scripts.command_line import ProblemError, run
from build_scripts.project_environment import ProjectEnvironment
from deploy_scripts import retire, retirement
from deploy_scripts.deployments import Deployment
from deploy_scripts.environment_place import EnvironmentPlace, Role
from tests.unit import deployed_account
from tests.unit.deployed_account import DeployedAccount, deploy_model
from tests.unit.script_account import PROJECT, SETTINGS, set_values

#: Of names that begin with the retired one's, or that end with it.
OTHERS = ("fish-large", "big-fish", "abalone")


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> DeployedAccount:
    """Models whose files are gone, and one whose file is there; a project whose name begins with ours."""
    made = deployed_account.install(monkeypatch)
    monkeypatch.setattr(retirement, "_POLL_SECONDS", 0)
    for name in ("fish", *OTHERS):
        deploy_model(made, name, "try", "live")
    for stack in (
        "shop--foundation",
        "shop--build",
        "shop--environment--try",
        "shop--environment--live",
        "shop-x--fish",
        "shop-x--fish--live",
    ):
        made.cloudformation.add(stack)
    made.functions.functions |= {"shop--environment--try--remove-unused", "shop--environment--live--remove-unused"}
    made.codepipeline.add("shop--fish--return", "running")
    return made


def what_others_have(account: DeployedAccount) -> tuple[object, ...]:
    of = lambda names: sorted(name for name in names if name.replace("/", "--").split("--")[1] != "fish" or name.startswith("shop-x"))  # noqa: E731
    sagemaker = account.sagemaker
    running = {name: sorted(runs) for name, runs in account.codepipeline.running.items() if not name.startswith("shop--fish--")}
    return of(account.cloudformation.stacks), of(sagemaker.runs), of(sagemaker.groups), sorted(sagemaker.models - {"scored-fish"}), running


def test_a_model_goes_with_all_that_it_had_and_nothing_of_another_one(account: DeployedAccount) -> None:
    before = what_others_have(account)
    assert run(retire.main, ["--model", "fish", "--yes"]) == 0
    assert what_others_have(account) == before
    assert account.cloudformation.deleted == ["shop--fish--try", "shop--fish--live", "shop--fish"]
    assert not {name for name in account.sagemaker.runs if name.startswith("shop--fish--")}
    assert "scored-fish" not in account.sagemaker.models


def test_both_ways_to_production_are_closed_before_anything_goes_and_their_stack_goes_last(account: DeployedAccount) -> None:
    """An approval meanwhile would deploy again what was just deleted, and so would a rejection."""
    run(retire.main, ["--model", "fish", "--yes"])
    assert account.log == [
        "close shop--fish--deploy Render",
        "close shop--fish--return Render",
        "stop shop--fish--try--monitoring",
        "stop shop--fish--live--monitoring",
        "invoke shop--environment--try--remove-unused",
        "invoke shop--environment--live--remove-unused",
        "delete pipeline shop--fish--training",
        "delete pipeline shop--fish--batch",
    ]
    assert [account.codepipeline.running[f"shop--fish--{kind}"] for kind in ("deploy", "return")] == [[], []]


def test_a_watch_that_runs_is_ended_before_what_it_watches_goes(account: DeployedAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    """SageMaker deletes no pipeline that runs, so the deletion of its stack would fail half-way."""
    account.functions.running = {"shop--fish--live--monitoring": 2}
    delete = account.cloudformation.delete_stack

    def watched(*, StackName: str) -> None:  # noqa: N803 - boto3 spells it so
        assert not any(account.functions.running.values())
        delete(StackName=StackName)

    monkeypatch.setattr(account.cloudformation, "delete_stack", watched)
    assert run(retire.main, ["--model", "fish", "--yes"]) == 0
    assert account.log.count("stop shop--fish--live--monitoring") == 3
    assert not any("fish-large" in line for line in account.log)


def test_what_is_kept_is_said_with_the_command_that_deletes_it(account: DeployedAccount, capsys: pytest.CaptureFixture[str]) -> None:
    run(retire.main, ["--model", "fish", "--yes"])
    said = capsys.readouterr().out
    assert account.sagemaker.groups["shop--fish"] == ["arn:package/shop--fish/1"]
    for words in (
        "1 version of shop--fish (Project.retain_data)",
        "delete-model-package-group --model-package-group-name shop--fish",
        "s3://data/training/fish/",
        "s3://shop--live-111122223333-us-east-1/capture/shop--fish--live/",
        "s3://artifacts/pipelines/shop--fish--training/",
    ):
        assert words in said


def test_a_project_that_keeps_nothing_loses_the_versions_once_none_can_be_deployed(
    account: DeployedAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deleting a version wakes the deploy pipeline, and CloudFormation deletes no group that has any."""
    set_values(monkeypatch, replace(SETTINGS, project=PROJECT.but(retain_data=False)))
    assert run(retire.main, ["--model", "fish", "--yes"]) == 0
    assert account.log.index("close shop--fish--deploy Render") < account.log.index("delete version arn:package/shop--fish/1")
    assert "shop--fish" not in account.sagemaker.groups
    assert account.sagemaker.groups["shop--fish-large"]


def test_what_was_interrupted_goes_on_and_a_repetition_finds_nothing(account: DeployedAccount, capsys: pytest.CaptureFixture[str]) -> None:
    before = what_others_have(account)
    account.cloudformation.refuse = "shop--fish--live"
    assert run(retire.main, ["--model", "fish", "--yes"]) == 130
    account.cloudformation.refuse = None
    assert run(retire.main, ["--model", "fish", "--yes"]) == 0
    assert not {name for name in account.cloudformation.stacks if name.split("--")[:2] == ["shop", "fish"]}
    assert account.log.count("invoke shop--environment--live--remove-unused") == 1  # the first run did not come so far
    capsys.readouterr()
    assert run(retire.main, ["--model", "fish", "--yes"]) == 0
    assert "nothing is left of fish; deployed: models abalone, big-fish, fish-large" in capsys.readouterr().out
    assert what_others_have(account) == before


def test_what_deployments_left_goes_also_if_the_stacks_went_in_an_earlier_run(account: DeployedAccount) -> None:
    for environment in ("try", "live"):
        del account.cloudformation.stacks[f"shop--fish--{environment}"]
    assert run(retire.main, ["--model", "fish", "--yes"]) == 0
    assert "invoke shop--environment--try--remove-unused" in account.log


def test_a_stack_that_is_being_deployed_is_waited_for(account: DeployedAccount) -> None:
    account.cloudformation.stacks["shop--fish--live"]["StackStatus"] = "UPDATE_IN_PROGRESS"
    assert run(retire.main, ["--model", "fish", "--yes"]) == 0
    assert "shop--fish--live" in account.cloudformation.deleted


def test_a_stack_that_cannot_go_is_named_with_the_reason(account: DeployedAccount, capsys: pytest.CaptureFixture[str]) -> None:
    account.cloudformation.stuck = {"shop--fish--live"}
    assert run(retire.main, ["--model", "fish", "--yes"]) == 1
    assert "stack shop--fish--live is DELETE_FAILED: the bucket is not empty; mend that, and run this again" in capsys.readouterr().err
    assert "shop--fish" in account.cloudformation.stacks


def test_what_is_protected_goes_only_if_it_is_really_meant(account: DeployedAccount, capsys: pytest.CaptureFixture[str]) -> None:
    account.cloudformation.stacks["shop--fish--live"]["EnableTerminationProtection"] = True
    before = dict(account.cloudformation.stacks)
    assert run(retire.main, ["--model", "fish", "--yes"]) == 2
    assert "--no-enable-termination-protection --stack-name shop--fish--live --region us-east-1" in capsys.readouterr().err
    assert (account.cloudformation.stacks, account.log) == (before, [])
    assert run(retire.main, ["--model", "fish", "--yes", "--really"]) == 0
    assert "shop--fish--live" in account.cloudformation.deleted


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--model", "abalone"], "models/abalone.py is still there"),
        (["--environment", "live"], "settings.py still has the environment live"),
    ],
)
def test_what_is_still_set_is_not_retired(
    account: DeployedAccount, capsys: pytest.CaptureFixture[str], arguments: list[str], named: str
) -> None:
    before = dict(account.cloudformation.stacks)
    assert run(retire.main, [*arguments, "--yes"]) == 2
    assert named in capsys.readouterr().err
    assert (account.cloudformation.stacks, account.log) == (before, [])


def test_an_environment_goes_with_what_serves_there_and_its_own_stack(account: DeployedAccount) -> None:
    account.cloudformation.add("shop--environment--old")
    account.cloudformation.add("shop--abalone--old")
    account.cloudformation.add("shop--old--live")  # a model of that name
    account.functions.functions.add("shop--environment--old--remove-unused")
    assert run(retire.main, ["--environment", "old", "--yes"]) == 0
    assert account.cloudformation.deleted == ["shop--abalone--old", "shop--environment--old"]
    assert account.log == ["stop shop--abalone--old--monitoring", "invoke shop--environment--old--remove-unused"]


def test_an_environment_that_had_a_place_of_its_own_is_looked_for_there(
    account: DeployedAccount, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    looked: list[tuple[str, str]] = []
    monkeypatch.setattr(retire, "deployments", lambda places: looked.extend((place.account, place.region) for place in places) or [])
    assert run(retire.main, ["--environment", "old", "--account", "444455556666", "--region", "eu-west-3", "--yes"]) == 0
    assert ("444455556666", "eu-west-3") in looked
    assert "looked at: 111122223333/us-east-1, 444455556666/eu-west-3; elsewhere: --account and --region" in capsys.readouterr().out


def test_what_is_kept_in_another_account_is_deleted_with_its_credentials(
    account: DeployedAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    """And what is protected there, too. The commands stand below the account that they are for."""
    project, (staging, production) = ProjectEnvironment(PROJECT), SETTINGS.environments
    elsewhere = EnvironmentPlace(project, production.but(account="444455556666"), Role.DEPLOY)
    here = EnvironmentPlace(project, staging, Role.DEPLOY)
    lines = list(retire.kept(project, PROJECT.names.model("fish"), [here, elsewhere]))
    said = lines.index("  with credentials of 444455556666 (AWS_PROFILE):")
    assert "s3://shop--live-444455556666" in lines[said + 1] and "111122223333" in lines[said - 1]
    stack = {"StackName": "shop--fish--live", "EnableTerminationProtection": True}
    with pytest.raises(ProblemError, match=r"--region us-east-1` with credentials of 444455556666 \(AWS_PROFILE\)$"):
        retirement.refuse_protected([Deployment(elsewhere, stack, "fish", "live")])


def test_nobody_is_asked_where_there_is_no_terminal(
    account: DeployedAccount, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert run(retire.main, ["--model", "fish"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert account.cloudformation.deleted == []
