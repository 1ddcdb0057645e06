"""Runs one step of a pipeline: makes the job or resource its evaluated arguments describe, waits, and answers its properties."""

from __future__ import annotations

import json
import re
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from local_account.endpoints.models import Models
from local_account.errors import ServiceError
from local_account.roles import Role
from local_account.sagemaker import requests
from local_account.sagemaker.jobs.record import Job
from local_account.sagemaker.jobs.running import JobService
from local_account.sagemaker.pipelines import lambda_outputs
from local_account.sagemaker.pipelines.definition import Step
from local_account.sagemaker.registry.packages import ModelPackages

#: A Lambda step fails after ten minutes, however long the function may take: https://github.com/aws/sagemaker-python-sdk/issues/3236
_LAMBDA_LIMIT_SECONDS = 600


class StepFailedError(Exception):
    """The step failed; the message is its FailureReason."""


class StepStoppedError(Exception):
    """The step was stopped by a request."""


@dataclass
class StepResult:
    """`properties` is what expressions of later steps see, `metadata` what ListPipelineExecutionSteps shows."""

    properties: dict[str, Any]
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StepCall:
    """One step with its evaluated arguments, in one execution. `note` is told the metadata as soon as it is known."""

    step: Step
    role: Role
    arguments: Mapping[str, Any]
    execution_id: str
    execution_arn: str
    stop: threading.Event
    note: Callable[[dict[str, Any]], None]


class StepRunner:
    """Runs steps of every type but Condition, which only the execution itself can decide.

    Retry policies have no effect: no service is throttled or short of capacity here, and the script's own failures match none.
    """

    def __init__(self, jobs: Mapping[str, JobService], models: Models, packages: ModelPackages) -> None:
        """`jobs`: the type of a step -> what runs its job."""
        self.jobs, self.models, self.packages = jobs, models, packages
        self._run: Mapping[str, Callable[[StepCall], StepResult]] = {
            **dict.fromkeys(jobs, self._job),
            "Model": self._model,
            "RegisterModel": self._register_model,
            "Lambda": self._lambda,
            "Fail": self._fail,
        }

    def run(self, call: StepCall) -> StepResult:
        """Raises StepFailedError or StepStoppedError."""
        try:
            return self._run[call.step.type](call)
        except ServiceError as error:
            code = error.code.removesuffix("Exception")
            raise StepFailedError(f"ClientError: {code}: {error.message}") from error

    def _job(self, call: StepCall) -> StepResult:
        service = self.jobs[call.step.type]
        kind, label = service.jobs.kind, f"{call.step.type}Job"
        job = service.create(self._request(f"Create{kind.resource}", call, kind.name_field))
        call.note({label: {"Arn": job.arn}})
        self._wait(call, job, service.jobs.stop, label)
        return StepResult(service.properties(job), {label: {"Arn": job.arn}})

    def _model(self, call: StepCall) -> StepResult:
        request = self._request("CreateModel", call, "ModelName")
        self.models.create(request)
        described = self.models.describe(request)
        return StepResult(described, {"Model": {"Arn": described["ModelArn"]}})

    def _register_model(self, call: StepCall) -> StepResult:
        request = requests.as_modelled("CreateModelPackage", dict(call.arguments))
        requests.check("CreateModelPackage", request)
        request.setdefault("MetadataProperties", {}).setdefault("GeneratedBy", call.execution_arn)
        group = request.get("ModelPackageGroupName", "")
        if group and not group.startswith("arn:") and not self.packages.groups.find(group):
            missing = {"ModelPackageGroupName": group}  # a RegisterModel step makes a missing group
            call.role.require("sagemaker", "CreateModelPackageGroup", missing)
            self.packages.groups.create(missing)
        call.role.require("sagemaker", "CreateModelPackage", request)
        arn = self.packages.create(request)["ModelPackageArn"]
        return StepResult(self.packages.describe({"ModelPackageName": arn}), {"RegisterModel": {"Arn": arn}})

    def _lambda(self, call: StepCall) -> StepResult:
        """Invoke the function and wait: one that runs cannot be stopped, as StopPipelineExecution says."""
        from botocore.exceptions import ClientError, ReadTimeoutError

        arn, declared = call.step.document["FunctionArn"], call.step.document.get("OutputParameters") or []
        call.note({"Lambda": {"Arn": arn}})
        client = call.role.client("lambda", answers_within_seconds=_LAMBDA_LIMIT_SECONDS)
        try:
            answer = client.invoke(FunctionName=arn, Payload=json.dumps(call.arguments).encode())
            said = json.loads(answer["Payload"].read() or "null")
        except ClientError as error:
            raise ServiceError(error.response["Error"]["Code"], error.response["Error"]["Message"]) from error
        except ReadTimeoutError as error:
            raise StepFailedError(f"ClientError: {arn} did not answer within {_LAMBDA_LIMIT_SECONDS} s") from error
        if answer.get("FunctionError"):
            raise StepFailedError(f"ClientError: {arn} failed: {said.get('errorMessage', said)}")
        try:
            values = lambda_outputs.values(declared, said)
        except lambda_outputs.OutputError as error:
            raise StepFailedError(f"ClientError: {arn}: {error}") from error
        shown = [{"Name": name, "Value": lambda_outputs.as_text(value)} for name, value in values.items()]
        return StepResult({"OutputParameters": values}, {"Lambda": {"Arn": arn, "OutputParameters": shown}})

    def _fail(self, call: StepCall) -> StepResult:
        message = str(call.arguments.get("ErrorMessage", ""))
        call.note({"Fail": {"ErrorMessage": message}})
        raise StepFailedError(message)

    def _request(self, operation: str, call: StepCall, name_field: str) -> dict[str, Any]:
        """The arguments as a request: typed as the API wants them, held to its model, with a name of its own.

        A name in the definition is a prefix (`use_custom_job_prefix` of the SDK's PipelineDefinitionConfig).
        """
        arguments: dict[str, Any] = requests.as_modelled(operation, dict(call.arguments))
        arguments.pop("ExperimentConfig", None)
        if call.step.type == "Tuning":
            name = tuning_job_name(call.execution_id, call.step.name)
        else:
            name = job_name(call.execution_id, call.step.name, arguments.get(name_field) or "")
        request = {**arguments, name_field: name}
        requests.check(operation, request)
        call.role.require("sagemaker", operation, request)  # the pipeline asks in its role's name
        return request

    def _wait(self, call: StepCall, job: Job, stop: Callable[[str], None], label: str) -> None:
        while not job.ended.wait(0.1):
            if call.stop.is_set() and job.status == "InProgress":
                try:
                    stop(job.name)
                except ServiceError:
                    continue  # it ended just now
        reason = job.describe().get("FailureReason", "")
        if job.status == "Stopped" and not reason and call.stop.is_set():
            raise StepStoppedError
        if job.status != "Completed":
            raise StepFailedError(reason or f"{label} {job.name} was stopped; log: {job.log_path}")


def job_name(execution_id: str, step_name: str, custom_prefix: str = "") -> str:
    """`pipelines-<execution>-<step>-<token>`, as SageMaker names a pipeline's jobs, or `<prefix>-<execution>-<token>`; 63 characters."""
    suffix = secrets.token_hex(5)
    start = f"{custom_prefix[:39]}-{execution_id}" if custom_prefix else f"pipelines-{execution_id}-{step_name}"
    start = re.sub(r"[^a-zA-Z0-9-]+", "-", start)[: 62 - len(suffix)].strip("-")
    return f"{start}-{suffix}"


def tuning_job_name(execution_id: str, step_name: str) -> str:
    """`<execution>-<first seven characters of the step>-<token>`: a tuning job's name has 32 characters, and a step's prefix no effect."""
    return f"{execution_id}-{step_name[:7].strip('-')}-{secrets.token_hex(5)}"
