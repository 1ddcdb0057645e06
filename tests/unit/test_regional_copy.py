"""Claims about environments in other regions: a version gets there once, as it is, and a copy knows what it is of."""

from __future__ import annotations

import io
from typing import Any

import pytest

from build_scripts.command_line import VerdictError
from build_scripts.project_environment import ProjectEnvironment
from deploy_scripts import regional_copy
from pipelines.published_code import code_prefix
from tests.unit import script_account
from tests.unit.script_account import GROUP, PACKAGE, PROJECT, Pages, Registry, ScriptAccount, refusal

HOME, THERE = "us-east-1", "eu-west-1"
ARCHIVE = "1/model.tar.gz"
TEAMS_IMAGE = "111122223333.dkr.ecr.us-east-1.amazonaws.com/team/model:7"


class Elsewhere:
    """S3 and the registry of another region."""

    def __init__(self, home: Registry) -> None:
        self.home = home
        self.packages: list[dict[str, Any]] = []
        self.copied: list[tuple[str, str, str]] = []
        self.status = "Completed"
        self.objects: dict[str, bytes] = {}
        self.written: list[str] = []

    def copy(self, *, Bucket: str, Key: str, CopySource: dict[str, str], SourceClient: Any) -> None:  # noqa: N803 - boto3 spells them so
        assert SourceClient.get_object(**CopySource)
        self.copied.append((CopySource["Bucket"], Bucket, Key))

    def create_model_package(self, **request: Any) -> dict[str, str]:
        arn = f"arn:aws:sagemaker:{THERE}:111122223333:model-package/{GROUP}/{len(self.packages) + 1}"
        self.packages.append({**request, "ModelPackageArn": arn, "ModelPackageStatus": self.status})
        return {"ModelPackageArn": arn}

    def describe_model_package(self, *, ModelPackageName: str) -> dict[str, Any]:  # noqa: N803
        for package in self.packages:
            if package["ModelPackageArn"] == ModelPackageName:
                return package
        raise refusal("ValidationException", f"ModelPackage {ModelPackageName} does not exist.", "DescribeModelPackage")

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, IfNoneMatch: str) -> None:  # noqa: N803
        assert (Bucket, IfNoneMatch) == (f"shop--artifacts-111122223333-{THERE}", "*")
        self.objects[Key] = Body
        self.written.append(Key)

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        return {"Body": io.BytesIO(self.objects[Key])}

    def list_objects_v2(self, *, Bucket: str, Prefix: str) -> dict[str, Any]:  # noqa: N803
        return {"Contents": [{"Key": key} for key in self.objects if key.startswith(Prefix)]}

    def list_model_packages(self, *, ModelPackageGroupName: str) -> dict[str, Any]:  # noqa: N803
        assert ModelPackageGroupName == GROUP
        return {"ModelPackageSummaryList": self.packages}

    def get_paginator(self, name: str) -> Pages:
        return Pages(getattr(self, name))


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Elsewhere:
    account: ScriptAccount = script_account.install(monkeypatch)
    made = Elsewhere(account.sagemaker)
    account.sagemaker.add(1, metric="rmse")
    account.sagemaker.packages[1]["InferenceSpecification"]["Containers"][0]["Image"] = TEAMS_IMAGE

    def client(project: ProjectEnvironment, service: str, *_: Any) -> Any:
        return account.clients[service] if project.region == HOME else made

    monkeypatch.setattr(ProjectEnvironment, "client", client)
    return made


@pytest.fixture
def project(elsewhere: Elsewhere) -> ProjectEnvironment:
    return ProjectEnvironment(PROJECT)


def test_in_the_project_s_region_a_version_is_its_own_copy(project: ProjectEnvironment, elsewhere: Elsewhere) -> None:
    assert regional_copy.copy(project, f"{PACKAGE}/1", HOME) == f"{PACKAGE}/1"
    assert regional_copy.original(project, f"{PACKAGE}/1") == f"{PACKAGE}/1"
    assert (elsewhere.copied, elsewhere.packages) == ([], [])


def test_a_version_goes_to_another_region_once_with_its_archive_and_its_facts(project: ProjectEnvironment, elsewhere: Elsewhere) -> None:
    copy = regional_copy.copy(project, f"{PACKAGE}/1", THERE)
    assert regional_copy.copy(project, f"{PACKAGE}/1", THERE) == copy
    bucket = "shop--artifacts-111122223333-eu-west-1"
    assert elsewhere.copied == [("artifacts", bucket, ARCHIVE)]
    (package,) = elsewhere.packages
    (container,) = package["InferenceSpecification"]["Containers"]
    assert container["ModelDataUrl"] == f"s3://{bucket}/{ARCHIVE}"
    assert container["Image"] == TEAMS_IMAGE.replace(HOME, THERE)
    assert package["ModelApprovalStatus"] == "Approved"
    assert package["CustomerMetadataProperties"]["metric"] == "rmse"


def test_its_evidence_goes_with_it_and_is_found_there(project: ProjectEnvironment, elsewhere: Elsewhere) -> None:
    """What watches it there reads it, perhaps from a network that reaches that region's buckets only."""
    run = "pipelines/training/abc/evaluate/evaluation"
    for name in ("contract.json", "statistics.json", "reference.npz"):
        elsewhere.home.s3.objects[f"artifacts/{run}/{name}"] = b"evidence"
    facts = elsewhere.home.packages[1]["CustomerMetadataProperties"]
    facts |= {"contract-url": f"s3://artifacts/{run}/contract.json", "data-url": "s3://data/training/"}
    regional_copy.copy(project, f"{PACKAGE}/1", THERE)
    bucket = "shop--artifacts-111122223333-eu-west-1"
    assert {key for _, there, key in elsewhere.copied if there == bucket} == {
        *(f"{run}/{name}" for name in ("contract.json", "statistics.json", "reference.npz")),
        ARCHIVE,
    }
    told = elsewhere.packages[0]["CustomerMetadataProperties"]
    assert (told["contract-url"], told["data-url"]) == (f"s3://{bucket}/{run}/contract.json", "s3://data/training/")


def test_the_code_that_watches_is_put_beside_it_once(project: ProjectEnvironment, elsewhere: Elsewhere) -> None:
    files = {"monitor.py": b"# watches", "monitoring.json": b"{}"}
    address = regional_copy.publish_in(project, THERE, files)
    assert address == f"s3://shop--artifacts-111122223333-eu-west-1/{code_prefix(files)}"
    assert regional_copy.publish_in(project, THERE, files) == address
    assert elsewhere.written.count(f"{code_prefix(files)}/steps/monitor.py") == 1
    assert regional_copy.publish_in(project, HOME, files) == f"s3://artifacts/{code_prefix(files)}"


def test_a_copy_knows_the_version_that_it_is_of(project: ProjectEnvironment) -> None:
    """Numbers differ: what was never deployed there has no copy."""
    assert regional_copy.registered_in(project, f"{PACKAGE}/1", THERE) is None
    copy = regional_copy.copy(project, f"{PACKAGE}/1", THERE)
    assert regional_copy.original(project, copy) == f"{PACKAGE}/1"
    assert regional_copy.registered_in(project, f"{PACKAGE}/1", THERE) == copy


def test_a_copy_that_is_not_completed_is_none(project: ProjectEnvironment, elsewhere: Elsewhere) -> None:
    elsewhere.status = "Failed"
    with pytest.raises(VerdictError, match="in eu-west-1 is Failed"):
        regional_copy.copy(project, f"{PACKAGE}/1", THERE)
    elsewhere.status = "Completed"
    assert regional_copy.copy(project, f"{PACKAGE}/1", THERE).endswith("/2")


@pytest.mark.thorough  # the SDK takes seconds to import
def test_aws_s_own_image_is_that_region_s() -> None:
    """Its registries have accounts of their own in each region (image_uris of the SageMaker SDK)."""
    from sagemaker.core import image_uris

    at_home = image_uris.retrieve("xgboost", HOME, version="3.2-0")
    assert regional_copy.image_in(at_home, THERE) == image_uris.retrieve("xgboost", THERE, version="3.2-0")
    assert regional_copy.image_in(at_home, HOME) == at_home
    of_another = {region: image_uris.retrieve("sklearn", region, version="1.2-1") for region in (HOME, THERE)}
    assert regional_copy.image_in(of_another[HOME], THERE) == of_another[THERE]
    assert regional_copy.image_in("public.ecr.aws/ours/image:1", THERE) == "public.ecr.aws/ours/image:1"
