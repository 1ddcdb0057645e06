"""Claims about what is deployed: the newest approved version, pinned once for both environments, and refused early if it cannot work."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from build_scripts.command_line import run
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.step_modules import load
from deploy_scripts import choose_version, render
from pipelines.monitoring.code import code_files
from pipelines.published_code import code_prefix
from tests.example_models import ABALONE, ARRESTS
from tests.unit import script_account
from tests.unit.script_account import ENVIRONMENTS, GROUP, NAMES, PACKAGE, PRODUCTION, PROJECT, STAGING, ScriptAccount

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
    """As the buildspec does: choose, then render what was chosen. The first exit code that is not 0."""
    code = run(choose_version.main, [*arguments])
    if code:
        return code
    package = Path("chosen.env").read_text().splitlines()[0].partition("=")[2]
    return run(render.main, ["--package", package])


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


SCALES = ["AWS::SageMaker::Endpoint", "AWS::ApplicationAutoScaling::ScalableTarget"]
KEEPS_NO_CAPACITY = {**TEMPLATE, "Resources": {"Endpoint": {"Type": "AWS::SageMaker::Endpoint", "Properties": {}}}}


@pytest.mark.parametrize("template", [TEMPLATE, KEEPS_NO_CAPACITY])  # also without autoscaling: the target goes after the endpoint's update
def test_another_instance_type_of_what_scales_is_refused_with_the_deployments_that_lead_there(
    account: ScriptAccount, capsys: pytest.CaptureFixture[str], tmp_path: Path, template: dict[str, Any]
) -> None:
    """They name as many instances as serve now, or the first one would go back to what the file says."""
    synthesize(tmp_path / "cdk.out", template)
    account.sagemaker.add(1)
    account.sagemaker.serve(LIVE, 1, instance_type="ml.c5.large", instances=5)
    account.cloudformation.resources[NAMES.at(PRODUCTION.name).stack] = SCALES
    assert deploy() == 2
    said = capsys.readouterr().err
    assert "abalone, live, Endpoint.instance_type changes from ml.c5.large to 'ml.m5.large'" in said
    assert "1. autoscaling=None, initial_instance_count=5, instance_type='ml.c5.large'; 2. instance_type='ml.m5.large'" in said
    assert said.count("\n") == 1
    assert not Path("rendered").exists()


def test_another_instance_type_with_autoscaling_at_once_is_refused(account: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    account.sagemaker.add(1)
    account.sagemaker.serve(LIVE, 1, instance_type="ml.c5.large")
    assert deploy() == 2
    assert "1. instance_type='ml.m5.large', autoscaling=None" in capsys.readouterr().err


def test_another_instance_type_of_what_does_not_scale_is_deployed(account: ScriptAccount, tmp_path: Path) -> None:
    synthesize(tmp_path / "cdk.out", KEEPS_NO_CAPACITY)
    account.sagemaker.add(1)
    account.sagemaker.serve(LIVE, 1, instance_type="ml.c5.large")
    assert deploy() == 0


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
    declared = {"ModelPackageArn": {}, "ModelImage": {}, "MonitoringCode": {}}
    synthesize(tmp_path / "cdk.out", {**TEMPLATE, "Parameters": declared})
    assert deploy() == 0
    code = f"s3://artifacts/{code_prefix(code_files(ABALONE))}"
    image = "111122223333.dkr.ecr.us-east-1.amazonaws.com/x:1"
    assert rendered(PRODUCTION.name)["Parameters"] == {"ModelPackageArn": f"{PACKAGE}/1", "ModelImage": image, "MonitoringCode": code}


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
    assert run(render.main, ["--model", "arrests", "--package", f"{PACKAGE}/1"]) == code
    assert code == 0 or "arrests, try, Batch.instance_type is 'ml.m5.large'; version 1 allows ml.g5.xlarge" in capsys.readouterr().err


def test_a_model_that_is_not_set_names_those_that_are(account: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(choose_version.main, ["--model", "abalon"]) == 2
    assert capsys.readouterr().err == "error: --model is 'abalon'; allowed: abalone, arrests\n"
