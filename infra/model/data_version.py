"""The function that every training asks first: which data is there now? It is pipelines/tabular/steps/data_versions.py, which Prepare
asks again, so that both mean the same.

The pipeline's role may invoke it (infra/foundation/pipeline_role.py). Next: pipelines/tabular/pipeline.py, whose first step it is.
"""

from __future__ import annotations

from pathlib import Path

from constructs import Construct

from infra.foundation.foundation_stack import FoundationStack
from infra.project_function import ProjectFunction
from settings import Project

STEPS = Path(__file__).resolve().parents[2] / "pipelines" / "tabular" / "steps"
TRAINING_PREFIX = "training/*"


class DataVersion(Construct):
    """It may list the training data, and read none of it. Its name is fixed, because the pipeline's definition names it."""

    def __init__(self, scope: Construct, construct_id: str, *, project: Project, foundation: FoundationStack) -> None:
        super().__init__(scope, construct_id)
        function = ProjectFunction(
            self,
            "Function",
            folder=STEPS,
            module="data_versions",
            files=["data_versions.py", "failure.py", "registry_text.py"],
            function_name=project.data_version_function,
            description="Says which data a training learns from",
            key=foundation.key,
            log_retention_days=project.log_retention_days,
        )
        below: dict[str, object] = {"StringLike": {"s3:prefix": TRAINING_PREFIX}}
        function.allow("ListTrainingData", ["s3:ListBucketVersions"], [foundation.data_bucket.bucket_arn], below)
