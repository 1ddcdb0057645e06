"""Prints definitions as JSON, by the name of their model. Standard input: the project, and each model with the address of its code.

A process of its own, because the SageMaker SDK cannot be imported beside the emulators. Started by test_bad_input_pipeline.py.
"""

from __future__ import annotations

import base64
import json
import pickle
import sys

from pipelines.tabular.pipeline import get_pipeline
from settings_schema import Model, ModelNames, Project

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
    given = json.load(sys.stdin)
    project, made = Project(**given["project"]), {}
    for each in given["models"]:
        model: Model = pickle.loads(base64.b64decode(each["model"]))  # noqa: S301 - of the test that started this
        made[model.name] = str(get_pipeline(project, model, Place(), code_uri=each["code_uri"]).definition())
    print(json.dumps(made))


if __name__ == "__main__":
    main()
