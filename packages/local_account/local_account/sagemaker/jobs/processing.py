"""Processing jobs: inputs from S3, one command, outputs to S3."""

from __future__ import annotations

import posixpath
import shutil
from collections.abc import Mapping
from typing import Any

from local_account.errors import ServiceError
from local_account.roles import Role, require_sagemaker_role, sagemaker_role
from local_account.sagemaker.jobs import cloudwatch_logs, isolation
from local_account.sagemaker.jobs.container import Container, base_environment
from local_account.sagemaker.jobs.record import PROCESSING, Job, JobFailedError, Jobs, JobStoppedError, failure_of, now
from local_account.sagemaker.jobs.running import Launch, Runner, failure_reason
from local_account.sagemaker.jobs.s3_data import S3Data

_MESSAGE = "/opt/ml/output/message"
_DEFAULT_MAX_SECONDS = 86400


class ProcessingJobs:
    """CreateProcessingJob and what follows from it."""

    def __init__(self, runner: Runner, data: S3Data) -> None:
        self.runner, self.data = runner, data
        self.jobs = Jobs(runner.context, PROCESSING)

    def create(self, request: Mapping[str, Any]) -> Job:
        """Start a job. Raises ServiceError if the request cannot be run; nothing is started then."""
        if not request["AppSpecification"].get("ContainerEntrypoint"):
            raise ServiceError(
                "ValidationException",
                "The local account runs no container images: AppSpecification.ContainerEntrypoint must name the command.",
            )
        for item in request.get("ProcessingInputs", []):
            if "S3Input" not in item:
                raise ServiceError("ValidationException", f"ProcessingInputs: {item['InputName']} needs S3Input or DatasetDefinition.")
        cluster = request["ProcessingResources"]["ClusterConfig"]
        if "InstanceType" not in cluster or "InstanceCount" not in cluster:
            raise ServiceError("ValidationException", "ProcessingResources.ClusterConfig needs InstanceType and InstanceCount.")
        _check_paths(request)
        arn = self.runner.context.arn("sagemaker", f"{PROCESSING.arn_part}/{request['ProcessingJobName'].lower()}")
        require_sagemaker_role(self.runner.context, request["RoleArn"], arn)
        if isolation.is_wanted(request):
            isolation.require_possible("CreateProcessingJob")
        defaults = {"StoppingCondition": {"MaxRuntimeInSeconds": _DEFAULT_MAX_SECONDS}} if "StoppingCondition" not in request else {}
        return self.jobs.create(request, defaults, self._run)

    def _run(self, job: Job) -> None:
        try:
            with self.runner.slot(job):
                self._work(job)
        except JobStoppedError as stopped:
            self.jobs.end(
                job, "Stopped", ProcessingEndTime=now(), **({"FailureReason": str(stopped)} if "Exceeded" in str(stopped) else {})
            )
        except JobFailedError as failed:
            self.jobs.end(job, "Failed", ProcessingEndTime=now(), FailureReason=str(failed))
        except Exception as error:  # whatever it is, the job must not hang
            self.jobs.end(job, "Failed", ProcessingEndTime=now(), FailureReason=failure_of(error))
        finally:
            shutil.rmtree(job.working_directory, ignore_errors=True)
        cloudwatch_logs.publish(self._role(job), job)

    def _work(self, job: Job) -> None:
        description = job.describe()
        cluster = description["ProcessingResources"]["ClusterConfig"]
        container = Container(job.working_directory, cluster["InstanceType"])
        self._prepare(container, description)
        role = self._role(job)
        data = self.data.of(role)
        for item in description.get("ProcessingInputs", []):
            source = item["S3Input"]
            folder = source.get("LocalPath") or f"/opt/ml/processing/input/{item['InputName']}"
            data.fetch(data.find(source["S3Uri"]), container.path(folder))
        self.jobs.change(job, ProcessingStartTime=now())
        uploads = _Uploads(data, description, container)
        max_seconds = description["StoppingCondition"]["MaxRuntimeInSeconds"]
        credentials = None if isolation.is_wanted(job.description) else role.credentials
        code = self.runner.run(job, self._launch(container, description), max_seconds, uploads.continuous, credentials=credentials)
        job.exit_code = code
        message = container.read_message(_MESSAGE, 1024)
        exit_message = {"ExitMessage": message} if message else {}
        if code:
            self.jobs.change(job, **exit_message)
            raise JobFailedError(failure_reason(container, _MESSAGE, code, job.log_path))
        uploads.all()
        self.jobs.end(job, "Completed", ProcessingEndTime=now(), **exit_message)

    def _prepare(self, container: Container, description: Mapping[str, Any]) -> None:
        container.make("/opt/ml/processing", "/opt/ml/output")
        members = ("ProcessingJobArn", "ProcessingJobName", "AppSpecification", "Environment", "ProcessingInputs", "ProcessingOutputConfig",
                   "ProcessingResources", "RoleArn", "StoppingCondition")  # fmt: skip
        container.write_json("/opt/ml/config/processingjobconfig.json", {name: description.get(name) for name in members})
        container.write_json("/opt/ml/config/resourceconfig.json", container.resource_config())
        container.make(*(output["S3Output"]["LocalPath"] for output in _outputs(description)))

    def _role(self, job: Job) -> Role:
        return sagemaker_role(self.runner.context, job.description["RoleArn"], job.arn)

    def _launch(self, container: Container, description: Mapping[str, Any]) -> Launch:
        application = description["AppSpecification"]
        command = [container.localise(part) for part in [*application["ContainerEntrypoint"], *application.get("ContainerArguments", [])]]
        environment = base_environment(container, self.runner.context.settings.region, description.get("Environment") or {})
        return Launch(
            container,
            command,
            {"PROCESSING_JOB_NAME": description["ProcessingJobName"], **environment},
            container.path("/opt/ml/processing"),
            isolated=isolation.is_wanted(description),
        )


def _check_paths(request: Mapping[str, Any]) -> None:
    """Raises a ValidationException for data that would lie outside of `/opt/ml/processing`.

    API reference, ProcessingS3Input: "LocalPath is an absolute path to the input data"; all of the guide's are below that folder.
    """
    inputs = [item["S3Input"].get("LocalPath") for item in request.get("ProcessingInputs", [])]
    for path in [*inputs, *(output["S3Output"]["LocalPath"] for output in _outputs(request))]:
        if path and not f"{posixpath.normpath(path)}/".startswith("/opt/ml/processing/"):
            raise ServiceError("ValidationException", f"LocalPath {path} is not below /opt/ml/processing.")


def _outputs(description: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    outputs = (description.get("ProcessingOutputConfig") or {}).get("Outputs", [])
    return [output for output in outputs if (output.get("S3Output") or {}).get("LocalPath")]


class _Uploads:
    """A job's outputs: those marked Continuous while it runs, all of them once it ended well."""

    def __init__(self, data: S3Data, description: Mapping[str, Any], container: Container) -> None:
        self.data, self.container = data, container
        self.outputs = [output["S3Output"] for output in _outputs(description)]
        self.key = (description.get("ProcessingOutputConfig") or {}).get("KmsKeyId")
        self._seen: dict[str, dict[str, tuple[int, int]]] = {}

    def continuous(self) -> None:
        self._upload("Continuous")

    def all(self) -> None:
        self._upload("Continuous")
        self._upload("EndOfJob")

    def _upload(self, mode: str) -> None:
        for output in self.outputs:
            if output.get("S3UploadMode", "EndOfJob") == mode:
                seen = self._seen.setdefault(output["LocalPath"], {})
                self.data.upload(self.container.path(output["LocalPath"]), output["S3Uri"], self.key, seen)
