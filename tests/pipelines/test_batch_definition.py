"""The batch pipeline scores a file with a registered package and puts each answer beside its row."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipelines.batch.pipeline import get_pipeline
from tests.example_models import ARRESTS, PROJECT
from tests.pipelines.conftest import PLACE

NAMES = ARRESTS.names(PROJECT)


@pytest.fixture(scope="module")
def batch() -> dict[str, Any]:
    return dict(json.loads(get_pipeline(NAMES, PLACE).definition()))


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
    assert {tag["Key"]: tag["Value"] for tag in transform["Tags"]} == NAMES.tags
    assert transform["TransformOutput"]["KmsKeyId"] == transform["TransformResources"]["VolumeKmsKeyId"] == PLACE.key_arn


def test_rows_and_answers_of_two_models_do_not_meet(batch: dict[str, Any]) -> None:
    defaults = {parameter["Name"]: parameter.get("DefaultValue") for parameter in batch["Parameters"]}
    assert defaults["InputDataUrl"] == "s3://data/batch/arrests/"
    assert defaults["OutputDataUrl"] == "s3://data/predictions/arrests/"
    assert batch["Steps"][0]["Arguments"]["ExecutionRoleArn"] == PLACE.role_arn(NAMES.pipeline_role)


def test_scoring_is_not_cached(batch: dict[str, Any]) -> None:
    assert all("CacheConfig" not in step for step in batch["Steps"])
