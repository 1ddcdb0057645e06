"""Roles of the watch over a model in one environment: of the SageMaker pipeline and its job, and of the schedule that starts it.

The stack that has both is deployed without any right to make roles: infra/serving/model_watch.py.
"""

from __future__ import annotations

from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.encryption_key import FOR_AWS_RESOURCES, TO_READ, by_alias
from infra.environment.scoring_roles import send_dead_letters
from infra.ownership import is_ours, makes_as_ours, not_another_s
from infra.places import Context, bucket_arn
from infra.private_bucket import STEPS
from infra.sagemaker_role import SageMakerRole
from infra.service_role import ServiceRole, passed_to
from settings_schema import Environment, Model
from settings_schema.serving import OnEndpoint

_JOB_LOGS = "/aws/sagemaker/ProcessingJobs"  # which the whole account shares


class MonitoringRole(SageMakerRole):
    """It reads what was asked, answered and turned out true, and the versions that answered; it writes what it found, and tells of it.

    Of what is published it runs the steps' code. Metrics of its own go to the model's namespace; the other is the platform's for its job
    (CreateProcessingJob's execution role, "SageMaker AI Roles" of its guide).
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        context: Context,
        model: Model,
        environment: Environment,
        key: kms.IKey,
        alerts: sns.ITopic,
    ) -> None:
        self._names, self._place = model.names(context.project).at(environment.name), context.places.of(environment)
        super().__init__(
            scope,
            construct_id,
            place=self._place,
            role_name=self._names.monitoring_role,
            description=f"Watches {model.name} in {environment.name}",
            log_groups=[_JOB_LOGS],
            namespaces=[_JOB_LOGS, self._names.of_model.metrics_namespace],
            in_vpc=environment.in_vpc,
        )
        self.allow("LogGroup", ["logs:CreateLogGroup"], self._place.log_group(_JOB_LOGS))
        self._look_and_write(context, environment, has_endpoint=isinstance(model.serving[environment.name], OnEndpoint))
        self._read_versions(context, environment)
        self._teach(context, model)
        self._run_job()
        self.allow("Tell", ["sns:Publish"], [alerts.topic_arn])
        # SageMaker wants Encrypt of whoever names a key for a volume or an output; S3 and SNS the others.
        key.grant(self, *(f"kms:{action}" for action in ("Decrypt", "Encrypt", "GenerateDataKey", "DescribeKey")))
        self.allow("Volumes", ["kms:CreateGrant"], [key.key_arn], FOR_AWS_RESOURCES)

    def _look_and_write(self, context: Context, environment: Environment, *, has_endpoint: bool) -> None:
        names, bucket = self._names, context.places.environment_bucket(environment)
        answered = [names.capture] if has_endpoint else [names.batch_input, names.predictions]
        read = [*answered, names.labels, names.monitoring]
        self.allow("Bucket", ["s3:GetBucketLocation"], [bucket_arn(bucket)])
        below: dict[str, object] = {"StringLike": {"s3:prefix": [f"{prefix}*" for prefix in read]}}
        self.allow("Find", ["s3:ListBucket"], [bucket_arn(bucket)], below)
        self.allow("Read", ["s3:GetObject"], [bucket_arn(bucket, f"{prefix}*") for prefix in read])
        self.allow("Write", ["s3:PutObject", "s3:AbortMultipartUpload"], [bucket_arn(bucket, f"{names.monitoring}*")])

    def _read_versions(self, context: Context, environment: Environment) -> None:
        """Where the registry is, perhaps in another account, whose policies of group, bucket and key let it in as well.

        Of a run of the training: its evidence (`evaluate`) and the archive (`choose`), not the data that it has prepared.
        """
        registry, pipeline = context.places.registry(environment), self._names.of_model.training_pipeline
        bucket = context.places.artifact_bucket(registry.region)
        group = self._names.of_model.model_package_group
        self.allow("Versions", ["sagemaker:DescribeModelPackage"], [registry.model_packages(group)])
        if registry != context.places.home:  # copies, which say of which version they are
            self.allow("Copies", ["sagemaker:ListModelPackages"], registry.registry(group))
        evidence = [bucket_arn(bucket, f"pipelines/{pipeline}/*/{step}/*") for step in ("evaluate", "choose")]
        self.allow("Evidence", ["s3:GetObject"], evidence)
        self.allow("Code", ["s3:GetObject"], [bucket_arn(bucket, STEPS)])
        below: dict[str, object] = {"StringLike": {"s3:prefix": [f"pipelines/{pipeline}/*", STEPS]}}
        self.allow("FindCode", ["s3:ListBucket"], [bucket_arn(bucket)], below)
        self.allow_all([by_alias("KeyOfVersions", registry, context.project.names.key_alias, TO_READ)])

    def _teach(self, context: Context, model: Model) -> None:
        """Why the model should be trained again and, where it learns from answers, those: in the project's data bucket, perhaps in another
        account, whose policies of bucket and key let it in as well (infra/foundation/foundation_stack.py). It reads there what it wrote.
        """
        names, home, bucket = self._names, context.places.home, context.places.data_bucket()
        written = [names.feedback, *([f"{names.learned}*"] if model.retraining.learn_from_answers else [])]
        self.allow("Teach", ["s3:GetObject", "s3:PutObject"], [bucket_arn(bucket, key) for key in written])
        self.allow("FindTaught", ["s3:ListBucket"], [bucket_arn(bucket)], {"StringLike": {"s3:prefix": written}})
        self.allow_all([by_alias("KeyOfData", home, context.project.names.key_alias, (*TO_READ, "kms:GenerateDataKey"))])

    def _run_job(self) -> None:
        """The pipeline starts its job as itself. Why each condition: infra/model/pipeline_role.py."""
        jobs = [self._place.sagemaker("processing-job", f"{self._names.monitoring_job}-*")]
        self.allow("StartJob", ["sagemaker:CreateProcessingJob", "sagemaker:AddTags"], jobs, makes_as_ours(self._names))
        self.allow("FollowJob", ["sagemaker:DescribeProcessingJob", "sagemaker:ListTags"], jobs, not_another_s(self._names))
        self.allow("StopJob", ["sagemaker:StopProcessingJob"], jobs, is_ours(self._names))
        itself = [self._place.role(self._names.monitoring_role)]
        self.allow("RunJobAsItself", ["iam:PassRole"], itself, passed_to("sagemaker.amazonaws.com"))


class MonitoringScheduleRole(ServiceRole):
    """EventBridge Scheduler's: it starts that pipeline by its name, which is there later than this."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        context: Context,
        model: Model,
        environment: Environment,
        dead_letters: sqs.IQueue,
    ) -> None:
        names, place = model.names(context.project).at(environment.name), context.places.of(environment)
        super().__init__(
            scope,
            construct_id,
            service="scheduler.amazonaws.com",
            description=f"Starts the watch over {model.name} in {environment.name}",
            role_name=names.monitoring_schedule_role,
            own_account_only=True,
        )
        self.allow("Start", ["sagemaker:StartPipelineExecution"], [place.sagemaker("pipeline", names.monitoring_pipeline)])
        send_dead_letters(self, dead_letters)
