"""The function that every training asks first: which data is there now? It is data_versions.py of the model's kind of pipeline, whose
Prepare asks it again, so that both mean the same.

The pipeline's role may invoke it (pipeline_role.py). Next: pipelines/tabular/pipeline.py, whose first step it is.
"""

from __future__ import annotations

from pathlib import Path

from constructs import Construct

from infra.foundation.foundation_stack import FoundationStack
from infra.project_function import ProjectFunction
from settings_schema import Model, Project
from settings_schema.steps import steps_module

SOURCES = steps_module("sources")

_PIPELINES = Path(__file__).resolve().parents[2] / "pipelines"


class DataVersion(Construct):
    """It may list the model's training data, and read none of it but how much was learned. Its name is fixed, because the pipeline's
    definition names it.
    """

    def __init__(self, scope: Construct, construct_id: str, *, project: Project, model: Model, foundation: FoundationStack) -> None:
        super().__init__(scope, construct_id)
        names = model.names(project)
        function = ProjectFunction(
            self,
            "Function",
            folder=_PIPELINES / model.pipeline / "steps",
            module="data_versions",
            files=["data_versions.py", "failure.py", "registry_text.py", "sources.py"],
            function_name=names.data_version_function,
            description="Says which data a training learns from",
            key=foundation.key,
            log_retention_days=project.log_retention_days,
        )
        below: dict[str, object] = {"StringLike": {"s3:prefix": f"{names.training_data}*"}}
        function.allow("ListTrainingData", ["s3:ListBucketVersions"], [foundation.data_bucket.bucket_arn], below)
        tallies = f"{names.training_data}{SOURCES.FOLDER}*/{SOURCES.TALLY}"
        function.allow("CountLearned", ["s3:GetObject"], [foundation.data_bucket.arn_for_objects(tallies)])
        foundation.key.grant(function, "kms:Decrypt")
