"""A version that one account registers is served in another: the group's policy, the bucket's, the key's, and the roles' own.

Source: SageMaker developer guide, "Deploy a Model Version from a Different Account". Each grant is taken away in turn.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account.account import Account
from local_account.endpoints.registry import Endpoints

from .endpoint_models import ENVIRONMENT, INFERENCE, archive, variant
from .several_accounts import HOME, OTHER, OWN, Session, allow, allow_role, assume, policy, role, to_account
from .small_pipelines import wait_for

BUCKET, GROUP = "registry-models", "Doublers"
OBJECT = f"arn:aws:s3:::{BUCKET}/model.tar.gz"
VERSIONS = f"arn:aws:sagemaker:{HOME}:{OWN}:model-package/{GROUP.lower()}/*"
ROOT = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{OWN}:root"}, "Action": "kms:*", "Resource": "*"}


@dataclass(frozen=True)
class Version:
    """A version of the default account's registry; who deploys it in the other account, and what its model runs as."""

    arn: str
    key: str
    deployer: str
    execution: str

    @property
    def deploying(self) -> list[dict[str, Any]]:
        return [allow("sagemaker:*"), allow("iam:PassRole", self.execution)]

    @property
    def executing(self) -> list[dict[str, Any]]:
        return [allow("s3:GetObject", OBJECT), allow("kms:Decrypt", self.key), allow("logs:*")]


@pytest.fixture(scope="module")
def version(accounts: Account) -> Version:
    s3, sagemaker = accounts.client("s3"), accounts.client("sagemaker")
    key = accounts.client("kms").create_key()["KeyMetadata"]["Arn"]
    s3.create_bucket(Bucket=BUCKET)
    model = archive({"code/inference.py": INFERENCE.replace("FACTOR", "2.0")})
    s3.put_object(Bucket=BUCKET, Key="model.tar.gz", Body=model, ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    sagemaker.create_model_package_group(ModelPackageGroupName=GROUP)
    container = {"Image": "xgboost:3.2-0", "ModelDataUrl": f"s3://{BUCKET}/model.tar.gz", "Environment": ENVIRONMENT}
    specification = {"Containers": [container], "SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["application/json"]}
    arn = sagemaker.create_model_package(ModelPackageGroupName=GROUP, InferenceSpecification=specification, ModelApprovalStatus="Approved")[
        "ModelPackageArn"
    ]
    deployer = role(accounts, OTHER, "deployer", {"AWS": f"arn:aws:iam::{OTHER}:user/administrator"})
    execution = role(accounts, OTHER, "execution", {"Service": "sagemaker.amazonaws.com"})
    made = Version(arn, key, deployer, execution)
    Endpoints.at(accounts.at(OTHER)).launcher.environment["PYTHONHASHSEED"] = "0"  # as in `endpoint_models.create_model`
    grant(accounts, made)
    return made


def grant(accounts: Account, made: Version) -> None:
    """Everything that the other account needs."""
    allow_role(accounts, made.deployer, *made.deploying)
    allow_role(accounts, made.execution, *made.executing)
    reading = to_account(OTHER, ["sagemaker:DescribeModelPackage", "sagemaker:ListModelPackages", "sagemaker:CreateModel"], VERSIONS)
    accounts.client("sagemaker").put_model_package_group_policy(ModelPackageGroupName=GROUP, ResourcePolicy=policy(reading))
    accounts.client("s3").put_bucket_policy(Bucket=BUCKET, Policy=policy(to_account(OTHER, "s3:GetObject", OBJECT)))
    using = policy(ROOT, to_account(OTHER, "kms:Decrypt"))
    accounts.client("kms").put_key_policy(KeyId=made.key, PolicyName="default", Policy=using)


@pytest.fixture(scope="module")
def deployer(accounts: Account, version: Version) -> Session:
    return assume(accounts, accounts.client("sts", account=OTHER), version.deployer)


def create_model(deployer: Session, made: Version, name: str) -> None:
    """CreateModel of the other account's version, by its ARN."""
    deployer.client("sagemaker").create_model(
        ModelName=name, PrimaryContainer={"ModelPackageName": made.arn}, ExecutionRoleArn=made.execution
    )


@pytest.fixture(scope="module")
def endpoint(accounts: Account, version: Version, deployer: Session) -> str:
    create_model(deployer, version, "theirs")
    sagemaker = deployer.client("sagemaker")
    sagemaker.create_endpoint_config(EndpointConfigName="theirs", ProductionVariants=[variant("theirs")])
    sagemaker.create_endpoint(EndpointName="theirs", EndpointConfigName="theirs")
    described = wait_for(
        lambda: (found := sagemaker.describe_endpoint(EndpointName="theirs"))["EndpointStatus"] in ("InService", "Failed") and found, 60
    )
    assert described["EndpointStatus"] == "InService", described.get("FailureReason")
    return "theirs"


def test_the_endpoint_answers_in_its_own_account_alone(accounts: Account, endpoint: str) -> None:
    request = {"EndpointName": endpoint, "Body": b"1,2", "ContentType": "text/csv"}
    answer = accounts.client("sagemaker-runtime", account=OTHER).invoke_endpoint(**request)
    assert json.loads(answer["Body"].read()) == [2.0, 4.0]
    with pytest.raises(ClientError, match=f"Endpoint theirs of account {OWN} not found"):
        accounts.client("sagemaker-runtime").invoke_endpoint(**request)
    with pytest.raises(ClientError, match="not found"):
        accounts.client("sagemaker-runtime", account=OTHER, region="eu-west-1").invoke_endpoint(**request)


def test_what_it_is_made_of_has_the_account_that_it_is_in(accounts: Account, endpoint: str, version: Version) -> None:
    sagemaker = accounts.client("sagemaker", account=OTHER)
    described = sagemaker.describe_endpoint(EndpointName=endpoint)
    model = sagemaker.describe_model(ModelName="theirs")
    assert described["EndpointArn"] == f"arn:aws:sagemaker:{HOME}:{OTHER}:endpoint/theirs"
    assert (model["ModelArn"], model["PrimaryContainer"]["ModelPackageName"]) == (
        f"arn:aws:sagemaker:{HOME}:{OTHER}:model/theirs",
        version.arn,
    )


def test_its_metrics_are_where_it_is(accounts: Account, endpoint: str) -> None:
    accounts.client("sagemaker-runtime", account=OTHER).invoke_endpoint(EndpointName=endpoint, Body=b"1", ContentType="text/csv")

    def is_seen(account_id: str) -> bool:
        metrics = accounts.client("cloudwatch", account=account_id).list_metrics(Namespace="/aws/sagemaker/Endpoints")["Metrics"]
        return any({"Name": "EndpointName", "Value": endpoint} in metric["Dimensions"] for metric in metrics)

    wait_for(lambda: is_seen(OTHER), 120)
    assert not is_seen(OWN)


def test_the_other_account_lists_the_groups_versions(deployer: Session, version: Version) -> None:
    group = f"arn:aws:sagemaker:{HOME}:{OWN}:model-package-group/{GROUP.lower()}"
    listed = deployer.client("sagemaker").list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
    assert [package["ModelPackageArn"] for package in listed] == [version.arn]
    assert deployer.client("sagemaker").list_model_package_groups()["ModelPackageGroupSummaryList"] == []


#: Grant -> what takes it away, and the words of the refusal.
GRANTS: dict[str, tuple[Callable[[Account, Version], Any], str]] = {
    "the group's policy": (
        lambda accounts, made: accounts.client("sagemaker").delete_model_package_group_policy(ModelPackageGroupName=GROUP),
        "sagemaker:CreateModel on resource: {version} because no resource-based policy allows the sagemaker:CreateModel action",
    ),
    "the deployer may create models of it": (
        lambda accounts, made: allow_role(
            accounts, made.deployer, allow("sagemaker:CreateModel", f"arn:aws:sagemaker:{HOME}:{OTHER}:model/*"), *made.deploying[1:]
        ),
        "sagemaker:CreateModel on resource: {version} because no identity-based policy allows the sagemaker:CreateModel action",
    ),
    "the deployer may pass the model's role": (
        lambda accounts, made: allow_role(accounts, made.deployer, *made.deploying[:1]),
        "iam:PassRole on resource: {execution} because no identity-based policy allows the iam:PassRole action",
    ),
    "the bucket's policy": (
        lambda accounts, made: accounts.client("s3").delete_bucket_policy(Bucket=BUCKET),
        "Could not access model data at s3://registry-models/model.tar.gz",
    ),
    "the key's policy": (
        lambda accounts, made: accounts.client("kms").put_key_policy(KeyId=made.key, PolicyName="default", Policy=policy(ROOT)),
        "Could not access model data at s3://registry-models/model.tar.gz",
    ),
    "the model's role may read the object": (
        lambda accounts, made: allow_role(accounts, made.execution, *made.executing[1:]),
        "Could not access model data at s3://registry-models/model.tar.gz",
    ),
    "the model's role may use the key": (
        lambda accounts, made: allow_role(accounts, made.execution, made.executing[0], made.executing[2]),
        "Could not access model data at s3://registry-models/model.tar.gz",
    ),
}


@pytest.mark.parametrize("missing", GRANTS)
def test_without_a_grant_no_model_is_made_of_it(accounts: Account, version: Version, deployer: Session, missing: str) -> None:
    take_away, words = GRANTS[missing]
    take_away(accounts, version)
    try:
        with pytest.raises(ClientError) as refused:
            create_model(deployer, version, "lacking")
    finally:
        grant(accounts, version)
    assert words.format(version=version.arn, execution=version.execution) in str(refused.value)
    create_model(deployer, version, f"with-{list(GRANTS).index(missing)}")


def test_tags_are_asked_of_the_model_and_not_of_the_version_that_it_is_made_of(accounts: Account, version: Version) -> None:
    """The version is another account's, in whose registry nobody of this account tags."""
    models = f"arn:aws:sagemaker:{HOME}:{OTHER}:model/*"
    narrow = role(
        accounts,
        OTHER,
        "tagger",
        {"AWS": f"arn:aws:iam::{OTHER}:user/administrator"},
        allow(["sagemaker:CreateModel", "sagemaker:AddTags"], models),
        allow(["sagemaker:CreateModel", "sagemaker:DescribeModelPackage"], version.arn),
        version.deploying[1],
    )
    made = (
        assume(accounts, accounts.client("sts", account=OTHER), narrow)
        .client("sagemaker")
        .create_model(
            ModelName="tagged",
            PrimaryContainer={"ModelPackageName": version.arn},
            ExecutionRoleArn=version.execution,
            Tags=[{"Key": "whose", "Value": "theirs"}],
        )
    )
    tags = accounts.client("sagemaker", account=OTHER).list_tags(ResourceArn=made["ModelArn"])["Tags"]
    assert tags == [{"Key": "whose", "Value": "theirs"}]


def test_a_version_in_another_region_is_out_of_reach(accounts: Account, version: Version, deployer: Session) -> None:
    """A model package is read in the region of the model."""
    with pytest.raises(ClientError):
        deployer.client("sagemaker", "eu-west-1").create_model(
            ModelName="far", PrimaryContainer={"ModelPackageName": version.arn}, ExecutionRoleArn=version.execution
        )
