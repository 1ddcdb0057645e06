"""The batch pipeline scores a file with a registered package and puts each answer beside its row."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipelines.batch.pipeline import get_pipeline
from settings import PROJECT
from tests.pipelines.conftest import ROLE

KEY = "arn:aws:kms:us-east-1:111122223333:key/1"


@pytest.fixture(scope="module")
def batch() -> dict[str, Any]:
    return dict(json.loads(get_pipeline("us-east-1", ROLE, bucket="artifacts", data_bucket="data", kms_key=KEY).definition()))


def test_the_model_is_the_package_that_is_named_at_the_start(batch: dict[str, Any]) -> None:
    parameters = {parameter["Name"]: parameter.get("DefaultValue") for parameter in batch["Parameters"]}
    assert parameters["ModelPackageArn"] is None
    assert batch["Steps"][0]["Arguments"]["PrimaryContainer"] == {"ModelPackageName": {"Get": "Parameters.ModelPackageArn"}}


def test_each_answer_comes_back_beside_its_row_encrypted_and_tagged(batch: dict[str, Any]) -> None:
    transform = batch["Steps"][1]["Arguments"]
    assert transform["ModelName"] == {"Get": "Steps.CreateModel.ModelName"}
    assert transform["DataProcessing"]["JoinSource"] == "Input"
    assert transform["TransformInput"]["SplitType"] == "Line"
    assert transform["TransformOutput"]["AssembleWith"] == "Line"
    assert transform["Tags"] == PROJECT.tags()
    assert transform["TransformOutput"]["KmsKeyId"] == transform["TransformResources"]["VolumeKmsKeyId"] == KEY


def test_scoring_is_not_cached(batch: dict[str, Any]) -> None:
    assert all("CacheConfig" not in step for step in batch["Steps"])
