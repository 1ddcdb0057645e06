"""Claims about accounts: the caller's own is asked as it is, another one by a role, and a closed one says who has to open it."""

from __future__ import annotations

from typing import Any

import pytest

from build_scripts.command_line import ProblemError
from build_scripts.project_environment import ProjectEnvironment
from deploy_scripts.environment_place import EnvironmentPlace, Role
from settings_schema import Environment, ServingNames
from tests.unit import script_account
from tests.unit.script_account import NAMES, PROJECT, refusal

OURS, THEIRS = "111122223333", "444455556666"


class Sts:
    """Knows the caller, and lends roles unless they are closed."""

    def __init__(self) -> None:
        self.assumed: list[str] = []
        self.is_closed = False

    def get_caller_identity(self) -> dict[str, str]:
        return {"Account": OURS}

    def assume_role(self, *, RoleArn: str, RoleSessionName: str) -> dict[str, Any]:  # noqa: N803 - boto3 spells them so
        if self.is_closed:
            raise refusal("AccessDenied", f"not authorized to perform: sts:AssumeRole on resource: {RoleArn}", "AssumeRole")
        self.assumed.append(RoleArn)
        return {"Credentials": {"AccessKeyId": f"key of {RoleArn}", "SecretAccessKey": "secret", "SessionToken": "token"}}


@pytest.fixture
def sts(monkeypatch: pytest.MonkeyPatch) -> Sts:
    """Clients are told apart by region and key."""
    made = Sts()

    def client(project: ProjectEnvironment, service: str, *_: Any, **credentials: str) -> Any:
        return made if service == "sts" else (service, project.region, credentials.get("aws_access_key_id"))

    script_account.install(monkeypatch)
    monkeypatch.setattr(ProjectEnvironment, "client", client)
    return made


VERIFIER = NAMES.at("live")


def place(role: Role | ServingNames = VERIFIER, **where: str) -> EnvironmentPlace:
    return EnvironmentPlace(ProjectEnvironment(PROJECT), Environment(name="live", **where), role)


@pytest.mark.parametrize("where", [{}, {"account": OURS}, {"account": OURS, "region": "us-east-1"}])
def test_the_caller_s_own_account_needs_no_role(sts: Sts, where: dict[str, str]) -> None:
    assert place(**where).client("sagemaker") == ("sagemaker", "us-east-1", None)
    assert sts.assumed == []
    assert place(**where).account == OURS


def test_another_region_of_the_own_account_needs_none_either(sts: Sts) -> None:
    assert place(region="eu-west-1").client("sagemaker") == ("sagemaker", "eu-west-1", None)
    assert sts.assumed == []
    assert place(region="eu-west-1").bucket == f"shop--live-{OURS}-eu-west-1"


@pytest.mark.parametrize(
    ("role", "name"),
    [
        (VERIFIER, "shop--abalone--live--verify"),
        (Role.LOOKUP, f"cdk-hnb659fds-lookup-role-{THEIRS}-eu-west-1"),
        (Role.DEPLOY, f"cdk-hnb659fds-deploy-role-{THEIRS}-eu-west-1"),
    ],
)
def test_another_account_is_entered_by_the_role_for_what_is_to_be_done(sts: Sts, role: Role | ServingNames, name: str) -> None:
    arn = f"arn:aws:iam::{THEIRS}:role/{name}"
    entered = place(role, account=THEIRS, region="eu-west-1")
    assert entered.client("sagemaker") == ("sagemaker", "eu-west-1", f"key of {arn}")
    entered.client("s3")
    assert sts.assumed == [arn]  # once for all clients


@pytest.mark.parametrize(
    ("role", "opens"),
    [
        (VERIFIER, "`npx cdk deploy shop--environment--live` makes it"),
        (Role.LOOKUP, f"`npx cdk bootstrap aws://{THEIRS}/us-east-1 --trust {OURS} --cloudformation-execution-policies"),
    ],
)
def test_a_closed_account_names_itself_the_role_and_what_opens_it(sts: Sts, role: Role | ServingNames, opens: str) -> None:
    sts.is_closed = True
    with pytest.raises(ProblemError) as caught:
        place(role, account=THEIRS).client("sagemaker")
    said = str(caught.value)
    assert f"environment live lives in {THEIRS}, and {OURS} may not assume arn:aws:iam::{THEIRS}:role/" in said
    assert opens in said
    assert "not authorized to perform: sts:AssumeRole" in said
    assert "\n" not in said


def test_environments_that_share_an_account_and_a_region_are_one_place(sts: Sts) -> None:
    assert place(account=OURS).where == place().where
    assert place(account=THEIRS).where != place().where
    assert place(region="eu-west-1").where != place().where
