"""Prints three definitions as JSON: of houses, of loans, and of houses with algorithms whose every trial fails.

Arguments: one code uri for each, in this order. A process of its own, because the SageMaker SDK cannot be imported beside the emulators.
"""

from __future__ import annotations

import json
import sys

from pipelines.tabular.pipeline import get_pipeline
from settings_schema import ModelNames
from tests.example_models import PROJECT
from tests.journeys.bad_input_models import MODELS, ROLE


class Place:
    """Where the definitions run: an account whose jobs all have one role."""

    region, artifact_bucket, data_bucket, key_arn = "us-east-1", "artifacts", "data", ""
    subnets: tuple[str, ...] = ()
    security_group_ids: tuple[str, ...] = ()

    def role_arn(self, name: str) -> str:
        return ROLE

    def tags(self, names: ModelNames) -> list[dict[str, str]]:
        return []


def main(*code_uris: str) -> None:
    pipelines = {model.name: get_pipeline(PROJECT, model, Place(), code_uri=uri) for model, uri in zip(MODELS, code_uris, strict=True)}
    print(json.dumps({name: str(pipeline.definition()) for name, pipeline in pipelines.items()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
