"""Role of hosted models: reads model artifacts, writes captured requests, nothing else."""

from __future__ import annotations

from aws_cdk import aws_kms as kms
from constructs import Construct

from infra.foundation.project_buckets import CAPTURE_PREFIX, ProjectBuckets
from infra.foundation.sagemaker_role import SageMakerRole
from settings import Project


class InferenceRole(SageMakerRole):
    """May not create log groups: each endpoint's is made by its stack, with a retention, and must not come back without one."""

    def __init__(self, scope: Construct, construct_id: str, *, project: Project, buckets: ProjectBuckets, key: kms.IKey) -> None:
        super().__init__(
            scope,
            construct_id,
            project=project,
            description=f"Endpoints of {project.name}",
            log_group_prefix="/aws/sagemaker/Endpoints/",
            namespaces=["/aws/sagemaker/*"],
        )
        buckets.artifacts.grant_read(self)
        buckets.data.grant_put(self, f"{CAPTURE_PREFIX}*")
        key.grant_encrypt_decrypt(self)
