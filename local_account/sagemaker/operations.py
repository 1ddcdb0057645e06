"""Puts our SageMaker behind the public API: the operations that moto lacks or only records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from local_account.context import Context
from local_account.moto_operations import Operation, install_operations
from local_account.sagemaker.jobs.processing import ProcessingJobs
from local_account.sagemaker.jobs.record import Job, Jobs
from local_account.sagemaker.jobs.running import Runner
from local_account.sagemaker.jobs.s3_data import S3Data
from local_account.sagemaker.jobs.training import TrainingJobs
from local_account.sagemaker.pipelines.caching import StepCache
from local_account.sagemaker.pipelines.execution import Services
from local_account.sagemaker.pipelines.service import Pipelines
from local_account.sagemaker.pipelines.steps import StepRunner
from local_account.sagemaker.registry.groups import ModelPackageGroups
from local_account.sagemaker.registry.packages import ModelPackages
from local_account.sagemaker.tags import Tags
from local_account.sagemaker.transform.job import TransformJobs
from local_account.sagemaker.tuning.job import TuningJobs
from local_account.sagemaker.warm.containers import warm_containers_of

Call = Callable[[dict[str, Any]], Mapping[str, Any] | None]


class SageMaker:
    """The SageMaker of one account."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.warm = warm_containers_of(context)
        runner, data = Runner(context, self.warm), S3Data(context)
        self.tags = Tags()
        self.groups = ModelPackageGroups(context)
        self.packages = ModelPackages(context, self.groups)
        self.processing, self.training = ProcessingJobs(runner, data), TrainingJobs(runner, data)
        self.tuning, self.transform = TuningJobs(self.training), TransformJobs(runner, data)
        steps = StepRunner(self.processing, self.training, self.tuning, self.transform, self.packages)
        self.pipelines = Pipelines(Services(context, steps, data, StepCache()))

    def operations(self) -> dict[str, Call]:
        """Every operation that is ours, by its name in snake case."""
        return {**self._pipeline_operations(), **self._job_operations(), **self._registry_operations()}

    def _pipeline_operations(self) -> dict[str, Call]:
        pipelines = self.pipelines
        return {
            "create_pipeline": self._warming(self._tagging(pipelines.create, "PipelineArn")),
            "update_pipeline": self._warming(pipelines.update),
            "describe_pipeline": pipelines.describe,
            "delete_pipeline": pipelines.delete,
            "list_pipelines": pipelines.list,
            "start_pipeline_execution": self._warming(pipelines.start),
            "stop_pipeline_execution": pipelines.stop,
            "describe_pipeline_execution": pipelines.describe_execution,
            "describe_pipeline_definition_for_execution": pipelines.definition_for_execution,
            "list_pipeline_parameters_for_execution": pipelines.parameters_for_execution,
            "list_pipeline_executions": pipelines.list_executions,
            "list_pipeline_execution_steps": pipelines.list_steps,
        }

    def _job_operations(self) -> dict[str, Call]:
        found: dict[str, Call] = {"list_training_jobs_for_hyper_parameter_tuning_job": self.tuning.trials}
        kinds: tuple[tuple[str, Jobs, Callable[[dict[str, Any]], Job]], ...] = (
            ("processing_job", self.processing.jobs, self.processing.create),
            ("training_job", self.training.jobs, self.training.create),
            ("transform_job", self.transform.jobs, self.transform.create),
            ("hyper_parameter_tuning_job", self.tuning.jobs, self.tuning.create),
        )
        for name, jobs, create in kinds:
            found |= {
                f"create_{name}": self._tagging(_creating(create, jobs), jobs.kind.arn_field),
                f"describe_{name}": _describing(jobs),
                f"list_{name}s": jobs.list,
                f"stop_{name}": _stopping(jobs),
            }
        return found

    def _registry_operations(self) -> dict[str, Call]:
        groups, packages = self.groups, self.packages
        return {
            "create_model_package_group": self._warming(self._tagging(groups.create, "ModelPackageGroupArn")),
            "describe_model_package_group": lambda request: groups.get(request["ModelPackageGroupName"]),
            "delete_model_package_group": packages.delete_group,
            "list_model_package_groups": groups.list,
            "put_model_package_group_policy": groups.put_policy,
            "get_model_package_group_policy": groups.get_policy,
            "delete_model_package_group_policy": groups.delete_policy,
            "create_model_package": self._tagging(packages.create, "ModelPackageArn"),
            "describe_model_package": packages.describe,
            "batch_describe_model_package": packages.describe_several,
            "update_model_package": packages.update,
            "delete_model_package": packages.delete,
            "list_model_packages": packages.list,
        }

    def _warming(self, call: Call) -> Call:
        """Jobs will follow soon: let the containers import their packages meanwhile."""

        def warmed(request: dict[str, Any]) -> Mapping[str, Any] | None:
            answer = call(request)
            self.warm.prepare()
            return answer

        return warmed

    def _tagging(self, call: Call, arn_field: str) -> Call:
        def tagged(request: dict[str, Any]) -> Mapping[str, Any] | None:
            answer = call(request)
            self.tags.add((answer or {})[arn_field], request.get("Tags"))
            return answer

        return tagged


def install(context: Context) -> SageMaker:
    """Put this account's SageMaker behind moto's API. A later account replaces it."""
    from moto.sagemaker.responses import SageMakerResponse

    service = SageMaker(context)
    install_operations(context, SageMakerResponse, {name: _operation(call) for name, call in service.operations().items()})
    _install_tags(SageMakerResponse, service.tags)
    return service


def _operation(call: Call) -> Operation:
    return lambda _, request: call(request) or {}


def _creating(create: Callable[[dict[str, Any]], Job], jobs: Jobs) -> Call:
    return lambda request: {jobs.kind.arn_field: create(request).arn}


def _describing(jobs: Jobs) -> Call:
    return lambda request: jobs.get(request[jobs.kind.name_field]).describe()


def _stopping(jobs: Jobs) -> Call:
    return lambda request: jobs.stop(request[jobs.kind.name_field])


_MOTO_TAGS: dict[str, Any] = {}


def _install_tags(response_class: Any, tags: Tags) -> None:
    """Tags of what we keep come from us, those of everything else from moto."""
    from moto.core.responses import ActionResult

    for name in ("add_tags", "list_tags", "delete_tags"):
        _MOTO_TAGS.setdefault(name, getattr(response_class, name))

    def route(name: str, own: Callable[[str, Any], Mapping[str, Any]]) -> Callable[[Any], Any]:
        def call(response: Any) -> Any:
            arn = response._get_param("ResourceArn")
            return ActionResult(own(arn, response)) if tags.knows(arn) else _MOTO_TAGS[name](response)

        return call

    def remove(arn: str, response: Any) -> dict[str, Any]:
        tags.remove(arn, response._get_param("TagKeys") or [])
        return {}

    response_class.add_tags = route("add_tags", lambda arn, response: {"Tags": tags.add(arn, response._get_param("Tags"))})
    response_class.list_tags = route("list_tags", lambda arn, response: {"Tags": tags.list(arn)})
    response_class.delete_tags = route("delete_tags", remove)
