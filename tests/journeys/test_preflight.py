"""`python -m deploy_scripts.preflight` against an account that has nothing yet, and as a person who may only read what it asks for.

After a deployment: tests/loop/test_the_loop.py.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from deploy_scripts import preflight
from local_account.account import Account as LocalAccount
from packages.local_account.tests import sagemaker_requests as small
from preflight import places
from preflight.account import READS, Account, policy
from preflight.assembly import read as stacks_of
from preflight.examination import examine
from preflight.finding import Finding, Sign
from settings_schema import ModelNames
from settings_schema.reading import read

ROOT = Path(__file__).parents[2]
USER = "planner"
ONE = {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1}
IMAGE = {"ImageUri": "111122223333.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.2-0"}
ARGUMENTS = {"ProcessingResources": {"ClusterConfig": ONE}, "AppSpecification": IMAGE}
DEFINITION = {"Steps": [{"Name": "Prepare", "Type": "Processing", "Arguments": ARGUMENTS}]}


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `cdk synth` writes, for any account."""
    folder = tmp_path_factory.mktemp("synthesized") / "cdk.out"
    without_account = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CDK_DEFAULT_"))}
    made = subprocess.run(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env={**without_account, "CDK_OUTDIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture(scope="module")
def names() -> ModelNames:
    """Of one of the models that the templates are of."""
    settings = read()
    return next(iter(settings.models.values())).names(settings.project)


@pytest.fixture(scope="module")
def planner(account: LocalAccount) -> Iterator[Any]:
    """A user of their own, and `allow(actions)`, which sets what they may do; returns boto3 clients and what they called."""
    iam = account.client("iam")
    iam.create_user(UserName=USER)
    key = iam.create_access_key(UserName=USER)["AccessKey"]
    session = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name=account.settings.region)
    called: set[tuple[str, str]] = set()

    def client(service: str, region: str) -> Any:
        made = session.client(service, region_name=region, endpoint_url=account.settings.endpoint_url)
        names = {operation: method for method, operation in made.meta.method_to_api_mapping.items()}
        made.meta.events.register("before-call.*.*", lambda model, **_: called.add((service, names[model.name])))
        return made

    def allow(actions: list[str]) -> tuple[Any, set[tuple[str, str]]]:
        document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
        iam.put_user_policy(UserName=USER, PolicyName="reads", PolicyDocument=json.dumps(document))
        called.clear()
        return client, called

    yield allow
    iam.delete_user_policy(UserName=USER, PolicyName="reads")
    iam.delete_access_key(UserName=USER, AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName=USER)


def examined(assembly: Path, client: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Finding]]:
    """Findings by what was looked at. The SageMaker SDK asks for Docker, which this process must not have: a small definition instead."""
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setattr(places, "Account", lambda region, _: Account(region, client))
    monkeypatch.setattr(preflight, "definitions", lambda settings, region: [DEFINITION])
    (situation,), _ = places.look(preflight.app_of(read()), stacks_of(assembly, "make synth"))
    sections = examine(situation)
    by_name: dict[str, list[Finding]] = {}
    for finding in (finding for section in sections.values() for finding in section):
        by_name.setdefault(finding.what, []).append(finding)
    return by_name


@pytest.fixture(scope="module")
def typed(account: LocalAccount, assembly: Path) -> subprocess.CompletedProcess[str]:
    """What the administrator sees who types it, with the exports of `make local`."""
    environment = account.context.process_environment(account.context.keyring.administrator)
    command = [sys.executable, "-m", "deploy_scripts.preflight", "--assembly", str(assembly)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_a_new_account_lacks_its_bootstrap_and_nothing_else(typed: subprocess.CompletedProcess[str]) -> None:
    assert (typed.returncode, typed.stderr) == (1, "")
    assert re.findall(r"^  ✗ (.{22})", typed.stdout, re.MULTILINE) == ["bootstrap".ljust(22)]
    assert "      npx cdk bootstrap aws://111122223333/us-east-1\n" in typed.stdout


def test_what_the_local_account_does_not_have_is_not_seen_but_what_is_needed_is_said(typed: subprocess.CompletedProcess[str]) -> None:
    for use in ("endpoint", "training", "processing", "transform"):
        assert re.search(rf"^  \? {use} ml\.\S+ +needs \d+ ", typed.stdout, re.MULTILINE), use
    assert "the local account has no Service Quotas" in " ".join(typed.stdout.split())


def test_nothing_that_it_asks_is_refused_as_malformed(typed: subprocess.CompletedProcess[str]) -> None:
    """The port holds each request to AWS's model: what AWS would not take is not a line that "could not be seen"."""
    unseen = re.findall(r"^  \? (.*(?:\n {28}.*)*)", typed.stdout, re.MULTILINE)
    assert unseen
    assert [line for line in unseen if "the local account has no" not in " ".join(line.split())] == []


def test_pipelines_of_an_earlier_deployment_are_listed(
    account: LocalAccount, assembly: Path, planner: Any, names: ModelNames, monkeypatch: pytest.MonkeyPatch
) -> None:
    sagemaker = account.client("sagemaker")
    fail = small.definition([{"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}])
    sagemaker.create_pipeline(PipelineName=names.training_pipeline, PipelineDefinition=fail, RoleArn=small.ROLE)
    try:
        left = examined(assembly, planner(policy()["Statement"][0]["Action"])[0], monkeypatch)["left behind"]
    finally:
        sagemaker.delete_pipeline(PipelineName=names.training_pipeline, ClientRequestToken="t" * 32)
    assert any(f"earlier deployment: {names.training_pipeline}" in finding.found for finding in left)


def test_its_table_has_at_most_100_columns(typed: subprocess.CompletedProcess[str]) -> None:
    assert max(len(line) for line in typed.stdout.splitlines()) <= 100


def test_its_policy_is_all_that_it_needs_and_it_calls_nothing_else(assembly: Path, planner: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client, called = planner(policy()["Statement"][0]["Action"])
    findings = examined(assembly, client, monkeypatch)
    assert f"user/{USER}" in findings["identity"][0].found
    assert [finding for found in findings.values() for finding in found if "lack" in finding.found] == []
    assert len(called) > 15
    assert called <= set(READS)


def test_one_permission_less_is_one_line_and_the_other_checks_look(assembly: Path, planner: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client, _ = planner([action for action in policy()["Statement"][0]["Action"] if action != "codebuild:BatchGetProjects"])
    findings = examined(assembly, client, monkeypatch)
    lacking, rest = findings["names"]
    assert (lacking.sign, rest.sign) == (Sign.UNSEEN, Sign.PASSED)
    assert "codebuild:BatchGetProjects" in lacking.advice
    assert findings["bootstrap"][0].sign is Sign.FAILED
    assert findings["a month"][0].sign is Sign.PASSED


def test_what_an_earlier_deployment_kept_is_in_the_way(
    account: LocalAccount, assembly: Path, planner: Any, names: ModelNames, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = names.of_project
    repositories, sagemaker = account.client("codecommit"), account.client("sagemaker")
    repositories.create_repository(repositoryName=project.repository)
    sagemaker.create_model_package_group(ModelPackageGroupName=names.model_package_group)
    try:
        findings = examined(assembly, planner(policy()["Statement"][0]["Action"])[0], monkeypatch)
    finally:
        repositories.delete_repository(repositoryName=project.repository)
        sagemaker.delete_model_package_group(ModelPackageGroupName=names.model_package_group)
    taken = [finding for finding in findings["names"] if finding.sign is Sign.FAILED]
    assert len(taken) == 2
    commands = [command for finding in taken for command in finding.commands]
    assert f"aws codecommit delete-repository --repository-name {project.repository}" in commands
    assert f"npx cdk import {names.stack}" in commands
