"""Evidence of a version is found through the registry, and in one line it is said why there is none."""

import io
import json
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError
from evidence import NoEvidenceError, RegistrySource, Versions, load

from deploy_scripts import regional_copy
from tests.monitoring.production import HOUSES, evidence_of, trained

MADE_AT = datetime(2026, 11, 1, 9, 30, tzinfo=UTC)
GROUP = "arn:aws:sagemaker:eu-west-1:111122223333:model-package/houses"


class Registry:
    """Answers DescribeModelPackage; `packages`: metadata by ARN."""

    class exceptions:  # noqa: N801 - as a client calls it
        ClientError = ClientError

    def __init__(self, packages, refusal="ValidationException"):
        self.packages, self.refusal, self.asked = packages, refusal, []

    def describe_model_package(self, ModelPackageName):  # noqa: N803 - the name of the parameter
        self.asked.append(ModelPackageName)
        if ModelPackageName not in self.packages:
            raise ClientError({"Error": {"Code": self.refusal, "Message": "no"}}, "DescribeModelPackage")
        return {"CustomerMetadataProperties": self.packages[ModelPackageName], "CreationTime": MADE_AT}


class Bucket:
    class exceptions:  # noqa: N801 - as a client calls it
        ClientError = ClientError

    def __init__(self, objects):
        self.objects = objects

    def get_object(self, Bucket, Key):  # noqa: N803 - the names of the parameters
        if (Bucket, Key) not in self.objects:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": "no"}}, "GetObject")
        return {"Body": io.BytesIO(self.objects[Bucket, Key])}


@pytest.fixture
def bucket():
    documents = {"contract.json": HOUSES, "statistics.json": evidence_of(trained())}
    return Bucket({("artifacts", f"evidence/run/{name}"): json.dumps(document).encode() for name, document in documents.items()})


def test_evidence_lies_beside_the_contract_that_a_package_names(bucket):
    registry = Registry({f"{GROUP}/11": {"contract-url": "s3://artifacts/evidence/run/contract.json"}})
    found = load(RegistrySource(registry, bucket, f"{GROUP}/12"), "11")
    assert found.takes.features == ["area", "rooms", "town"]
    assert found.reference is None and "estimator.json" not in found.documents
    assert found.made_at == "2026-11-01T09:30:00Z"
    assert registry.asked == [f"{GROUP}/11"]


class RegistryOfCopies(Registry):
    """In another region: `copies` are descriptions by ARN, newest first."""

    def __init__(self, packages, copies):
        super().__init__(packages)
        self.copies = copies

    def get_paginator(self, operation):
        assert operation == "list_model_packages"
        return self

    def paginate(self, ModelPackageGroupName):  # noqa: N803 - the name of the parameter
        assert ModelPackageGroupName == GROUP.replace("model-package/", "model-package-group/"), "of another account, by its ARN"
        status = {"ModelPackageStatus": "Completed"}
        some = [{"ModelPackageArn": arn, "ModelPackageDescription": text, **status} for arn, text in self.copies.items()]
        return [{"ModelPackageSummaryList": [*some, {"ModelPackageArn": f"{GROUP}/9", **status}]}]


def test_in_another_region_a_version_is_found_by_the_number_that_was_approved(bucket):
    """Its copy has a number of its own there; what has that number may be a copy of another version."""
    home = GROUP.replace("eu-west-1", "eu-central-1")
    copies = {f"{GROUP}/2": f"{regional_copy.COPY_OF}{home}/12", f"{GROUP}/1": f"{regional_copy.COPY_OF}{home}/2"}
    registry = RegistryOfCopies({f"{GROUP}/2": {"contract-url": "s3://artifacts/evidence/run/contract.json"}}, copies)
    source = RegistrySource(registry, bucket, f"{GROUP}/2", has_copies=True)
    assert load(source, "12").version == "12"
    assert registry.asked == [f"{GROUP}/2"]
    with pytest.raises(NoEvidenceError, match="has no copy in this region"):
        load(source, "9")


@pytest.mark.parametrize(
    ("version", "metadata", "reason"),
    [
        ("13", {}, "is no version of this model, or was deleted"),
        ("12", {}, "names no contract-url: train it again"),
        ("12", {"contract-url": "s3://artifacts/elsewhere/contract.json"}, "has no contract.json beside its evaluation: train it again"),
        ("../12", {}, "is no version of this model"),
        ("12?x", {}, "is no version of this model"),
    ],
)
def test_why_there_is_no_evidence(bucket, version, metadata, reason):
    registry = Registry({f"{GROUP}/12": metadata})
    with pytest.raises(NoEvidenceError) as refused:
        load(RegistrySource(registry, bucket, f"{GROUP}/12"), version)
    assert str(refused.value) == reason


def test_a_role_that_may_not_look_is_an_error_and_no_missing_version(bucket):
    with pytest.raises(ClientError):
        load(RegistrySource(Registry({}, "AccessDeniedException"), bucket, f"{GROUP}/12"), "12")


def test_a_version_is_looked_for_once(bucket):
    registry = Registry({})
    versions = Versions(RegistrySource(registry, bucket, f"{GROUP}/12"))
    assert [versions.takes("7") for _ in range(3)] == [None] * 3
    assert len(registry.asked) == 1
    assert versions.missing == {"7": "is no version of this model, or was deleted"}
