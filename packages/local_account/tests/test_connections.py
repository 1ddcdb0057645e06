"""Connections: AWS's API under both of its names, pending until a person completes them, and stock git for their repositories."""

from __future__ import annotations

import json
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account import handshake
from local_account.account import Account

from . import connected_pipelines as connected
from . import small_pipelines as small
from .connected_pipelines import Clone, address, git
from .stacks import Stack
from .users import make_user

BOTH_NAMES = ["codeconnections", "codestar-connections"]


@pytest.fixture(scope="module", autouse=True)
def prepared(account: Account) -> None:
    small.prepare(account)


@pytest.fixture
def name() -> str:
    return f"connection-{uuid.uuid4().hex[:8]}"


def new(account: Account, name: str, provider: str = "GitHub", **more: Any) -> str:
    return str(account.client("codeconnections").create_connection(ConnectionName=name, ProviderType=provider, **more)["ConnectionArn"])


def described(account: Account, arn: str) -> dict[str, str]:
    found: dict[str, str] = account.client("codeconnections").get_connection(ConnectionArn=arn)["Connection"]
    return found


def allow(action: str, resource: str = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


# -------------------------------------------------------------------------------------------------- the API


@pytest.mark.parametrize("service", BOTH_NAMES)
@pytest.mark.parametrize("provider", ["GitHub", "GitLab", "Bitbucket"])
def test_a_new_connection_is_pending_and_has_its_services_name_in_its_arn(account: Account, name: str, service: str, provider: str) -> None:
    arn = account.client(service).create_connection(ConnectionName=name, ProviderType=provider)["ConnectionArn"]

    assert arn.startswith(f"arn:aws:{service}:us-east-1:111122223333:connection/")
    for either in BOTH_NAMES:
        assert {
            "ConnectionName": name,
            "ConnectionArn": arn,
            "ProviderType": provider,
            "OwnerAccountId": "111122223333",
            "ConnectionStatus": "PENDING",
        } in account.client(either).list_connections(ProviderTypeFilter=provider)["Connections"]


def test_stock_aws_sees_a_connection(account: Account, name: str) -> None:
    command = ["aws", "codeconnections", "get-connection", "--connection-arn", new(account, name), "--query", "Connection.ConnectionName"]
    answered = subprocess.run(
        command,
        env=account.context.process_environment(account.context.keyring.administrator),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert json.loads(answered.stdout) == name


def test_a_list_comes_in_pages(account: Account, name: str) -> None:
    for number in range(3):
        new(account, f"{name}-{number}", "Bitbucket")

    pages = account.client("codeconnections").list_connections
    first = pages(ProviderTypeFilter="Bitbucket", MaxResults=2)
    rest = pages(ProviderTypeFilter="Bitbucket", NextToken=first["NextToken"])

    assert len(first["Connections"]) == 2
    names = [each["ConnectionName"] for each in (*first["Connections"], *rest["Connections"])]
    assert {f"{name}-{number}" for number in range(3)} <= set(names)


def test_a_deleted_connection_is_gone(account: Account, name: str) -> None:
    client, arn = account.client("codeconnections"), new(account, name)
    client.delete_connection(ConnectionArn=arn)

    for gone in (client.get_connection, client.delete_connection):
        with pytest.raises(client.exceptions.ResourceNotFoundException, match=arn):
            gone(ConnectionArn=arn)
    assert new(account, name) != arn, "AWS never reuses an ARN"


def test_tags_are_kept_until_they_are_taken_away(account: Account, name: str) -> None:
    client, arn = account.client("codeconnections"), new(account, name, Tags=[{"Key": "team", "Value": "red"}])
    client.tag_resource(ResourceArn=arn, Tags=[{"Key": "team", "Value": "blue"}, {"Key": "cost", "Value": "1"}])
    client.untag_resource(ResourceArn=arn, TagKeys=["cost"])

    assert client.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "blue"}]


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"ProviderType": "GitHubEnterpriseServer"}, "NotImplemented.*ProviderType GitHubEnterpriseServer"),
        ({"HostArn": "arn:aws:codeconnections:us-east-1:111122223333:host/x"}, "NotImplemented.*HostArn"),
        ({"ProviderType": "Sourceforge"}, "ValidationException.*providerType"),
        ({}, "ValidationException.*ProviderType: Bitbucket, GitHub or GitLab"),
    ],
)
def test_a_provider_that_is_not_here_is_refused_by_name(account: Account, name: str, request_: dict[str, str], said: str) -> None:
    with pytest.raises(ClientError, match=said):
        account.client("codeconnections").create_connection(ConnectionName=name, **request_)

    assert name not in [each["ConnectionName"] for each in account.client("codeconnections").list_connections()["Connections"]]


def test_two_connections_do_not_share_a_name(account: Account, name: str) -> None:
    new(account, name)

    with pytest.raises(ClientError, match=f"{name} already exists"):
        new(account, name, "GitLab")


def test_who_may_read_a_connection_is_decided_by_its_tags_too(account: Account, name: str) -> None:
    red, blue = (new(account, f"{name}-{team}", Tags=[{"Key": "team", "Value": team}]) for team in ("red", "blue"))
    condition = {"StringEquals": {"aws:ResourceTag/team": "red"}}
    client = make_user(account, name, allow("codeconnections:GetConnection", Condition=condition)).client("codeconnections")

    assert client.get_connection(ConnectionArn=red)["Connection"]["ConnectionName"] == f"{name}-red"
    with pytest.raises(ClientError, match=f"not authorized to perform: codeconnections:GetConnection on resource: {blue}"):
        client.get_connection(ConnectionArn=blue)


# --------------------------------------------------------------------------------------------- the handshake


def environment(account: Account) -> dict[str, str]:
    return {"AWS_ENDPOINT_URL": account.settings.endpoint_url, "AWS_SECRET_ACCESS_KEY": account.settings.secret}


def test_the_command_completes_the_connection_that_it_names(account: Account, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = new(account, f"{name}-1"), new(account, f"{name}-2")

    assert handshake.main([f"{name}-1"], environment(account)) == 0
    assert described(account, first)["ConnectionStatus"] == "AVAILABLE"
    assert described(account, second)["ConnectionStatus"] == "PENDING"
    assert f"{name}-1 (GitHub) is AVAILABLE: {first}" in capsys.readouterr().out
    assert handshake.main([second], environment(account)) == 0
    assert described(account, second)["ConnectionStatus"] == "AVAILABLE"


def test_the_command_without_a_name_lists_and_completes_nothing(account: Account, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    arn = new(account, name)

    assert handshake.main([], environment(account)) == 0
    assert f"{name} (GitHub) is PENDING: {arn}" in capsys.readouterr().out
    assert described(account, arn)["ConnectionStatus"] == "PENDING"


@pytest.mark.parametrize(
    ("arguments", "change", "said"),
    [
        (["nobody"], {}, "There is no connection 'nobody'; connections: "),
        ([], {"AWS_ENDPOINT_URL": ""}, "use the exports that the local account printed"),
        ([], {"AWS_SECRET_ACCESS_KEY": "wrong"}, "401"),
        ([], {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "no local account answers at http://127.0.0.1:9"),
    ],
)
def test_the_command_says_in_one_line_why_it_cannot(
    account: Account, arguments: list[str], change: dict[str, str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert handshake.main(arguments, {**environment(account), **change}) == 2
    refused = capsys.readouterr().err
    assert said in refused
    assert refused.count("\n") == 1


# ------------------------------------------------------------------------------------------------------- git


@pytest.mark.parametrize("full_name", ["team/app", "Team/.github", "group/sub-group/app.py"])
def test_what_is_pushed_can_be_cloned(account: Account, full_name: str, tmp_path: Path) -> None:
    clone = Clone(account, full_name, tmp_path / "first")
    clone.change("README.md", content="first\n")

    git("clone", "--quiet", f"{address(account, full_name)}.git", str(tmp_path / "second"))

    assert (tmp_path / "second" / "README.md").read_text() == "first\n"


def test_the_first_branch_that_is_pushed_is_the_one_that_is_checked_out(account: Account, name: str, tmp_path: Path) -> None:
    clone = Clone(account, f"team/{name}", tmp_path / "first")
    clone.change("README.md", "main:trunk", content="first\n")

    git("clone", "--quiet", address(account, f"team/{name}"), str(tmp_path / "second"))

    assert git("branch", "--show-current", cwd=tmp_path / "second").stdout == "trunk\n"


def test_a_tag_of_a_file_is_taken_like_any_other(account: Account, name: str, tmp_path: Path) -> None:
    clone = Clone(account, f"team/{name}", tmp_path / "first")
    clone.commit({"key.txt": "x"})
    git("tag", "key", "HEAD:key.txt", cwd=clone.directory)

    clone.push("main", "key")

    assert "refs/tags/key" in git("ls-remote", "origin", cwd=clone.directory).stdout


def test_a_repository_that_nobody_pushed_is_not_found(account: Account, tmp_path: Path) -> None:
    refused = git("clone", address(account, "team/nothing"), str(tmp_path / "clone"), check=False)

    assert "There is no repository team/nothing; a push makes it." in refused.stderr


def test_git_needs_the_secret(account: Account, tmp_path: Path) -> None:
    clone = Clone(account, "team/secret", tmp_path / "clone")
    clone.commit({"README.md": "x"})
    git("remote", "set-url", "origin", address(account, "team/secret", "x" * 40), cwd=clone.directory)

    refused = git("push", "origin", "main", cwd=clone.directory, check=False)

    assert "Authentication failed" in refused.stderr
    assert not (account.settings.state_directory / "connections" / "team" / "secret.git").exists()


@pytest.mark.parametrize(
    "full_name", ["app", "%2e%2e/app", "team/..", "team/-x", "team//app", "./app", "team/%2e%2e/app", "team/app.git/objects"]
)
def test_an_address_that_no_provider_has_is_no_repository(account: Account, full_name: str, tmp_path: Path) -> None:
    clone = Clone(account, full_name, tmp_path / "clone")
    clone.commit({"README.md": "x"})

    refused = git("push", "origin", "main", cwd=clone.directory, check=False)

    assert "not found" in refused.stderr


# --------------------------------------------------------------------------------------------------- stacks


@pytest.mark.parametrize(
    ("kind", "service"),
    [("AWS::CodeConnections::Connection", "codeconnections"), ("AWS::CodeStarConnections::Connection", "codestar-connections")],
)
def test_a_stack_makes_a_pending_connection_and_takes_it_away(account: Account, name: str, kind: str, service: str) -> None:
    def connection(*tags: str) -> dict[str, Any]:
        given = [{"Key": tag, "Value": "1"} for tag in tags]
        return {"Code": {"Type": kind, "Properties": {"ConnectionName": name, "ProviderType": "GitLab", "Tags": given}}}

    outputs = {
        "Arn": {"Value": {"Ref": "Code"}},
        "Same": {"Value": {"Fn::GetAtt": ["Code", "ConnectionArn"]}},
        "Status": {"Value": {"Fn::GetAtt": ["Code", "ConnectionStatus"]}},
    }
    stack = Stack(account, name)

    assert stack.create(connection("a"), outputs) == "CREATE_COMPLETE", stack.reasons()
    arn = stack.outputs()["Arn"]
    assert arn.startswith(f"arn:aws:{service}:")
    assert (stack.outputs()["Same"], stack.outputs()["Status"]) == (arn, "PENDING")
    assert stack.update(connection("b"), outputs) == "UPDATE_COMPLETE", stack.reasons()
    assert stack.outputs()["Arn"] == arn
    keys = {tag["Key"] for tag in account.client(service).list_tags_for_resource(ResourceArn=arn)["Tags"]}
    assert {key for key in keys if not key.startswith("aws:")} == {"b"}
    stack.delete()
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        described(account, arn)


def test_a_pipeline_is_made_with_a_connection_by_who_may_pass_it(account: Account, name: str) -> None:
    arn = connected.connect(account, name)
    pass_role, pass_connection = allow("iam:PassRole"), allow("codeconnections:PassConnection", arn)
    pass_connection["Condition"] = {"StringEquals": {"codeconnections:PassedToService": "codepipeline.amazonaws.com"}}
    pipeline = connected.declaration(name, connected.source(arn, "team/app"))
    without = make_user(account, f"{name}-without", allow("codepipeline:*"), pass_role)
    with_it = make_user(account, f"{name}-with", allow("codepipeline:*"), pass_role, pass_connection)

    with pytest.raises(ClientError, match=f"not authorized to perform: codeconnections:PassConnection on resource: {arn}"):
        without.client("codepipeline").create_pipeline(pipeline=pipeline)
    assert with_it.client("codepipeline").create_pipeline(pipeline=pipeline)["pipeline"]["name"] == name


def test_a_stack_makes_a_pipeline_with_triggers(account: Account, name: str, tmp_path: Path) -> None:
    arn = connected.connect(account, name)
    stages = [
        {
            "Name": "Source",
            "Actions": [
                {
                    "Name": "Repository",
                    "ActionTypeId": {"Category": "Source", "Owner": "AWS", "Provider": "CodeStarSourceConnection", "Version": "1"},
                    "Configuration": {
                        "ConnectionArn": arn,
                        "FullRepositoryId": f"team/{name}",
                        "BranchName": "main",
                        "DetectChanges": False,
                    },
                    "OutputArtifacts": [{"Name": "Source"}],
                }
            ],
        },
        {
            "Name": "Next",
            "Actions": [
                {"Name": "Approve", "ActionTypeId": {"Category": "Approval", "Owner": "AWS", "Provider": "Manual", "Version": "1"}}
            ],
        },
    ]
    only_main = {"Branches": {"Includes": ["main"]}}
    properties = {
        "Name": name,
        "RoleArn": small.ROLE,
        "PipelineType": "V2",
        "ArtifactStore": {"Type": "S3", "Location": small.BUCKET},
        "Stages": stages,
        "Triggers": [
            {"ProviderType": "CodeStarSourceConnection", "GitConfiguration": {"SourceActionName": "Repository", "Push": [only_main]}}
        ],
    }
    stack = Stack(account, name)
    resources = {"Pipeline": {"Type": "AWS::CodePipeline::Pipeline", "Properties": properties}}

    assert stack.create(resources) == "CREATE_COMPLETE", stack.reasons()
    commit = Clone(account, f"team/{name}", tmp_path / "clone").change("README.md")
    assert [each["trigger"]["triggerType"] for each in connected.executions(account, name)] == ["WebhookV2"]
    assert connected.variables(account, name, connected.executions(account, name)[0]["pipelineExecutionId"])["CommitId"] == commit
