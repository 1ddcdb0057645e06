"""A stack's role is that stack's: no other stack has it, and an operation that was refused does not set it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account.account import Account

from ..roles import make_role
from ..stacks import Stack, parameter, template
from ..users import User, allow, make_user

STACKS = allow("cloudformation:*")


@pytest.fixture(scope="module")
def powerful(account: Account) -> str:
    return make_role(account, "powerful")


@pytest.fixture(scope="module")
def passer(account: Account, powerful: str) -> User:
    """May hand the role over, and nothing else but work on stacks."""
    return make_user(account, "passer", STACKS, allow("iam:PassRole", powerful))


@pytest.fixture(scope="module")
def poor(account: Account) -> User:
    return make_user(account, "poor", STACKS)


def stack_of(account: Account, user: User, name: str) -> Stack:
    stack = Stack(account, name)
    stack._client = user.client("cloudformation")
    return stack


def test_a_later_operation_uses_the_stacks_role(account: Account, passer: User, poor: User, powerful: str) -> None:
    assert stack_of(account, passer, "served").create({"P": parameter("1")}, RoleARN=powerful) == "CREATE_COMPLETE"
    assert stack_of(account, poor, "served").update({"P": parameter("2")}) == "UPDATE_COMPLETE"


def test_a_role_does_not_outlive_its_stack(account: Account, passer: User, poor: User, powerful: str) -> None:
    stack = stack_of(account, passer, "short-lived")
    stack.create({"P": parameter("1")}, RoleARN=powerful)
    stack.delete()
    assert stack_of(account, poor, "short-lived").create({"P": parameter("1")}) == "ROLLBACK_COMPLETE"


def test_a_refused_operation_does_not_set_anothers_role(account: Account, passer: User, powerful: str) -> None:
    owner = make_user(account, "owner", STACKS, allow("ssm:*"))
    stack = stack_of(account, owner, "owned")
    stack.create({"P": parameter("1")})
    with pytest.raises(ClientError, match="AlreadyExists"):
        passer.client("cloudformation").create_stack(StackName="owned", TemplateBody=template({"P": parameter("2")}), RoleARN=powerful)
    assert stack.update({"P": parameter("1"), "B": {"Type": "AWS::S3::Bucket"}}) == "UPDATE_ROLLBACK_COMPLETE"


@pytest.mark.parametrize("by_arn", [False, True])
def test_a_change_sets_role_is_the_stacks_once_it_is_executed(
    account: Account, passer: User, poor: User, powerful: str, by_arn: bool
) -> None:
    name = f"changed-{by_arn}".lower()
    client = passer.client("cloudformation")
    body: dict[str, Any] = {"StackName": name, "ChangeSetName": "c", "TemplateBody": json.dumps({"Resources": {"P": parameter("1")}})}
    made = client.create_change_set(**body, ChangeSetType="CREATE", RoleARN=powerful)["Id"]
    poor.client("cloudformation").execute_change_set(**({"ChangeSetName": made} if by_arn else {"StackName": name, "ChangeSetName": "c"}))
    assert Stack(account, name).settle() == "CREATE_COMPLETE"
    assert stack_of(account, poor, name).update({"P": parameter("2")}) == "UPDATE_COMPLETE"


def test_a_change_set_that_nobody_executes_changes_no_stacks_role(account: Account, passer: User, poor: User, powerful: str) -> None:
    stack = Stack(account, "unchanged")
    stack.create({"P": parameter("1")})
    passer.client("cloudformation").create_change_set(
        StackName="unchanged", ChangeSetName="c", TemplateBody=template({"P": parameter("2")}), RoleARN=powerful
    )
    assert stack_of(account, poor, "unchanged").update({"P": parameter("3")}) == "UPDATE_ROLLBACK_COMPLETE"
