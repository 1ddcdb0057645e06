"""Processing jobs: inputs from S3, one command, outputs to S3."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from itertools import product
from typing import Any

from local_account.errors import InvalidError
from local_account.roles import require_sagemaker_role
from local_account.sagemaker.jobs import isolation, spark
from local_account.sagemaker.jobs.container import Container, base_environment, host_names
from local_account.sagemaker.jobs.record import DEFAULT_STOPPING_CONDITION, PROCESSING, Job, JobFailedError, now
from local_account.sagemaker.jobs.running import JobService, Launch, failure_reason
from local_account.sagemaker.jobs.s3_data import S3Data

_MESSAGE = "/opt/ml/output/message"


class ProcessingJobs(JobService):
    """CreateProcessingJob and what follows from it."""

    kind = PROCESSING

    def create(self, request: Mapping[str, Any]) -> Job:
        if not request["AppSpecification"].get("ContainerEntrypoint"):
            raise InvalidError("The local account runs no container images: AppSpecification.ContainerEntrypoint must name the command.")
        for item in request.get("ProcessingInputs", []):
            if "S3Input" not in item:
                raise InvalidError(f"ProcessingInputs: {item['InputName']} needs S3Input or DatasetDefinition.")
        cluster = request["ProcessingResources"]["ClusterConfig"]
        if "InstanceType" not in cluster or "InstanceCount" not in cluster:
            raise InvalidError("ProcessingResources.ClusterConfig needs InstanceType and InstanceCount.")
        _check_paths(request)
        arn = self.runner.context.arn("sagemaker", f"{PROCESSING.arn_part}/{request['ProcessingJobName'].lower()}")
        require_sagemaker_role(self.runner.context, request["RoleArn"], arn)
        if isolation.is_wanted(request):
            isolation.require_possible("CreateProcessingJob")
        if spark.is_wanted(request):
            spark.require_possible()
        return self.jobs.create({**DEFAULT_STOPPING_CONDITION, **request}, {}, self.run)

    def work(self, job: Job) -> None:
        description = job.describe()
        role = self.role(job)
        data, containers = S3Data(role), _containers(job, description)
        for container in containers:
            self._prepare(container, description, data)
        self.jobs.change(job, ProcessingStartTime=now())
        max_seconds = description["StoppingCondition"]["MaxRuntimeInSeconds"]
        ended, code = self.runner.run(job, [self._launch(container, description) for container in containers], role, max_seconds)
        self.jobs.change(job, ExitMessage=ended.container.read_message(_MESSAGE, 1024) or None)
        if code:
            raise JobFailedError(failure_reason(ended.container, _MESSAGE, code, job.log_path))
        for container, output in product(containers, _outputs(description)):
            stored, key = output["S3Output"], description["ProcessingOutputConfig"].get("KmsKeyId")
            data.upload(container.path(stored["LocalPath"]), stored["S3Uri"], key)

    def _prepare(self, container: Container, description: Mapping[str, Any], data: S3Data) -> None:
        container.make("/opt/ml/processing", "/opt/ml/output")
        members = ("ProcessingJobArn", "ProcessingJobName", "AppSpecification", "Environment", "ProcessingInputs", "ProcessingOutputConfig",
                   "ProcessingResources", "RoleArn", "StoppingCondition")  # fmt: skip
        container.write_json("/opt/ml/config/processingjobconfig.json", {name: description.get(name) for name in members})
        container.write_json("/opt/ml/config/resourceconfig.json", container.resource_config())
        container.make(*(output["S3Output"]["LocalPath"] for output in _outputs(description)))
        for item in description.get("ProcessingInputs", []):
            source = item["S3Input"]
            folder = source.get("LocalPath") or f"/opt/ml/processing/input/{item['InputName']}"
            data.fetch(data.find(source["S3Uri"]), container.path(folder))

    def _launch(self, container: Container, description: Mapping[str, Any]) -> Launch:
        environment = base_environment(container, self.runner.context.settings.region, description.get("Environment") or {})
        return Launch(
            container,
            container.command(description["AppSpecification"]),
            {
                "PROCESSING_JOB_NAME": description["ProcessingJobName"],
                **environment,
                **(spark.environment(container, _MESSAGE) if spark.is_wanted(description) else {}),
            },
            container.path("/opt/ml/processing"),
            isolated=isolation.is_wanted(description),
        )


def _containers(job: Job, description: Mapping[str, Any]) -> list[Container]:
    """One for each instance. Of a Spark job only the first, in which Spark has all of its workers."""
    cluster = description["ProcessingResources"]["ClusterConfig"]
    hosts = host_names(cluster["InstanceCount"])
    started = hosts[:1] if spark.is_wanted(description) else hosts
    roots = [job.working_directory / host if len(hosts) > 1 else job.working_directory for host in started]
    return [Container(root, cluster["InstanceType"], host, hosts) for root, host in zip(roots, started, strict=True)]


def _check_paths(request: Mapping[str, Any]) -> None:
    """Raises a ValidationException for data that would lie outside of `/opt/ml/processing`.

    API reference, ProcessingS3Input: "LocalPath is an absolute path to the input data"; all of the guide's are below that folder.
    """
    inputs = [item["S3Input"].get("LocalPath") for item in request.get("ProcessingInputs", [])]
    for path in [*inputs, *(output["S3Output"]["LocalPath"] for output in _outputs(request))]:
        if path and not f"{posixpath.normpath(path)}/".startswith("/opt/ml/processing/"):
            raise InvalidError(f"LocalPath {path} is not below /opt/ml/processing.")


def _outputs(description: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    outputs = (description.get("ProcessingOutputConfig") or {}).get("Outputs", [])
    return [output for output in outputs if (output.get("S3Output") or {}).get("LocalPath")]
