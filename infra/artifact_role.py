"""Role of a CodePipeline or of a build: of the artifact buckets it reaches the artifacts of its own pipelines, and nothing else.

The CDK's actions grant whole buckets, in which the models, the published code and every pipeline's artifacts are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.permissions import Statement, allowing
from infra.service_role import ServiceRole

_LONGEST_NAME = 20  # of the pipeline's in a key, which CodePipeline shortens
_ANY_USE_OF_A_CONNECTION = "codestar-connections:UseConnection"
_READ = ["s3:GetObject", "s3:GetObjectVersion"]
#: The second is asked of a connection's source action: aws/aws-cdk#13557, without it "Upload to S3 failed … Access Denied".
_WRITE = ["s3:PutObject", "s3:PutObjectAcl"]
_BUCKET = ["s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetBucketVersioning"]


class ArtifactRole(ServiceRole):
    """`pipeline_names`: the CodePipelines whose artifacts it reads, and writes if it is granted to write any. `options`: ServiceRole's."""

    def __init__(
        self, scope: Construct, construct_id: str, *, buckets: Sequence[s3.IBucket], pipeline_names: Sequence[str], **options: Any
    ) -> None:
        super().__init__(scope, construct_id, **options)
        keys = [key for name in pipeline_names for key in artifact_keys(name)]
        arns = [bucket.bucket_arn for bucket in buckets]
        self._own = {f"{arn}/*": (arn, [f"{arn}/{key}" for key in keys]) for arn in arns}

    def narrowed(self, asked: Statement) -> Sequence[Statement]:
        if _ANY_USE_OF_A_CONNECTION in asked["Action"]:  # infra/build/code_source.py says for which repository
            return []
        for whole, (bucket, artifacts) in self._own.items():
            if whole in asked["Resource"]:
                actions = [*_READ, *(action for action in _WRITE if action in asked["Action"])]
                return [allowing(_BUCKET, [bucket]), allowing(actions, artifacts)]
        return [asked]


def artifact_keys(pipeline_name: str) -> list[str]:
    """Patterns of the keys that CodePipeline gives its artifacts: `<pipeline>/<artifact>/<random>`, the names shortened.

    A project's name and the separator fit into what is left of a long name, so no two projects meet; two models whose names begin alike for
    that long do, and may read each other's artifacts: those are of one repository.
    """
    shortened = pipeline_name[:_LONGEST_NAME]
    return [f"{name}/*" for name in sorted({shortened, shortened.rstrip("-")})]
