"""Claims about status: every model in every environment, what serves there in truth, what failed, and what waits for whom."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from build_scripts.command_line import ProblemError, run
from deploy_scripts import status
from deploy_scripts.placements import Placement
from settings_schema import Asynchronous, Component, Environment, Fleet, Instances
from tests.unit import deployed_account
from tests.unit.deployed_account import NOW, DeployedAccount, deploy_model
from tests.unit.script_account import MODEL, PACKAGE, SETTINGS, Pages, refusal, set_values

REFUSED = "User: arn:aws:sts::111122223333:assumed-role/build/b is not authorized to perform: s3:PutObject on resource: arn:aws:s3:::a/k"


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> DeployedAccount:
    """Abalone serves version 1 live; of arrests nothing is deployed."""
    made = deployed_account.install(monkeypatch)
    made.codepipeline.add("shop--build")
    deploy_model(made, "abalone", "live")
    made.sagemaker.serve("shop--abalone--live", 1)
    made.sagemaker.add(1, "Approved", metric="rmse", **{"metric-value": "2.2001", "git-commit": "0123456789abcdef"})
    made.sagemaker.add(2, "PendingManualApproval", metric="rmse", **{"metric-value": "2.1"})
    return made


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    assert run(status.main, ["--json", *arguments]) == 0
    content: dict[str, Any] = json.loads(capsys.readouterr().out)
    return content


def test_every_model_and_environment_is_there_deployed_or_only_set(account: DeployedAccount, capsys: pytest.CaptureFixture[str]) -> None:
    stages = shown(capsys)["stages"]
    assert [(item["model"], item["stage"], item["version"]) for item in stages] == [
        ("abalone", "try", None),
        ("abalone", "live", 1),
        ("arrests", "try", None),
        ("arrests", "live", None),
    ]
    assert (stages[1]["commit"], stages[1]["metric"], stages[1]["status"]) == ("0123456789ab", "rmse 2.2", "InService")
    assert stages[0]["status"] == "not deployed"


def test_one_model_can_be_asked_for_and_a_wrong_name_tells_the_known_ones(
    account: DeployedAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    assert {item["model"] for item in shown(capsys, "--model", "arrests")["stages"]} == {"arrests"}
    assert run(status.main, ["--model", "abalon"]) == 2
    assert capsys.readouterr().err == "error: --model is 'abalon'; allowed: abalone, arrests\n"


def test_what_waits_says_for_whom_and_the_command(account: DeployedAccount, capsys: pytest.CaptureFixture[str]) -> None:
    waiting = {"actionName": "Approve", "latestExecution": {"status": "InProgress", "token": "t-1"}}
    account.codepipeline.states["shop--abalone--deploy"]["stageStates"][2]["actionStates"] = [waiting]
    version, stage = shown(capsys)["waiting"]
    assert (version["what"], version["whom"]) == ("version 2 of abalone rmse 2.1", "an approver")
    assert version["command"] == "python -m deploy_scripts.approve --model abalone --version 2"
    assert stage["what"] == "shop--abalone--deploy Staging Approve"
    assert "--token t-1" in stage["command"]


@pytest.mark.parametrize(
    ("run_ended", "drift", "quality", "expected"),
    [
        ("Succeeded", "OK", "OK", "ok"),
        ("Succeeded", "ALARM", "ALARM", "drift, quality"),
        ("Succeeded", "INSUFFICIENT_DATA", "INSUFFICIENT_DATA", "nothing judged yet"),
        ("Failed", "OK", "OK", "failed"),  # what was found before may be true no more
        ("Executing", "ALARM", "OK", "running"),
    ],
)
def test_the_watch_says_what_it_found_and_how_its_newest_run_ended(
    account: DeployedAccount, capsys: pytest.CaptureFixture[str], run_ended: str, drift: str, quality: str, expected: str
) -> None:
    account.cloudwatch.states = {"shop--abalone--live--drift": drift, "shop--abalone--live--quality": quality}
    account.sagemaker.runs["shop--abalone--live--monitoring"] = {"run/watch/1": run_ended}
    told = shown(capsys)
    assert [item["watch"] for item in told["stages"]] == ["", expected, "", ""]
    assert ("shop--abalone--live--monitoring" in {failure["what"] for failure in told["failures"]}) == (run_ended == "Failed")


def test_a_watch_that_never_ran_says_so(account: DeployedAccount, capsys: pytest.CaptureFixture[str]) -> None:
    account.cloudwatch.states = {"shop--abalone--live--drift": "INSUFFICIENT_DATA"}
    assert shown(capsys)["stages"][1]["watch"] == "no run yet"


def test_a_batch_model_shows_its_schedule_and_what_it_scored_last(account: DeployedAccount, capsys: pytest.CaptureFixture[str]) -> None:
    account.cloudformation.add("shop--arrests--live", ModelName="Model-1")
    account.sagemaker.batch["Model-1"] = f"{PACKAGE}/1"
    bucket = "s3://shop--live-111122223333-us-east-1"
    job = {"TransformJobStatus": "Completed", "CreationTime": NOW, "TransformEndTime": NOW}
    source = {"TransformInput": {"DataSource": {"S3DataSource": {"S3Uri": f"{bucket}/batch/arrests/2026-11/"}}}}
    account.sagemaker.jobs = [
        {**job, **source, "TransformJobName": "my-shop--arrests--live--a"},  # another project's
        {**job, **source, "TransformJobName": "shop--arrests--live--0a"},  # a verification
        {**job, **source, "TransformJobName": "shop--arrests--live--a"},
    ]
    *_, live = shown(capsys)["stages"]
    assert (live["version"], live["schedule"]) == (1, "on upload, cron(0 4 ? * * *) Etc/UTC")
    assert live["scored"] == "2026-11 (Completed, 2026-11-27 04:03)"
    account.sagemaker.jobs[2] |= {"TransformJobStatus": "Failed", "FailureReason": "ClientError: a row is malformed"}
    failure = shown(capsys)["failures"][-1]
    assert (failure["what"], failure["reason"]) == (
        "arrests in live",
        "2026-11: transform job shop--arrests--live--a: ClientError: a row is malformed",
    )


@pytest.mark.parametrize(("newer", "is_told"), [("good", True), ("bad", False)])
def test_rows_that_failed_are_told_until_they_are_scored(
    account: DeployedAccount, capsys: pytest.CaptureFixture[str], newer: str, is_told: bool
) -> None:
    """However many others were scored since."""
    account.cloudformation.add("shop--arrests--live", ModelName="Model-1")
    account.sagemaker.batch["Model-1"] = f"{PACKAGE}/1"

    def job(name: str, rows: str, status: str) -> dict[str, object]:
        address = f"s3://shop--live-111122223333-us-east-1/batch/arrests/{rows}/"
        source = {"TransformInput": {"DataSource": {"S3DataSource": {"S3Uri": address}}}}
        return {"TransformJobName": f"shop--arrests--live--{name}", "TransformJobStatus": status, "CreationTime": NOW, **source}

    account.sagemaker.jobs = [job("b", newer, "Completed"), job("a", "bad", "Failed")]
    told = [failure["reason"] for failure in shown(capsys)["failures"] if failure["what"] == "arrests in live"]
    assert told == (["bad: transform job shop--arrests--live--a: no reason given"] if is_told else [])


@pytest.mark.parametrize(
    ("stacks", "what", "command"),
    [
        (
            ["shop--fish", "shop--fish--live"],
            "model fish is not set any more, but shop--fish, shop--fish--live are still there",
            "--model fish",
        ),
        (
            ["shop--environment--old", "shop--abalone--old"],
            "environment old is not set any more, but shop--environment--old, shop--abalone--old are still there",
            "--environment old",
        ),
    ],
)
def test_what_is_deployed_but_not_set_any_more_is_shown_with_the_command_that_retires_it(
    account: DeployedAccount, capsys: pytest.CaptureFixture[str], stacks: list[str], what: str, command: str
) -> None:
    for stack in stacks:
        account.cloudformation.add(stack, EndpointName=stack)
    account.sagemaker.serve(stacks[1], 1, config="config-2")
    content = shown(capsys)
    assert (content["waiting"][-1]["what"], content["waiting"][-1]["command"]) == (what, f"python -m deploy_scripts.retire {command}")
    _, model, environment = stacks[1].split("--")
    assert (model, environment, 1) in [(item["model"], item["stage"], item["version"]) for item in content["stages"]]


def test_a_stack_whose_endpoint_was_never_made_shows_its_own_status(account: DeployedAccount, capsys: pytest.CaptureFixture[str]) -> None:
    account.cloudformation.add("shop--abalone--try", EndpointName="shop--abalone--try")
    account.cloudformation.stacks["shop--abalone--try"]["StackStatus"] = "ROLLBACK_COMPLETE"
    assert shown(capsys)["stages"][0]["status"] == "ROLLBACK_COMPLETE"


def test_nothing_of_another_project_is_shown(account: DeployedAccount, capsys: pytest.CaptureFixture[str]) -> None:
    before = shown(capsys)
    for stack in ("shop-x--abalone--live", "shopping", "CDKToolkit", "shop"):
        account.cloudformation.add(stack)
    assert shown(capsys) == before


def test_a_version_that_was_deleted_is_shown_with_what_is_known(account: DeployedAccount, capsys: pytest.CaptureFixture[str]) -> None:
    del account.sagemaker.packages[1]
    live = shown(capsys, "--model", "abalone")["stages"][1]
    assert (live["version"], live["status"]) == (1, "InService, version deleted from the registry")
    assert run(status.main, []) == 0
    assert "deleted from the registry" in " ".join(capsys.readouterr().out.split())


def test_a_version_in_production_s_shadow_is_shown_with_its_instances(
    account: DeployedAccount, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    describe = account.sagemaker.describe_endpoint
    shadows = [{"VariantName": "Shadow", "CurrentInstanceCount": 2}]
    monkeypatch.setattr(account.sagemaker, "describe_endpoint", lambda **asked: {**describe(**asked), "ShadowProductionVariants": shadows})
    live = shown(capsys, "--model", "abalone")["stages"][1]
    assert live["status"] == "InService, a version in its shadow on 2 instances"


def test_a_version_in_an_experiment_is_shown_beside_the_one_that_serves(
    account: DeployedAccount, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    describe = account.sagemaker.describe_endpoint
    challenger = {"VariantName": "Challenger", "CurrentInstanceCount": 2}

    def both(**asked: Any) -> dict[str, Any]:
        endpoint = describe(**asked)
        return {**endpoint, "ProductionVariants": [*endpoint.get("ProductionVariants", []), challenger]}

    monkeypatch.setattr(account.sagemaker, "describe_endpoint", both)
    assert shown(capsys, "--model", "abalone")["stages"][1]["status"] == "InService, a version in an experiment"


@pytest.mark.parametrize("gone", ["config", "model"])
def test_an_endpoint_whose_description_was_deleted_is_shown(
    account: DeployedAccount, capsys: pytest.CaptureFixture[str], gone: str
) -> None:
    account.sagemaker.deleted.add(gone)
    live = shown(capsys)["stages"][1]
    assert (live["version"], live["status"]) == (None, "InService, of no known version")


class FailedBuild:
    """CodeBuild and its log, after a build whose role lacked a permission."""

    def batch_get_builds(self, ids: list[str]) -> dict[str, object]:
        return {"builds": [{"id": ids[0], "logs": {"groupName": "g", "streamName": "s"}}]}

    def get_log_events(self, **_: object) -> dict[str, object]:
        return {"events": [{"message": text} for text in ("collecting\n", f"error: PutObject: AccessDenied: {REFUSED}\n", "done\n")]}


def test_status_says_what_failed_last_and_which_permission_it_lacked(account: DeployedAccount, capsys: pytest.CaptureFixture[str]) -> None:
    account.clients |= dict.fromkeys(("codebuild", "logs"), FailedBuild())
    failed = {"status": "Failed", "errorDetails": {"message": "exit status 1"}, "externalExecutionId": "b:1"}
    stage = {
        "stageName": "Build",
        "latestExecution": {"status": "Failed"},
        "actionStates": [{"actionName": "Test", "latestExecution": failed}],
    }
    account.codepipeline.states["shop--build"]["stageStates"] = [stage]
    failures = shown(capsys)["failures"]
    assert failures[0]["what"] == "shop--build Build Test"
    assert failures[0]["reason"] == f"exit status 1 error: PutObject: AccessDenied: {REFUSED}"
    assert run(status.main, []) == 0
    assert REFUSED in capsys.readouterr().out


def test_status_says_why_the_last_training_and_an_endpoint_failed() -> None:
    summary = {"PipelineExecutionStatus": "Failed", "PipelineExecutionFailureReason": REFUSED}
    assert [failure.reason for failure in status.failed_run("training", summary)] == [REFUSED]
    assert status.failed_run("training", {**summary, "PipelineExecutionStatus": "Succeeded"}) == []
    assert [failure.what for failure in status.failed_stage(Placement(model="a", stage="live", failure=REFUSED))] == ["a in live"]
    assert status.failed_stage(Placement(model="a", stage="live")) == []


def test_an_account_that_is_closed_is_a_line_and_the_rest_is_shown(
    account: DeployedAccount, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The one who looks may have no role in the account where it serves."""

    def refuse(**_: str) -> None:
        raise refusal("AccessDenied", "no", "AssumeRole")

    monkeypatch.setattr(account.clients["sts"], "assume_role", refuse, raising=False)
    there = Environment(name="live", account="444455556666")
    set_values(monkeypatch, replace(SETTINGS, environments=(SETTINGS.environments[0], there)))
    content = shown(capsys)
    assert [(item["model"], item["stage"]) for item in content["stages"]] == [
        ("abalone", "try"),
        ("abalone", "live"),  # what is left of it in this account
        ("arrests", "try"),
    ]
    assert content["failures"][0]["what"] == "environment live"
    assert "444455556666" in content["failures"][0]["reason"]


def test_twenty_models_take_one_listing_of_stacks_and_one_look_at_each_endpoint(
    account: DeployedAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"model-{number}" for number in range(20)]
    for name in names:
        deploy_model(account, name, "try", "live")
    set_values(monkeypatch, replace(SETTINGS, models={name: MODEL.but(name=name) for name in names}))
    looked: list[str] = []
    describe = account.sagemaker.describe_endpoint

    def noted(**request: str) -> dict[str, Any]:
        looked.append(request["EndpointName"])
        return describe(**request)

    monkeypatch.setattr(account.sagemaker, "describe_endpoint", noted)
    account.cloudformation.asked.clear()
    assert run(status.main, []) == 0
    assert account.cloudformation.asked == ["all"]
    assert {name: count for name, count in Counter(looked).items() if name.startswith("shop--model-")} == {
        f"shop--{name}--{environment}": 1 for name in names for environment in ("try", "live")
    }


def test_a_model_that_is_neither_set_nor_deployed_is_no_empty_page(account: DeployedAccount) -> None:
    with pytest.raises(ProblemError, match="allowed: abalone, arrests"):
        status.collect(status.ProjectEnvironment(SETTINGS.project), SETTINGS, "fish")


def test_what_is_to_scale_and_does_not_is_told_until_it_does(account: DeployedAccount, capsys: pytest.CaptureFixture[str]) -> None:
    """A change of its instance type broke off after its scaling was taken away. Nothing is told while its stack is being changed."""
    assert not [item for item in shown(capsys)["waiting"] if "scale" in item["what"]]
    account.cloudformation.unscaled.add("shop--abalone--live")
    (told,) = [item for item in shown(capsys)["waiting"] if "scale" in item["what"]]
    assert told["what"].startswith("abalone in live does not scale: ")
    assert told["command"].startswith(f"""echo '{{"package": "{PACKAGE}/1"}}' | aws lambda invoke """)
    account.cloudformation.stacks["shop--abalone--live"]["StackStatus"] = "UPDATE_IN_PROGRESS"
    assert not [item for item in shown(capsys)["waiting"] if "scale" in item["what"]]


def test_a_queue_s_instances_that_do_not_follow_it_are_told_too(
    account: DeployedAccount, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    queued = MODEL.but(serving={item.name: Asynchronous() for item in SETTINGS.environments})
    set_values(monkeypatch, replace(SETTINGS, models={queued.name: queued}))
    account.cloudformation.unscaled.add("shop--abalone--live")
    (told,) = [item for item in shown(capsys)["waiting"] if "scale" in item["what"]]
    assert told["what"].startswith("abalone in live does not scale: ")


FLEET = "shop--fleet--small--live"


@pytest.fixture
def on_fleet(account: DeployedAccount, monkeypatch: pytest.MonkeyPatch) -> DeployedAccount:
    """Abalone is to be on the fleet, which is there, and still has its endpoint."""
    fleet = Fleet(name="small", instances={"live": Instances(max_count=3)})
    model = MODEL.but(serving={**MODEL.serving, "live": Component(fleet="small")})
    set_values(monkeypatch, replace(SETTINGS, fleets={"small": fleet}, models={**SETTINGS.models, model.name: model}))
    account.cloudformation.add(FLEET)
    account.sagemaker.serve(FLEET, 9, config="config-fleet")
    return account


def test_a_model_that_is_to_go_onto_a_fleet_is_shown_where_it_serves_until_then(
    on_fleet: DeployedAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    live = next(item for item in shown(capsys)["stages"] if (item["model"], item["stage"]) == ("abalone", "live"))
    assert (live["version"], live["status"], live["kind"]) == (1, "InService", "")
    del on_fleet.sagemaker.endpoints["shop--abalone--live"]
    on_fleet.sagemaker.put_on_fleet("shop--abalone--live", FLEET, 1, copies=2)
    live = next(item for item in shown(capsys)["stages"] if (item["model"], item["stage"]) == ("abalone", "live"))
    assert (live["version"], live["instances"], live["kind"]) == (1, 2, f"copies on {FLEET}")


def test_a_fleet_is_shown_with_its_instances_and_who_is_on_it(on_fleet: DeployedAccount, capsys: pytest.CaptureFixture[str]) -> None:
    sagemaker = on_fleet.sagemaker
    sagemaker.put_on_fleet("shop--abalone--live", FLEET, 1, copies=2)
    sagemaker.put_on_fleet("shop--carp--live", FLEET, 1, copies=0, wanted=1, InferenceComponentStatus="Updating")
    (fleet,) = shown(capsys)["fleets"]
    assert (fleet["fleet"], fleet["stage"], fleet["status"]) == ("small", "live", "InService")
    assert fleet["copies"] == {"shop--abalone--live": "2", "shop--carp--live": "0 of 1 (Updating)"}
    assert run(status.main, []) == 0
    assert "fleet small in live: InService, " in capsys.readouterr().out


class Closed:
    """S3, of whoever may list nothing."""

    def get_paginator(self, name: str) -> Pages:
        return Pages(self.list_objects_v2)

    def list_objects_v2(self, **_: str) -> None:
        raise refusal("AccessDenied", "not authorized to perform: s3:ListBucket", "ListObjectsV2")


CARP = {"DeployedModelPackageArn": "arn:aws:sagemaker:us-east-1:1:model-package/shop--carp/2"}


def test_a_multi_model_fleet_is_shown_with_what_the_clients_of_each_model_are_told(
    on_fleet: DeployedAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    other = "shop--fleet--large--live"
    on_fleet.cloudformation.add(FLEET, Archives="s3://artifacts/fleets/small/live/")
    on_fleet.cloudformation.add("shop--carp--live", TargetModel="carp/2-0a.tar.gz", EndpointName=FLEET, **CARP)
    on_fleet.cloudformation.add("shop--crab--live", TargetModel="crab/1-0b.tar.gz", EndpointName=other)
    (fleet,) = shown(capsys)["fleets"]
    assert (fleet["targets"], fleet["copies"]) == ({"shop--carp--live": "carp/2-0a.tar.gz"}, {})
    assert run(status.main, []) == 0
    assert "shop--carp--live carp/2-0a.tar.gz" in capsys.readouterr().out


def test_an_archive_that_clients_are_told_of_and_that_is_gone_waits_for_somebody_with_what_puts_it_there_again(
    on_fleet: DeployedAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    on_fleet.cloudformation.add(FLEET, Archives="s3://artifacts/fleets/small/live/")
    for model in ("carp", "crab"):
        told = {
            "TargetModel": f"{model}/2-0a.tar.gz",
            "DeployedModelPackageArn": f"arn:aws:sagemaker:us-east-1:1:model-package/shop--{model}/2",
        }
        on_fleet.cloudformation.add(f"shop--{model}--live", EndpointName=FLEET, **told)
    on_fleet.sagemaker.s3.objects["artifacts/fleets/small/live/carp/2-0a.tar.gz"] = b"archive"
    gone = {item["what"]: item["command"] for item in shown(capsys)["waiting"] if "told to ask for" in item["what"]}
    ((what, command),) = gone.items()
    assert what.startswith("crab/2-0a.tar.gz, which clients of crab in live are told to ask for, is not in s3://artifacts")
    on_fleet.clients["s3"] = Closed()  # whoever looks may not list the bucket
    assert not any("told to ask for" in item["what"] for item in shown(capsys)["waiting"])
    assert command.endswith("offer --model crab --stage live --package arn:aws:sagemaker:us-east-1:1:model-package/shop--crab/2")


def test_a_fleet_that_failed_or_is_not_set_any_more_waits_for_somebody(
    on_fleet: DeployedAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    on_fleet.sagemaker.endpoints[FLEET]["status"] = "Failed"
    on_fleet.sagemaker.put_on_fleet("shop--carp--live", FLEET, 1)
    on_fleet.cloudformation.add("shop--fleet--small--try", protected=True)
    told = {item["what"]: item["command"] for item in shown(capsys)["waiting"]}
    assert any(
        what.startswith(f"endpoint {FLEET} is Failed") and "before it the stacks shop--carp--live" in what and "delete-stack" in command
        for what, command in told.items()
    )
    (left,) = [command for what, command in told.items() if what.startswith("fleet small is not set any more in try")]
    assert "--no-enable-termination-protection" in left and left.endswith("delete-stack --stack-name shop--fleet--small--try")
