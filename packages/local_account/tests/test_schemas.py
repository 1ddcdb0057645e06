"""What a resource type's published schema does not allow fails the resource before anything is made, in CloudFormation's words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from local_account.account import Account
from local_account.api.patterns import compiled
from local_account.cloudformation import schemas
from local_account.cloudformation.properties import coverage

from .stacks import Stack

TYPES = sorted(place for place in coverage().acted if "." not in place)
RULE = {"Version": "2012-10-17", "Statement": []}


def refusal(resource_type: str, properties: Mapping[str, Any]) -> str:
    try:
        schemas.require_valid(resource_type, "It", properties)
    except ValueError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("resource_type", "properties", "said"),
    [
        ("AWS::S3::Bucket", {"BucketName": "Up"}, "#/BucketName: failed validation constraint for keyword [pattern]"),
        ("AWS::SSM::Parameter", {"Type": "String"}, "#: required key [Value] not found"),
        ("AWS::SNS::Topic", {"Colour": "red"}, "#: extraneous key [Colour] is not permitted"),
        ("AWS::IAM::Role", {"AssumeRolePolicyDocument": RULE, "RoleName": "r" * 65}, "#/RoleName: expected maxLength: 64, actual: 65"),
        ("AWS::SQS::Queue", {"Tags": {"Key": "a"}}, "#/Tags: expected type: JSONArray, found: JSONObject"),
        ("AWS::Lambda::Function", {"Code": {}, "Role": "me"}, "#/Role: failed validation constraint for keyword [pattern]"),
        ("AWS::Lambda::Function", {"Code": {}, "Role": "arn:aws:iam::111122223333:role/r", "Timeout": 0}, "keyword [minimum]: 1"),
        ("AWS::CodePipeline::Pipeline", {"RoleArn": "x"}, "#: required key [Stages] not found"),
        (
            "AWS::CloudWatch::Alarm",
            {"ComparisonOperator": "LessThan", "EvaluationPeriods": "one"},
            "#/EvaluationPeriods: expected type: Integer, found: String",
        ),
        ("AWS::SSM::Parameter", {"Type": "Text", "Value": "v"}, "keyword [enum]: String, StringList"),
        (
            "AWS::SageMaker::Model",
            {"Tags": [{"Key": "k", "Value": "{"}]},
            "#/Tags/0/Value: failed validation constraint for keyword [pattern]",
        ),
        (
            "AWS::SSM::Parameter",
            {"Type": "String", "Value": "v", "Tags": {"a{b": "v"}},
            "failed validation constraint for keyword [pattern]",
        ),
    ],
)
def test_each_kind_of_constraint_is_held(resource_type: str, properties: dict[str, Any], said: str) -> None:
    message = refusal(resource_type, properties)
    assert message.startswith("Properties validation failed for resource It with message: ")
    assert said in message
    assert "\n" not in message


def test_several_violations_are_counted_and_told() -> None:
    message = refusal("AWS::SSM::Parameter", {"Type": "Text"})
    assert "#: 2 schema violations found; " in message
    assert "required key [Value]" in message
    assert "#/Type" in message


@pytest.mark.parametrize(
    ("resource_type", "properties"),
    [
        ("AWS::SQS::Queue", {"VisibilityTimeout": "30", "FifoQueue": "true"}),  # templates write scalars as texts
        ("AWS::SSM::Parameter", {"Type": "String", "Value": 5}),
        ("AWS::SageMaker::Model", {"Tags": [{"Key": "größe", "Value": "a b@c"}]}),
        ("AWS::IAM::Role", {"AssumeRolePolicyDocument": RULE}),
        ("Custom::Anything", {"Whatever": 1}),
    ],
)
def test_what_the_schema_allows_passes(resource_type: str, properties: dict[str, Any]) -> None:
    assert refusal(resource_type, properties) == ""


@pytest.mark.parametrize("resource_type", TYPES)
def test_each_type_has_a_schema_whose_patterns_can_be_read(resource_type: str) -> None:
    schema = schemas.schema_of(resource_type)
    assert schema is not None
    for pattern in patterns_of(schema):
        compiled(pattern)
    assert "patternProperties" not in str({name: schema.get(name) for name in ("properties", "definitions")})


def patterns_of(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("pattern"), str):
            yield node["pattern"]
        for value in node.values():
            yield from patterns_of(value)
    elif isinstance(node, list):
        for item in node:
            yield from patterns_of(item)


def test_a_stack_with_such_a_resource_rolls_back_and_leaves_nothing(account: Account) -> None:
    stack = Stack(account, "misnamed")
    role = {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "a b", "AssumeRolePolicyDocument": RULE}}

    assert stack.create({"Helper": role}, Capabilities=["CAPABILITY_NAMED_IAM"]) == "ROLLBACK_COMPLETE"

    assert "Properties validation failed for resource Helper with message: #/RoleName: failed validation" in stack.reasons()
    assert [role for role in account.client("iam").list_roles()["Roles"] if role["RoleName"] == "a b"] == []
    stack.delete()
