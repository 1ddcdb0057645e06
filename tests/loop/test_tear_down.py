"""The teardown of docs/deploy.md, command by command, after use: nothing is left that costs, and nothing that it does not name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demo import loop
from demo.terminal import Terminal
from packages.local_account.tests import sagemaker_requests as requests
from packages.local_account.tests.endpoint_models import ENVIRONMENT, INFERENCE, archive
from settings_schema import ModelNames
from tests.loop.clone import ROOT, make_clone
from tests.loop.documented import as_run_here, commands
from tests.loop.person import ABALONE, ARRESTS, SPEED, deploy, synthesize
from tests.loop.what_exists import what_exists


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("tear-down") / "clone"
    make_clone(made)
    return made


@pytest.fixture(scope="module")
def used(clone: Path) -> Iterator[Terminal]:
    """A deployed account with data, versions, pipelines that have run, endpoints in service and a batch model."""
    terminal = Terminal(clone, clone.parent, tools=ROOT)
    try:
        terminal.start_account(speed=SPEED)
        loop.bootstrap(terminal)
        assembly = clone.parent / "cdk.out"
        deploy(terminal, assembly)
        versions = {model.name: _register(terminal, model.names) for model in (ABALONE, ARRESTS)}
        _train(terminal, ABALONE.names)
        _serve(terminal, assembly, versions)
        yield terminal
    finally:
        terminal.close()


def _bucket(terminal: Terminal, kind: str) -> str:
    names = ABALONE.names.of_project
    here = terminal.account["account_id"], terminal.account["region"]
    return names.artifact_bucket(*here) if kind == "artifacts" else names.data_bucket(*here)


def _register(terminal: Terminal, names: ModelNames) -> str:
    """A version whose model is where a run puts it in the artifact bucket, with an overwritten and a deleted object."""
    s3, bucket = terminal.client("s3"), _bucket(terminal, "artifacts")
    key = f"pipelines/{names.training_pipeline}/run/model.tar.gz"
    for content in (archive({"code/inference.py": INFERENCE.replace("FACTOR", "2.0")}),) * 2:
        s3.put_object(Bucket=bucket, Key=key, Body=content)
    s3.put_object(Bucket=bucket, Key="old", Body=b"old")
    s3.delete_object(Bucket=bucket, Key="old")
    s3.put_object(Bucket=_bucket(terminal, "data"), Key=f"{names.training_data}table.csv", Body=b"1")
    container = {"Image": requests.IMAGE, "ModelDataUrl": f"s3://{bucket}/{key}", "Environment": ENVIRONMENT}
    specification = {
        "Containers": [container],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
        "SupportedTransformInstanceTypes": ["ml.m5.large"],
    }
    registered = terminal.client("sagemaker").create_model_package(
        ModelPackageGroupName=names.model_package_group, InferenceSpecification=specification, ModelApprovalStatus="PendingManualApproval"
    )
    return str(registered["ModelPackageArn"])


def _train(terminal: Terminal, names: ModelNames) -> None:
    sagemaker = terminal.client("sagemaker")
    end = {"Name": "End", "Type": "Fail", "Arguments": {"ErrorMessage": "on purpose"}}
    role = sagemaker_role(terminal, names)
    sagemaker.create_pipeline(PipelineName=names.training_pipeline, PipelineDefinition=requests.definition([end]), RoleArn=role)
    requests.run_pipeline(sagemaker, names.training_pipeline)


def sagemaker_role(terminal: Terminal, names: ModelNames) -> str:
    return str(terminal.client("iam").get_role(RoleName=names.pipeline_role)["Role"]["Arn"])


def _serve(terminal: Terminal, assembly: Path, versions: dict[str, str]) -> None:
    """Deployed by hand, and protected as the document says."""
    for model in (ABALONE, ARRESTS):
        stacks = [f"{names.stack}/*" for names in (model.staging, model.production)]
        code = f"s3://{_bucket(terminal, 'artifacts')}/code/0123456789abcdef"  # of a watch that never runs here
        named = {"ModelPackageArn": versions[model.name], "ModelVersion": "1"}
        given = {**named, "ModelImage": requests.IMAGE, "MonitoringCode": code}
        parameters = [part for name, value in given.items() for part in ("--parameters", f"{name}={value}")]
        command = ["cdk", "deploy", *stacks, "--app", str(assembly), *parameters]
        terminal.run("cdk-deploy", [*command, "--require-approval", "never", "--concurrency", "2", "--no-notices"])
    cloudformation = terminal.client("cloudformation")
    cloudformation.update_termination_protection(StackName=ABALONE.production.stack, EnableTerminationProtection=True)


def test_the_teardown_that_is_described_leaves_nothing(used: Terminal, clone: Path) -> None:
    before = what_exists(used)
    assert {f"sagemaker: {names.endpoint}" for names in (ABALONE.staging, ABALONE.production)} < before
    assert f"lambda: {ARRESTS.production.start_scoring_function}" in before
    settings = clone / "settings.py"
    settings.write_text(settings.read_text(encoding="utf-8").replace('Project(name="shop")', 'Project(name="shop", retain_data=False)'))
    assembly = clone.parent / "nothing-kept.out"
    synthesize(used, assembly)

    for command in commands("Tear down", block=1):
        used.run("tear-down", as_run_here(command, assembly))

    assert what_exists(used) == set()
    keys: Any = used.client("kms")
    assert {keys.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["KeyState"] for key in keys.list_keys()["Keys"]} == {"PendingDeletion"}
