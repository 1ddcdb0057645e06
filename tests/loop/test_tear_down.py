"""The teardown of the README, command by command, after use: nothing is left that costs, and nothing that it does not name."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demo import loop
from demo.terminal import Terminal
from packages.local_account.tests import sagemaker_requests as requests
from packages.local_account.tests.endpoint_models import ENVIRONMENT, INFERENCE, archive
from settings import PRODUCTION, PROJECT, STAGING
from tests.loop.conftest import ROOT, copy_working_tree

KEEP_NOTHING = "\nfrom dataclasses import replace\nPROJECT = replace(PROJECT, retain_data=False)\n"
#: What to list, by service: operation, member of its answer, and the name of each item (None: the item is the name).
LISTS = {
    "cloudformation": [("describe_stacks", "Stacks", "StackName")],
    "sagemaker": [
        ("list_endpoints", "Endpoints", "EndpointName"),
        ("list_endpoint_configs", "EndpointConfigs", "EndpointConfigName"),
        ("list_models", "Models", "ModelName"),
        ("list_model_package_groups", "ModelPackageGroupSummaryList", "ModelPackageGroupName"),
        ("list_pipelines", "PipelineSummaries", "PipelineName"),
    ],
    "s3": [("list_buckets", "Buckets", "Name")],
    "kms": [("list_aliases", "Aliases", "AliasName")],
    "logs": [("describe_log_groups", "logGroups", "logGroupName")],
    "codecommit": [("list_repositories", "repositories", "repositoryName")],
    "codepipeline": [("list_pipelines", "pipelines", "name")],
    "codebuild": [("list_projects", "projects", None)],
    "cloudwatch": [("describe_alarms", "MetricAlarms", "AlarmName"), ("list_dashboards", "DashboardEntries", "DashboardName")],
    "scheduler": [("list_schedules", "Schedules", "Name")],
    "events": [("list_rules", "Rules", "Name")],
    "sns": [("list_topics", "Topics", "TopicArn")],
    "sqs": [("list_queues", "QueueUrls", None)],
    "lambda": [("list_functions", "Functions", "FunctionName")],
    "iam": [("list_roles", "Roles", "RoleName")],
}
SCALING = ("describe_scalable_targets", "describe_scaling_policies", "describe_scheduled_actions")
#: README: what the whole account shares. The bootstrap's own resources, the log groups of SageMaker's jobs, AWS's own role for scaling.
SHARED = re.compile(r"CDKToolkit|cdk-hnb659fds-.*|/aws/sagemaker/\w+Jobs|AWSServiceRoleFor\w+")


def what_exists(terminal: Terminal) -> set[str]:
    """`service: name` of everything that the account has, but what is shared."""
    found = set()
    for service, lists in LISTS.items():
        for operation, member, name in lists:
            items = getattr(terminal.client(service), operation)().get(member, [])
            found |= {f"{service}: {item[name] if name else item}" for item in items}
    for operation in SCALING:
        answer = getattr(terminal.client("application-autoscaling"), operation)(ServiceNamespace="sagemaker")
        found |= {f"scaling: {item['ResourceId']}" for member in answer.values() if isinstance(member, list) for item in member}
    return {item for item in found if not SHARED.fullmatch(item.partition(": ")[2])}


def commands() -> list[list[str]]:
    """Those of the README's section, as they stand in its blocks."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("### Tear down\n")[1].split("\n## ")[0]
    lines = "\n".join(re.findall(r"```console\n(.*?)```", section, re.DOTALL)).splitlines()
    return [command for line in lines if (command := shlex.split(line, comments=True))]


def as_run_here(command: list[str], assembly: Path) -> list[str]:
    """`npx` would look for the CLI below the clone, one synthesis is enough, and nobody answers what asks before it deletes."""
    command = command[1:] if command[0] == "npx" else command
    if "deploy_scripts.tear_down" in command:
        return [*command, "--yes"]
    if command[0] != "cdk":
        return command
    return [*command, "--app", str(assembly), "--no-notices", *(["--force"] if command[1] == "destroy" else [])]


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """A deployed account with data, a registered version, a pipeline that has run, and both endpoints in service."""
    directory = tmp_path_factory.mktemp("tear-down")
    terminal = Terminal(ROOT, directory)
    try:
        terminal.start_account(speed=600.0)
        loop.bootstrap(terminal)
        loop.synthesize(terminal, directory / "cdk.out")
        loop.deploy(terminal, directory / "cdk.out")
        version = _register(terminal)
        _train(terminal)
        _serve(terminal, directory / "cdk.out", version)
        yield terminal
    finally:
        terminal.close()


def _register(terminal: Terminal) -> str:
    """A version whose model is where a run puts it in the artifact bucket, with an overwritten and a deleted object."""
    s3, bucket = terminal.client("s3"), terminal.outputs(loop.FOUNDATION)["ArtifactBucketName"]
    key = f"pipelines/{PROJECT.sagemaker_pipeline}/run/model.tar.gz"
    for content in (archive({"code/inference.py": INFERENCE.replace("FACTOR", "2.0")}),) * 2:
        s3.put_object(Bucket=bucket, Key=key, Body=content)
    s3.put_object(Bucket=bucket, Key="old", Body=b"old")
    s3.delete_object(Bucket=bucket, Key="old")
    s3.put_object(Bucket=terminal.outputs(loop.FOUNDATION)["DataBucketName"], Key="training/table.csv", Body=b"1")
    container = {"Image": requests.IMAGE, "ModelDataUrl": f"s3://{bucket}/{key}", "Environment": ENVIRONMENT}
    specification = {"Containers": [container], "SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]}
    registered = terminal.client("sagemaker").create_model_package(
        ModelPackageGroupName=PROJECT.model_package_group, InferenceSpecification=specification, ModelApprovalStatus="PendingManualApproval"
    )
    return str(registered["ModelPackageArn"])


def _train(terminal: Terminal) -> None:
    sagemaker = terminal.client("sagemaker")
    end = {"Name": "End", "Type": "Fail", "Arguments": {"ErrorMessage": "on purpose"}}
    sagemaker.create_pipeline(PipelineName=PROJECT.sagemaker_pipeline, PipelineDefinition=requests.definition([end]), RoleArn=requests.ROLE)
    requests.run_pipeline(sagemaker, PROJECT.sagemaker_pipeline)


def _serve(terminal: Terminal, assembly: Path, version: str) -> None:
    """Deployed by hand, and protected as the README says."""
    command = ["cdk", "deploy", f"{PROJECT.name}-endpoint-*/*", "--app", str(assembly), "--parameters", f"ModelPackageArn={version}"]
    terminal.run("cdk-deploy", [*command, "--require-approval", "never", "--concurrency", "2", "--no-notices"])
    production = PROJECT.endpoint_stack(PRODUCTION)
    terminal.client("cloudformation").update_termination_protection(StackName=production, EnableTerminationProtection=True)


def test_the_readme_s_teardown_leaves_nothing(used: Terminal, tmp_path: Path) -> None:
    before = what_exists(used)
    assert {f"sagemaker: {PROJECT.endpoint_name(environment)}" for environment in (STAGING, PRODUCTION)} < before
    clone = tmp_path / "clone"
    copy_working_tree(clone)
    with (clone / "settings.py").open("a", encoding="utf-8") as settings:
        settings.write(KEEP_NOTHING)

    assembly = tmp_path / "cdk.out"
    used.run("tear-down", ["cdk", "synth", "--quiet", "--no-notices", "--output", str(assembly)], cwd=clone)

    for command in [["cdk", "deploy", "--all", "--require-approval", "never"], *commands()]:
        used.run("tear-down", as_run_here(command, assembly), cwd=clone)

    assert what_exists(used) == set()
    keys: Any = used.client("kms")
    assert {keys.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["KeyState"] for key in keys.list_keys()["Keys"]} == {"PendingDeletion"}
