"""Every list of every service gives its pages one after the other, and refuses a token that it has not handed out."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account.account import Account
from local_account.api.members import coverage
from local_account.api.reading import SERVICES, Call, model
from local_account.api.tokens import Tokens, code_of, member_of
from local_account.errors import ServiceError
from local_account.response import Response

EVERY_SERVICE = sorted(name for names in SERVICES.values() for name in names)


def paged(service: str) -> list[tuple[str, str]]:
    operations = [name for name in coverage(service).acted if "." not in name]
    return [(operation, member) for operation in operations if (member := member_of(service, operation))]


@pytest.mark.parametrize("service", EVERY_SERVICE)
def test_a_token_that_was_not_handed_out_is_refused_with_an_error_of_the_service(service: str) -> None:
    for operation, member in paged(service):
        with pytest.raises(ServiceError) as error:
            Tokens().require_known(Call(service, operation, {member: "garbage"}))

        assert error.value.status == 400
        declared = [
            str(shape.metadata.get("error", {}).get("code", shape.name)) for shape in model(service).operation_model(operation).error_shapes
        ]
        assert error.value.code == code_of(service, operation)
        if any("Token" in name and "Request" not in name and "Expired" not in name for name in declared):
            assert error.value.code in declared


def test_every_service_with_lists_has_tokens() -> None:
    assert {service for service in EVERY_SERVICE if paged(service)} == set(EVERY_SERVICE) - {"sagemaker-runtime", "sts"}


def test_a_token_is_good_for_the_operation_that_gave_it_and_for_no_other() -> None:
    tokens, call = Tokens(), Call("ssm", "DescribeParameters", {})
    tokens.remember(call, Response(200, b'{"Parameters": [], "NextToken": "2"}', {"content-type": "application/x-amz-json-1.1"}))

    tokens.require_known(Call("ssm", "DescribeParameters", {"NextToken": "2"}))
    with pytest.raises(ServiceError, match="not valid"):
        tokens.require_known(Call("ssm", "GetParametersByPath", {"NextToken": "2"}))


@pytest.fixture(scope="module")
def three_of_each(account: Account) -> Account:
    account.client("s3").create_bucket(Bucket="three")
    for number in range(3):
        account.client("ssm").put_parameter(Name=f"/three/{number}", Value="v", Type="String")
        account.client("sns").create_topic(Name=f"three-{number}")
        account.client("logs").create_log_group(logGroupName=f"three-{number}")
        account.client("s3").put_object(Bucket="three", Key=str(number), Body=b"")
        account.client("sagemaker").create_model_package_group(ModelPackageGroupName=f"three-{number}")
        account.client("codecommit").create_repository(repositoryName=f"three-{number}")
        account.client("cloudwatch").put_metric_alarm(
            AlarmName=f"three-{number}",
            Namespace="n",
            MetricName="m",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
        )
    return account


@pytest.mark.parametrize(
    ("service", "operation", "items", "request_"),
    [
        ("cloudwatch", "describe_alarms", "MetricAlarms", {}),
        ("logs", "describe_log_groups", "logGroups", {"logGroupNamePrefix": "three"}),
        ("s3", "list_objects_v2", "Contents", {"Bucket": "three"}),
        ("sagemaker", "list_model_package_groups", "ModelPackageGroupSummaryList", {}),
        ("ssm", "describe_parameters", "Parameters", {}),
    ],
)
def test_pages_follow_each_other_in_every_protocol(
    three_of_each: Account, service: str, operation: str, items: str, request_: dict[str, Any]
) -> None:
    pages = three_of_each.client(service).get_paginator(operation).paginate(**request_, PaginationConfig={"PageSize": 2})

    assert [len(page[items]) for page in pages] == [2, 1]


@pytest.mark.parametrize(
    ("service", "operation", "request_", "code"),
    [
        (
            "application-autoscaling",
            "describe_scaling_activities",
            {"ServiceNamespace": "sagemaker", "NextToken": "x"},
            "InvalidNextTokenException",
        ),
        ("cloudwatch", "describe_alarms", {"NextToken": "x"}, "InvalidNextToken"),
        ("codepipeline", "list_pipelines", {"nextToken": "x"}, "InvalidNextTokenException"),
        ("events", "list_rules", {"NextToken": "x"}, "ValidationException"),
        ("lambda", "list_functions", {"Marker": "x"}, "InvalidParameterValueException"),
        ("logs", "describe_log_groups", {"nextToken": "x"}, "InvalidParameterException"),
        ("s3", "list_objects_v2", {"Bucket": "three", "ContinuationToken": "x"}, "InvalidArgument"),
        ("sagemaker", "list_models", {"NextToken": "x"}, "ValidationException"),
        ("secretsmanager", "list_secrets", {"NextToken": "x"}, "InvalidNextTokenException"),
        ("sns", "list_topics", {"NextToken": "x"}, "InvalidParameter"),
        ("ssm", "describe_parameters", {"NextToken": "x"}, "InvalidNextToken"),
    ],
)
def test_the_port_refuses_it_in_every_protocol(
    three_of_each: Account, service: str, operation: str, request_: dict[str, Any], code: str
) -> None:
    with pytest.raises(ClientError) as error:
        getattr(three_of_each.client(service), operation)(**request_)

    assert error.value.response["Error"]["Code"] == code
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
