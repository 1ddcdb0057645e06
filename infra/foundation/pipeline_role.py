"""Role of the SageMaker pipelines and of the jobs they start: reads data, writes artifacts, registers versions."""

from __future__ import annotations

from aws_cdk import aws_kms as kms
from constructs import Construct

from infra.arns import Arns
from infra.foundation.project_buckets import ProjectBuckets
from infra.foundation.sagemaker_role import SageMakerRole
from infra.monitoring.drift_metrics import namespace
from settings import Project

_JOBS = {
    "training-job": "TrainingJob",
    "processing-job": "ProcessingJob",
    "hyper-parameter-tuning-job": "HyperParameterTuningJob",
    "transform-job": "TransformJob",
}


class PipelineRole(SageMakerRole):
    """Passed to SageMaker by the build, and by the pipeline to its own jobs."""

    def __init__(self, scope: Construct, construct_id: str, *, project: Project, buckets: ProjectBuckets, key: kms.IKey) -> None:
        super().__init__(
            scope,
            construct_id,
            project=project,
            description=f"Training, evaluation and batch jobs of {project.name}",
            log_group_prefix="/aws/sagemaker/",
            namespaces=["/aws/sagemaker/*", namespace(project)],
        )
        self._arns = Arns(self, project)
        buckets.data.grant_read(self)
        buckets.artifacts.grant_read_write(self)
        buckets.data.grant_write(self, "predictions/*")
        self.allow("DataVersion", ["lambda:InvokeFunction"], [self._arns.function(project.data_version_function)])
        self._run_jobs(project)
        self._register_versions()
        self._read_champion(project)
        self._create_log_groups()
        self.grant_pass_role(self)
        key.grant_encrypt_decrypt(self)
        key.grant(self, "kms:CreateGrant", "kms:DescribeKey")  # volumes of the jobs

    def _run_jobs(self, project: Project) -> None:
        # `<project>-` where a step sets its job's prefix, `pipelines-` where SageMaker names the job.
        names = (f"{project.name}-*", "pipelines-*")
        actions = [f"sagemaker:{verb}{job}" for job in _JOBS.values() for verb in ("Create", "Describe", "Stop")]
        actions += ["sagemaker:ListTrainingJobsForHyperParameterTuningJob", "sagemaker:AddTags", "sagemaker:ListTags"]
        # A tuning step's job is named after the execution, whose id nobody knows before.
        tuning = self._arns.sagemaker("hyper-parameter-tuning-job", "*")
        self.allow("Jobs", actions, [*(self._arns.sagemaker(kind, name) for kind in _JOBS for name in names), tuning])
        models = [self._arns.sagemaker("model", name) for name in names]
        self.allow("Models", ["sagemaker:CreateModel", "sagemaker:DescribeModel", "sagemaker:DeleteModel", "sagemaker:AddTags"], models)

    def _register_versions(self) -> None:
        actions = ("CreateModelPackage", "DescribeModelPackage", "DescribeModelPackageGroup", "ListModelPackages", "AddTags", "ListTags")
        self.allow(
            "Registry", [f"sagemaker:{action}" for action in actions], [self._arns.model_package_group(), self._arns.model_packages()]
        )

    def _read_champion(self, project: Project) -> None:
        """Evaluation compares with the version that an endpoint serves now."""
        endpoints = self._arns.sagemaker("endpoint", f"{project.name}-*")
        actions = ["sagemaker:DescribeEndpoint", "sagemaker:DescribeEndpointConfig", "sagemaker:DescribeModel"]
        self.allow("Champion", actions, [endpoints, *self._arns.hosting_configurations()])

    def _create_log_groups(self) -> None:
        # The groups of jobs belong to the whole account (/aws/sagemaker/TrainingJobs): no stack of ours can own them.
        self.allow("LogGroups", ["logs:CreateLogGroup"], [self._arns.log_groups("/aws/sagemaker/")])
