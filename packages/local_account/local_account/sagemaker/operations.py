"""Puts our SageMaker behind its API: every operation that this package has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_account.context import Context
from local_account.endpoints.models import Models
from local_account.sagemaker.api import Api, Operation
from local_account.sagemaker.jobs.processing import ProcessingJobs
from local_account.sagemaker.jobs.record import Jobs
from local_account.sagemaker.jobs.running import JobService, Runner
from local_account.sagemaker.jobs.training import TrainingJobs
from local_account.sagemaker.pipelines.caching import StepCache
from local_account.sagemaker.pipelines.execution import Services
from local_account.sagemaker.pipelines.service import Pipelines
from local_account.sagemaker.pipelines.steps import StepRunner
from local_account.sagemaker.registry.packages import ModelPackages
from local_account.sagemaker.tags import Tags
from local_account.sagemaker.transform.job import TransformJobs
from local_account.sagemaker.tuning.job import TuningJobs
from local_account.sagemaker.warm.containers import WarmContainers


class SageMaker:
    """The SageMaker of one account. Endpoints are in `local_account/endpoints/`."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.warm = WarmContainers.at(context.places.first)
        runner = Runner(context, self.warm)
        self.packages = ModelPackages.at(context)
        self.groups = self.packages.groups
        training = TrainingJobs(runner)
        self.tuning = TuningJobs(training)
        self.jobs: dict[str, JobService | TuningJobs] = {
            "Processing": ProcessingJobs(runner),
            "Training": training,
            "Transform": TransformJobs(runner),
            "Tuning": self.tuning,
        }
        steps = StepRunner(self.jobs, Models.at(context), self.packages)
        self.pipelines = Pipelines(Services(context, steps, StepCache()))

    def operations(self) -> dict[str, Operation]:
        """Every operation by its name."""
        tags = Tags.at(self.context)
        general: dict[str, Operation] = {
            "AddTags": tags.add_tags,
            "DeleteTags": tags.delete_tags,
            "ListTags": tags.list_tags,
        }
        return {**general, **self._pipeline_operations(), **self._job_operations(), **self._registry_operations()}

    def _pipeline_operations(self) -> dict[str, Operation]:
        pipelines = self.pipelines
        return {
            "CreatePipeline": self._warming(pipelines.create),
            "UpdatePipeline": self._warming(pipelines.update),
            "DescribePipeline": pipelines.describe,
            "DeletePipeline": pipelines.delete,
            "ListPipelines": pipelines.list,
            "StartPipelineExecution": self._warming(pipelines.start),
            "StopPipelineExecution": pipelines.stop,
            "DescribePipelineExecution": pipelines.describe_execution,
            "DescribePipelineDefinitionForExecution": pipelines.definition_for_execution,
            "ListPipelineParametersForExecution": pipelines.parameters_for_execution,
            "ListPipelineExecutions": pipelines.list_executions,
            "ListPipelineExecutionSteps": pipelines.list_steps,
        }

    def _job_operations(self) -> dict[str, Operation]:
        found: dict[str, Operation] = {"ListTrainingJobsForHyperParameterTuningJob": self.tuning.trials}
        for service in self.jobs.values():
            name = service.jobs.kind.resource
            found |= {
                f"Create{name}": _creating(service),
                f"Describe{name}": _describing(service.jobs),
                f"List{name}s": service.jobs.list,
                f"Stop{name}": _stopping(service.jobs),
            }
        return found

    def _registry_operations(self) -> dict[str, Operation]:
        groups, packages = self.groups, self.packages
        return {
            **groups.operations(),
            "CreateModelPackageGroup": self._warming(groups.create),
            "DeleteModelPackageGroup": packages.delete_group,
            "PutModelPackageGroupPolicy": groups.put_policy,
            "GetModelPackageGroupPolicy": groups.get_policy,
            "DeleteModelPackageGroupPolicy": groups.delete_policy,
            "CreateModelPackage": packages.create,
            "DescribeModelPackage": packages.describe,
            "UpdateModelPackage": packages.update,
            "DeleteModelPackage": packages.delete,
            "ListModelPackages": packages.list,
        }

    def _warming(self, operation: Operation) -> Operation:
        """Jobs will follow soon: let the containers import their packages meanwhile."""

        def warmed(request: dict[str, Any]) -> Mapping[str, Any] | None:
            answer = operation(request)
            self.warm.prepare()
            return answer

        return warmed


def begin(context: Context) -> None:
    """Put this account's SageMaker behind its API."""
    service = SageMaker(context)
    Api.at(context).operations |= service.operations()
    context.existing.tags_elsewhere = Tags.at(context).of
    context.existing.policy_elsewhere = service.groups.policy_for


def _creating(service: JobService | TuningJobs) -> Operation:
    return lambda request: {service.jobs.kind.arn_field: service.create(request).arn}


def _describing(jobs: Jobs) -> Operation:
    return lambda request: jobs.get(request[jobs.kind.name_field]).describe()


def _stopping(jobs: Jobs) -> Operation:
    return lambda request: jobs.stop(request[jobs.kind.name_field])
