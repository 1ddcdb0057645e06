"""Which permissions a request needs: by rule for every operation that the account has, and by AWS's pages for those that differ."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from local_account.api.members import LISTS, coverage
from local_account.api.reading import Call, input_shape
from local_account.authorization import enforcement
from local_account.authorization.actions import actions_of, tables
from local_account.authorization.existing import Existing
from local_account.authorization.requests import sources

HERE = "us-east-1:111122223333"
ROLE = "arn:aws:iam::111122223333:role/r"

SCALING = "sagemaker.application-autoscaling.amazonaws.com"
LINKED_ROLE = f"arn:aws:iam::111122223333:role/aws-service-role/{SCALING}/AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"


def operations() -> Iterator[tuple[str, str]]:
    for path in sorted(LISTS.glob("*.yaml")):
        yield from ((path.stem, operation) for operation in coverage(path.stem).acted if "." not in operation)


def needed(service: str, operation: str, parameters: dict[str, Any]) -> list[tuple[str, str]]:
    existing = Existing("111122223333", "us-east-1")
    return [(check.action, check.resource) for check in enforcement.checks_of(existing, Call(service, operation, parameters), {})]


def test_every_operation_of_the_account_needs_an_action_that_aws_has() -> None:
    assert [f"{service}:{operation}" for service, operation in operations() if not actions_of(service, operation)] == []


def has_source(service: str, operation: str, kind_service: str, variable: str) -> bool:
    """Whether the operation's model has a member that may hold the variable of an ARN."""
    shape = input_shape(service, operation)
    for place in sources(service, operation, kind_service, variable):
        if place == "*" or place.startswith("="):
            return True
        found, path = shape, place.split(".")
        for name in path:
            while found is not None and found.type_name == "list":
                found = found.member
            found = found.members.get(name) if found is not None and found.type_name == "structure" else None
        if found is not None:
            return True
    return False


def takes_an_arn(service: str, operation: str) -> bool:
    shape = input_shape(service, operation)
    return shape is not None and any(name.lower().endswith(("arn", "arns", "arnlist")) for name in shape.members)


def test_the_resource_that_an_action_requires_is_found_in_the_request() -> None:
    assert [missing for service, operation in operations() for missing in resources_not_found(service, operation)] == []


def resources_not_found(service: str, operation: str) -> Iterator[str]:
    for action in actions_of(service, operation):
        for kind in action.types:
            found = all(has_source(service, operation, kind.service, variable) for variable in kind.variables)
            if kind.required and not found and not takes_an_arn(service, operation):
                yield f"{service}:{operation}: {action.name} on {kind.arn_format}"


def test_the_tables_name_what_is_there() -> None:
    listed = dict(operations())
    for service, exceptions in tables()["actions"].items():
        assert service in listed
        assert {(service, operation) for operation in exceptions} <= set(operations())


CASES: list[tuple[str, str, dict[str, Any], list[tuple[str, str]]]] = [
    ("sagemaker", "CreateModel", {"ModelName": "m"}, [("sagemaker:CreateModel", f"arn:aws:sagemaker:{HERE}:model/m")]),
    (
        "sagemaker",
        "CreateEndpoint",
        {"EndpointName": "e", "EndpointConfigName": "c"},
        [
            ("sagemaker:CreateEndpoint", f"arn:aws:sagemaker:{HERE}:endpoint/e"),
            ("sagemaker:CreateEndpoint", f"arn:aws:sagemaker:{HERE}:endpoint-config/c"),
        ],
    ),
    (
        "sagemaker",
        "DescribeModelPackage",
        {"ModelPackageName": f"arn:aws:sagemaker:{HERE}:model-package/g/3"},
        [("sagemaker:DescribeModelPackage", f"arn:aws:sagemaker:{HERE}:model-package/g/3")],
    ),
    ("sagemaker", "ListModels", {}, [("sagemaker:ListModels", "*")]),
    ("sagemaker-runtime", "InvokeEndpoint", {"EndpointName": "e"}, [("sagemaker:InvokeEndpoint", f"arn:aws:sagemaker:{HERE}:endpoint/e")]),
    ("s3", "HeadObject", {"Bucket": "b", "Key": "a/k"}, [("s3:GetObject", "arn:aws:s3:::b/a/k")]),
    ("s3", "ListObjectsV2", {"Bucket": "b", "Prefix": "a/"}, [("s3:ListBucket", "arn:aws:s3:::b")]),
    ("s3", "GetObject", {"Bucket": "b", "Key": "k", "VersionId": "v"}, [("s3:GetObjectVersion", "arn:aws:s3:::b/k")]),
    (
        "s3",
        "DeleteObjects",
        {"Bucket": "b", "Delete": {"Objects": [{"Key": "1"}, {"Key": "2"}]}},
        [("s3:DeleteObject", "arn:aws:s3:::b/1"), ("s3:DeleteObject", "arn:aws:s3:::b/2")],
    ),
    (
        "s3",
        "CopyObject",
        {"Bucket": "b", "Key": "k", "CopySource": "other/source%20key"},
        [("s3:PutObject", "arn:aws:s3:::b/k"), ("s3:GetObject", "arn:aws:s3:::other/source key")],
    ),
    (
        "lambda",
        "UpdateFunctionCode",
        {"FunctionName": "f", "S3Bucket": "b", "S3Key": "k"},
        [("lambda:UpdateFunctionCode", f"arn:aws:lambda:{HERE}:function:f"), ("s3:GetObject", "arn:aws:s3:::b/k")],
    ),
    ("lambda", "Invoke", {"FunctionName": "f"}, [("lambda:InvokeFunction", f"arn:aws:lambda:{HERE}:function:f")]),
    (
        "lambda",
        "Invoke",
        {"FunctionName": f"arn:aws:lambda:{HERE}:function:f"},
        [("lambda:InvokeFunction", f"arn:aws:lambda:{HERE}:function:f")],
    ),
    ("sqs", "SendMessageBatch", {"QueueUrl": "http://127.0.0.1:1/111122223333/q"}, [("sqs:SendMessage", f"arn:aws:sqs:{HERE}:q")]),
    ("ssm", "GetParameter", {"Name": "/a/b"}, [("ssm:GetParameter", f"arn:aws:ssm:{HERE}:parameter/a/b")]),
    (
        "logs",
        "PutLogEvents",
        {"logGroupName": "/g", "logStreamName": "s"},
        [("logs:PutLogEvents", f"arn:aws:logs:{HERE}:log-group:/g:log-stream:s")],
    ),
    ("logs", "DescribeLogGroups", {}, [("logs:DescribeLogGroups", f"arn:aws:logs:{HERE}:log-group::log-stream:")]),
    ("events", "PutRule", {"Name": "r"}, [("events:PutRule", f"arn:aws:events:{HERE}:rule/r")]),
    ("events", "PutEvents", {"Entries": [{"Source": "x"}]}, [("events:PutEvents", f"arn:aws:events:{HERE}:event-bus/default")]),
    (
        "codepipeline",
        "PutApprovalResult",
        {"pipelineName": "p", "stageName": "S", "actionName": "A"},
        [("codepipeline:PutApprovalResult", f"arn:aws:codepipeline:{HERE}:p/S/A")],
    ),
    ("codebuild", "BatchGetBuilds", {"ids": ["p:1-2"]}, [("codebuild:BatchGetBuilds", f"arn:aws:codebuild:{HERE}:project/p")]),
    ("codecommit", "GetBranch", {"repositoryName": "r"}, [("codecommit:GetBranch", f"arn:aws:codecommit:{HERE}:r")]),
    (
        "application-autoscaling",
        "RegisterScalableTarget",
        {"ServiceNamespace": "sagemaker", "ResourceId": "endpoint/e/variant/v"},
        [
            ("application-autoscaling:RegisterScalableTarget", f"arn:aws:application-autoscaling:{HERE}:scalable-target/*"),
            ("iam:CreateServiceLinkedRole", LINKED_ROLE),
        ],
    ),
    ("cloudformation", "UpdateStack", {"StackName": "s"}, [("cloudformation:UpdateStack", f"arn:aws:cloudformation:{HERE}:stack/s/*")]),
    ("sts", "GetCallerIdentity", {}, []),
    ("sts", "AssumeRole", {"RoleArn": ROLE}, [("sts:AssumeRole", ROLE)]),
]


@pytest.mark.parametrize(("service", "operation", "parameters", "expected"), CASES, ids=[f"{case[0]}:{case[1]}" for case in CASES])
def test_a_request_needs_its_actions_on_its_resources(
    service: str, operation: str, parameters: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert needed(service, operation, parameters) == expected


@pytest.mark.parametrize(
    ("service", "operation", "parameters"),
    [
        ("sagemaker", "CreateModel", {"ModelName": "m", "ExecutionRoleArn": ROLE}),
        ("sagemaker", "CreateHyperParameterTuningJob", {"TrainingJobDefinition": {"RoleArn": ROLE}}),
        ("sagemaker", "CreatePipeline", {"PipelineName": "p", "RoleArn": ROLE}),
        ("codebuild", "CreateProject", {"name": "p", "serviceRole": ROLE}),
        ("codepipeline", "CreatePipeline", {"pipeline": {"name": "p", "stages": [{"actions": [{"roleArn": ROLE}]}]}}),
        ("events", "PutTargets", {"Rule": "r", "Targets": [{"Id": "1", "RoleArn": ROLE}]}),
        ("scheduler", "CreateSchedule", {"Name": "s", "Target": {"RoleArn": ROLE}}),
        ("lambda", "CreateFunction", {"FunctionName": "f", "Role": ROLE}),
        ("cloudformation", "CreateStack", {"StackName": "s", "RoleARN": ROLE}),
    ],
)
def test_whoever_hands_a_role_over_needs_to_be_allowed_to_pass_it(service: str, operation: str, parameters: dict[str, Any]) -> None:
    existing = Existing("111122223333", "us-east-1")
    (passed,) = [
        check for check in enforcement.checks_of(existing, Call(service, operation, parameters), {}) if check.action == "iam:PassRole"
    ]
    assert passed.resource == ROLE
    assert passed.keys["iam:passedtoservice"] == f"{service}.amazonaws.com"


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "tagging"),
    [
        ("sagemaker", "CreateModel", {"ModelName": "m", "Tags": [{"Key": "a", "Value": "b"}]}, "sagemaker:AddTags"),
        ("cloudformation", "UpdateStack", {"StackName": "s", "Tags": [{"Key": "a", "Value": "b"}]}, "cloudformation:TagResource"),
        ("iam", "CreateRole", {"RoleName": "x", "Tags": [{"Key": "a", "Value": "b"}]}, "iam:TagRole"),
        ("lambda", "CreateFunction", {"FunctionName": "f", "Tags": {"a": "b"}}, "lambda:TagResource"),
    ],
)
def test_tags_on_creation_need_the_permission_to_tag(service: str, operation: str, parameters: dict[str, Any], tagging: str) -> None:
    assert tagging in [action for action, _ in needed(service, operation, parameters)]
    without = {name: value for name, value in parameters.items() if name != "Tags"}
    assert tagging not in [action for action, _ in needed(service, operation, without)]
