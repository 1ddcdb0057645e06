"""No property of a template is dropped: each is acted on, stored with a reason, or refused by name before anything is made."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from local_account.account import Account
from local_account.cloudformation import _RESOURCE_TYPES
from local_account.cloudformation.properties import coverage, require_acted_on

from .cdk_command import CDK
from .stacks import Stack, parameter

PATH = tuple[str, ...]
BOOTSTRAP = Path(CDK or "").resolve().parents[1] / "lib" / "api" / "bootstrap" / "bootstrap-template.yaml"
TYPES = sorted(coverage().acted.keys() - {place for place in coverage().acted if "." in place})


# ------------------------------------------------------------------------------------- CloudFormation's schemas


@functools.cache
def schema_of(resource_type: str) -> dict[str, Any]:
    schema: dict[str, Any] = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource_type).schema
    return schema


@functools.cache
def properties_of(resource_type: str) -> tuple[PATH, ...]:
    """Every property that a template may give, parents first; a structure in itself is entered once."""
    schema = schema_of(resource_type)
    read_only = {tuple(pointer.split("/")[2:]) for pointer in schema.get("readOnlyProperties", [])}
    found = dict.fromkeys(_walk(schema, schema, (), frozenset()))
    return tuple(path for path in found if path not in read_only)


def _walk(schema: Mapping[str, Any], node: Mapping[str, Any], path: PATH, inside: frozenset[str]) -> Iterator[PATH]:
    while "$ref" in node:
        reference = str(node["$ref"])
        if reference in inside:
            return
        inside |= {reference}
        node = functools.reduce(lambda part, name: part[name], reference.removeprefix("#/").split("/"), schema)
    for alternative in (*node.get("oneOf", []), *node.get("anyOf", []), *node.get("allOf", [])):
        yield from _walk(schema, alternative, path, inside)
    if isinstance(node.get("items"), Mapping):
        yield from _walk(schema, node["items"], path, inside)
    for name, member in node.get("properties", {}).items():
        yield (*path, name)
        yield from _walk(schema, member, (*path, name), inside)


def refusal(resource_type: str, properties: Mapping[str, Any]) -> str:
    """What the account says to a resource with these properties, nothing if it acts on them all."""
    try:
        require_acted_on(resource_type, properties)
    except ValueError as error:
        return str(error)
    return ""


def is_listed(resource_type: str, path: PATH) -> bool:
    """By the meaning of the list: the name is in its structure's line, or stored, or that structure has no line of its own."""
    listed = coverage()
    for length in range(1, len(path) + 1):
        place, name = ".".join((resource_type, *path[: length - 1])), path[length - 1]
        if place in listed.acted and name not in listed.acted[place] and not {name, f"{place}.{name}"} & listed.stored.keys():
            return False
    return True


@pytest.mark.parametrize("resource_type", [name for name in TYPES if name != "AWS::CDK::Metadata"])
def test_every_property_of_the_schema_is_listed_or_refused_by_name(resource_type: str) -> None:
    for path in properties_of(resource_type):
        given: Any = "value"
        for name in reversed(path):
            given = {name: given}
        said = refusal(resource_type, given)
        if is_listed(resource_type, path):
            assert said == "", path
        else:
            assert any(f"{resource_type}.{'.'.join(path[:length])};" in said for length in range(1, len(path) + 1)), (path, said)


def test_the_list_names_only_what_templates_may_have() -> None:
    listed = coverage()
    every_name = {"Analytics"}
    for place, names in listed.acted.items():
        resource_type, *path = place.split(".")
        if resource_type == "AWS::CDK::Metadata":
            continue
        allowed = {found[-1] for found in properties_of(resource_type) if list(found[:-1]) == path}
        every_name |= {name for found in properties_of(resource_type) for name in found}
        assert names <= allowed, f"{place} has no {sorted(names - allowed)}"
    for stored in listed.stored:
        place, _, name = stored.rpartition(".")
        assert name in every_name, f"stored {stored} is no property of a listed type"
        assert not place or tuple(stored.split(".")[1:]) in properties_of(stored.split(".")[0])
    for resource in _RESOURCE_TYPES:
        assert resource.name in listed.acted or resource.name.startswith("Custom::")


# ----------------------------------------------------------------------------------------- what templates give


class _Short(yaml.SafeLoader):
    """Reads the short form of functions, such as !Sub, as {"Fn::Sub": ...}."""


def _function(loader: _Short, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.SequenceNode):
        value: Any = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    else:
        value = loader.construct_scalar(node)  # type: ignore[arg-type]  # the third kind of node
    return {"Ref" if suffix == "Ref" else f"Fn::{suffix}": value}


_Short.add_multi_constructor("!", _function)


def resolved(value: Any) -> Any:
    """A value as CloudFormation may make it: functions give a text, `Fn::If` both of its values."""
    if isinstance(value, list):
        return [resolved(item) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Fn::If"}:
        return [resolved(item) for item in value["Fn::If"][1:]]
    if len(value) == 1 and next(iter(value)).startswith(("Ref", "Fn::")):
        return "text"
    return {name: resolved(item) for name, item in value.items()}


@pytest.mark.skipif(not BOOTSTRAP.exists(), reason="the CDK CLI is not installed")
def test_the_account_acts_on_all_that_the_bootstrap_gives() -> None:
    template = yaml.load(BOOTSTRAP.read_text(), Loader=_Short)  # noqa: S506  # a safe loader that reads !Ref and its like
    assert {refusal(resource["Type"], resolved(resource.get("Properties") or {})) for resource in template["Resources"].values()} == {""}


# ------------------------------------------------------------------------------------------------ in a stack


@pytest.mark.parametrize(
    ("resource", "named"),
    [
        ({"Type": "AWS::DynamoDB::Table", "Properties": {"TableName": "t"}}, "does not provision AWS::DynamoDB::Table"),
        (
            {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "never", "ArchivePolicy": {"MessageRetentionPeriod": "1"}}},
            "does not act on AWS::SNS::Topic.ArchivePolicy;",
        ),
        (
            {"Type": "AWS::S3::Bucket", "Properties": {"LoggingConfiguration": {"TargetObjectKeyFormat": {"SimplePrefix": {}}}}},
            "does not act on AWS::S3::Bucket.LoggingConfiguration.TargetObjectKeyFormat;",
        ),
    ],
)
def test_what_is_not_acted_on_fails_the_stack_by_name_and_leaves_nothing(account: Account, resource: dict[str, Any], named: str) -> None:
    stack = Stack(account, f"refused-{resource['Type'].split('::')[-1]}")

    assert stack.create({"One": resource}) == "ROLLBACK_COMPLETE"

    assert named in stack.reasons()
    assert account.client("sns").list_topics()["Topics"] == []
    stack.delete()


def test_an_update_with_it_is_rolled_back(account: Account) -> None:
    stack = Stack(account, "refused-later")
    stack.create({"One": parameter("before")})

    assert stack.update({"One": parameter("after", Policies="[]")}) == "UPDATE_ROLLBACK_COMPLETE"

    assert "AWS::SSM::Parameter.Policies" in stack.reasons()
    assert account.client("ssm").get_parameter(Name=stack.physical_id("One"))["Parameter"]["Value"] == "before"
    stack.delete()
