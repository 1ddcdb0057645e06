"""Role of the SageMaker pipelines and of the jobs they start: reads data, writes what a run makes, registers versions.

Whoever pushes decides what runs with it. So it cannot approve a version, nor change what later decides about one: published code,
endpoint templates, another pipeline's artifacts (docs/decisions/0077-what-a-push-cannot-reach.md).
"""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_kms as kms
from constructs import Construct

from infra.arns import Arns
from infra.foundation.project_buckets import CODE, ProjectBuckets
from infra.foundation.project_key import FOR_AWS_RESOURCES
from infra.foundation.sagemaker_role import SageMakerRole
from infra.monitoring.drift_metrics import namespace
from infra.ownership import is_ours, makes_as_ours, not_another_s
from settings import Environment, Project

#: Log groups of jobs, which the whole account shares.
_JOB_LOGS = ("ProcessingJobs", "TrainingJobs", "TransformJobs")


class PipelineRole(SageMakerRole):
    """Passed to SageMaker by the build, and by the pipeline to its own jobs."""

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
        log_groups = [f"/aws/sagemaker/{kind}" for kind in _JOB_LOGS]
        super().__init__(
            scope,
            construct_id,
            project=project,
            description=f"Training, evaluation and batch jobs of {project.name}",
            log_groups=log_groups,
            namespaces=["/aws/sagemaker/*", namespace(project)],
        )
        self._arns = Arns(self, project)
        self._read_and_write(project, buckets)
        self.allow("DataVersion", ["lambda:InvokeFunction"], [self._arns.function(project.data_version_function)])
        self._run_jobs(project)
        self._register_versions()
        self._read_champion(project, environments)
        # No stack of ours can own them: they belong to the whole account.
        self.allow("LogGroups", ["logs:CreateLogGroup"], [arn for name in log_groups for arn in self._arns.log_group(name)])
        self.grant_pass_role(self)
        # SageMaker wants Encrypt of whoever names a key for outputs: API reference, OutputDataConfig.
        key.grant(self, *(f"kms:{action}" for action in ("Decrypt", "Encrypt", "GenerateDataKey", "DescribeKey")))
        self.allow("Volumes", ["kms:CreateGrant"], [key.key_arn], FOR_AWS_RESOURCES)

    def _read_and_write(self, project: Project, buckets: ProjectBuckets) -> None:
        self.allow("FindBuckets", ["s3:ListBucket", "s3:GetBucketLocation"], [buckets.data.bucket_arn, buckets.artifacts.bucket_arn])
        read = [buckets.data.arn_for_objects("*"), buckets.artifacts.arn_for_objects(CODE), buckets.run_objects(project)]
        self.allow("Read", ["s3:GetObject"], read)
        self.allow("DataVersions", ["s3:ListBucketVersions"], [buckets.data.bucket_arn])
        write = [buckets.run_objects(project), buckets.data.arn_for_objects("predictions/*")]
        self.allow("Write", ["s3:PutObject", "s3:AbortMultipartUpload"], write)

    def _run_jobs(self, project: Project) -> None:
        """Jobs by the names that SageMaker gives them, and by the project's tag, because not every name holds the project's.

        `<prefix>-<execution>-<token>` where a step sets its job's prefix, `pipelines-<execution>-<step>-<token>` where it does not.
        A tuning job's name has 32 characters at most and is `<execution>-<first seven characters of the step>-<token>`, whatever the
        step sets; SageMaker writes ARNs in small letters. Its trials need no permission of this role.
        Source: "IAM Access Management" of SageMaker Pipelines, and the names that executions gave.
        """
        names = {
            "processing-job": [f"{project.name}-*"],
            "hyper-parameter-tuning-job": ["*-Tune*", "*-tune*"],
            "transform-job": ["pipelines-*"],
            "model": ["pipelines-*"],
        }
        resources = [self._arns.sagemaker(kind, name) for kind, patterns in names.items() for name in patterns]
        kinds = ("ProcessingJob", "HyperParameterTuningJob", "TransformJob", "Model")
        self.allow("StartJobs", [*(f"sagemaker:Create{kind}" for kind in kinds), "sagemaker:AddTags"], resources, makes_as_ours(project))
        # A job's tags may take minutes to count (`_wait_until` of the SageMaker SDK's sagemaker/core/helper/session_helper.py
        # waits five for them), and it is described a second after it was made: the condition is met by what has none.
        follow = [f"sagemaker:Describe{kind}" for kind in kinds]
        follow += ["sagemaker:ListTrainingJobsForHyperParameterTuningJob", "sagemaker:ListTags"]
        self.allow("FollowJobs", follow, resources, not_another_s(project))
        self.allow("StopJobs", [f"sagemaker:Stop{kind}" for kind in kinds[:3]], resources, is_ours(project))

    def _register_versions(self) -> None:
        registry = self._arns.registry()
        actions = ("DescribeModelPackage", "DescribeModelPackageGroup", "AddTags")
        self.allow("Registry", [f"sagemaker:{action}" for action in actions], registry)
        undecided: dict[str, object] = {"StringEquals": {"sagemaker:ModelApprovalStatus": "PendingManualApproval"}}
        self.allow("RegisterUndecided", ["sagemaker:CreateModelPackage"], registry, undecided)

    def _read_champion(self, project: Project, environments: Sequence[Environment]) -> None:
        """Evaluation compares with the version that an endpoint serves now."""
        endpoints = [self._arns.endpoint(environment) for environment in environments]
        self.allow("ChampionEndpoint", ["sagemaker:DescribeEndpoint"], endpoints)
        reads = ["sagemaker:DescribeEndpointConfig", "sagemaker:DescribeModel"]
        self.allow("Champion", reads, self._arns.hosting_configurations(), not_another_s(project))
