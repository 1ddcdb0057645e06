"""Runs one step of a pipeline: makes the job or resource its evaluated arguments describe, waits, and answers its properties."""

from __future__ import annotations

import json
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from local_account.endpoints.models import Models
from local_account.errors import ServiceError
from local_account.roles import Role
from local_account.sagemaker import requests
from local_account.sagemaker.jobs.processing import ProcessingJobs
from local_account.sagemaker.jobs.record import Job
from local_account.sagemaker.jobs.training import TrainingJobs
from local_account.sagemaker.pipelines import lambda_outputs, retrying
from local_account.sagemaker.pipelines.definition import Step
from local_account.sagemaker.registry.packages import ModelPackages
from local_account.sagemaker.transform.job import TransformJobs
from local_account.sagemaker.tuning.job import TuningJobs

#: A Lambda step fails after ten minutes, however long the function may take: https://github.com/aws/sagemaker-python-sdk/issues/3236
_LAMBDA_LIMIT_SECONDS = 600


class StepFailedError(Exception):
    """The step failed; the message is its FailureReason. `retry_kind` is the exception type a retry policy may match."""

    def __init__(self, reason: str, retry_kind: str | None = None) -> None:
        super().__init__(reason)
        self.retry_kind = retry_kind


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
    """Runs steps of every type but Condition, which only the execution itself can decide."""

    def __init__(
        self,
        processing: ProcessingJobs,
        training: TrainingJobs,
        tuning: TuningJobs,
        transform: TransformJobs,
        models: Models,
        packages: ModelPackages,
    ) -> None:
        self.processing, self.training, self.tuning, self.transform = processing, training, tuning, transform
        self.models, self.packages = models, packages
        self._run: Mapping[str, Callable[[StepCall], StepResult]] = {
            "Processing": self._processing,
            "Training": self._training,
            "Tuning": self._tuning,
            "Transform": self._transform,
            "Model": self._model,
            "RegisterModel": self._register_model,
            "Lambda": self._lambda,
            "Fail": self._fail,
        }

    def run(self, call: StepCall, sleep: Callable[[float], bool], attempted: Callable[[int], None]) -> StepResult:
        """Run with the step's retry policies. `sleep` waits and answers True if it was interrupted; `attempted` counts attempts.

        Raises StepFailedError or StepStoppedError.
        """
        policies = call.step.document.get("RetryPolicies") or []
        started, retries = time.monotonic(), 0
        while True:
            attempted(retries + 1)
            try:
                return self._attempt(call)
            except StepFailedError as failed:
                wait = retrying.wait_seconds(policies, failed.retry_kind, retries, time.monotonic() - started)
                if wait is None:
                    raise
            retries += 1
            if sleep(wait):
                raise StepStoppedError

    def _attempt(self, call: StepCall) -> StepResult:
        try:
            return self._run[call.step.type](call)
        except ServiceError as error:
            code = error.code.removesuffix("Exception")
            raise StepFailedError(f"ClientError: {code}: {error.message}", retrying.kind_of_error(error.code, error.status)) from error

    def _processing(self, call: StepCall) -> StepResult:
        request = self._request("CreateProcessingJob", call, "ProcessingJobName")
        job = self._wait(call, self.processing.create(request), self.processing.jobs.stop, "ProcessingJob")
        described = job.describe()
        return StepResult(described, {"ProcessingJob": {"Arn": job.arn}})

    def _training(self, call: StepCall) -> StepResult:
        request = self._request("CreateTrainingJob", call, "TrainingJobName")
        job = self._wait(call, self.training.create(request), self.training.jobs.stop, "TrainingJob")
        return StepResult(job.describe(), {"TrainingJob": {"Arn": job.arn}})

    def _tuning(self, call: StepCall) -> StepResult:
        request = self._request("CreateHyperParameterTuningJob", call, "HyperParameterTuningJobName")
        job = self._wait(call, self.tuning.create(request), self.tuning.stop, "TuningJob")
        return StepResult({**job.describe(), "TrainingJobSummaries": self.tuning.ranked(job.name)}, {"TuningJob": {"Arn": job.arn}})

    def _transform(self, call: StepCall) -> StepResult:
        request = self._request("CreateTransformJob", call, "TransformJobName")
        job = self._wait(call, self.transform.create(request), self.transform.jobs.stop, "TransformJob")
        return StepResult(job.describe(), {"TransformJob": {"Arn": job.arn}})

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
        if group and not group.startswith("arn:") and not self.packages.groups.exists(group):
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
        """The arguments as a request: typed as the API wants them, held to its model, with a name of its own for every attempt.

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

    def _wait(self, call: StepCall, job: Job, stop: Callable[[str], None], label: str) -> Job:
        call.note({label: {"Arn": job.arn}})
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
            reason = reason or f"{label} {job.name} was stopped; log: {job.log_path}"
            raise StepFailedError(reason, retrying.kind_of_failure(reason, call.step.type))
        return job


def job_name(execution_id: str, step_name: str, custom_prefix: str = "") -> str:
    """`pipelines-<execution>-<step>-<token>`, as SageMaker names a pipeline's jobs, or `<prefix>-<execution>-<token>`; 63 characters."""
    suffix = secrets.token_hex(5)
    start = f"{custom_prefix[:39]}-{execution_id}" if custom_prefix else f"pipelines-{execution_id}-{step_name}"
    start = re.sub(r"[^a-zA-Z0-9-]+", "-", start)[: 62 - len(suffix)].strip("-")
    return f"{start}-{suffix}"


def tuning_job_name(execution_id: str, step_name: str) -> str:
    """`<execution>-<first seven characters of the step>-<token>`: a tuning job's name has 32 characters, and a step's prefix no effect."""
    return f"{execution_id}-{step_name[:7].strip('-')}-{secrets.token_hex(5)}"
