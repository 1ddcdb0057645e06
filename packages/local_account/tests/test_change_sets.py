"""What a change set or an update takes for a change is what would be different afterwards: resources, outputs, tags."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account.account import Account

from .stacks import Stack, parameter

TEMPLATE = {
    "Description": "first",
    "Metadata": {"a": 1},
    "Parameters": {"Value": {"Type": "String", "Default": "x"}, "With": {"Type": "String", "Default": "no"}},
    "Mappings": {"M": {"a": {"b": "c"}}},
    "Conditions": {"Second": {"Fn::Equals": [{"Ref": "With"}, "yes"]}},
    "Resources": {"One": parameter("x"), "Two": {**parameter("y"), "Condition": "Second"}},
    "Outputs": {"Same": {"Value": "x"}, "Name": {"Value": {"Ref": "Value"}}, "Also": {"Value": "z", "Condition": "Second"}},
}


@pytest.fixture
def stack(account: Account) -> Iterator[Stack]:
    made = Stack(account, "changing")
    account.client("cloudformation").create_stack(StackName=made.name, TemplateBody=json.dumps(TEMPLATE), Tags=[{"Key": "a", "Value": "1"}])
    assert made.settle() == "CREATE_COMPLETE"
    yield made
    made.delete()


def changed(account: Account, stack: Stack, template: Mapping[str, Any] = TEMPLATE, **options: Any) -> tuple[str, list[str]]:
    """The status of a change set with this template, which is executed if it can be, and which resources it changes."""
    client, name = account.client("cloudformation"), f"change-{len(stack.reasons())}"
    client.create_change_set(StackName=stack.name, ChangeSetName=name, TemplateBody=json.dumps(template), **options)
    described = client.describe_change_set(StackName=stack.name, ChangeSetName=name)
    if described["ExecutionStatus"] == "AVAILABLE":
        client.execute_change_set(StackName=stack.name, ChangeSetName=name)
        assert stack.settle() == "UPDATE_COMPLETE", stack.reasons()
    else:
        client.delete_change_set(StackName=stack.name, ChangeSetName=name)
    return described["Status"], [change["ResourceChange"]["LogicalResourceId"] for change in described["Changes"]]


def given(name: str, value: str) -> list[dict[str, str]]:
    return [{"ParameterKey": name, "ParameterValue": value}]


def test_an_output_that_is_added_is_made(account: Account, stack: Stack) -> None:
    outputs = {**TEMPLATE["Outputs"], "More": {"Value": {"Ref": "One"}}}  # type: ignore[dict-item]  # of the literal above

    assert changed(account, stack, {**TEMPLATE, "Outputs": outputs}) == ("CREATE_COMPLETE", [])

    assert stack.outputs() == {"Same": "x", "Name": "x", "More": stack.physical_id("One")}


def test_an_output_that_is_dropped_is_gone(account: Account, stack: Stack) -> None:
    assert changed(account, stack, {name: part for name, part in TEMPLATE.items() if name != "Outputs"}) == ("CREATE_COMPLETE", [])

    assert stack.outputs() == {}


def test_a_parameter_changes_what_it_is_used_for(account: Account, stack: Stack) -> None:
    assert changed(account, stack, Parameters=given("Value", "z")) == ("CREATE_COMPLETE", [])

    assert stack.outputs() == {"Same": "x", "Name": "z"}


def test_a_condition_that_a_parameter_turns_adds_and_removes(account: Account, stack: Stack) -> None:
    assert changed(account, stack, Parameters=given("With", "yes")) == ("CREATE_COMPLETE", ["Two"])
    assert stack.outputs()["Also"] == "z"
    name = stack.physical_id("Two")

    assert changed(account, stack, Parameters=given("With", "no")) == ("CREATE_COMPLETE", ["Two"])
    with pytest.raises(ClientError, match="ParameterNotFound"):
        account.client("ssm").get_parameter(Name=name)


def test_tags_are_a_change(account: Account, stack: Stack) -> None:
    assert changed(account, stack, Tags=[{"Key": "a", "Value": "2"}])[0] == "CREATE_COMPLETE"

    assert stack.describe()["Tags"] == [{"Key": "a", "Value": "2"}]


ALONE: list[dict[str, Any]] = [
    {"Description": "second"},
    {"Metadata": {"a": 2}},
    {"Mappings": {"M": {"a": {"b": "d"}}}},
    {"Conditions": {"Second": {"Fn::Equals": [{"Ref": "With"}, "yess"]}}},
]


@pytest.mark.parametrize("section", ALONE, ids=[next(iter(section)) for section in ALONE])
def test_what_makes_nothing_is_no_change_by_itself(account: Account, stack: Stack, section: dict[str, Any]) -> None:
    template = {**TEMPLATE, **section}

    assert changed(account, stack, template) == ("FAILED", [])
    with pytest.raises(ClientError, match="No updates are to be performed"):
        account.client("cloudformation").update_stack(StackName=stack.name, TemplateBody=json.dumps(template))


def test_an_update_takes_the_same_for_a_change(account: Account, stack: Stack) -> None:
    outputs = {**TEMPLATE["Outputs"], "More": {"Value": "m"}}  # type: ignore[dict-item]  # of the literal above
    account.client("cloudformation").update_stack(StackName=stack.name, TemplateBody=json.dumps({**TEMPLATE, "Outputs": outputs}))

    assert stack.settle() == "UPDATE_COMPLETE"
    assert stack.outputs()["More"] == "m"
