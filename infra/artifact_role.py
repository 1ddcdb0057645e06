"""Role of a CodePipeline or of one of its builds: of the artifact bucket it reaches that pipeline's own artifacts, and nothing else.

The CDK's actions grant the whole bucket, in which the models, the published code and every pipeline's artifacts are.
"""

from __future__ import annotations

from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.service_role import ServiceRole

_LONGEST_NAME = 20  # of the pipeline's in a key, which CodePipeline shortens
_READ = ["s3:GetObject", "s3:GetObjectVersion"]
_BUCKET = ["s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetBucketVersioning"]


class ArtifactRole(ServiceRole):
    """`pipeline_name` is the CodePipeline whose artifacts it reads, and writes if it is granted to write any."""

    def __init__(
        self, scope: Construct, construct_id: str, *, service: str, description: str, bucket: s3.IBucket, pipeline_name: str
    ) -> None:
        super().__init__(scope, construct_id, service=service, description=description)
        self._bucket = bucket
        self._artifacts = bucket.arn_for_objects(artifact_keys(pipeline_name))

    def add_to_principal_policy(self, statement: iam.PolicyStatement) -> iam.AddToPrincipalPolicyResult:
        """Narrows what the CDK adds; the CDK's own constructs call this."""
        if self._bucket.arn_for_objects("*") in statement.resources:
            actions = [*_BUCKET, *_READ, *(["s3:PutObject"] if "s3:PutObject" in statement.actions else [])]
            statement = iam.PolicyStatement(actions=actions, resources=[self._bucket.bucket_arn, self._artifacts])
        return super().add_to_principal_policy(statement)


def artifact_keys(pipeline_name: str) -> str:
    """Pattern of the keys that CodePipeline gives its artifacts: `<pipeline>/<artifact>/<random>`, the names shortened."""
    return f"{pipeline_name}/*" if len(pipeline_name) <= _LONGEST_NAME else f"{pipeline_name[:_LONGEST_NAME].rstrip('-')}*"
