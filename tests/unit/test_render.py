"""Claims about what is deployed: the newest approved version, pinned once for both stages, and refused early if it cannot work."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from build_scripts.command_line import run
from build_scripts.step_modules import load
from deploy_scripts import render
from tests.unit import script_account
from tests.unit.script_account import ENVIRONMENTS, PACKAGE, PROJECT, ScriptAccount

TEMPLATE: dict[str, Any] = {
    "Parameters": {"ModelPackageArn": {"Type": "String"}},
    "Resources": {"Endpoint": {"Type": "AWS::SageMaker::Endpoint", "Properties": {"RetainAllVariantProperties": True}}},
}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ScriptAccount:
    monkeypatch.chdir(tmp_path)
    synthesize(tmp_path / "cdk.out", TEMPLATE)
    return script_account.install(monkeypatch)


def synthesize(assembly: Path, template: dict[str, Any]) -> None:
    """An assembly like the CDK's: one nested assembly for each endpoint stage."""
    for environment in ENVIRONMENTS:
        stack = PROJECT.endpoint_stack(environment)
        folder = assembly / f"assembly-{stack}"
        folder.mkdir(parents=True, exist_ok=True)
        artifact = {"type": "aws:cloudformation:stack", "properties": {"templateFile": "t.json", "stackName": stack}}
        (folder / "manifest.json").write_text(json.dumps({"artifacts": {f"{stack}-id": artifact}}))
        (folder / "t.json").write_text(json.dumps(template))


def rendered(stage: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(Path(f"rendered/{stage}.parameters.json").read_text())
    return content


def test_newest_approved_version_is_pinned_for_every_stage(account: ScriptAccount) -> None:
    account.sagemaker.add(1, "Approved")
    account.sagemaker.add(2, "Approved")
    account.sagemaker.add(3, "PendingManualApproval")
    assert run(render.main, []) == 0
    assert [rendered(item.name)["Parameters"] for item in ENVIRONMENTS] == [{"ModelPackageArn": f"{PACKAGE}/2"}] * len(ENVIRONMENTS)
    assert rendered("production")["Parameters"]["ModelPackageArn"].endswith("/2")
    assert json.loads(Path("rendered/mlops-endpoint-staging.template.json").read_text()) == TEMPLATE


def test_rejecting_the_live_version_goes_back_to_the_one_before(account: ScriptAccount) -> None:
    account.sagemaker.add(1, "Approved")
    account.sagemaker.add(2, "Rejected")
    assert run(render.main, []) == 0
    assert f"MODEL_PACKAGE_ARN={PACKAGE}/1" in Path("rendered.env").read_text()


def test_a_version_that_other_code_than_its_commit_s_made_is_not_deployed(
    account: ScriptAccount, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Something lay beside the published code, and its jobs imported it."""
    monkeypatch.setenv("CODEBUILD_RESOLVED_SOURCE_VERSION", "c0ffee")
    account.sagemaker.add(1, **{"git-commit": "c0ffee"})
    assert run(render.main, []) == 2
    assert "version 1 was not made by the code of commit c0ffee: its code-sha256 is" in capsys.readouterr().err
    account.sagemaker.add(2, **{"git-commit": "another"})
    assert run(render.main, []) == 0


def test_requested_version_wins_over_the_newest(account: ScriptAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    account.sagemaker.add(1)
    account.sagemaker.add(2)
    monkeypatch.setenv("REQUESTED_PACKAGE", f"{PACKAGE}/1")
    assert run(render.main, []) == 0
    assert rendered("staging")["Parameters"]["ModelPackageArn"] == f"{PACKAGE}/1"


@pytest.mark.parametrize(
    ("approval", "requested", "named"),
    [
        ("PendingManualApproval", render.LATEST, "no version of mlops-models is approved"),
        ("Rejected", f"{PACKAGE}/1", "version 1 is Rejected"),
        ("Approved", f"{PACKAGE}/9", "does not exist"),
        ("Approved", "arn:aws:sagemaker:us-east-1:111122223333:model-package/other/1", "allowed: latest-approved"),
    ],
)
def test_nothing_deployable_is_one_line_and_nothing_written(
    account: ScriptAccount, capsys: pytest.CaptureFixture[str], approval: str, requested: str, named: str
) -> None:
    account.sagemaker.add(1, approval)
    assert run(render.main, ["--package", requested]) == 2
    error = capsys.readouterr().err
    assert named in error
    assert error.count("\n") == 1
    assert not Path("rendered").exists()


def test_instance_type_change_under_kept_capacity_is_refused(account: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    account.sagemaker.add(1)
    account.sagemaker.serve("mlops-production", 1, instance_type="ml.c5.large")
    assert run(render.main, []) == 2
    assert "Environment('production').instance_type changes from ml.c5.large to 'ml.m5.large'" in capsys.readouterr().err
    assert not Path("rendered").exists()


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
    assert run(render.main, []) == 2
    error = capsys.readouterr().err
    assert named in error
    assert error.count("\n") == 1
    assert not Path("rendered").exists()


def test_a_version_that_does_not_say_what_was_evaluated_is_not_deployed(account: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    account.sagemaker.add(1, **{"model-sha256": "unknown"})
    assert run(render.main, []) == 2
    assert "version 1 does not say what was evaluated: its metadata has no model-sha256" in capsys.readouterr().err


def test_a_version_is_deployed_over_one_that_was_deleted(account: ScriptAccount) -> None:
    account.sagemaker.serve("mlops-production", 1)
    account.sagemaker.add(2)
    assert run(render.main, []) == 0
    assert rendered("production")["Parameters"]["ModelPackageArn"] == f"{PACKAGE}/2"


def test_an_endpoint_whose_config_was_deleted_can_be_deployed_to(account: ScriptAccount) -> None:
    account.sagemaker.add(1)
    account.sagemaker.serve("mlops-production", 1)
    account.sagemaker.deleted.add("config")
    assert run(render.main, []) == 0


def test_instance_type_that_the_version_does_not_allow_is_refused(account: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    account.sagemaker.add(1)
    account.sagemaker.packages[1]["InferenceSpecification"]["SupportedRealtimeInferenceInstanceTypes"] = ["ml.g5.xlarge"]
    assert run(render.main, []) == 2
    assert "version 1 allows ml.g5.xlarge" in capsys.readouterr().err


def test_declared_parameters_come_from_the_foundation_and_unknown_ones_are_named(account: ScriptAccount) -> None:
    template = {"Parameters": {"ModelPackageArn": {}, "KeyArn": {}, "Size": {"Default": "1"}}}
    version = render.choose(account.sagemaker, "mlops-models", account.sagemaker.add(1))
    assert render.parameters(version, template, {"KeyArn": "key", "Unused": "x"}) == {"ModelPackageArn": f"{PACKAGE}/1", "KeyArn": "key"}
    with pytest.raises(render.ProblemError, match="KeyArn"):
        render.parameters(version, template, {})
