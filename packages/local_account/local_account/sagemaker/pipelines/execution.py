"""One execution of a pipeline: starts steps as they become ready, several at a time, and keeps what the API tells about them."""

from __future__ import annotations

import logging
import os
import queue
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from local_account.context import Context
from local_account.roles import sagemaker_role
from local_account.sagemaker.jobs.record import LONGEST_REASON, now
from local_account.sagemaker.jobs.s3_data import S3Data
from local_account.sagemaker.pipelines import caching, conditions
from local_account.sagemaker.pipelines.definition import Definition, Step
from local_account.sagemaker.pipelines.expressions import ExpressionError, Scope, as_text, evaluate
from local_account.sagemaker.pipelines.progress import Outcome, Progress
from local_account.sagemaker.pipelines.steps import StepCall, StepFailedError, StepResult, StepRunner, StepStoppedError

_log = logging.getLogger(__name__)
_STEP_EVENT = "SageMaker Model Building Pipeline Execution Step Status Change"
_EXECUTION_EVENT = "SageMaker Model Building Pipeline Execution Status Change"


@dataclass
class StepRecord:
    """What ListPipelineExecutionSteps shows of one step."""

    name: str
    type: str
    document: Mapping[str, Any]
    started: datetime
    status: str = "Executing"
    ended: datetime | None = None
    failure_reason: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    cached_from: str = ""

    def shown(self) -> dict[str, Any]:
        return {
            "StepName": self.name,
            "StepDisplayName": self.document.get("DisplayName"),
            "StepDescription": self.document.get("Description"),
            "StartTime": self.started,
            "EndTime": self.ended,
            "StepStatus": self.status,
            "FailureReason": self.failure_reason[:LONGEST_REASON] or None,
            "Metadata": self.metadata,
            "CacheHitResult": {"SourcePipelineExecutionArn": self.cached_from} if self.cached_from else None,
        }


#: What a step reads of another step's file ("Pipelines" quotas of SageMaker: a property file has at most 2 MB).
_PROPERTY_FILE_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True)
class Services:
    """What executions work with."""

    context: Context
    runner: StepRunner
    cache: caching.StepCache


class Execution:
    """`run` is called once, on a thread of its own. Everything else may be called from any thread."""

    def __init__(
        self,
        services: Services,
        pipeline: Mapping[str, Any],
        definition: Definition,
        parameters: Mapping[str, Any],
        request: Mapping[str, Any],
    ) -> None:
        self.services, self.definition, self.parameters, self.request = services, definition, parameters, request
        self.pipeline = dict(pipeline)  # as it was at the start: a later update does not change a running execution
        self.id = _new_id()
        self.arn = f"{pipeline['PipelineArn']}/execution/{self.id}"
        self.role = sagemaker_role(services.context, pipeline["RoleArn"], pipeline["PipelineArn"])
        self.created = self.modified = now()
        #: What the definition may ask for: by the account's clock, as the data that a job looks at are (endpoints/data_capture.py).
        self._started = services.context.clock.now()
        self.status, self.failure_reason = "Executing", ""
        self.steps: dict[str, StepRecord] = {}
        self.ended, self.stop_requested = threading.Event(), threading.Event()
        self._progress = Progress(definition)
        self._properties: dict[str, Any] = {}
        self._finished: queue.Queue[tuple[str, Outcome, bool | None]] = queue.Queue()
        self._lock = threading.RLock()

    def run(self) -> None:
        try:
            self._tell_execution("Executing")
            self._run_steps()
            status = self._progress.status()
        except Exception as error:  # whatever it is, the execution must not hang
            status, self.failure_reason = "Failed", f"InternalServerError: {error!r}"
        failed = [self.steps[name] for name in self._progress.failed]
        if failed and not self.failure_reason:
            self.failure_reason = "Step failure: One or multiple steps failed. " + " | ".join(
                f"{step.name}: {step.failure_reason}" for step in failed
            )
        try:
            self._set_status(status)
        finally:
            self.ended.set()

    def stop(self) -> None:
        with self._lock:
            if self.status == "Executing":
                self.stop_requested.set()
                self._set_status("Stopping")

    def describe(self) -> dict[str, Any]:
        with self._lock:
            return {
                "PipelineArn": self.pipeline["PipelineArn"],
                "PipelineExecutionArn": self.arn,
                "PipelineExecutionDisplayName": self.request.get("PipelineExecutionDisplayName")
                or f"execution-{int(self.created.timestamp() * 1000)}",
                "PipelineExecutionStatus": self.status,
                "PipelineExecutionDescription": self.request.get("PipelineExecutionDescription"),
                # PipelineExecutionFailureReason: one line of at most 1,300 characters.
                "FailureReason": " ".join(self.failure_reason.split())[:1300] or None,
                "CreationTime": self.created,
                "LastModifiedTime": self.modified,
                "CreatedBy": {},
                "LastModifiedBy": {},
                "ParallelismConfiguration": self.request.get("ParallelismConfiguration"),
            }

    def list_steps(self) -> list[dict[str, Any]]:
        """Steps that were started, in the order in which they were."""
        with self._lock:
            return [record.shown() for record in self.steps.values()]

    @property
    def _parallel(self) -> int:
        asked = (self.request.get("ParallelismConfiguration") or {}).get("MaxParallelExecutionSteps")
        # Steps mostly wait: how many jobs compute at a time is limited where they start, at the number of CPUs.
        return int(asked or max(4, os.cpu_count() or 1))

    def _run_steps(self) -> None:
        while True:
            self._progress.stopping = self.stop_requested.is_set() or self.services.context.stopping.is_set()
            if self._progress.stopping:
                self.stop_requested.set()
            for step in self._progress.ready()[: max(0, self._parallel - len(self._progress.running))]:
                self._progress.running.add(step.name)
                with self._lock:
                    self.steps[step.name] = StepRecord(step.name, step.type, step.document, now())
                self._tell_step(step.name)
                self.services.context.in_background(self._run_step, step)
            if not self._progress.running:
                if self._progress.stopping or not self._progress.ready():
                    return
                continue
            try:
                self._note_end(*self._finished.get(timeout=0.25))
            except queue.Empty:
                continue

    def _note_end(self, name: str, outcome: Outcome, taken: bool | None) -> None:
        self._progress.running.discard(name)
        self._progress.outcomes[name] = outcome
        if taken is not None:
            self._progress.branches[name] = taken

    def _run_step(self, step: Step) -> None:
        record = self.steps[step.name]
        outcome, reason = Outcome.COMPLETED, ""
        try:
            result = self._result(step, record)
            self._properties[step.name] = result.properties
            self._note(record, result.metadata)
        except StepStoppedError:
            outcome = Outcome.STOPPED
        except (StepFailedError, ExpressionError) as failed:
            outcome, reason = Outcome.FAILED, str(failed)
        except Exception as error:  # whatever it is, the execution must not hang
            _log.exception("step %s of %s", step.name, self.arn)
            outcome, reason = Outcome.FAILED, f"InternalServerError: {error!r}"
        with self._lock:
            record.ended, record.failure_reason = now(), reason
            record.status = {Outcome.COMPLETED: "Succeeded", Outcome.FAILED: "Failed", Outcome.STOPPED: "Stopped"}[outcome]
            taken = self._properties[step.name]["Outcome"] if step.type == "Condition" and outcome is Outcome.COMPLETED else None
        self._tell_step(step.name)
        self._finished.put((step.name, outcome, taken))

    def _result(self, step: Step, record: StepRecord) -> StepResult:
        scope = self._scope(step)
        if step.type == "Condition":
            taken = conditions.all_hold(step.arguments["Conditions"], scope)
            return StepResult({"Outcome": taken}, {"Condition": {"Outcome": "True" if taken else "False"}})
        arguments = evaluate(step.arguments, scope)
        cache, pipeline, asked = self.services.cache, self.pipeline["PipelineArn"], step.document.get("CacheConfig") or {}
        key = caching.signature(step.type, arguments, step.document.get("FunctionArn"))
        if (
            key
            and asked.get("Enabled")
            and (hit := cache.find(pipeline, step.name, key, now(), caching.lifetime(asked.get("ExpireAfter"))))
        ):
            record.cached_from = hit.execution_arn
            return StepResult(dict(hit.properties), dict(hit.metadata))
        call = StepCall(step, self.role, arguments, self.id, self.arn, self.stop_requested, lambda metadata: self._note(record, metadata))
        result = self.services.runner.run(call)
        if key:  # also without CacheConfig: it lets a run look for *any* earlier run of the step
            cache.keep(pipeline, step.name, key, caching.CachedStep(self.arn, now(), result.properties, result.metadata))
        return result

    def _note(self, record: StepRecord, metadata: dict[str, Any]) -> None:
        with self._lock:
            record.metadata = {**record.metadata, **metadata}

    def _scope(self, step: Step) -> Scope:
        execution = {
            "PipelineName": self.pipeline["PipelineName"],
            "PipelineArn": self.pipeline["PipelineArn"],
            "PipelineExecutionId": self.id,
            "PipelineExecutionArn": self.arn,
            "StartDateTime": self._started.isoformat(),
            "CurrentDateTime": self.services.context.clock.now().isoformat(),
        }
        with self._lock:
            properties = dict(self._properties)
        return Scope(
            parameters=self.parameters,
            execution=execution,
            experiment=self.definition.experiment,
            step_properties=properties,
            property_files=self._property_files(properties),
            read_json=lambda uri: S3Data(self.role).read_json(uri, _PROPERTY_FILE_BYTES),
        )

    def _property_files(self, properties: Mapping[str, Any]) -> dict[str, dict[str, str]]:
        """Where the property files of every step that ended well are."""
        files: dict[str, dict[str, str]] = {}
        for name, described in properties.items():
            outputs = {output["OutputName"]: output for output in (described.get("ProcessingOutputConfig") or {}).get("Outputs", [])}
            for item in self.definition.steps[name].document.get("PropertyFiles") or []:
                if item["OutputName"] in outputs:
                    uri = outputs[item["OutputName"]]["S3Output"]["S3Uri"]
                    files.setdefault(name, {})[item["PropertyFileName"]] = f"{uri.rstrip('/')}/{item['FilePath']}"
        return files

    def _set_status(self, status: str) -> None:
        with self._lock:
            before, self.status, self.modified = self.status, status, now()
        self._tell_execution(before)

    def _tell_execution(self, before: str) -> None:
        detail = {
            "pipelineArn": self.pipeline["PipelineArn"],
            "pipelineExecutionArn": self.arn,
            "pipelineExecutionDescription": self.request.get("PipelineExecutionDescription", ""),
            "pipelineExecutionDisplayName": self.describe()["PipelineExecutionDisplayName"],
            "currentPipelineExecutionStatus": self.status,
            "previousPipelineExecutionStatus": before if before != self.status else None,
            "executionStartTime": self.created.isoformat(),
            "executionEndTime": self.modified.isoformat() if self.status not in ("Executing", "Stopping") else None,
        }
        self._emit(_EXECUTION_EVENT, detail)

    def _tell_step(self, name: str) -> None:
        record = self.steps[name]
        detail = {
            "pipelineArn": self.pipeline["PipelineArn"],
            "pipelineExecutionArn": self.arn,
            "stepName": name,
            "stepType": record.type,
            "currentStepStatus": record.status,
            "stepStartTime": record.started.isoformat(),
            "stepEndTime": record.ended.isoformat() if record.ended else None,
            "failureReason": record.failure_reason or None,
            "metadata": record.metadata,
        }
        self._emit(_STEP_EVENT, detail)

    def _emit(self, kind: str, detail: Mapping[str, Any]) -> None:
        given = {key: value for key, value in detail.items() if value is not None}
        if self.services.context.stopping.is_set():
            return  # nobody is left to act on it
        self.services.context.emit("aws.sagemaker", kind, given, [self.pipeline["PipelineArn"], self.arn])


def parameters_as_text(parameters: Mapping[str, Any]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": as_text(value)} for name, value in parameters.items()]


def _new_id() -> str:
    return "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(12))
