"""Role of a model's SageMaker pipelines and of the jobs they start: reads its data, writes what a run makes, registers versions.

Whoever pushes decides what runs with it. So it cannot approve a version, nor change what later decides about one: published code,
serving templates, another pipeline's artifacts (docs/decisions/0077-what-a-push-cannot-reach.md).
"""

from __future__ import annotations

from aws_cdk import aws_kms as kms
from constructs import Construct

from infra.encryption_key import FOR_AWS_RESOURCES
from infra.foundation.foundation_stack import FoundationStack
from infra.ownership import is_ours, makes_as_ours, not_another_s
from infra.places import Context
from infra.private_bucket import CODE, run_objects
from infra.sagemaker_role import SageMakerRole
from infra.service_role import passed_to
from settings_schema import Model

#: Log groups of jobs, which the whole account shares.
_JOB_LOGS = ("ProcessingJobs", "TrainingJobs", "TransformJobs")


class PipelineRole(SageMakerRole):
    """Passed to SageMaker by the build, and by the pipeline to its own jobs."""

    def __init__(self, scope: Construct, construct_id: str, *, context: Context, model: Model, foundation: FoundationStack) -> None:
        self._names, self._home = model.names(context.project), context.places.home
        log_groups = [f"/aws/sagemaker/{kind}" for kind in _JOB_LOGS]
        super().__init__(
            scope,
            construct_id,
            place=self._home,
            role_name=self._names.pipeline_role,
            description=f"Training, evaluation and batch jobs of {model.name}",
            log_groups=log_groups,
            namespaces=["/aws/sagemaker/*", self._names.metrics_namespace],
            in_vpc=context.project.in_vpc,
        )
        self._read_and_write(context, foundation)
        if model.training.use_spot:
            self._keep_checkpoints(foundation)
        self.allow("DataVersion", ["lambda:InvokeFunction"], [self._home.function(self._names.data_version_function)])
        self._run_jobs()
        self._see_what_it_took()
        self._register_versions()
        self._read_champion()
        # No stack of ours can own them: they belong to the whole account.
        self.allow("LogGroups", ["logs:CreateLogGroup"], [arn for name in log_groups for arn in self._home.log_group(name)])
        self.allow("RunJobsAsItself", ["iam:PassRole"], [self._home.role(self._names.pipeline_role)], passed_to("sagemaker.amazonaws.com"))
        self._use_key(foundation.key)

    def _read_and_write(self, context: Context, foundation: FoundationStack) -> None:
        names, data, artifacts = self._names, foundation.data_bucket, foundation.artifact_bucket
        runs = run_objects(context.places.artifact_bucket(self._home.region), names.training_pipeline)
        inputs = [names.training_data, names.batch_input]
        self.allow("WhereBucketsAre", ["s3:GetBucketLocation"], [data.bucket_arn, artifacts.bucket_arn])
        below = [*(f"{prefix}*" for prefix in (*inputs, names.predictions, names.feedback)), f"pipelines/{names.training_pipeline}/*", CODE]
        self.allow("FindObjects", ["s3:ListBucket"], [data.bucket_arn, artifacts.bucket_arn], {"StringLike": {"s3:prefix": below}})
        of_data = {"StringLike": {"s3:prefix": f"{names.training_data}*"}}
        self.allow("DataVersions", ["s3:ListBucketVersions"], [data.bucket_arn], of_data)
        read = [*(data.arn_for_objects(f"{prefix}*") for prefix in (*inputs, names.feedback)), artifacts.arn_for_objects(CODE), runs]
        self.allow("Read", ["s3:GetObject"], read)
        # As they were when the run started (steps/as_recorded.py).
        self.allow("ReadLearned", ["s3:GetObjectVersion"], [data.arn_for_objects(f"{names.training_data}learned/*")])
        write = [runs, data.arn_for_objects(f"{names.predictions}*")]
        self.allow("Write", ["s3:PutObject", "s3:AbortMultipartUpload"], write)

    def _keep_checkpoints(self, foundation: FoundationStack) -> None:
        """SageMaker copies a trial's /opt/ml/checkpoints there while it runs, and back when it runs again."""
        bucket, prefix = foundation.artifact_bucket, self._names.checkpoints
        self.allow("FindCheckpoints", ["s3:ListBucket"], [bucket.bucket_arn], {"StringLike": {"s3:prefix": f"{prefix}*"}})
        actions = ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"]
        self.allow("Checkpoints", actions, [bucket.arn_for_objects(f"{prefix}*")])

    def _run_jobs(self) -> None:
        """Jobs by the names that SageMaker gives them, and by the model's tags, because not every name holds the model's.

        `<prefix>-<execution>-<token>` where a step sets its job's prefix, `pipelines-<execution>-<step>-<token>` where it does not.
        A tuning job's name has 32 characters at most and is `<execution>-<first seven characters of the step>-<token>`, whatever the
        step sets; SageMaker writes ARNs in small letters. Its trials need no permission of this role.
        Source: "IAM Access Management" of SageMaker Pipelines, and the names that executions gave.
        """
        own = f"{self._names.job_prefix}*"
        names = {
            "processing-job": [own],
            "hyper-parameter-tuning-job": ["*-Tune*", "*-tune*"],
            "transform-job": [own, "pipelines-*"],
            "model": ["pipelines-*"],
        }
        resources = [self._home.sagemaker(kind, name) for kind, patterns in names.items() for name in patterns]
        kinds = ("ProcessingJob", "HyperParameterTuningJob", "TransformJob", "Model")
        create = [*(f"sagemaker:Create{kind}" for kind in kinds), "sagemaker:AddTags"]
        self.allow("StartJobs", create, resources, makes_as_ours(self._names))
        # A job's tags may take minutes to count (`_wait_until` of the SageMaker SDK's sagemaker/core/helper/session_helper.py
        # waits five for them), and it is described a second after it was made: the condition is met by what has none.
        follow = [f"sagemaker:Describe{kind}" for kind in kinds]
        follow += ["sagemaker:ListTrainingJobsForHyperParameterTuningJob", "sagemaker:ListTags"]
        self.allow("FollowJobs", follow, resources, not_another_s(self._names))
        self.allow("StopJobs", [f"sagemaker:Stop{kind}" for kind in kinds[:3]], resources, is_ours(self._names))

    def _see_what_it_took(self) -> None:
        """Evaluation tells what the run took and cost: its steps, and the trials, whose names begin with their tuning job's."""
        runs = self._home.sagemaker("pipeline", f"{self._names.training_pipeline}/execution/*")
        self.allow("WhatStepsRan", ["sagemaker:ListPipelineExecutionSteps"], [runs])
        trials = [self._home.sagemaker("training-job", name) for name in ("*-Tune*", "*-tune*")]
        self.allow("WhatTrialsTook", ["sagemaker:DescribeTrainingJob"], trials, not_another_s(self._names))

    def _register_versions(self) -> None:
        registry = self._home.registry(self._names.model_package_group)
        actions = ("DescribeModelPackage", "DescribeModelPackageGroup", "AddTags")
        self.allow("Registry", [f"sagemaker:{action}" for action in actions], registry)
        undecided: dict[str, object] = {"StringEquals": {"sagemaker:ModelApprovalStatus": "PendingManualApproval"}}
        self.allow("RegisterUndecided", ["sagemaker:CreateModelPackage"], registry, undecided)

    def _read_champion(self) -> None:
        """Evaluation compares with the version that the model's pipelines brought to production last, also if it was deleted since."""
        released = [f"codepipeline:{action}" for action in ("ListPipelineExecutions", "GetPipelineExecution", "ListActionExecutions")]
        pipelines = (self._names.deploy_pipeline, self._names.return_pipeline)
        self.allow("Champion", released, [self._home.code_pipeline(name) for name in pipelines])

    def _use_key(self, key: kms.IKey) -> None:
        # SageMaker wants Encrypt of whoever names a key for outputs: API reference, OutputDataConfig.
        key.grant(self, *(f"kms:{action}" for action in ("Decrypt", "Encrypt", "GenerateDataKey", "DescribeKey")))
        self.allow("Volumes", ["kms:CreateGrant"], [key.key_arn], FOR_AWS_RESOURCES)
