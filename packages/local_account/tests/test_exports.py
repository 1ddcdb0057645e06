"""An export belongs to one stack, and neither changes nor goes while another stack imports it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account.account import Account

from .stacks import Stack, impossible, parameter, template

RESOURCES = {"One": parameter("x")}


def exported(name: str, value: Any = "first") -> dict[str, Any]:
    return {"Shared": {"Value": value, "Export": {"Name": name}}}


def importing(name: Any) -> dict[str, Any]:
    return {"Copy": parameter({"Fn::ImportValue": name})}  # type: ignore[arg-type]  # the value is a function


def exports(account: Account) -> dict[str, str]:
    return {export["Name"]: export["Value"] for export in account.client("cloudformation").list_exports()["Exports"]}


@pytest.fixture
def owner(account: Account) -> Iterator[Stack]:
    stack = Stack(account, "owner")
    assert stack.create(RESOURCES, exported("shared")) == "CREATE_COMPLETE"
    yield stack
    stack.delete()


@pytest.fixture
def user(account: Account, owner: Stack) -> Iterator[Stack]:
    stack = Stack(account, "user")
    assert stack.create(importing("shared")) == "CREATE_COMPLETE"
    yield stack
    stack.delete()


def test_an_export_in_use_does_not_change(account: Account, owner: Stack, user: Stack) -> None:
    assert owner.update(RESOURCES, exported("shared", "second")) == "UPDATE_ROLLBACK_COMPLETE"

    assert "Export shared cannot be updated as it is in use by user" in owner.reasons()
    assert exports(account) == {"shared": "first"}
    assert owner.outputs() == {"Shared": "first"}


@pytest.mark.parametrize("outputs", [{}, exported("other")], ids=["removed", "renamed"])
def test_an_export_in_use_does_not_go(account: Account, owner: Stack, user: Stack, outputs: dict[str, Any]) -> None:
    assert owner.update({"One": parameter("y")}, outputs) == "UPDATE_ROLLBACK_COMPLETE"

    assert "Export shared cannot be deleted as it is in use by user" in owner.reasons()
    assert exports(account) == {"shared": "first"}
    assert account.client("ssm").get_parameter(Name=owner.physical_id("One"))["Parameter"]["Value"] == "x"


def test_a_stack_whose_export_is_in_use_is_not_deleted_whatever_state_its_user_is_in(account: Account, owner: Stack) -> None:
    client, broken = account.client("cloudformation"), Stack(account, "user")
    status = broken.create({**importing("shared"), **RESOURCES, "Two": impossible()}, DisableRollback=True)
    assert status == "CREATE_FAILED"
    client.create_change_set(StackName=broken.name, ChangeSetName="mend", TemplateBody=template({**importing("shared"), **RESOURCES}))
    client.execute_change_set(StackName=broken.name, ChangeSetName="mend", DisableRollback=True)
    assert broken.settle() == "UPDATE_COMPLETE"

    with pytest.raises(ClientError, match=r"Delete canceled\. Cannot delete export shared as it is in use by user\."):
        client.delete_stack(StackName=owner.name)

    assert owner.describe()["StackStatus"] == "CREATE_COMPLETE"
    broken.delete()


def test_an_export_that_nobody_uses_changes_and_goes(account: Account, owner: Stack) -> None:
    assert owner.update(RESOURCES, exported("shared", "second")) == "UPDATE_COMPLETE"
    assert exports(account) == {"shared": "second"}

    assert owner.update(RESOURCES, exported("renamed", "second")) == "UPDATE_COMPLETE"
    assert exports(account) == {"renamed": "second"}


def test_a_name_is_one_stacks(account: Account, owner: Stack) -> None:
    second = Stack(account, "second")

    assert second.create(RESOURCES, exported("shared", "mine")) == "ROLLBACK_COMPLETE"

    assert "Export with name shared is already exported by stack owner" in second.reasons()
    assert exports(account) == {"shared": "first"}
    second.delete()
    assert exports(account) == {"shared": "first"}


def test_what_nobody_exports_is_not_imported(account: Account) -> None:
    stack = Stack(account, "importing-nothing")

    assert stack.create(importing("nothing")) == "ROLLBACK_COMPLETE"

    assert "nothing" in stack.reasons()
    stack.delete()
