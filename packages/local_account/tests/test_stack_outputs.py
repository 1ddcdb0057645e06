"""Fn::GetStackOutput reads an output of another stack, in another region too, as whoever deploys may look at that stack.

Source: CloudFormation template reference, "Fn::GetStackOutput".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account.account import Account

from .several_accounts import ELSEWHERE
from .stacks import Stack, parameter, template
from .users import User, allow, make_user


def output(stack: str = "teller", name: str = "Word", **more: Any) -> dict[str, Any]:
    return {"Fn::GetStackOutput": {"StackName": stack, "OutputName": name, **more}}


def telling(word: str) -> str:
    return template({"One": parameter("x")}, {"Word": {"Value": word}})


@pytest.fixture(scope="module", autouse=True)
def told(account: Account) -> None:
    """A stack of one name in two regions, each with its word."""
    for region, word in ((None, "here"), (ELSEWHERE, "elsewhere")):
        client = account.client("cloudformation", region=region)
        client.create_stack(StackName="teller", TemplateBody=telling(word))
        client.get_waiter("stack_create_complete").wait(StackName="teller", WaiterConfig={"Delay": 1, "MaxAttempts": 60})


@pytest.fixture
def listener(account: Account) -> Iterator[Stack]:
    stack = Stack(account, "listener")
    yield stack
    stack.delete()


def heard(account: Account, listener: Stack) -> str:
    value: str = account.client("ssm").get_parameter(Name=listener.physical_id("Copy"))["Parameter"]["Value"]
    return value


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (output(), "here"),
        (output(Region=ELSEWHERE), "elsewhere"),
        (output({"Fn::Join": ["", ["tell", "er"]]}, Region={"Ref": "AWS::Region"}), "here"),
        ({"Fn::Join": ["-", ["so", output()]]}, "so-here"),
    ],
)
def test_the_output_is_that_of_the_stack_in_that_region(account: Account, listener: Stack, value: Any, word: str) -> None:
    assert listener.create({"Copy": parameter(value)}) == "CREATE_COMPLETE", listener.reasons()
    assert heard(account, listener) == word


def test_a_change_of_the_output_is_taken_with_the_next_update_only(account: Account, listener: Stack) -> None:
    """ "The referenced value is resolved at stack create or update time"."""
    teller = Stack(account, "changing")
    teller.create({"One": parameter("x")}, {"Word": {"Value": "first"}})
    copy = {"Copy": parameter(output("changing"))}
    listener.create(copy)
    teller.update({"One": parameter("x")}, {"Word": {"Value": "second"}})
    assert heard(account, listener) == "first"
    assert listener.update(copy | {"More": parameter("y")}) == "UPDATE_COMPLETE"
    assert heard(account, listener) == "second"


@pytest.mark.parametrize(("stack", "name"), [("nobody", "Word"), ("teller", "Sentence")])
def test_what_is_not_there_fails_by_name(account: Account, stack: str, name: str) -> None:
    listener = Stack(account, f"deaf-{stack}")
    try:
        listener.create({"Copy": parameter(output(stack, name, Region=ELSEWHERE))})
    except ClientError as error:
        said = str(error)
    else:
        said = listener.reasons()
    assert f"stack {stack} in {ELSEWHERE} has no output {name}" in said


def test_who_deploys_has_to_be_allowed_to_look_at_that_stack(account: Account) -> None:
    own = "arn:aws:cloudformation:us-east-1:111122223333:stack/kept/*"
    user: User = make_user(account, "blinkered", allow("cloudformation:*", own), allow("ssm:*"))
    stack = Stack(account, "kept")
    stack._client = user.client("cloudformation")
    try:
        stack.create({"Copy": parameter(output(Region=ELSEWHERE))})
    except ClientError as error:
        said = str(error)
    else:
        said = stack.reasons()
    assert "not authorized to perform: cloudformation:DescribeStacks" in said
    assert f"arn:aws:cloudformation:{ELSEWHERE}:111122223333:stack/teller" in said


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("teller", "requires StackName and OutputName"),
        ({"StackName": "teller"}, "requires StackName and OutputName"),
        ({"StackName": "teller", "OutputName": "Word", "Account": "1"}, "requires StackName and OutputName"),
        ({"StackName": "teller", "OutputName": "Word", "RoleArn": "arn:aws:iam::444455556666:role/r"}, "has a RoleArn"),
    ],
)
def test_another_form_is_refused(account: Account, given: Any, said: str) -> None:
    with pytest.raises(ClientError, match=said):
        Stack(account, "formless").create({"Copy": parameter({"Fn::GetStackOutput": given})})  # type: ignore[arg-type]  # a function
