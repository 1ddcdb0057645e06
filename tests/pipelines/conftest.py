"""The definition that is upserted, built once for all tests here: the SDK takes seconds to import."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipelines.tabular.pipeline import get_pipeline

ARGUMENTS: dict[str, Any] = {
    "code_uri": "s3://artifacts/code/0123456789abcdef",
    "bucket": "artifacts",
    "data_bucket": "data",
    "kms_key": "arn:aws:kms:us-east-1:111122223333:key/1",
    "subnets": ("subnet-1",),
    "security_group_ids": ("sg-1",),
}
ROLE = "arn:aws:iam::111122223333:role/pipeline"


@pytest.fixture(scope="session")
def definition_text() -> str:
    return str(get_pipeline("us-east-1", ROLE, **ARGUMENTS).definition())


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
