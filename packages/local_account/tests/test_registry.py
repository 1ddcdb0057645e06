"""The model registry through boto3: versions, approval, metadata and the events that start deployments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account.account import Account

from . import sagemaker_requests as small

Told = list[dict[str, Any]]


@pytest.fixture(scope="module")
def sagemaker(account: Account) -> Any:
    return account.client("sagemaker")


@pytest.fixture
def group(sagemaker: Any) -> str:
    name = small.new_name("models")
    sagemaker.create_model_package_group(ModelPackageGroupName=name, Tags=[{"Key": "team", "Value": "a"}])
    return name


@pytest.fixture
def told(account: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    """Details of the model package events of one test."""
    events: Told = []
    monkeypatch.setattr(account.context, "emit", lambda source, kind, detail, resources=(): events.append({"kind": kind, **detail}))
    yield events


def metric(name: str) -> dict[str, str]:
    return {"ContentType": "application/json", "S3Uri": f"s3://bucket/{name}.json"}


def register(sagemaker: Any, group: str, **more: Any) -> str:
    container = {"Image": small.IMAGE, "ModelDataUrl": "s3://bucket/model.tar.gz"}
    specification = {"Containers": [container], "SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]}
    arn: str = sagemaker.create_model_package(ModelPackageGroupName=group, InferenceSpecification=specification, **more)["ModelPackageArn"]
    return arn


def describe(sagemaker: Any, arn: str) -> dict[str, Any]:
    described: dict[str, Any] = sagemaker.describe_model_package(ModelPackageName=arn)
    return described


def test_versions_count_up_and_a_deleted_number_is_not_given_again(sagemaker: Any, group: str) -> None:
    first, second = register(sagemaker, group), register(sagemaker, group)
    sagemaker.delete_model_package(ModelPackageName=second)
    third = register(sagemaker, group)
    assert [arn.rpartition("/")[2] for arn in (first, second, third)] == ["1", "2", "3"]
    with pytest.raises(ClientError, match="does not exist"):
        describe(sagemaker, second)


def test_everything_a_version_was_registered_with_is_kept(sagemaker: Any, group: str) -> None:
    given = {
        "ModelMetrics": {"ModelQuality": {"Statistics": metric("quality")}, "Bias": {"Report": metric("bias")}},
        "DriftCheckBaselines": {"ModelDataQuality": {"Statistics": metric("baseline")}},
        "CustomerMetadataProperties": {"git-commit": "abc"},
        "MetadataProperties": {"CommitId": "abc"},
        "ModelCard": {"ModelCardContent": "{}", "ModelCardStatus": "Draft"},
        "SkipModelValidation": "All",
    }
    described = describe(sagemaker, register(sagemaker, group, **given))
    assert {name: described[name] for name in given} == given
    assert described["ModelApprovalStatus"] == "PendingManualApproval"
    assert described["InferenceSpecification"]["SupportedContentTypes"] == ["text/csv"]


def test_approval_keeps_the_metadata_and_metadata_is_merged(sagemaker: Any, group: str) -> None:
    arn = register(sagemaker, group, CustomerMetadataProperties={"a": "1", "b": "2"})
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved", ApprovalDescription="looks good")
    assert describe(sagemaker, arn)["CustomerMetadataProperties"] == {"a": "1", "b": "2"}
    sagemaker.update_model_package(ModelPackageArn=arn, CustomerMetadataProperties={"c": "3"}, CustomerMetadataPropertiesToRemove=["a"])
    described = describe(sagemaker, arn)
    assert described["CustomerMetadataProperties"] == {"b": "2", "c": "3"}
    assert (described["ModelApprovalStatus"], described["ApprovalDescription"]) == ("Approved", "looks good")


def test_an_event_names_the_fields_that_changed_and_no_others(sagemaker: Any, group: str, told: Told) -> None:
    arn = register(sagemaker, group)
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    sagemaker.update_model_package(ModelPackageArn=arn, CustomerMetadataProperties={"checked-by": "me"})
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    changes = [event for event in told if event["kind"] == "SageMaker Model Package State Change"]
    assert [event["UpdatedModelPackageFields"] for event in changes] == [[], ["ModelApprovalStatus"], ["CustomerMetadataProperties"], []]
    assert [event["ModelApprovalStatus"] for event in changes] == ["PendingManualApproval", "Approved", "Approved", "Approved"]
    assert {event["ModelPackageGroupName"] for event in changes} == {group}


def test_who_approved_what_can_be_read_later(sagemaker: Any, group: str, account: Account) -> None:
    arn = register(sagemaker, group)
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Rejected", ApprovalDescription="biased")
    history = account.context.log_path("model-registry", group).read_text().splitlines()
    assert len(history) == 1
    assert history[0].endswith(f"{arn} PendingManualApproval -> Rejected biased")


def test_lists_are_ascending_unless_asked_and_filtered_by_status(sagemaker: Any, group: str) -> None:
    arns = [register(sagemaker, group) for _ in range(3)]
    sagemaker.update_model_package(ModelPackageArn=arns[1], ModelApprovalStatus="Approved")

    def listed(**request: Any) -> list[str]:
        answer = sagemaker.list_model_packages(ModelPackageGroupName=group, **request)
        return [item["ModelPackageArn"] for item in answer["ModelPackageSummaryList"]]

    assert listed() == arns
    assert listed(SortBy="CreationTime", SortOrder="Descending") == arns[::-1]
    assert listed(ModelApprovalStatus="Approved") == [arns[1]]


def test_long_lists_come_in_pages(sagemaker: Any, group: str) -> None:
    arns = [register(sagemaker, group) for _ in range(5)]
    pages = sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group, PaginationConfig={"PageSize": 2})
    assert [[item["ModelPackageArn"] for item in page["ModelPackageSummaryList"]] for page in pages] == [arns[:2], arns[2:4], arns[4:]]


def test_a_repeated_client_token_registers_once(sagemaker: Any, group: str) -> None:
    assert register(sagemaker, group, ClientToken="once") == register(sagemaker, group, ClientToken="once")
    assert len(sagemaker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]) == 1


def test_a_group_with_versions_cannot_be_deleted(sagemaker: Any, group: str) -> None:
    arn = register(sagemaker, group)
    with pytest.raises(ClientError, match="it has 1 model packages"):
        sagemaker.delete_model_package_group(ModelPackageGroupName=group)
    sagemaker.delete_model_package(ModelPackageName=arn)
    sagemaker.delete_model_package_group(ModelPackageGroupName=group)
    with pytest.raises(ClientError, match="does not exist"):
        sagemaker.describe_model_package_group(ModelPackageGroupName=group)


def test_a_version_of_a_missing_group_is_refused(sagemaker: Any) -> None:
    with pytest.raises(ClientError, match="Model Package Group nowhere does not exist"):
        register(sagemaker, "nowhere")


def test_tags_of_groups_and_models_are_kept(sagemaker: Any, group: str) -> None:
    arn = sagemaker.describe_model_package_group(ModelPackageGroupName=group)["ModelPackageGroupArn"]
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "stage", "Value": "b"}])
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["team"])
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "stage", "Value": "b"}]
    tags = [{"Key": "k", "Value": "v"}]
    model = sagemaker.create_model(
        ModelName=small.new_name("model"), ExecutionRoleArn=small.ROLE, PrimaryContainer={"Image": small.IMAGE}, Tags=tags
    )
    assert sagemaker.list_tags(ResourceArn=model["ModelArn"])["Tags"] == tags


def test_a_version_s_data_are_in_its_own_region(account: Account, sagemaker: Any, group: str) -> None:
    s3 = account.client("s3")
    s3.create_bucket(Bucket="elsewhere", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    container = {"Image": small.IMAGE, "ModelDataUrl": "s3://elsewhere/model.tar.gz"}
    specification = {"Containers": [container], "SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]}
    with pytest.raises(ClientError, match="is in eu-west-1; the bucket has to be in us-east-1"):
        sagemaker.create_model_package(ModelPackageGroupName=group, InferenceSpecification=specification)
