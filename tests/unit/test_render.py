"""Claims about what is deployed: the newest approved version, pinned once for both environments, and refused early if it cannot work."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from build_scripts.command_line import run
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.step_modules import load
from deploy_scripts import choose_version, render, wait_for_endpoint
from pipelines.monitoring.code import code_files
from pipelines.published_code import code_prefix
from settings_schema import Endpoint
from tests.example_models import ABALONE, ARRESTS
from tests.unit import script_account
from tests.unit.script_account import ENVIRONMENTS, GROUP, NAMES, PACKAGE, PRODUCTION, PROJECT, SETTINGS, STAGING, ScriptAccount

TEMPLATE: dict[str, Any] = {
    "Parameters": {"ModelPackageArn": {"Type": "String"}},
    "Resources": {"Endpoint": {"Type": "AWS::SageMaker::Endpoint", "Properties": {"RetainAllVariantProperties": True}}},
}

LIVE = NAMES.at(PRODUCTION.name).endpoint


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ScriptAccount:
    monkeypatch.chdir(tmp_path)
    synthesize(tmp_path / "cdk.out", TEMPLATE)
    return script_account.install(monkeypatch)


def synthesize(assembly: Path, template: dict[str, Any]) -> None:
    """An assembly like the CDK's: one nested assembly for each serving stage."""
    for environment in ENVIRONMENTS:
        stack = NAMES.at(environment.name).stack
        folder = assembly / f"assembly-{stack}"
        folder.mkdir(parents=True, exist_ok=True)
        artifact = {"type": "aws:cloudformation:stack", "properties": {"templateFile": "t.json", "stackName": stack}}
        (folder / "manifest.json").write_text(json.dumps({"artifacts": {f"{stack}-id": artifact}}))
        (folder / "t.json").write_text(json.dumps(template))


def deploy(*arguments: str) -> int:
    """As the buildspec does, whose templates are here: no commit says which were kept."""
    return run(render.main, ["--commit", "", *arguments])


def rendered(stage: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(Path(f"rendered/{stage}.parameters.json").read_text())
    return content


def test_newest_approved_version_is_pinned_for_every_stage(account: ScriptAccount) -> None:
    account.sagemaker.add(1, "Approved")
    account.sagemaker.add(2, "Approved")
    account.sagemaker.add(3, "PendingManualApproval")
    assert deploy() == 0
    assert [rendered(item.name)["Parameters"] for item in ENVIRONMENTS] == [{"ModelPackageArn": f"{PACKAGE}/2"}] * len(ENVIRONMENTS)
    assert rendered(PRODUCTION.name)["Parameters"]["ModelPackageArn"].endswith("/2")
    assert json.loads(Path("rendered/shop--abalone--try.template.json").read_text()) == TEMPLATE


def test_rejecting_the_live_version_goes_back_to_the_one_before(account: ScriptAccount) -> None:
    account.sagemaker.add(1, "Approved")
    account.sagemaker.add(2, "Rejected")
    assert deploy() == 0
    assert f"MODEL_PACKAGE_ARN={PACKAGE}/1" in Path("chosen.env").read_text()


def test_a_version_that_other_code_than_its_commit_s_made_is_not_deployed(
    account: ScriptAccount, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Something lay beside the published code, and its jobs imported it."""
    monkeypatch.setenv("CODEBUILD_RESOLVED_SOURCE_VERSION", "c0ffee")
    account.sagemaker.add(1, **{"git-commit": "c0ffee"})
    assert deploy() == 2
    assert "version 1 was not made by the code of commit c0ffee: its code-sha256 is" in capsys.readouterr().err
    account.sagemaker.add(2, **{"git-commit": "another"})
    assert deploy() == 0


def test_a_version_without_an_inference_specification_is_refused_and_nothing_written(
    account: ScriptAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    """SageMaker registers such a version, too: a source of another kind, or a model card alone."""
    account.sagemaker.add(1)
    del account.sagemaker.packages[1]["InferenceSpecification"]
    assert deploy() == 2
    said = capsys.readouterr().err
    assert "version 1 cannot be deployed: it has no inference specification" in said
    assert said.count("\n") == 1
    assert not Path("chosen.env").exists()


def test_requested_version_wins_over_the_newest(account: ScriptAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    account.sagemaker.add(1)
    account.sagemaker.add(2)
    monkeypatch.setenv("REQUESTED_PACKAGE", f"{PACKAGE}/1")
    assert deploy() == 0
    assert rendered(STAGING.name)["Parameters"]["ModelPackageArn"] == f"{PACKAGE}/1"


@pytest.mark.parametrize(
    ("approval", "requested", "named"),
    [
        ("PendingManualApproval", choose_version.LATEST, f"no version of {GROUP} is approved"),
        ("Rejected", f"{PACKAGE}/1", "version 1 is Rejected"),
        ("Approved", f"{PACKAGE}/9", "does not exist"),
        ("Approved", PACKAGE.replace(GROUP, "other") + "/1", f"allowed: {PACKAGE}/<number>"),
        ("Approved", PACKAGE.replace("us-east-1", "eu-west-1") + "/1", f"allowed: {PACKAGE}/<number>"),
        ("Approved", PACKAGE.replace("111122223333", "444455556666") + "/1", f"allowed: {PACKAGE}/<number>"),
        ("Approved", f"{PACKAGE}/one", f"allowed: {PACKAGE}/<number>"),
    ],
)
def test_nothing_deployable_is_one_line_and_nothing_written(
    account: ScriptAccount, capsys: pytest.CaptureFixture[str], approval: str, requested: str, named: str
) -> None:
    account.sagemaker.add(1, approval)
    assert deploy("--package", requested) == 2
    error = capsys.readouterr().err
    assert named in error
    assert error.count("\n") == 1
    assert not Path("rendered").exists()


def test_a_live_version_that_was_deleted_from_the_registry_is_replaced_like_any_other(account: ScriptAccount) -> None:
    """SageMaker lets it be deleted, and the endpoint goes on serving it."""
    account.sagemaker.add(1)
    account.sagemaker.add(2)
    account.sagemaker.serve(LIVE, 1)
    del account.sagemaker.packages[1]
    assert deploy() == 0
    assert rendered(PRODUCTION.name)["Parameters"]["ModelPackageArn"] == f"{PACKAGE}/2"


# ------------------------------------------------------------------------------ another instance type under what scales

SCALES = ["AWS::SageMaker::Endpoint", "AWS::ApplicationAutoScaling::ScalableTarget"]
TYPED: dict[str, Any] = {
    **TEMPLATE,
    "Parameters": {"ModelPackageArn": {}, "Capacity": {"Default": "kept"}, "InstanceCount": {"Default": 2}},
}
SCALED: dict[str, Any] = {
    "Parameters": {"ModelPackageArn": {}},
    "Resources": {
        "Endpoint": {"Type": "AWS::SageMaker::Endpoint", "Properties": {}},
        "Target": {"Type": "AWS::ApplicationAutoScaling::ScalableTarget", "Properties": {}, "DependsOn": ["Endpoint"]},
    },
}
STACK = NAMES.at(PRODUCTION.name).stack
SECOND = ("--second-update", "ChangeType")


@pytest.fixture
def typed(account: ScriptAccount, tmp_path: Path) -> ScriptAccount:
    """Version 1 serves production on five instances of a type that is not set any more, and scales; version 2 is newer."""
    synthesize(tmp_path / "cdk.out", TYPED)
    for number in (1, 2):
        account.sagemaker.add(number)
    account.sagemaker.serve(LIVE, 1, instance_type="ml.c5.large", instances=5)
    account.cloudformation.resources[STACK] = SCALES
    account.cloudformation.templates[STACK] = SCALED
    deployed = [{"ParameterKey": "ModelPackageArn", "ParameterValue": f"{PACKAGE}/1"}]
    account.cloudformation.described[STACK] = {"StackName": STACK, "StackStatus": "UPDATE_COMPLETE", "Parameters": deployed}
    return account


def update(folder: str, environment: str = PRODUCTION.name) -> tuple[dict[str, Any], dict[str, Any]]:
    """Template and parameters of the first update of production's stack, or of the `second/`."""
    template = Path(f"rendered/{folder}{NAMES.at(environment).stack}.template.json")
    return json.loads(template.read_text()), json.loads(Path(f"rendered/{folder}{environment}.parameters.json").read_text())


def test_another_instance_type_of_what_scales_takes_two_updates(typed: ScriptAccount) -> None:
    """The first one leaves what serves as it is, and only takes the scaling away."""
    assert deploy(*SECOND) == 0
    template, parameters = update("")
    assert template["Resources"] == {"Endpoint": SCALED["Resources"]["Endpoint"]}
    assert parameters["Parameters"] == {"ModelPackageArn": f"{PACKAGE}/1"}
    template, parameters = update("second/")
    assert template == TYPED
    assert parameters["Parameters"] == {"ModelPackageArn": f"{PACKAGE}/2", "Capacity": "given", "InstanceCount": "5"}
    assert parameters["Tags"] == update("")[1]["Tags"], "another tag would update every resource"


def test_both_updates_are_announced_before_they_begin(typed: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    assert deploy(*SECOND) == 0
    steps = "1. its scaling is taken away, without which 5 × ml.c5.large serve on as many as they are; 2. 5 × ml.m5.large replace"
    assert f"live: another instance type, ml.c5.large to ml.m5.large: {steps}" in capsys.readouterr().out


def test_the_way_back_from_another_type_takes_the_same_two_updates(typed: ScriptAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of the last release have another type than what they replace."""
    monkeypatch.setenv("STAGE", PRODUCTION.name)
    judged(typed, 1, "Rejected")
    assert deploy(*SECOND, "--leaving", f"{PACKAGE}/1", "--package", f"{PACKAGE}/2") == 0
    assert "Target" not in update("")[0]["Resources"]
    assert update("second/")[1]["Parameters"]["Capacity"] == "given"


def test_a_type_that_stays_leaves_the_second_update_nothing_to_do(account: ScriptAccount) -> None:
    account.sagemaker.add(1)
    assert deploy(*SECOND) == 0
    for environment in ENVIRONMENTS:
        assert update("", environment.name) == update("second/", environment.name)


def test_what_lost_its_scaling_in_a_broken_deployment_needs_the_last_update_only(typed: ScriptAccount) -> None:
    typed.cloudformation.resources[STACK] = SCALES[:1]
    typed.cloudformation.templates[STACK] = {"Resources": {"Endpoint": SCALED["Resources"]["Endpoint"]}}
    assert deploy() == 0
    assert update("") == update("second/")
    assert update("")[1]["Parameters"]["InstanceCount"] == "5"


def test_a_pipeline_without_the_second_action_is_named_and_nothing_written(
    typed: ScriptAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its stack is from an earlier release of the template."""
    assert deploy() == 2
    said = capsys.readouterr().err
    assert "for which the pipelines have no action yet: `npx cdk deploy shop--abalone`" in said
    assert said.count("\n") == 1
    assert not Path("rendered").exists()


def test_another_instance_type_of_what_does_not_scale_is_deployed_at_once(account: ScriptAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = ABALONE.but(serving={item.name: Endpoint() for item in ENVIRONMENTS})
    script_account.set_values(monkeypatch, replace(SETTINGS, models={plain.name: plain}))
    account.sagemaker.add(1)
    account.sagemaker.serve(LIVE, 1, instance_type="ml.c5.large")
    assert deploy() == 0
    assert update("") == update("second/")


# ----------------------------------------------------------------------------------------------- what serves is made anew


def test_a_day_makes_anew_what_serves_and_later_deployments_keep_it(
    account: ScriptAccount, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Another day alone would replace the model, and with it the fleet."""
    synthesize(tmp_path / "cdk.out", {**TEMPLATE, "Parameters": {"Rebuilt": {"Default": "never"}}})
    account.sagemaker.add(1)
    assert deploy() == 0
    assert rendered(PRODUCTION.name)["Parameters"] == {"Rebuilt": "never"}
    monkeypatch.setenv("REBUILT", "2026-02-02")
    assert deploy() == 0
    assert [rendered(item.name)["Parameters"]["Rebuilt"] for item in ENVIRONMENTS] == ["2026-02-02", "2026-02-02"]
    monkeypatch.setenv("REBUILT", "never")
    there = [{"ParameterKey": "Rebuilt", "ParameterValue": "2026-01-05"}]
    account.cloudformation.described[STACK] = {"StackName": STACK, "StackStatus": "UPDATE_COMPLETE", "Parameters": there}
    assert deploy() == 0
    assert rendered(PRODUCTION.name)["Parameters"]["Rebuilt"] == "2026-01-05"


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ({"code/inference.py": b"# answers", "model": b"another"}, "not what was evaluated: s3://artifacts/1/model.tar.gz has sha256"),
        ({"code/inference.py": b"# else"}, "not what was evaluated: the code in s3://artifacts/1/model.tar.gz has sha256"),
        (None, "its archive s3://artifacts/1/model.tar.gz is gone"),
    ],
)
def test_an_archive_that_is_not_the_evaluated_one_is_named_and_nothing_written(
    account: ScriptAccount, capsys: pytest.CaptureFixture[str], members: dict[str, bytes] | None, named: str
) -> None:
    account.sagemaker.add(1)
    archive = account.s3.objects.pop("artifacts/1/model.tar.gz")
    if members is not None:
        account.s3.objects["artifacts/1/model.tar.gz"] = load("archive").pack(members)
        assert account.s3.objects["artifacts/1/model.tar.gz"] != archive
    assert deploy() == 2
    error = capsys.readouterr().err
    assert named in error
    assert error.count("\n") == 1
    assert not Path("rendered").exists()


def test_a_version_that_does_not_say_what_was_evaluated_is_not_deployed(account: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    account.sagemaker.add(1, **{"model-sha256": "unknown"})
    assert deploy() == 2
    assert "version 1 does not say what was evaluated: its metadata has no model-sha256" in capsys.readouterr().err


def test_a_version_is_deployed_over_one_that_was_deleted(account: ScriptAccount) -> None:
    account.sagemaker.serve(LIVE, 1)
    account.sagemaker.add(2)
    assert deploy() == 0
    assert rendered(PRODUCTION.name)["Parameters"]["ModelPackageArn"] == f"{PACKAGE}/2"


def test_an_endpoint_whose_config_was_deleted_can_be_deployed_to(account: ScriptAccount) -> None:
    account.sagemaker.add(1)
    account.sagemaker.serve(LIVE, 1)
    account.sagemaker.deleted.add("config")
    assert deploy() == 0


def test_instance_type_that_the_version_does_not_allow_is_refused(account: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    account.sagemaker.add(1)
    account.sagemaker.packages[1]["InferenceSpecification"]["SupportedRealtimeInferenceInstanceTypes"] = ["ml.g5.xlarge"]
    assert deploy() == 2
    assert "version 1 allows ml.g5.xlarge" in capsys.readouterr().err


def test_a_watch_gets_the_code_of_this_checkout_and_the_image_of_the_version(account: ScriptAccount, tmp_path: Path) -> None:
    """The build of the commit has published the code at that address."""
    account.sagemaker.add(1)
    account.sagemaker.packages[1]["InferenceSpecification"]["Containers"][0]["Image"] = "111122223333.dkr.ecr.us-east-1.amazonaws.com/x:1"
    declared = {"ModelPackageArn": {}, "ModelVersion": {}, "ModelImage": {}, "MonitoringCode": {}}
    synthesize(tmp_path / "cdk.out", {**TEMPLATE, "Parameters": declared})
    assert deploy() == 0
    code = f"s3://artifacts/{code_prefix(code_files(ABALONE))}"
    image = "111122223333.dkr.ecr.us-east-1.amazonaws.com/x:1"
    named = {"ModelPackageArn": f"{PACKAGE}/1", "ModelVersion": "1"}
    assert rendered(PRODUCTION.name)["Parameters"] == {**named, "ModelImage": image, "MonitoringCode": code}


def test_a_parameter_that_nothing_says_is_named(account: ScriptAccount) -> None:
    template = {"Parameters": {"ModelPackageArn": {}, "Size": {"Default": "1"}}}
    version = choose_version.choose(ProjectEnvironment(PROJECT), GROUP, account.sagemaker.add(1))
    known = {"ModelPackageArn": version.arn, "ModelImage": "image"}
    assert render.parameters(known, template) == {"ModelPackageArn": f"{PACKAGE}/1"}
    with pytest.raises(render.ProblemError, match="KeyArn"):
        render.parameters(known, {"Parameters": {"KeyArn": {}}})


def test_a_stack_has_the_tags_of_project_model_and_environment_and_studio_s_project(
    account: ScriptAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the tags the cost report tells models and environments apart; the project's id is the one that Studio gave, where it did."""
    account.sagemaker.add(1)
    monkeypatch.setenv("SAGEMAKER_PROJECT_ID", "p-studio")
    assert deploy() == 0
    for environment in (STAGING, PRODUCTION):
        assert rendered(environment.name)["Tags"] == {
            "sagemaker:project-name": "shop",
            "sagemaker:project-id": "p-studio",
            "model": "abalone",
            "environment": environment.name,
        }


def test_the_version_is_not_among_the_tags(account: ScriptAccount) -> None:
    """A tag that changes would update every resource, and set a scalable target's bounds back."""
    account.sagemaker.add(1)
    deploy()
    before = rendered(PRODUCTION.name)["Tags"]
    account.sagemaker.add(2)
    deploy()
    assert rendered(PRODUCTION.name)["Tags"] == before


@pytest.mark.parametrize(("types", "code"), [([], 0), (["ml.m5.large"], 0), (["ml.g5.xlarge"], 2)])
def test_a_batch_model_runs_on_what_the_version_allows_for_jobs(
    account: ScriptAccount, capsys: pytest.CaptureFixture[str], tmp_path: Path, types: list[str], code: int
) -> None:
    """It has no endpoint, so that nobody asks for one: its instance type is that of its transform jobs."""
    account.sagemaker.add(1)
    account.sagemaker.packages[1]["InferenceSpecification"]["SupportedTransformInstanceTypes"] = types
    for environment in ENVIRONMENTS:
        stack = ARRESTS.names(PROJECT).at(environment.name).stack
        (tmp_path / "cdk.out" / f"{stack}.template.json").write_text(json.dumps({"Parameters": {"ModelPackageArn": {}}}))
    package = f"{PACKAGE.replace('abalone', 'arrests')}/1"
    assert deploy("--model", "arrests", "--package", package) == code
    assert code == 0 or "arrests, try, Batch.instance_type is 'ml.m5.large'; version 1 allows ml.g5.xlarge" in capsys.readouterr().err


def test_a_model_that_is_not_set_names_those_that_are(account: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    assert deploy("--model", "abalon") == 2
    assert capsys.readouterr().err == "error: --model is 'abalon'; allowed: abalone, arrests\n"


# ------------------------------------------------------------------------------------- guarded by alarms, or all at once

ENDPOINT: dict[str, Any] = {
    "Type": "AWS::SageMaker::Endpoint",
    "Properties": {
        "DeploymentConfig": {
            "Fn::If": [
                "Guarded",
                {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": {"Ref": "Errors"}}, {"AlarmName": {"Ref": "OfTheVersion"}}]}},
                {},
            ]
        }
    },
}
GUARDED: dict[str, Any] = {
    "Parameters": {"ModelPackageArn": {}, "Update": {"Default": "guarded"}},
    "Resources": {
        "Errors": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"AlarmName": "errors"}},
        "OfTheVersion": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"AlarmName": {"Fn::Join": ["", ["predictions", "3"]]}}},
        "Endpoint": ENDPOINT,
    },
}
TRIED = NAMES.at(STAGING.name).endpoint


@pytest.fixture
def serving(account: ScriptAccount, tmp_path: Path) -> ScriptAccount:
    """Version 1 serves both environments, version 2 is newer; both are approved."""
    synthesize(tmp_path / "cdk.out", GUARDED)
    for number in (1, 2):
        account.sagemaker.add(number)
    account.sagemaker.serve(LIVE, 1, config="live")
    account.sagemaker.serve(TRIED, 1, config="tried")
    return account


def updates() -> dict[str, str]:
    """How each environment is updated that was rendered."""
    files = {item.name: Path(f"rendered/{item.name}.parameters.json") for item in ENVIRONMENTS}
    return {name: rendered(name)["Parameters"]["Update"] for name, file in files.items() if file.exists()}


def judged(account: ScriptAccount, number: int, approval: str) -> None:
    """`deleted` deletes it, which SageMaker allows while it serves."""
    if approval == "deleted":
        del account.sagemaker.packages[number]
    else:
        account.sagemaker.packages[number]["ModelApprovalStatus"] = approval


def test_what_replaces_a_version_that_may_come_back_is_guarded(serving: ScriptAccount) -> None:
    assert deploy() == 0
    assert updates() == {STAGING.name: "guarded", PRODUCTION.name: "guarded"}


def test_a_first_deployment_is_guarded(serving: ScriptAccount) -> None:
    serving.sagemaker.endpoints.clear()
    assert deploy() == 0
    assert set(updates().values()) == {"guarded"}


@pytest.mark.parametrize("approval", ["Rejected", "PendingManualApproval", "deleted"])
def test_what_replaces_a_version_that_must_not_come_back_goes_all_at_once(
    serving: ScriptAccount, capsys: pytest.CaptureFixture[str], approval: str
) -> None:
    """In each environment by what serves there."""
    serving.sagemaker.add(3)
    serving.sagemaker.serve(LIVE, 2, config="live")
    judged(serving, 2, approval)
    assert deploy() == 0
    assert updates() == {STAGING.name: "guarded", PRODUCTION.name: "at-once"}
    said = "was deleted from the registry" if approval == "deleted" else f"is {approval}"
    assert f"live: all at once, because version 2, which serves, {said}" in capsys.readouterr().out


def test_production_is_asked_again_right_before_it_is_deployed(serving: ScriptAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    """A review takes days: what serves may have been rejected since, or replaced."""
    monkeypatch.setenv("STAGE", PRODUCTION.name)
    monkeypatch.setenv("REQUESTED_PACKAGE", f"{PACKAGE}/2")
    judged(serving, 1, "Rejected")
    assert deploy() == 0
    assert updates() == {PRODUCTION.name: "at-once"}
    judged(serving, 1, "Approved")
    assert deploy() == 0
    assert updates() == {PRODUCTION.name: "guarded"}


@pytest.mark.parametrize(("approval", "said"), [("Rejected", "version 2 is Rejected"), ("deleted", "does not exist in the registry")])
def test_a_version_that_was_rejected_or_deleted_in_its_review_does_not_reach_production(
    serving: ScriptAccount, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], approval: str, said: str
) -> None:
    monkeypatch.setenv("STAGE", PRODUCTION.name)
    monkeypatch.setenv("REQUESTED_PACKAGE", f"{PACKAGE}/2")
    judged(serving, 2, approval)
    assert deploy() == 2
    assert said in capsys.readouterr().err
    assert not Path("rendered").exists()


def test_a_template_of_an_earlier_commit_that_knows_no_such_parameter_is_deployed_as_it_is(serving: ScriptAccount, tmp_path: Path) -> None:
    synthesize(tmp_path / "cdk.out", {**GUARDED, "Parameters": {"ModelPackageArn": {}}})
    assert deploy() == 0
    assert rendered(PRODUCTION.name)["Parameters"] == {"ModelPackageArn": f"{PACKAGE}/2"}


def test_an_update_that_sagemaker_would_undo_is_not_begun_and_the_ways_out_are_told(
    serving: ScriptAccount, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The alarm is the endpoint's: whichever version answers, it would undo the update."""
    monkeypatch.setenv("STAGE", PRODUCTION.name)
    serving.cloudwatch.on = {"errors"}
    assert deploy() == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "errors is in ALARM while version 1 serves" in line
    assert "`python -m deploy_scripts.roll_back --model abalone`" in line
    assert not Path("rendered").exists()
    judged(serving, 1, "Rejected")
    assert deploy() == 0, "nothing undoes what goes all at once"


def test_before_staging_its_own_alarms_count_and_it_has_no_way_back_but_another_version(
    serving: ScriptAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    serving.cloudwatch.on = {"errors"}
    assert deploy() == 1
    line = capsys.readouterr().err
    assert "reject version 1 if it is to blame" in line
    assert "roll_back" not in line


def tried(account: ScriptAccount, **more: str) -> None:
    """Version 2 is in an experiment beside version 1, by a template that has a place for it. `more`: parameters."""
    values = {"ModelPackageArn": f"{PACKAGE}/1", "ChallengerPackageArn": f"{PACKAGE}/2", "ChallengerVersion": "2", "Update": "guarded"}
    values |= {"ExperimentBegan": "2026-11-27T11:00:00Z", "Capacity": "given", **more}
    there = [{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()]
    account.cloudformation.templates[STACK] = {"Parameters": {name: {} for name in values}, "Resources": {"Endpoint": ENDPOINT}}
    account.cloudformation.described[STACK] = {"StackName": STACK, "StackStatus": "UPDATE_COMPLETE", "Parameters": there}


def test_a_challenger_whose_setting_is_gone_leaves_before_the_next_version_comes(
    serving: ScriptAccount, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With guardrails SageMaker takes the same variants only, and the function went with the setting."""
    monkeypatch.setenv("STAGE", PRODUCTION.name)
    tried(serving)
    assert deploy(*SECOND) == 0
    template, parameters = update("")
    assert template == serving.cloudformation.templates[STACK]
    nobody = {"ChallengerPackageArn": "", "ChallengerVersion": "0", "ExperimentBegan": "never"}
    assert parameters["Parameters"] == {"ModelPackageArn": f"{PACKAGE}/1", **nobody, "Update": "at-once", "Capacity": "kept"}
    assert update("second/")[1]["Parameters"] == {"ModelPackageArn": f"{PACKAGE}/2", "Update": "guarded"}
    assert "live: first the version leaves that an experiment has left beside the one that serves" in capsys.readouterr().out


GUARDED_ENDPOINT = {**ENDPOINT, "Properties": {**ENDPOINT["Properties"], "DeploymentConfig": {"Fn::If": ["Guarded", {}, {}]}}}


def test_one_that_scales_stops_that_first_and_leaves_with_what_is_new(
    serving: ScriptAccount, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """There are two updates, and SageMaker removes no variant that is a scalable target."""
    monkeypatch.setenv("STAGE", PRODUCTION.name)
    tried(serving, ChallengerScaling="on")
    synthesize(tmp_path / "cdk.out", {**GUARDED, "Resources": {**GUARDED["Resources"], "Endpoint": GUARDED_ENDPOINT}})
    assert deploy(*SECOND) == 0
    template, parameters = update("")
    before = {item["ParameterKey"]: item["ParameterValue"] for item in serving.cloudformation.described[STACK]["Parameters"]}
    assert template == serving.cloudformation.templates[STACK]
    assert parameters["Parameters"] == {**before, "ChallengerScaling": "off", "Capacity": "kept"}
    template, parameters = update("second/")
    assert "DeploymentConfig" not in template["Resources"]["Endpoint"]["Properties"]
    assert parameters["Parameters"] == {"ModelPackageArn": f"{PACKAGE}/2", "Update": "guarded"}
    assert "live: first the version in an experiment no longer scales" in capsys.readouterr().out


# ------------------------------------------------------------------------------------------------------------ the return


@pytest.fixture
def returning(serving: ScriptAccount, monkeypatch: pytest.MonkeyPatch) -> ScriptAccount:
    """From version 2, which was rejected, to version 1."""
    serving.sagemaker.serve(LIVE, 2, config="live")
    judged(serving, 2, "Rejected")
    has(serving, 2)
    for name, value in {"STAGE": PRODUCTION.name, "REQUESTED_PACKAGE": f"{PACKAGE}/1", "LEAVING": f"{PACKAGE}/2"}.items():
        monkeypatch.setenv(name, value)
    return serving


def has(account: ScriptAccount, number: int) -> None:
    """What production's stack says."""
    stack = NAMES.at(PRODUCTION.name).stack
    output = {"OutputKey": "DeployedModelPackageArn", "OutputValue": f"{PACKAGE}/{number}"}
    account.cloudformation.described[stack] = {"StackName": stack, "StackStatus": "UPDATE_COMPLETE", "Outputs": [output]}


def test_a_return_takes_a_challenger_out_in_one_update_whose_setting_is_gone(returning: ScriptAccount, tmp_path: Path) -> None:
    """By the template that it has now, whose way to go all at once SageMaker takes for the same variants only."""
    tried(returning)
    has_output = {"OutputKey": "DeployedModelPackageArn", "OutputValue": f"{PACKAGE}/2"}
    returning.cloudformation.described[STACK]["Outputs"] = [has_output]
    synthesize(tmp_path / "cdk.out", {**GUARDED, "Resources": {**GUARDED["Resources"], "Endpoint": GUARDED_ENDPOINT}})
    assert deploy(*SECOND) == 0
    template, parameters = update("")
    assert "DeploymentConfig" not in template["Resources"]["Endpoint"]["Properties"]
    assert (template, parameters) == update("second/")
    assert parameters["Parameters"] == {"ModelPackageArn": f"{PACKAGE}/1", "Update": "at-once"}


def test_a_return_takes_the_scaling_of_a_challenger_away_before_it_takes_the_challenger_out(returning: ScriptAccount) -> None:
    tried(returning, ChallengerScaling="on")
    returning.cloudformation.described[STACK]["Outputs"] = [{"OutputKey": "DeployedModelPackageArn", "OutputValue": f"{PACKAGE}/2"}]
    assert deploy(*SECOND) == 0
    first, second = update(""), update("second/")
    assert first[0] == returning.cloudformation.templates[STACK]
    assert (first[1]["Parameters"]["ChallengerScaling"], first[1]["Parameters"]["ChallengerPackageArn"]) == ("off", f"{PACKAGE}/2")
    assert second[1]["Parameters"] == {"ModelPackageArn": f"{PACKAGE}/1", "Update": "at-once"}


@pytest.mark.parametrize("approval", ["Rejected", "Approved"])
def test_a_return_goes_all_at_once_to_production_alone_whatever_alarm_is_on(returning: ScriptAccount, approval: str) -> None:
    """Also from a version that is approved still, whose verification failed."""
    judged(returning, 2, approval)
    returning.cloudwatch.on = {"errors"}
    assert deploy() == 0
    assert updates() == {PRODUCTION.name: "at-once"}
    assert rendered(PRODUCTION.name)["Parameters"]["ModelPackageArn"] == f"{PACKAGE}/1"


def test_a_return_ends_where_production_has_been_mended_meanwhile(returning: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    returning.sagemaker.add(3)
    has(returning, 3)
    assert deploy() == 1
    assert capsys.readouterr().err == ("error: nothing to return from: live has version 3 now, which is approved, not version 2\n")
    judged(returning, 3, "Rejected")
    assert deploy() == 0


def test_a_stack_that_a_stopped_deployment_still_changes_is_waited_for(returning: ScriptAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    described = returning.cloudformation.described[NAMES.at(PRODUCTION.name).stack]
    described["StackStatus"] = "UPDATE_IN_PROGRESS"
    monkeypatch.setattr(wait_for_endpoint.time, "sleep", lambda _: described.update(StackStatus="UPDATE_ROLLBACK_COMPLETE"))
    assert deploy() == 0
