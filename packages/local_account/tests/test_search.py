"""Search finds what this account has, by every kind of filter that its API documents."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account.account import Account
from local_account.errors import ServiceError
from local_account.sagemaker.requests import service_model
from local_account.sagemaker.search.expression import test_of as fulfilment_of

from . import sagemaker_requests as small
from .endpoint_models import create_configuration, create_endpoint, create_model, variant

JOB = service_model().shape_for("SearchRecord").members["TrainingJob"]
#: Two training jobs as Search sees them.
QUICK = {
    "TrainingJobName": "quick",
    "TrainingTimeInSeconds": 10,
    "HyperParameters": {"max_depth": "3", "eta": "0.05"},
    "FinalMetricDataList": [{"MetricName": "rmse", "Value": 2.5}],
    "InputDataConfig": [
        {"ChannelName": "train", "DataSource": {"S3DataSource": {"S3Uri": "s3://a/train"}}},
        {"ChannelName": "test", "DataSource": {"S3DataSource": {"S3Uri": "s3://b/test"}}},
    ],
    "Tags": [{"Key": "team", "Value": "blue"}],
    "EnableNetworkIsolation": True,
}
SLOW = {"TrainingJobName": "slow", "TrainingTimeInSeconds": 600, "HyperParameters": {"max_depth": "9"}}


def where(name: str, kind: str | None = None, value: str | None = None) -> dict[str, Any]:
    return {key: item for key, item in (("Name", name), ("Operator", kind), ("Value", value)) if item is not None}


def found(**expression: Any) -> list[str]:
    fulfils = fulfilment_of(expression, JOB, "TrainingJob")
    return [str(job["TrainingJobName"]) for job in (QUICK, SLOW) if fulfils(job)]


# ------------------------------------------------------------------------------------------- the expressions


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        (where("TrainingJobName", value="quick"), ["quick"]),
        (where("TrainingJobName", "NotEquals", "quick"), ["slow"]),
        (where("TrainingJobName", "Contains", "ick"), ["quick"]),
        (where("TrainingJobName", "In", "slow, other"), ["slow"]),
        (where("TrainingTimeInSeconds", "GreaterThan", "10"), ["slow"]),
        (where("TrainingTimeInSeconds", "GreaterThanOrEqualTo", "10"), ["quick", "slow"]),
        (where("TrainingTimeInSeconds", "LessThan", "9.5"), []),
        (where("Metrics.rmse", "LessThanOrEqualTo", "2.5"), ["quick"]),
        (where("Metrics.auc", "LessThan", "1"), []),
        (where("HyperParameters.max_depth", "GreaterThan", "3"), ["slow"]),
        (where("HyperParameters.eta", "LessThan", "0.5"), ["quick"]),
        (where("HyperParameters.eta", "Equals", "0"), ["quick"]),
        (where("Tags.team", "Equals", "blue"), ["quick"]),
        (where("Tags.team", "NotExists"), ["slow"]),
        (where("InputDataConfig", "Exists"), ["quick"]),
        (where("EnableNetworkIsolation", "Equals", "true"), ["quick"]),
        (where("InputDataConfig.ChannelName", "Equals", "test"), ["quick"]),
    ],
)
def test_a_filter_finds_the_jobs_that_fulfil_it(condition: dict[str, Any], names: list[str]) -> None:
    assert found(Filters=[condition]) == names


def test_a_nested_filter_wants_one_element_that_fulfils_all() -> None:
    def nested(channel: str, uri: str) -> list[str]:
        filters = [where("InputDataConfig.ChannelName", value=channel), where("InputDataConfig.DataSource.S3DataSource.S3Uri", value=uri)]
        return found(NestedFilters=[{"NestedPropertyName": "InputDataConfig", "Filters": filters}])

    assert nested("train", "s3://a/train") == ["quick"]
    assert nested("train", "s3://b/test") == [], "the two are of different channels"


def test_expressions_are_combined_by_their_operators() -> None:
    quick, slow = where("TrainingJobName", value="quick"), where("TrainingJobName", value="slow")
    assert found(Filters=[quick, slow]) == []
    assert found(Filters=[quick, slow], Operator="Or") == ["quick", "slow"]
    either = {"Filters": [quick, slow], "Operator": "Or"}
    assert found(Filters=[where("TrainingTimeInSeconds", "GreaterThan", "100")], SubExpressions=[either]) == ["slow"]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ({}, "at least one of"),
        ({"Filters": [where("NoSuchThing", value="1")]}, "Unknown property name NoSuchThing"),
        ({"Filters": [where("TrainingJobName", "GreaterThan", "a")]}, "not supported for text"),
        ({"Filters": [where("TrainingTimeInSeconds", "Contains", "1")]}, "only supported for text"),
        ({"Filters": [where("TrainingTimeInSeconds", "GreaterThan", "long")]}, "'long'; allowed: a number"),
        ({"Filters": [where("CreationTime", "GreaterThan", "yesterday")]}, "'yesterday'; allowed: a time"),
        ({"Filters": [where("TrainingJobName", "Equals")]}, "needs a Value"),
        ({"Filters": [where("TrainingJobName", "Contains", letter) for letter in "ab"]}, "usage limit of 1 exceeded"),
        ({"NestedFilters": [{"NestedPropertyName": "TrainingJobName", "Filters": [where("x", value="1")]}]}, "is no list"),
    ],
)
def test_an_expression_that_sagemaker_refuses_is_refused(expression: dict[str, Any], message: str) -> None:
    with pytest.raises(ServiceError, match=message) as refusal:
        fulfilment_of(expression, JOB, "TrainingJob")
    assert refusal.value.code == "ValidationException"


# --------------------------------------------------------------------------------------- in a running account


@pytest.fixture(scope="module")
def sagemaker(account: Account) -> Any:
    """An account with one resource of every kind that can be searched for, and two training jobs."""
    client = account.client("sagemaker")
    small.publish(account.client("s3"), {"train.py": "print('loss=0.5')\n"})
    for name, team in (("first", "blue"), ("second", "red")):
        client.create_training_job(
            TrainingJobName=name,
            HyperParameters={**small.script_mode("train.py"), "depth": "3"},
            Tags=[{"Key": "team", "Value": team}],
            **small.training_definition(),
        )
        small.wait(lambda name=name: client.describe_training_job(TrainingJobName=name), "TrainingJobStatus")
    client.create_model_package_group(ModelPackageGroupName="models")
    client.create_model_package(ModelPackageGroupName="models", CustomerMetadataProperties={"commit": "abc"})
    create_model(account, "served")
    create_configuration(account, "served", variant("served"))
    create_endpoint(account, "served", "served")
    pipeline = small.create_pipeline(client, [{"Name": "End", "Type": "Fail", "Arguments": {"ErrorMessage": "over"}}])
    small.run_pipeline(client, pipeline)
    return client


def names(answer: dict[str, Any], resource: str = "TrainingJob") -> list[str]:
    return [record[resource][f"{resource}Name"] for record in answer["Results"]]


def test_search_finds_what_exists_the_latest_first(sagemaker: Any) -> None:
    answer = sagemaker.search(Resource="TrainingJob")
    assert names(answer) == ["second", "first"]
    assert answer["TotalHits"] == {"Value": 2, "Relation": "EqualTo"}
    assert answer["Results"][0]["TrainingJob"]["Tags"] == [{"Key": "team", "Value": "red"}]


@pytest.mark.parametrize("resource", ["ModelPackage", "ModelPackageGroup", "Pipeline", "PipelineExecution", "Endpoint"])
def test_every_kind_of_resource_is_found(sagemaker: Any, resource: str) -> None:
    (found_record,) = sagemaker.search(Resource=resource)["Results"]
    assert found_record[resource][f"{resource}Arn"].startswith("arn:aws:sagemaker:us-east-1:111122223333:")


def test_a_model_is_found_with_the_endpoint_that_serves_it(sagemaker: Any) -> None:
    (found_record,) = sagemaker.search(Resource="Model", SearchExpression={"Filters": [{"Name": "Model.ModelName", "Value": "served"}]})[
        "Results"
    ]
    assert [endpoint["EndpointName"] for endpoint in found_record["Model"]["Endpoints"]] == ["served"]


def test_versions_are_found_by_their_metadata(sagemaker: Any) -> None:
    expression = {"Filters": [{"Name": "CustomerMetadataProperties.commit", "Operator": "Equals", "Value": "abc"}]}
    assert len(sagemaker.search(Resource="ModelPackage", SearchExpression=expression)["Results"]) == 1
    expression["Filters"][0]["Value"] = "other"
    assert sagemaker.search(Resource="ModelPackage", SearchExpression=expression)["Results"] == []


def test_results_are_sorted_and_come_in_pages(sagemaker: Any) -> None:
    pages = sagemaker.get_paginator("search").paginate(
        Resource="TrainingJob", SortBy="TrainingJobName", SortOrder="Ascending", PaginationConfig={"PageSize": 1}
    )
    assert [names(page) for page in pages] == [["first"], ["second"]]


def test_only_what_has_the_tag_that_is_asked_for_or_none_is_visible(sagemaker: Any) -> None:
    blue = [{"Key": "Tags.team", "Value": "blue"}]
    assert names(sagemaker.search(Resource="TrainingJob", VisibilityConditions=blue)) == ["first"]
    other = [{"Key": "Tags.owner", "Value": "a"}]
    assert len(names(sagemaker.search(Resource="TrainingJob", VisibilityConditions=other))) == 2
    assert names(sagemaker.search(Resource="TrainingJob", CrossAccountFilterOption="CrossAccount")) == []


def test_a_kind_of_resource_that_the_account_has_not_is_refused_by_name(sagemaker: Any) -> None:
    with pytest.raises(ClientError, match=r"NotImplemented.*Search with Resource FeatureGroup"):
        sagemaker.search(Resource="FeatureGroup")
