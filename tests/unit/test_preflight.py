"""`make preflight`: the project's own account and those of its environments, and who points to it. The checks: packages/preflight."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import boto3
import pytest

from build_scripts.command_line import ProblemError, VerdictError, run
from build_scripts.project_environment import ProjectEnvironment
from deploy_scripts import approve, preflight
from packages.preflight.tests.aws_account import ACCOUNT, REGION, Aws, endpoint, stack
from preflight.assembly import read
from preflight.examination import examine
from preflight.needs import Use
from preflight.places import look
from settings_schema import Environment
from tests.unit import script_account
from tests.unit.script_account import PROJECT, SETTINGS


def test_without_credentials_it_is_bad_input_in_one_line(tmp_path, monkeypatch, capsys):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # which may have found credentials before
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    (tmp_path / "manifest.json").write_text(json.dumps({"artifacts": {}}))
    assert run(preflight.main, ["--assembly", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "credentials" in line
    assert "AWS_PROFILE" in line


# ------------------------------------------------------------------------------- who points to it

QUOTA = "TuneLinear: ResourceLimitExceeded: The account-level service limit 'ml.m5.xlarge for training job usage' is 0 Instances"


@pytest.mark.parametrize(("reason", "points"), [(QUOTA, True), ("TuneLinear: AlgorithmError: no such column", False)])
def test_a_script_that_fails_for_want_of_quota_points_to_preflight_and_no_other_does(reason, points, capsys):
    def fail(arguments):
        raise VerdictError(reason)

    assert run(fail, []) == 1
    printed = capsys.readouterr().err
    assert printed.startswith(f"error: {reason}")
    assert ("make preflight" in printed) is points


@pytest.mark.parametrize(("decision", "points"), [([], True), (["--reject"], False)])
def test_an_approval_points_to_preflight_and_a_rejection_does_not(decision, points, capsys, monkeypatch):
    script_account.install(monkeypatch).sagemaker.add(2, "PendingManualApproval", metric="rmse")
    assert run(approve.main, ["--version", "2", "--yes", *decision]) == 0
    assert ("make preflight" in capsys.readouterr().out) is points


# --------------------------------------------------------------------- several accounts and regions

THEIRS = "444455556666"


class SeveralAccounts:
    """STS, which lends the lookup role unless it is closed; every other client is that of an account that has nothing."""

    def __init__(self) -> None:
        self.is_closed = False
        self.entered: list[str] = []

    def get_caller_identity(self):
        return {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/ada"}

    def assume_role(self, *, RoleArn, RoleSessionName):  # noqa: N803 - boto3 spells them so
        if self.is_closed:
            raise script_account.refusal("AccessDenied", "no", "AssumeRole")
        self.entered.append(RoleArn)
        return {"Credentials": {"AccessKeyId": "theirs", "SecretAccessKey": "s", "SessionToken": "t"}}


class TheirSts:
    def get_caller_identity(self):
        return {"Account": THEIRS, "Arn": f"arn:aws:sts::{THEIRS}:assumed-role/lookup/shop"}

    def can_paginate(self, _):
        return False


@pytest.fixture
def two_accounts(monkeypatch, tmp_path):
    """Abalone serves live in another account and region; the rest is in ours."""
    script_account.install(monkeypatch)
    sts = SeveralAccounts()

    def client(project, service, *_, **credentials):
        if service == "sts":
            return TheirSts() if credentials else sts
        return Aws().client(service, project.region)

    monkeypatch.setattr(ProjectEnvironment, "client", client)
    live = Environment(name="live", account=THEIRS, region=REGION)
    project = PROJECT.but(account=ACCOUNT, region="us-east-1")
    settings = replace(SETTINGS, project=project, environments=(SETTINGS.environments[0], live))
    monkeypatch.setattr(preflight, "read_settings", lambda: settings)
    monkeypatch.setattr(preflight, "definitions", lambda settings, region: [])
    where = (("ours", ACCOUNT, "us-east-1"), ("theirs", THEIRS, REGION), ("ours there", ACCOUNT, REGION))
    stacks = {name: f"aws://{account}/{region}" for name, account, region in where}
    stacks |= {f"shop--abalone--{name}": "aws://unknown-account/unknown-region" for name in ("try", "live")}  # which fit any place
    for name in stacks:
        resources = stack(name, endpoint(name)).template if name.startswith("shop--") else {"Resources": {}}
        (tmp_path / f"{name}.json").write_text(json.dumps(resources))
    artifacts = {
        name: {"type": "aws:cloudformation:stack", "environment": where, "properties": {"templateFile": f"{name}.json"}}
        for name, where in stacks.items()
    }
    (tmp_path / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
    return sts, settings


def test_each_account_and_region_is_looked_at_with_what_goes_there(two_accounts, tmp_path):
    sts, settings = two_accounts
    (ours, theirs, ours_there), closed = look(preflight.app_of(settings), read(tmp_path, "make synth"))
    assert [stack.name for stack in ours.stacks] == ["ours", "shop--abalone--try"]
    assert [stack.name for stack in ours_there.stacks] == ["ours there"]  # what a pipeline needs in an environment's region
    assert (ours_there.region, ours_there.place.account, ours_there.fleets) == (REGION, ACCOUNT, [])
    assert [stack.name for stack in theirs.stacks] == ["theirs", "shop--abalone--live"]
    assert [[fleet.endpoint for fleet in place.fleets] for place in (ours, theirs)] == [["shop--abalone--try"], ["shop--abalone--live"]]
    assert (theirs.region, theirs.place.account, theirs.trusted) == (REGION, THEIRS, ACCOUNT)
    assert sts.entered == [f"arn:aws:iam::{THEIRS}:role/cdk-hnb659fds-lookup-role-{THEIRS}-{REGION}"]
    assert closed == {}


def test_what_concerns_the_whole_project_is_looked_at_once(two_accounts, tmp_path):
    (ours, theirs, _), _ = look(preflight.app_of(two_accounts[1]), read(tmp_path, "make synth"))
    titles = [{title for title, findings in examine(item).items() if findings} for item in (ours, theirs)]
    assert "Tools" in titles[0]
    assert "Tools" not in titles[1]
    assert {"Account", "Quotas", "Earlier deployments"} <= titles[0] & titles[1]


def test_an_account_that_is_closed_fails_with_what_opens_it_and_the_rest_is_looked_at(two_accounts, tmp_path, capsys):
    sts, _ = two_accounts
    sts.is_closed = True
    assert run(preflight.main, ["--json", "--assembly", str(tmp_path)]) == 1
    sections = json.loads(capsys.readouterr().out)
    (line,) = sections["Account of live"]
    assert line["sign"] == "✗"
    assert f"npx cdk bootstrap aws://{THEIRS}/{REGION} --trust {ACCOUNT}" in line["found"]
    assert sections["Account"][0]["found"].endswith("user/ada")


def test_the_jobs_of_a_batch_model_are_needed_where_it_serves():
    needs = preflight.batch_needs(SETTINGS)
    served = {"shop--arrests--try": Use.TRANSFORM, "shop--arrests--live": Use.TRANSFORM}
    assert {stack: need.use for stack, (need,) in needs.items()} == served  # abalone has endpoints, which their templates say


def test_more_instances_than_the_defaults_are_counted_for_a_run_that_wants_them():
    declared = [{"Name": "TrainingInstanceCount", "Type": "Integer", "DefaultValue": 1}, {"Name": "Note", "Type": "String"}]
    (found,) = preflight.started_with(["TrainingInstanceCount=3"], [{"Parameters": declared, "Steps": []}])
    assert [item["DefaultValue"] for item in found["Parameters"]] == ["3", None]
    assert declared[0]["DefaultValue"] == 1


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("TrainingCount=3", "parameter 'TrainingCount' is unknown; allowed: TrainingInstanceCount"),
        ("TrainingInstanceCount=0", "parameter TrainingInstanceCount is '0'; allowed: whole numbers from 1"),
        ("TrainingInstanceCount", "parameter TrainingInstanceCount is ''; allowed: whole numbers from 1"),
    ],
)
def test_a_parameter_that_no_run_takes_is_refused_in_one_line(given, says):
    declared = [{"Name": "TrainingInstanceCount", "Type": "Integer", "DefaultValue": 1}]
    with pytest.raises(ProblemError, match=re.escape(says)):
        preflight.started_with([given], [{"Parameters": declared}])
