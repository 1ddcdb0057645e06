"""Role of a fleet's endpoint: what SageMaker does for all of its models (`ExecutionRoleArn` of CreateEndpointConfig).

Nothing says as which role SageMaker fetches a component, the fleet's or its model's own: both may read its archive and pull its image.
"""

from __future__ import annotations

from constructs import Construct

from infra.encryption_key import TO_READ, by_alias
from infra.image.image_repository import PULL, repository_arn
from infra.places import Context, bucket_arn
from infra.private_bucket import run_objects
from infra.sagemaker_role import SageMakerRole
from infra.serving.endpoint_alarms import ROLLBACK
from infra.serving.prediction_alarm import OF_ANY_VERSION
from settings_schema import Environment, Fleet, Model
from settings_schema.fleet import OnFleet


class FleetRole(SageMakerRole):
    """It reads the archives of the models that share the fleet, and asks for the alarms that undo an update of one."""

    def __init__(self, scope: Construct, construct_id: str, *, context: Context, fleet: Fleet, environment: Environment) -> None:
        names, self._place = fleet.names(context.project, environment.name), context.places.of(environment)
        super().__init__(
            scope,
            construct_id,
            place=self._place,
            role_name=names.role("fleet"),
            description=f"Fleet {fleet.name} in {environment.name}",
            log_groups=[names.log_group],
            namespaces=["/aws/sagemaker/*"],
            in_vpc=environment.in_vpc,
        )
        for model in context.settings.models.values():
            serving = model.serving[environment.name]
            if isinstance(serving, OnFleet) and serving.fleet == fleet.name:
                self._serve(context, model, environment)

    def _serve(self, context: Context, model: Model, environment: Environment) -> None:
        title = "".join(part.title() for part in model.name.split("-"))
        names, registry = model.names(context.project).at(environment.name), context.places.registry(environment)
        bucket, pipeline = context.places.artifact_bucket(registry.region), names.of_model.training_pipeline
        self.allow(f"Versions{title}", ["s3:GetObject"], [run_objects(bucket, pipeline)])
        below: dict[str, object] = {"StringLike": {"s3:prefix": f"pipelines/{pipeline}/*"}}
        self.allow(f"FindVersions{title}", ["s3:ListBucket"], [bucket_arn(bucket)], below)
        self.allow_all([by_alias(f"KeyOfVersions{title}", registry, context.project.names.key_alias, TO_READ)])
        if model.is_lean(environment.name):
            self.allow(f"OwnImage{title}", PULL, [repository_arn(context, registry)])
        alarms = [self._place.alarm(names.alarm(what)) for what in (*ROLLBACK, OF_ANY_VERSION)]
        self.allow(f"RollbackAlarms{title}", ["cloudwatch:DescribeAlarms"], alarms)
