"""`python -m preflight` on a cloud assembly alone: which accounts it looks at, how it enters them, and what it says of bad input."""

from __future__ import annotations

import json

import boto3
import pytest
from botocore.exceptions import ClientError

from preflight.__main__ import main
from preflight.assembly import Stack, read
from preflight.sites import ClosedError, of_assembly, profiles_of

from .aws_account import ACCOUNT, REGION, Aws, endpoint, stack

THEIRS = "444455556666"
LOOKUP = "arn:${AWS::Partition}:iam::444455556666:role/cdk-team-lookup-role"


class Session:
    """boto3.Session: STS of two accounts, one of which lends its lookup role; everything else has nothing."""

    region_name: str | None = REGION
    available_profiles = ("theirs",)
    closed = False

    def __init__(self, *keys: str, profile_name: str | None = None) -> None:
        self._account = THEIRS if keys or profile_name else ACCOUNT

    def client(self, service, region_name, config):
        return self if service == "sts" else Aws().client(service, region_name)

    def get_caller_identity(self):
        return {"Account": self._account, "Arn": f"arn:aws:iam::{self._account}:user/ada"}

    def can_paginate(self, _):
        return False

    def assume_role(self, *, RoleArn, RoleSessionName):  # noqa: N803 - boto3 spells them so
        if self.closed:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "AssumeRole")
        assert RoleArn == LOOKUP.replace("${AWS::Partition}", "aws")
        return {"Credentials": {"AccessKeyId": "a", "SecretAccessKey": "s", "SessionToken": "t"}}


@pytest.fixture(autouse=True)
def session(monkeypatch):
    monkeypatch.setattr(boto3, "Session", Session)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    return Session


def going_to(account: str, region: str, name: str = "app", **properties: object) -> Stack:
    return stack(name, environment=f"aws://{account}/{region}", properties=properties)


def test_each_account_and_region_of_the_stacks_is_a_place_once_and_that_of_the_credentials_comes_first():
    stacks = [
        going_to(THEIRS, REGION),
        going_to(ACCOUNT, "us-east-1"),
        going_to("unknown-account", "unknown-region"),
        going_to(ACCOUNT, REGION),
    ]
    sites = of_assembly(stacks, {})
    assert [site.where for site in sites] == [(ACCOUNT, "us-east-1"), (ACCOUNT, REGION), (THEIRS, REGION)]
    assert [site.is_callers for site in sites] == [True, True, False]
    taken = [[number for number, item in enumerate(stacks) if site.takes(item)] for site in sites[1:]]
    assert taken == [[2, 3], [0]]


def test_a_stack_that_leaves_its_region_open_needs_a_terminal_that_names_one(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(Session, "region_name", None)
    written(tmp_path, environment="aws://unknown-account/unknown-region")
    assert main(["--assembly", str(tmp_path)]) == 2
    assert "AWS_REGION" in capsys.readouterr().err


def test_another_account_is_entered_by_the_lookup_role_of_the_assembly_or_by_its_profile():
    stacks = [going_to(THEIRS, REGION, lookupRole={"arn": LOOKUP})]
    for profiles in ({}, {THEIRS: "theirs"}):
        (site,) = of_assembly(stacks, profiles)
        assert site.client("sts", REGION).get_caller_identity()["Account"] == THEIRS


def test_an_account_that_nobody_lets_in_says_what_enters_it(monkeypatch):
    monkeypatch.setattr(Session, "closed", True)
    for given, words in (({"arn": LOOKUP}, f"{ACCOUNT} may not assume"), ({}, "names no lookup role")):
        (site,) = of_assembly([going_to(THEIRS, REGION, lookupRole=given)], {})
        with pytest.raises(ClosedError, match=words) as closed:
            site.client("kms", REGION)
        assert f"--profile {THEIRS}=NAME" in str(closed.value)


def written(folder, *, environment: str = f"aws://{ACCOUNT}/{REGION}", **resources: object) -> None:
    """An assembly of one stack."""
    (folder / "t.json").write_text(json.dumps(stack("app", resources or endpoint()).template))
    artifact = {"type": "aws:cloudformation:stack", "environment": environment, "properties": {"templateFile": "t.json"}}
    (folder / "manifest.json").write_text(json.dumps({"artifacts": {"app": artifact}}))


def test_of_an_app_that_is_nobody_s_names_instances_and_prices_are_looked_at(tmp_path, capsys):
    written(tmp_path, Table=("AWS::DynamoDB::Table", {"TableName": "orders"}), **endpoint(count=2))
    assert main(["--json", "--assembly", str(tmp_path), "--price", "ml.m5.large=0.1"]) == 0
    sections = json.loads(capsys.readouterr().out)
    assert "2 are free" in sections["Earlier deployments"][1]["found"]  # the table and the endpoint
    assert "needs 4 (both fleets of an update: fish 2 × 2)" in sections["Quotas"][0]["found"]
    assert sections["Cost"][0]["found"].startswith("146 USD idle")
    assert sections["Tools"] == []  # of no project


def test_a_closed_account_fails_and_the_rest_is_looked_at(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(Session, "closed", True)
    written(tmp_path, environment=f"aws://{THEIRS}/{REGION}")
    mine = {"type": "aws:cloudformation:stack", "environment": f"aws://{ACCOUNT}/{REGION}", "properties": {"templateFile": "t.json"}}
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps({"artifacts": {**manifest["artifacts"], "mine": mine}}))
    assert main(["--json", "--assembly", str(tmp_path)]) == 1
    sections = json.loads(capsys.readouterr().out)
    assert [line["sign"] for line in sections[f"Account of {THEIRS}/{REGION}"]] == ["✗"]
    assert sections["Account"][0]["found"].endswith(f"{ACCOUNT}:user/ada")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--price", "ml.m5.large"], "--price is 'ml.m5.large'; allowed"),
        (["--profile", "staging"], "--profile is 'staging'; allowed: an account's 12 digits"),
        (["--profile", f"{THEIRS}=nobody"], "(theirs)"),
        (["--project", "nowhere"], "--project is nowhere; allowed"),
    ],
)
def test_bad_input_is_one_line(arguments, says, tmp_path, capsys):
    written(tmp_path)
    assert main(["--assembly", str(tmp_path), *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line


def test_an_assembly_is_read_with_the_command_that_writes_it_in_the_error(tmp_path, capsys):
    assert main(["--assembly", str(tmp_path)]) == 2
    assert "`npx cdk synth` writes it" in capsys.readouterr().err


def test_the_policy_needs_neither_assembly_nor_credentials(capsys, monkeypatch):
    monkeypatch.setattr(boto3, "Session", None)
    assert main(["--policy"]) == 0
    assert json.loads(capsys.readouterr().out)["Version"] == "2012-10-17"


def test_profiles_are_by_account():
    assert profiles_of([f"{THEIRS}=theirs"]) == {THEIRS: "theirs"}


def test_where_an_app_goes_is_read_from_the_manifest(tmp_path):
    written(tmp_path, environment=f"aws://{THEIRS}/us-east-1")
    (made,) = read(tmp_path, "cdk synth")
    assert (made.account, made.region) == (THEIRS, "us-east-1")
