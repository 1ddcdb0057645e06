"""The definition that is upserted, built once for all tests here: the SDK takes seconds to import."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from pipelines.tabular.pipeline import get_pipeline
from settings_schema import Model, ModelNames, Project
from tests.example_models import ABALONE, PROJECT

CODE = "s3://artifacts/code/0123456789abcdef"


@dataclass(frozen=True, kw_only=True)
class FixedPlace:
    """A place whose names are given, not looked up."""

    region: str = "us-east-1"
    partition: str = "aws"
    artifact_bucket: str = "artifacts"
    data_bucket: str = "data"
    subnets: tuple[str, ...] = ("subnet-1",)
    security_group_ids: tuple[str, ...] = ("sg-1",)

    @property
    def key_arn(self) -> str:
        return f"arn:{self.partition}:kms:{self.region}:111122223333:key/1"

    def role_arn(self, name: str) -> str:
        return f"arn:{self.partition}:iam::111122223333:role/{name}"

    def tags(self, names: ModelNames) -> list[dict[str, str]]:
        return [{"Key": key, "Value": value} for key, value in names.tags.items()]


PLACE = FixedPlace()


def defined(model: Model = ABALONE, *, project: Project = PROJECT, place: FixedPlace = PLACE, code_uri: str = CODE) -> str:
    return str(get_pipeline(project, model, place, code_uri=code_uri).definition())


@pytest.fixture(scope="session")
def definition_text() -> str:
    return defined()


@pytest.fixture(scope="session")
def definition(definition_text: str) -> dict[str, Any]:
    return dict(json.loads(definition_text))


@pytest.fixture(scope="session")
def steps(definition: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every step by name, those of the condition's branches too."""
    found = {step["Name"]: step for step in definition["Steps"]}
    for condition in ("CheckGate", "CheckNew"):
        branches = found[condition]["Arguments"]
        found |= {step["Name"]: step for step in [*branches["IfSteps"], *branches["ElseSteps"]]}
    return found
