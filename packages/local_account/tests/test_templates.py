"""A template that AWS would refuse makes no stack: it is refused at once, in AWS's words, by whichever operation it is sent to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account.account import Account

from .stacks import Stack, parameter

Template = Mapping[str, Any]


def one(value: Any = "x", **attributes: Any) -> dict[str, Any]:
    """A template of one parameter of SSM."""
    return {"Resources": {"One": {**parameter(value), **attributes}}}


def refusals(account: Account, template: Template | str, *operations: str) -> set[str]:
    """What each operation answers; the stack that a change set would belong to is not left behind either."""
    client, body = account.client("cloudformation"), template if isinstance(template, str) else json.dumps(template)
    calls = {
        "create": lambda: client.create_stack(StackName="refused", TemplateBody=body),
        "change": lambda: client.create_change_set(StackName="refused", ChangeSetName="c", ChangeSetType="CREATE", TemplateBody=body),
        "validate": lambda: client.validate_template(TemplateBody=body),
    }
    messages = set()
    for operation in operations or calls:
        with pytest.raises(ClientError) as refused:
            calls[operation]()
        assert refused.value.response["Error"]["Code"] == "ValidationError"
        messages.add(refused.value.response["Error"]["Message"])
    assert "refused" not in [stack["StackName"] for stack in client.describe_stacks()["Stacks"]]
    return messages


ALWAYS = {"Fn::Equals": ["a", "a"]}
REFUSED: list[tuple[Template | str, str]] = [
    # the text
    ('{"Resources": ', "Template format error: JSON not well-formed. (line 1, column 15)"),
    ("Resources:\n  One: two: three", "Template format error: YAML not well-formed. (line 2, column 11)"),
    ("[]", "Template format error: unsupported structure."),
    ("just text", "Template format error: unsupported structure."),
    # sections
    ({"Resources": {}}, "Template format error: At least one Resources member must be defined."),
    ({"Outputs": {}}, "Template format error: At least one Resources member must be defined."),
    ({**one(), "Resouces": {}, "X": 1}, "Invalid template property or properties [Resouces, X]"),
    ({**one(), "AWSTemplateFormatVersion": "2011-01-01"}, "Template format error: unsupported value for AWSTemplateFormatVersion"),
    ({**one(), "Transform": "Mine"}, "No transform named 111122223333::Mine found."),
    ({**one(), "Transform": ["AWS::Serverless-2016-10-31"]}, "does not apply transform AWS::Serverless-2016-10-31"),
    ({**one(), "Hooks": {}}, "The local account does not act on section Hooks"),
    (one(None), "Template format error: [/Resources/One/Properties/Value] 'null' values are not allowed in templates"),
    # resources
    ({"Resources": {"with-dash": parameter("x")}}, "Template format error: Resource name with-dash is non alphanumeric."),
    ({"Resources": {"One": {}}}, "Template format error: [/Resources/One] Every Resources object must contain a Type member."),
    ({"Resources": {"One": "x"}}, "Template format error: [/Resources/One] resource definition is malformed"),
    (one(Properteis={}), "Invalid template resource property 'Properteis'"),
    (one(DependsOn=["Two"]), "Template format error: Unresolved resource dependencies [Two] in the Resources block of the template"),
    (one(Condition="No"), "Template format error: Unresolved condition dependency No in the Resources block of the template"),
    (one(DeletionPolicy="Retainn"), "Template format error: Unrecognized DeletionPolicy Retainn for resource One"),
    (one(UpdateReplacePolicy="RetainExceptOnCreate"), "Template format error: Unrecognized UpdateReplacePolicy RetainExceptOnCreate"),
    (one(DeletionPolicy="Snapshot"), "Template error: resource type AWS::SSM::Parameter does not support deletion policy Snapshot"),
    (one(CreationPolicy={"ResourceSignal": {"Count": 1}}), "does not act on CreationPolicy of resource One"),
    (one(UpdatePolicy={"UseOnlineResharding": True}), "does not act on UpdatePolicy of resource One"),
    # functions
    (one({"Ref": "Two"}), "Template format error: Unresolved resource dependencies [Two] in the Resources block of the template"),
    (one({"Fn::Sub": "a-${Two}"}), "Template format error: Unresolved resource dependencies [Two] in the Resources block of the template"),
    (one({"Fn::Sub": "a-${AWS::Regoin}"}), "Unresolved resource dependencies [AWS::Regoin] in the Resources block"),
    (one({"Fn::Sub": ["${a}", {"a": {"Ref": "Two"}}]}), "Unresolved resource dependencies [Two] in the Resources block"),
    (one({"Fn::Sub": "a-${Two.Arn}"}), "Template error: instance of Fn::Sub references invalid resource attribute Two.Arn"),
    (one({"Fn::Sub": "a-${ One }"}), "Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters"),
    (one({"Fn::GetAtt": ["Two", "Arn"]}), "Template error: instance of Fn::GetAtt references undefined resource Two"),
    (one({"Fn::GetAtt": ["One"]}), "Template error: every Fn::GetAtt object requires two non-empty parameters"),
    (one({"Fn::Nope": "x"}), "Template Error: Encountered unsupported function: Fn::Nope Supported functions are: ["),
    (one({"Fn::Equals": ["a", "a"]}), "Template error: Fn::Equals is for the Conditions of a template, not for its Resources"),
    (one({"Fn::Join": ["", ["a"]], "Fn::Sub": "b"}), "Fn::Join must be the only member of its object; beside it there is Fn::Sub"),
    (one({"Fn::Join": ["-"]}), "Template error: every Fn::Join object requires two parameters"),
    (one({"Fn::Join": ["-", "letters"]}), "(2) a list of strings to be joined or a function that returns a list of strings"),
    (one({"Fn::Join": ["-", {"Ref": "AWS::Region"}]}), "(2) a list of strings to be joined or a function that returns a list of strings"),
    (one({"Fn::Select": ["first", ["a"]]}), "Template error: Fn::Select requires a list argument with two elements: an integer index"),
    (
        one({"Fn::Select": [0, {"Fn::Sub": "a,b"}]}),
        "Template error: Fn::Select requires a list argument with two elements: an integer index",
    ),
    (one("{{resolve:s3:/a}}"), "dynamic reference to s3; there are ssm, ssm-secure and secretsmanager"),
    (one({"Fn::If": ["No", "a", "b"]}), "Template error: unresolved condition dependency No in Fn::If"),
    ("Resources: {One: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: !Nope x}}}", "unsupported function: Fn::Nope"),
    # circles
    (one({"Ref": "One"}), "Circular dependency between resources: [One]"),
    (
        {"Resources": {"One": parameter("x", Description={"Ref": "Two"}), "Two": {**parameter("x"), "DependsOn": "One"}}},
        "Circular dependency between resources: [One, Two]",
    ),
    # outputs
    ({**one(), "Outputs": {"Two": {"Value": {"Ref": "Three"}}}}, "Unresolved resource dependencies [Three] in the Outputs block"),
    ({**one(), "Outputs": {"Two": {"Description": "x"}}}, "Template format error: Every Outputs member must contain a Value object"),
    ({**one(), "Outputs": {"Two": {"Value": ["a"]}}}, "The Value field of every Outputs member must evaluate to a String."),
    ({**one(), "Outputs": {"Two": {"Value": "a", "Exports": "b"}}}, "Invalid template output property 'Exports'"),
    ({**one(), "Outputs": {"Two": {"Value": "a", "Export": {}}}}, "Output Two is malformed. The Name field of every Export member"),
    ({**one(), "Outputs": {"Two": {"Value": "a", "Condition": "No"}}}, "Unresolved condition dependency No in the Outputs block"),
    # conditions
    ({**one(), "Conditions": {"C": "yes"}}, "Conditions can only be boolean operations on parameters and other conditions"),
    ({**one(), "Conditions": {"C": {"Fn::Not": [{"Condition": "D"}]}}}, "Template error: unresolved condition dependency D in Condition"),
    ({**one(), "Conditions": {"C": {"Fn::And": [ALWAYS]}}}, "every Fn::And object requires a list of at least 2 and at most 10 boolean"),
    ({**one(), "Conditions": {"C": {"Fn::Equals": [{"Ref": "One"}, "x"]}}}, "Unresolved dependencies [One]. Cannot reference resources"),
    ({**one(), "Conditions": {"C": {"Fn::Equals": [{"Fn::GetAtt": ["One", "Value"]}, "x"]}}}, "Cannot use Fn::GetAtt in Conditions"),
    ({**one(), "Conditions": {"C": {"Fn::Not": [{"Condition": "C"}]}}}, "Circular dependency between conditions: [C]"),
    # parameters
    ({**one(), "Parameters": {"P": {"Default": "a"}}}, "Template format error: Every Parameters object must contain a Type member."),
    ({**one(), "Parameters": {"P": {"Type": "Strin"}}}, "Template format error: Unrecognized parameter type: Strin"),
    ({**one(), "Parameters": {"P": {"Type": "String", "Defualt": "a"}}}, "Invalid template parameter property 'Defualt'"),
    ({**one(), "Rules": {"R": {"Assertions": [{"Assert": {"Fn::RefAll": "AWS::EC2::VPC::Id"}}]}}}, "does not evaluate Fn::RefAll"),
]


@pytest.mark.parametrize(("template", "message"), REFUSED, ids=[message[-60:] for _, message in REFUSED])
def test_it_is_refused_at_once(account: Account, template: Template | str, message: str) -> None:
    (answer,) = refusals(account, template)

    assert message in answer


def test_a_template_may_have_500_resources_and_51200_bytes(account: Account) -> None:
    crowd = {"Resources": {f"P{number}": {"Type": "AWS::SNS::Topic"} for number in range(501)}}
    large = {**one(), "Metadata": {"x": "y" * 52_000}}

    assert any("Number of resources, 501, is greater than maximum allowed, 500" in answer for answer in refusals(account, crowd))
    assert all("at 'templateBody' failed to satisfy constraint" in answer for answer in refusals(account, large))


def test_what_a_condition_leaves_out_cannot_be_referred_to_except_where_it_is_not_taken(account: Account) -> None:
    two = {**parameter("y"), "Condition": "No"}
    conditions = {"Conditions": {"No": {"Fn::Equals": ["a", "b"]}}}

    def referring(value: Any, **attributes: Any) -> dict[str, Any]:
        return {**conditions, "Resources": {**one(value, **attributes)["Resources"], "Two": two}}

    (answer,) = refusals(account, referring({"Ref": "Two"}), "create", "change")
    assert answer == "Template format error: Unresolved resource dependencies [Two] in the Resources block of the template"

    stack = Stack(account, "taken-branches")
    body = json.dumps(referring({"Fn::If": ["No", {"Ref": "Two"}, "mine"]}, DependsOn="Two"))
    account.client("cloudformation").create_stack(StackName=stack.name, TemplateBody=body)
    assert stack.settle() == "CREATE_COMPLETE"
    assert value_of(account, stack, "One") == "mine"


def value_of(account: Account, stack: Stack, logical_id: str) -> str:
    return str(account.client("ssm").get_parameter(Name=stack.physical_id(logical_id))["Parameter"]["Value"])


def test_conditions_compare_what_their_operands_are(account: Account) -> None:
    template = {
        "Parameters": {"Sizes": {"Type": "CommaDelimitedList", "Default": "s, m"}, "Name": {"Type": "String", "Default": "team"}},
        "Mappings": {"Places": {"us-east-1": {"Coast": "east"}}},
        "Conditions": {
            "Here": {"Fn::Equals": [{"Ref": "AWS::Region"}, "us-east-1"]},
            "Mapped": {"Fn::Equals": [{"Fn::FindInMap": ["Places", {"Ref": "AWS::Region"}, "Coast"]}, "east"]},
            "Joined": {"Fn::Equals": [{"Fn::Join": ["-", {"Ref": "Sizes"}]}, "s-m"]},
            "Filled": {"Fn::Equals": [{"Fn::Sub": "${Name}-${AWS::Region}"}, "team-us-east-1"]},
            "True": {"Fn::Equals": [True, "true"]},
            "All": {"Fn::And": [{"Condition": name} for name in ("Here", "Mapped", "Joined", "Filled", "True")]},
            "None": {"Fn::Not": [{"Fn::Or": [{"Condition": "All"}, {"Condition": "Here"}]}]},
        },
        "Resources": {"One": parameter({"Fn::If": ["All", "all", "not all"]}), "Two": {**parameter("x"), "Condition": "None"}},  # type: ignore[arg-type]  # the value is a function
    }
    stack = Stack(account, "operands")
    account.client("cloudformation").create_stack(StackName=stack.name, TemplateBody=json.dumps(template))

    assert stack.settle() == "CREATE_COMPLETE"
    assert value_of(account, stack, "One") == "all"
    with pytest.raises(ClientError, match="Two"):
        stack.physical_id("Two")


def test_short_forms_are_the_functions_that_they_abbreviate(account: Account) -> None:
    body = """
        Resources:
          One: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: 2024-01-01}}
          Two:
            Type: AWS::SSM::Parameter
            Properties:
              Type: String
              Value: !Join ["|", [!GetAtt One.Value, !Sub "${AWS::Region}", !Select [1, !Split [",", "a,b"]], !If [Yes1, c, d]]]
        Conditions:
          No1: !Equals [a, b]
          Yes1: !Not [!Condition No1]
    """
    stack = Stack(account, "short-forms")
    account.client("cloudformation").create_stack(StackName=stack.name, TemplateBody=body)

    assert stack.settle() == "CREATE_COMPLETE", stack.reasons()
    assert value_of(account, stack, "Two") == "2024-01-01|us-east-1|b|c"


def test_language_extensions_are_applied_and_what_they_make_is_held_to_the_same_rules(account: Account) -> None:
    def repeated(value: Any) -> dict[str, Any]:
        fragment = {"One${Name}": parameter(value)}
        return {"Transform": "AWS::LanguageExtensions", "Resources": {"Fn::ForEach::Loop": ["Name", ["A", "B"], fragment]}}

    stack = Stack(account, "extended")
    account.client("cloudformation").create_stack(
        StackName=stack.name, TemplateBody=json.dumps(repeated("x")), Capabilities=["CAPABILITY_AUTO_EXPAND"]
    )
    assert stack.settle() == "CREATE_COMPLETE"
    assert (value_of(account, stack, "OneA"), value_of(account, stack, "OneB")) == ("x", "x")

    (answer,) = refusals(account, repeated({"Ref": "Nothing"}), "create", "change")
    assert "Unresolved resource dependencies [Nothing]" in answer


# -------------------------------------------------------------------------------------------------------- parameters

EVERY_KIND = {
    "Plain": {"Type": "String", "Default": "a", "AllowedValues": ["a", "b"]},
    "Count": {"Type": "Number", "Default": 3, "MinValue": 1, "MaxValue": 5},
    "Word": {"Type": "String", "Default": "abc", "AllowedPattern": "[a-z]+", "MinLength": 2, "MaxLength": 4},
    "Secret": {"Type": "String", "Default": "hush", "NoEcho": True},
    "Named": {"Type": "String", "Default": "x", "AllowedPattern": "x", "ConstraintDescription": "must be an x."},
}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("Nope", "1", "Parameters: [Nope] do not exist in the template"),
        ("Plain", "c", "Parameter 'Plain' must be one of AllowedValues"),
        ("Count", "three", "Parameter 'Count' must be a number"),
        ("Count", "nan", "Parameter 'Count' must be a number"),
        ("Count", "6", "Parameter 'Count' must be a number not greater than 5"),
        ("Word", "ABC", "Parameter 'Word' must match pattern [a-z]+"),
        ("Word", "a", "Parameter 'Word' must contain at least 2 characters"),
        ("Word", "abcde", "Parameter 'Word' must contain at most 4 characters"),
        ("Named", "y", "Parameter 'Named' must be an x."),
    ],
)
def test_a_value_that_a_parameter_does_not_take_is_refused(account: Account, name: str, value: str, message: str) -> None:
    client, body = account.client("cloudformation"), json.dumps({**one(), "Parameters": EVERY_KIND})
    given = [{"ParameterKey": name, "ParameterValue": value}]

    with pytest.raises(ClientError, match="ValidationError") as refused:
        client.create_stack(StackName="given", TemplateBody=body, Parameters=given)
    assert refused.value.response["Error"]["Message"] == message
    with pytest.raises(ClientError) as refused:
        client.create_change_set(StackName="given", ChangeSetName="c", ChangeSetType="CREATE", TemplateBody=body, Parameters=given)
    assert refused.value.response["Error"]["Message"] == message


@pytest.mark.parametrize("kind", ["AWS::EC2::VPC::Id", "List<AWS::EC2::Subnet::Id>", "AWS::SSM::Parameter::Name"])
def test_a_value_that_names_a_thing_names_one_that_is_there(account: Account, kind: str) -> None:
    body = json.dumps({**one(), "Parameters": {"Thing": {"Type": kind}}})

    with pytest.raises(ClientError, match="parameter value nothing for parameter name Thing does not exist"):
        account.client("cloudformation").create_stack(
            StackName="things", TemplateBody=body, Parameters=[{"ParameterKey": "Thing", "ParameterValue": "nothing"}]
        )


def test_parameters_have_values_of_their_own_or_those_from_before(account: Account) -> None:
    stack, client = Stack(account, "previous"), account.client("cloudformation")
    definitions = {"First": {"Type": "String"}, "Second": {"Type": "String", "NoEcho": "true"}}
    body = json.dumps({**one({"Fn::Sub": "${First}/${Second}"}), "Parameters": definitions})

    def given(**values: str | None) -> list[dict[str, Any]]:
        return [
            {"ParameterKey": name, **({"UsePreviousValue": True} if value is None else {"ParameterValue": value})}
            for name, value in values.items()
        ]

    with pytest.raises(ClientError, match=r"Parameters: \[First, Second\] must have values"):
        client.create_stack(StackName=stack.name, TemplateBody=body)
    with pytest.raises(ClientError, match=r"First\. Cannot specify usePreviousValue as true for a parameter key not in the previous"):
        client.create_stack(StackName=stack.name, TemplateBody=body, Parameters=given(First=None, Second="b"))
    client.create_stack(StackName=stack.name, TemplateBody=body, Parameters=given(First="a", Second="b"))
    stack.settle()

    with pytest.raises(ClientError, match=r"Parameters: \[Second\] must have values"):
        client.update_stack(StackName=stack.name, UsePreviousTemplate=True, Parameters=given(First="c"))
    client.create_change_set(StackName=stack.name, ChangeSetName="next", UsePreviousTemplate=True, Parameters=given(First="c", Second=None))
    shown = client.describe_change_set(StackName=stack.name, ChangeSetName="next")["Parameters"]
    client.execute_change_set(StackName=stack.name, ChangeSetName="next")

    assert stack.settle() == "UPDATE_COMPLETE"
    assert value_of(account, stack, "One") == "c/b"
    assert {item["ParameterKey"]: item["ParameterValue"] for item in shown} == {"First": "c", "Second": "****"}


def test_an_operation_has_exactly_one_template(account: Account) -> None:
    stack, client = Stack(account, "templates"), account.client("cloudformation")
    stack.create({"One": parameter("x")})

    with pytest.raises(ClientError, match="You must specify only one of TemplateBody, UsePreviousTemplate"):
        client.update_stack(StackName=stack.name, TemplateBody=json.dumps(one("y")), UsePreviousTemplate=True)
    for operation in (client.update_stack, client.create_change_set):
        with pytest.raises(ClientError, match="Either Template URL or Template Body must be specified"):
            operation(StackName=stack.name, **({"ChangeSetName": "c"} if operation == client.create_change_set else {}))


# ------------------------------------------------------------------------------------------------------ capabilities

ROLE: dict[str, Any] = {
    "Type": "AWS::IAM::Role",
    "Properties": {
        "AssumeRolePolicyDocument": {
            "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]
        }
    },
}
NAMED = {"Type": "AWS::IAM::Role", "Properties": {**ROLE["Properties"], "RoleName": "named"}}


@pytest.mark.parametrize(("role", "given", "missing"), [(ROLE, [], "CAPABILITY_IAM"), (NAMED, ["CAPABILITY_IAM"], "CAPABILITY_NAMED_IAM")])
def test_who_makes_roles_says_so(account: Account, role: dict[str, Any], given: list[str], missing: str) -> None:
    client, body = account.client("cloudformation"), json.dumps({"Resources": {"Role": role}})

    for operation, rest in ((client.create_stack, {}), (client.create_change_set, {"ChangeSetName": "c", "ChangeSetType": "CREATE"})):
        with pytest.raises(ClientError, match=rf"InsufficientCapabilitiesException.*Requires capabilities : \[{missing}\]"):
            operation(StackName="with-role", TemplateBody=body, Capabilities=given, **rest)

    stack = Stack(account, f"with-{missing.lower().replace('_', '-')}")
    assert stack.create({"Role": role}, Capabilities=["CAPABILITY_NAMED_IAM"]) == "CREATE_COMPLETE"


def test_a_stack_policy_is_refused_rather_than_kept_without_effect(account: Account) -> None:
    policy = json.dumps({"Statement": [{"Effect": "Deny", "Action": "Update:*", "Principal": "*", "Resource": "*"}]})

    with pytest.raises(ClientError, match=r"NotImplemented.*StackPolicyBody"):
        account.client("cloudformation").create_stack(StackName="policed", TemplateBody=json.dumps(one()), StackPolicyBody=policy)
    with pytest.raises(ClientError, match=r"NotImplemented.*SetStackPolicy"):
        account.client("cloudformation").set_stack_policy(StackName="policed", StackPolicyBody=policy)


def test_a_handler_that_misses_a_property_says_which(account: Account) -> None:
    stack = Stack(account, "lacking")
    pipeline = {"Type": "AWS::CodePipeline::Pipeline", "Properties": {"RoleArn": "arn:aws:iam::111122223333:role/any"}}

    assert stack.create({"Pipeline": pipeline}) == "ROLLBACK_COMPLETE"

    assert "Stages" in stack.reasons()


def test_a_resource_does_not_become_one_of_another_type(account: Account) -> None:
    stack, client = Stack(account, "retyped"), account.client("cloudformation")
    stack.create({"One": parameter("x")})
    body = json.dumps({"Resources": {"One": {"Type": "AWS::SNS::Topic"}}})

    for operation, rest in ((client.update_stack, {}), (client.create_change_set, {"ChangeSetName": "c"})):
        with pytest.raises(ClientError, match=r"Update of resource type is not permitted\. .* of the following resources: \[One\]"):
            operation(StackName=stack.name, TemplateBody=body, **rest)
