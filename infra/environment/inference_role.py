"""Role of hosted models: reads model artifacts, writes captured requests, nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_kms as kms
from constructs import Construct

from infra.arns import Arns
from infra.endpoint.endpoint_alarms import ROLLBACK
from infra.foundation.project_buckets import CAPTURE_PREFIX, ProjectBuckets
from infra.foundation.sagemaker_role import SageMakerRole
from settings import Environment, Project


class InferenceRole(SageMakerRole):
    """May not create log groups: each endpoint's is made by its stack, with a retention, and must not come back without one."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        project: Project,
        environments: Sequence[Environment],
        buckets: ProjectBuckets,
        key: kms.IKey,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            project=project,
            description=f"Endpoints of {project.name}",
            log_groups=[f"/aws/sagemaker/Endpoints/{project.endpoint_name(environment)}" for environment in environments],
            namespaces=["/aws/sagemaker/*"],
        )
        self.allow("Models", ["s3:GetObject"], [buckets.run_objects(project)])
        captured = [buckets.data.arn_for_objects(f"{CAPTURE_PREFIX}{project.endpoint_name(item)}/*") for item in environments]
        self.allow("Capture", ["s3:PutObject"], captured)
        self.allow("FindBuckets", ["s3:ListBucket", "s3:GetBucketLocation"], [buckets.data.bucket_arn, buckets.artifacts.bucket_arn])
        key.grant(self, "kms:Decrypt", "kms:GenerateDataKey")
        self._watch_updates(project, environments)

    def _watch_updates(self, project: Project, environments: Sequence[Environment]) -> None:
        """SageMaker asks for the alarms of an update as the endpoint's role: "Auto-Rollback Configuration" of its guide."""
        names = [f"{project.endpoint_name(environment)}-{what}" for environment in environments for what in ROLLBACK]
        self.allow("RollbackAlarms", ["cloudwatch:DescribeAlarms"], [Arns(self, project).alarm(name) for name in names])
