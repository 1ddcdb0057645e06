"""Prints definitions as JSON, by the name of their model. Standard input, pickled: the project, and pairs of model and code's address.

A process of its own, because the SageMaker SDK cannot be imported beside the emulators. Started by test_bad_input_pipeline.py.
"""

from __future__ import annotations

import json
import pickle
import sys

from pipelines.tabular.pipeline import get_pipeline
from settings_schema import ModelNames

ROLE = "arn:aws:iam::111122223333:role/pipeline"


class Place:
    """Where the definitions run: an account whose jobs all have one role."""

    region, artifact_bucket, data_bucket, key_arn = "us-east-1", "artifacts", "data", ""
    subnets: tuple[str, ...] = ()
    security_group_ids: tuple[str, ...] = ()

    def role_arn(self, name: str) -> str:
        return ROLE

    def tags(self, names: ModelNames) -> list[dict[str, str]]:
        return []


def main() -> None:
    project, models = pickle.load(sys.stdin.buffer)  # noqa: S301 - written by the test that started this
    pipelines = {model.name: get_pipeline(project, model, Place(), code_uri=code_uri) for model, code_uri in models}
    print(json.dumps({name: str(pipeline.definition()) for name, pipeline in pipelines.items()}))


if __name__ == "__main__":
    main()
