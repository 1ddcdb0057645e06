"""Role of a multi-model fleet's container: it reads its program and what is below the fleet's own prefix, and nothing else of a model."""

from __future__ import annotations

from aws_cdk import aws_s3_assets as assets
from constructs import Construct

from infra.encryption_key import TO_READ, by_alias
from infra.places import Context, bucket_arn
from infra.sagemaker_role import SageMakerRole
from infra.serving.endpoint_alarms import ROLLBACK
from settings_schema import Environment, MultiModelFleet


class MultiModelRole(SageMakerRole):
    """Versions lie where the registry is, perhaps in another account, whose bucket and key let it in as well (infra/private_bucket.py)."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        context: Context,
        fleet: MultiModelFleet,
        environment: Environment,
        program: assets.Asset,
    ) -> None:
        names = fleet.names(context.project, environment.name)
        super().__init__(
            scope,
            construct_id,
            place=context.places.of(environment),
            role_name=names.role("fleet"),
            description=f"Multi-model fleet {fleet.name} in {environment.name}",
            log_groups=[names.log_group],
            namespaces=["/aws/sagemaker/*"],
            in_vpc=environment.in_vpc,
        )
        registry = context.places.registry(environment)
        bucket = context.places.artifact_bucket(registry.region)
        self.allow("Archives", ["s3:GetObject"], [bucket_arn(bucket, f"{names.archives}*")])
        below: dict[str, object] = {"StringLike": {"s3:prefix": f"{names.archives}*"}}
        self.allow("FindArchives", ["s3:ListBucket"], [bucket_arn(bucket)], below)
        self.allow_all([by_alias("KeyOfArchives", registry, context.project.names.key_alias, TO_READ)])
        # SageMaker asks for the alarms of an update as the endpoint's role: "Auto-Rollback Configuration" of its guide.
        alarms = [context.places.of(environment).alarm(names.alarm(what)) for what in ROLLBACK]
        self.allow("RollbackAlarms", ["cloudwatch:DescribeAlarms"], alarms)
        self.allow("Program", ["s3:GetObject"], [program.bucket.arn_for_objects(program.s3_object_key)])
