"""The version in production: found through its endpoint, and told by name where something of it was deleted."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import archive
import boto3
import pytest
from botocore.exceptions import ClientError
from evaluation import champion
from failure import BadInput

ARN = "arn:aws:sagemaker:us-east-1:111122223333:model-package/mlops-models/3"
#: What SageMaker and S3 answer for what is not there. SageMaker's describes model no error of their own for it.
GONE = {
    "endpoint": ("ValidationException", 'Could not find endpoint "arn:endpoint/production".'),
    "config": ("ValidationException", 'Could not find endpoint configuration "arn:endpoint-config/c".'),
    "model": ("ValidationException", 'Could not find model "arn:model/m".'),
    "package": ("ValidationException", f"ModelPackage {ARN} does not exist."),
    "archive": ("NoSuchKey", "The specified key does not exist."),
}


class Account:
    """An endpoint that serves version 3; `missing` names what was deleted, `refused` what may not be read."""

    def __init__(self, missing: str = "", refused: str = "", package: bool = True) -> None:
        self._missing, self._refused = missing, refused
        self._container = {"ModelPackageName": ARN} if package else {"Image": "x", "ModelDataUrl": "s3://b/k"}

    def _answer(self, what: str, answer: dict[str, Any]) -> dict[str, Any]:
        if what == self._refused:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "not authorized to perform this"}}, what)
        if what == self._missing:
            code, message = GONE[what]
            raise ClientError({"Error": {"Code": code, "Message": message}}, what)
        return answer

    def describe_endpoint(self, **_: str) -> dict[str, Any]:
        return self._answer("endpoint", {"EndpointConfigName": "c"})

    def describe_endpoint_config(self, **_: str) -> dict[str, Any]:
        return self._answer("config", {"ProductionVariants": [{"ModelName": "m"}]})

    def describe_model(self, **_: str) -> dict[str, Any]:
        return self._answer("model", {"PrimaryContainer": self._container})

    def describe_model_package(self, **_: str) -> dict[str, Any]:
        containers = [{"ModelDataUrl": "s3://artifacts/model.tar.gz"}]
        package = {"ModelPackageArn": ARN, "CustomerMetadataProperties": {"a": "b"}}
        return self._answer("package", {**package, "InferenceSpecification": {"Containers": containers}})

    def get_object(self, **_: str) -> dict[str, Any]:
        content = archive.pack({"version.json": json.dumps({"algorithm": "linear"}).encode()})
        return self._answer("archive", {"Body": io.BytesIO(content)})


def of(account: Account, folder: Path, monkeypatch: pytest.MonkeyPatch) -> champion.Champion:
    monkeypatch.setattr(boto3, "client", lambda _: account)
    return champion.from_endpoint("production", folder)


def test_the_version_in_production_is_read_through_its_endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = of(Account(), tmp_path, monkeypatch)
    assert (found.name, found.version, found.facts) == (ARN, {"algorithm": "linear"}, {"a": "b"})


@pytest.mark.parametrize(
    ("missing", "name", "says"),
    [
        ("endpoint", "none", "no version is in production"),
        ("config", "none", "the endpoint config of production was deleted"),
        ("model", "none", "the model of production was deleted"),
        ("package", ARN, "version 3 in production was deleted from the registry"),
        ("archive", ARN, "the archive of version 3 in production was deleted from S3"),
    ],
)
def test_what_was_deleted_cannot_be_compared_with_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str, name: str, says: str
) -> None:
    """Or nothing that is trained could ever replace it."""
    found = of(Account(missing), tmp_path, monkeypatch)
    assert found.name == name
    assert champion.incomparable(found, {}, None) == says


def test_a_model_of_no_version_is_no_champion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = of(Account(package=False), tmp_path, monkeypatch)
    assert champion.incomparable(found, {}, None) == "production serves a model of no registered version"


@pytest.mark.parametrize("what", ["endpoint", "config", "model", "package", "archive"])
def test_what_may_not_be_read_is_no_deleted_champion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    with pytest.raises(BadInput, match="cannot be read for the comparison"):
        of(Account(refused=what), tmp_path, monkeypatch)
