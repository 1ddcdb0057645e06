"""Role that a model runs as in one environment: it reads its own archive, and writes what is captured or scored, nothing else."""

from __future__ import annotations

from aws_cdk import aws_kms as kms
from constructs import Construct

from infra.encryption_key import TO_READ, by_alias
from infra.image.image_repository import PULL, repository_arn
from infra.places import Context, bucket_arn
from infra.private_bucket import run_objects
from infra.sagemaker_role import SageMakerRole
from infra.serving.endpoint_alarms import ROLLBACK
from infra.serving.prediction_alarm import OF_ANY_VERSION
from settings_schema import Asynchronous, Batch, Component, Environment, Model, ServingImage, ServingNames
from settings_schema.serving import OnEndpoint

_JOB_LOGS = "/aws/sagemaker/TransformJobs"  # which the whole account shares


def _log_group(names: ServingNames, serving: OnEndpoint | Batch) -> str:
    if isinstance(serving, Component):
        return names.component_log_group
    return names.log_group if isinstance(serving, OnEndpoint) else _JOB_LOGS


class InferenceRole(SageMakerRole):
    """May not create an endpoint's log group: that is made by its stack, with a retention, and must not come back without one."""

    def __init__(
        self, scope: Construct, construct_id: str, *, context: Context, model: Model, environment: Environment, key: kms.IKey
    ) -> None:
        self._names, self._place = model.names(context.project).at(environment.name), context.places.of(environment)
        serving = model.serving[environment.name]
        has_endpoint = isinstance(serving, OnEndpoint)
        super().__init__(
            scope,
            construct_id,
            place=self._place,
            role_name=self._names.inference_role,
            description=f"{model.name} in {environment.name}",
            log_groups=[_log_group(self._names, serving)],
            namespaces=["/aws/sagemaker/*"],
            in_vpc=environment.in_vpc,
        )
        self._read_archive(context, environment)
        self.allow("Bucket", ["s3:GetBucketLocation"], [bucket_arn(context.places.environment_bucket(environment))])
        if isinstance(serving, OnEndpoint):
            self._serve(context, environment, serving)
        else:
            self._score(context, environment)
        key.grant(self, *(f"kms:{action}" for action in ("Decrypt", "GenerateDataKey", *(() if has_endpoint else ("Encrypt",)))))

    def _read_archive(self, context: Context, environment: Environment) -> None:
        """Of every version: where the registry is, perhaps in another account, whose bucket and key let it in as well."""
        registry, pipeline = context.places.registry(environment), self._names.of_model.training_pipeline
        bucket = context.places.artifact_bucket(registry.region)
        self.allow("Versions", ["s3:GetObject"], [run_objects(bucket, pipeline)])
        below: dict[str, object] = {"StringLike": {"s3:prefix": f"pipelines/{pipeline}/*"}}
        self.allow("FindVersions", ["s3:ListBucket"], [bucket_arn(bucket)], below)
        self.allow_all([by_alias("KeyOfVersions", registry, context.project.names.key_alias, TO_READ)])

    def _serve(self, context: Context, environment: Environment, serving: OnEndpoint) -> None:
        bucket = context.places.environment_bucket(environment)
        if not serving.uncaptured:
            self.allow("Capture", ["s3:PutObject"], [bucket_arn(bucket, f"{self._names.capture}*")])
        if isinstance(serving, Asynchronous):
            self._answer_requests(bucket)
        if serving.image is ServingImage.LEAN:
            self.allow("OwnImage", PULL, [repository_arn(context, context.places.registry(environment))])
        # SageMaker asks for the alarms of an update as the endpoint's role: "Auto-Rollback Configuration" of its guide.
        rollback = (*ROLLBACK, *([OF_ANY_VERSION] if serving.roll_back_on_predictions else []))
        self.allow("RollbackAlarms", ["cloudwatch:DescribeAlarms"], [self._place.alarm(self._names.alarm(what)) for what in rollback])

    def _answer_requests(self, bucket: str) -> None:
        """ "Prerequisites" of asynchronous inference, SageMaker guide; its topic: served_model.py."""
        names = self._names
        below: dict[str, object] = {"StringLike": {"s3:prefix": f"{names.requests}*"}}
        self.allow("FindRequests", ["s3:ListBucket"], [bucket_arn(bucket)], below)
        self.allow("Requests", ["s3:GetObject"], [bucket_arn(bucket, f"{names.requests}*")])
        written = [bucket_arn(bucket, f"{prefix}*") for prefix in (names.answers, names.failures)]
        self.allow("Answers", ["s3:PutObject", "s3:AbortMultipartUpload"], written)

    def _score(self, context: Context, environment: Environment) -> None:
        bucket = context.places.environment_bucket(environment)
        below: dict[str, object] = {"StringLike": {"s3:prefix": f"{self._names.batch_input}*"}}
        self.allow("FindRows", ["s3:ListBucket"], [bucket_arn(bucket)], below)
        self.allow("Rows", ["s3:GetObject"], [bucket_arn(bucket, f"{self._names.batch_input}*")])
        self.allow("Predictions", ["s3:PutObject", "s3:AbortMultipartUpload"], [bucket_arn(bucket, f"{self._names.predictions}*")])
        self.allow("LogGroup", ["logs:CreateLogGroup"], self._place.log_group(_JOB_LOGS))
