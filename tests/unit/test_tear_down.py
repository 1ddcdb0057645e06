"""Claims about the end: nothing is deleted too early or against the settings, and then everything that no stack owns goes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from build_scripts.command_line import run
from deploy_scripts import tear_down
from tests.unit import script_account
from tests.unit.script_account import ENVIRONMENTS, GROUP, PACKAGE, PROJECT, Pages, refusal

TRAINING, BATCH = PROJECT.sagemaker_pipeline, PROJECT.batch_pipeline


class Stacks:
    def __init__(self, *names: str) -> None:
        self.names = names

    def describe_stacks(self, *, StackName: str) -> dict[str, Any]:  # noqa: N803 - boto3 spells them so
        if StackName not in self.names:
            raise refusal("ValidationError", f"Stack with id {StackName} does not exist", "DescribeStacks")
        return {"Stacks": [{"StackName": StackName}]}


class SageMaker:
    """Refuses what SageMaker refuses: a pipeline with a run that is active. Stopping a run takes until it is looked at again."""

    def __init__(self) -> None:
        self.runs = {TRAINING: {"run/1": "Succeeded", "run/2": "Executing"}, BATCH: {"run/3": "Succeeded"}}
        self.models = {"pipelines-run3-model", "of-another-project", "model-old", "model-theirs"}
        self.configurations = {"config-old", "config-theirs"}
        self.versions = {f"{PACKAGE}/1": "Completed", f"{PACKAGE}/2": "Failed"}

    def describe_pipeline(self, *, PipelineName: str) -> None:  # noqa: N803
        if PipelineName not in self.runs:
            raise refusal("ResourceNotFound", "does not exist", "DescribePipeline")

    def stop_pipeline_execution(self, *, PipelineExecutionArn: str) -> None:  # noqa: N803
        self.runs[TRAINING][PipelineExecutionArn] = "Stopping"
        self.versions[f"{PACKAGE}/3"] = "Completed"  # it was just registering one

    def list_pipeline_executions(self, *, PipelineName: str) -> dict[str, Any]:  # noqa: N803
        runs = dict(self.runs[PipelineName])
        self.runs[PipelineName] = {arn: "Stopped" if status == "Stopping" else status for arn, status in runs.items()}
        return {
            "PipelineExecutionSummaries": [{"PipelineExecutionArn": arn, "PipelineExecutionStatus": status} for arn, status in runs.items()]
        }

    def list_pipeline_execution_steps(self, **_: str) -> dict[str, Any]:
        model = {"Metadata": {"Model": {"Arn": "arn:aws:sagemaker:us-east-1:111122223333:model/pipelines-run3-model"}}}
        return {"PipelineExecutionSteps": [model, {"Metadata": {"TransformJob": {"Arn": "arn:job"}}}, {}]}

    def delete_pipeline(self, *, PipelineName: str) -> None:  # noqa: N803
        if {"Executing", "Stopping"} & set(self.runs[PipelineName].values()):
            raise refusal("ConflictException", "has a running execution", "DeletePipeline")
        del self.runs[PipelineName]

    def list_models(self) -> dict[str, Any]:
        return {"Models": [{"ModelName": name, "ModelArn": f"arn:model/{name}"} for name in sorted(self.models)]}

    def list_endpoint_configs(self) -> dict[str, Any]:
        names = sorted(self.configurations)
        return {"EndpointConfigs": [{"EndpointConfigName": name, "EndpointConfigArn": f"arn:config/{name}"} for name in names]}

    def list_tags(self, *, ResourceArn: str) -> dict[str, Any]:  # noqa: N803
        endpoint = {"old": "mlops-production", "theirs": "mlops-x-production"}.get(ResourceArn.rsplit("-", 1)[-1])
        return {"Tags": [{"Key": "made-for-endpoint", "Value": endpoint}] if endpoint else []}

    def delete_endpoint_config(self, *, EndpointConfigName: str) -> None:  # noqa: N803
        self.configurations.remove(EndpointConfigName)

    def delete_model(self, *, ModelName: str) -> None:  # noqa: N803
        self.models.remove(ModelName)

    def describe_model_package_group(self, *, ModelPackageGroupName: str) -> None:  # noqa: N803
        assert ModelPackageGroupName == GROUP

    def list_model_packages(self, **_: str) -> dict[str, Any]:
        return {"ModelPackageSummaryList": [{"ModelPackageArn": arn} for arn in self.versions]}

    def delete_model_package(self, *, ModelPackageName: str) -> None:  # noqa: N803
        del self.versions[ModelPackageName]

    def get_paginator(self, name: str) -> Pages:
        return Pages(getattr(self, name))


@pytest.fixture
def sagemaker(monkeypatch: pytest.MonkeyPatch) -> SageMaker:
    """An account whose stacks but the foundation are gone, of a project that keeps nothing."""
    account = script_account.install(monkeypatch)
    account.clients |= {"sagemaker": SageMaker(), "cloudformation": Stacks(f"{PROJECT.name}-foundation")}
    monkeypatch.setattr(tear_down, "PROJECT", replace(PROJECT, retain_data=False))
    monkeypatch.setattr(tear_down, "ENVIRONMENTS", ENVIRONMENTS)
    monkeypatch.setattr(tear_down, "_POLL_SECONDS", 0)
    made: SageMaker = account.clients["sagemaker"]
    return made


def test_pipelines_their_models_and_every_version_go(sagemaker: SageMaker, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tear_down.main, ["--yes"]) == 0
    assert sagemaker.runs == {}
    assert sagemaker.versions == {}
    assert sagemaker.models == {"of-another-project", "model-theirs"}
    assert sagemaker.configurations == {"config-theirs"}
    assert f"pipelines: {TRAINING}, {BATCH}; versions of {GROUP}: 2" in capsys.readouterr().out


def test_a_repetition_finds_nothing_and_succeeds(sagemaker: SageMaker, capsys: pytest.CaptureFixture[str]) -> None:
    run(tear_down.main, ["--yes"])
    assert run(tear_down.main, ["--yes"]) == 0
    assert f"pipelines: none; versions of {GROUP}: 0" in capsys.readouterr().out


def test_a_version_that_somebody_else_deletes_meanwhile_is_no_error(sagemaker: SageMaker) -> None:
    deleted = sagemaker.delete_model_package

    def delete_twice(**request: str) -> None:
        deleted(**request)
        raise refusal("ValidationException", f"ModelPackage {request['ModelPackageName']} does not exist.", "DeleteModelPackage")

    sagemaker.delete_model_package = delete_twice  # type: ignore[method-assign] # for this test only
    assert run(tear_down.main, ["--yes"]) == 0


def test_settings_that_keep_data_are_obeyed(
    sagemaker: SageMaker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tear_down, "PROJECT", PROJECT)
    assert run(tear_down.main, ["--yes"]) == 2
    assert "Project.retain_data is True" in capsys.readouterr().err
    assert len(sagemaker.versions) == 2


@pytest.mark.parametrize("stack", ["mlops-endpoint-staging", "mlops-endpoint-production", "mlops-model-deploy", "mlops-model-build"])
def test_a_stack_that_could_bring_something_back_goes_first(
    sagemaker: SageMaker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stack: str
) -> None:
    monkeypatch.setattr(tear_down.ProjectEnvironment, "client", lambda _, service: {"cloudformation": Stacks(stack)}[service])
    assert run(tear_down.main, ["--yes"]) == 2
    assert f"these stacks have to go first: {stack};" in capsys.readouterr().err


def test_a_person_is_asked_and_may_say_no(sagemaker: SageMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: "")
    assert run(tear_down.main, []) == 0
    assert len(sagemaker.versions) == 2
    assert set(sagemaker.runs) == {TRAINING, BATCH}


def test_nothing_is_deleted_where_nobody_can_be_asked(
    sagemaker: SageMaker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    assert run(tear_down.main, []) == 2
    assert "add --yes" in capsys.readouterr().err
    assert len(sagemaker.versions) == 2
