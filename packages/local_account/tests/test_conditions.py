"""Conditions of a template compare values, also those that functions make."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local_account.account import Account

LIST = {"Type": "CommaDelimitedList", "Default": ""}


def made(account: Account, name: str, condition: Any, parameters: dict[str, str]) -> str:
    """The value of a parameter that a stack makes by its condition: yes or no."""
    value = {"Fn::If": ["Asked", "yes", "no"]}
    template = {
        "Parameters": {"Policies": LIST, "Word": {"Type": "String", "Default": ""}},
        "Mappings": {"Sizes": {"small": {"Nodes": "1"}}},
        "Conditions": {"Asked": condition},
        "Resources": {"One": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": name, "Type": "String", "Value": value}}},
    }
    cloudformation = account.client("cloudformation")
    given = [{"ParameterKey": key, "ParameterValue": item} for key, item in parameters.items()]
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(template), Parameters=given)
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    return str(account.client("ssm").get_parameter(Name=name)["Parameter"]["Value"])


@pytest.mark.parametrize(
    ("name", "condition", "parameters", "value"),
    [
        # The CDK's bootstrap template: are there policies?
        ("none", {"Fn::Not": [{"Fn::Equals": ["", {"Fn::Join": ["", {"Ref": "Policies"}]}]}]}, {}, "no"),
        ("two", {"Fn::Not": [{"Fn::Equals": ["", {"Fn::Join": ["", {"Ref": "Policies"}]}]}]}, {"Policies": "a,b"}, "yes"),
        ("joined", {"Fn::Equals": ["a+b", {"Fn::Join": ["+", {"Ref": "Policies"}]}]}, {"Policies": "a,b"}, "yes"),
        ("filled-in", {"Fn::Equals": [{"Fn::Sub": "${Word}-x"}, "w-x"]}, {"Word": "w"}, "yes"),
        ("mapped", {"Fn::Equals": [{"Fn::FindInMap": ["Sizes", {"Ref": "Word"}, "Nodes"]}, "1"]}, {"Word": "small"}, "yes"),
        ("chosen", {"Fn::Equals": [{"Fn::Select": ["1", {"Fn::Split": ["-", {"Ref": "Word"}]}]}, "b"]}, {"Word": "a-b"}, "yes"),
        ("nested", {"Fn::Or": [{"Fn::Equals": ["x", "y"]}, {"Fn::Equals": [{"Fn::Sub": "${Word}"}, "w"]}]}, {"Word": "w"}, "yes"),
    ],
)  # fmt: skip
def test_a_function_is_evaluated_before_it_is_compared(account: Account, name: str, condition: Any, parameters: Any, value: str) -> None:
    assert made(account, name, condition, parameters) == value
