"""Puts our SageMaker behind its API: every operation that this package has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_account.context import Context
from local_account.endpoints.models import Models
from local_account.sagemaker.api import Api, Operation
from local_account.sagemaker.jobs.processing import ProcessingJobs
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

#: Jobs will follow soon: the containers import their packages meanwhile.
_WARMING = ("CreatePipeline", "UpdatePipeline", "StartPipelineExecution", "CreateModelPackageGroup")


def begin(context: Context) -> None:
    """Put this account's SageMaker behind its API. Endpoints are in `local_account/endpoints/`."""
    warm, packages, tags = WarmContainers.at(context.places.first), ModelPackages.at(context), Tags.at(context)
    runner = Runner(context, warm)
    training = TrainingJobs(runner)
    tuning = TuningJobs(training)
    jobs: dict[str, JobService] = {
        "Processing": ProcessingJobs(runner),
        "Training": training,
        "Transform": TransformJobs(runner),
        "Tuning": tuning,
    }
    pipelines = Pipelines(Services(context, StepRunner(jobs, Models.at(context), packages), StepCache()))
    operations = Api.at(context).operations
    for part in (tags, pipelines, packages.groups, packages):
        operations |= part.operations()
    for service in jobs.values():
        operations |= service.jobs.operations(service.create)
    operations["ListTrainingJobsForHyperParameterTuningJob"] = tuning.trials
    operations |= {name: _warming(operations[name], warm) for name in _WARMING}
    context.existing.tags_elsewhere = tags.of
    context.existing.policy_elsewhere = packages.groups.policy_for


def _warming(operation: Operation, warm: WarmContainers) -> Operation:
    def warmed(request: dict[str, Any]) -> Mapping[str, Any] | None:
        answer = operation(request)
        warm.prepare()
        return answer

    return warmed
