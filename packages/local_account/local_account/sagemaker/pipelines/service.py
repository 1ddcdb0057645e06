"""The API of SageMaker Pipelines: pipelines, their executions and steps."""

from __future__ import annotations

import builtins
import threading
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from local_account.errors import ServiceError
from local_account.roles import sagemaker_role
from local_account.sagemaker import listing, requests
from local_account.sagemaker.jobs.record import now
from local_account.sagemaker.pipelines import definition as definitions
from local_account.sagemaker.pipelines import schema
from local_account.sagemaker.pipelines.execution import Execution, Services, parameters_as_text
from local_account.sagemaker.pipelines.parameters import ParameterError, resolve
from local_account.sagemaker.tags import tags_of

_DESCRIBED = ("PipelineName", "PipelineDisplayName", "PipelineDescription", "RoleArn", "ParallelismConfiguration")


class Pipelines:
    """Pipelines by name, executions by ARN, both in the order in which they were made."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self._pipelines: dict[str, dict[str, Any]] = {}
        self._executions: dict[str, Execution] = {}
        self._tokens: dict[tuple[str, str], str] = {}
        self._lock = threading.RLock()

    # ---- pipelines

    def create(self, request: Mapping[str, Any]) -> dict[str, Any]:
        name = request["PipelineName"]
        text, _ = self._definition(request)
        with self._lock:
            known = next((item for item in self._pipelines.values() if item["PipelineName"].lower() == name.lower()), None)
            if known:  # also one that differs in case only: the ARN has the name in lower case, and is one pipeline's
                if known["PipelineName"] == name and request["ClientRequestToken"] == known["_token"]:
                    return {"PipelineArn": known["PipelineArn"]}
                raise ServiceError(
                    "ValidationException",
                    f"Pipeline names must be unique within an AWS account and region. Pipeline with name ({name}) already exists.",
                )
            moment = now()
            self._pipelines[name] = {
                **{member: request[member] for member in _DESCRIBED if member in request},
                "PipelineArn": self.services.context.arn("sagemaker", f"pipeline/{name.lower()}"),
                "PipelineDisplayName": request.get("PipelineDisplayName") or name,
                "PipelineDefinition": text,
                "PipelineStatus": "Active",
                "CreationTime": moment,
                "LastModifiedTime": moment,
                "CreatedBy": {},
                "LastModifiedBy": {},
                "_token": request["ClientRequestToken"],
            }
            arn = self._pipelines[name]["PipelineArn"]
            tags_of(self.services.context).add(arn, request.get("Tags"))
            return {"PipelineArn": arn}

    def update(self, request: Mapping[str, Any]) -> dict[str, Any]:
        pipeline = self._get(request["PipelineName"])
        changes = {member: request[member] for member in _DESCRIBED if member in request}
        if request.get("PipelineDefinition") or request.get("PipelineDefinitionS3Location"):
            changes["PipelineDefinition"], _ = self._definition(request)
        with self._lock:
            pipeline |= {**changes, "LastModifiedTime": now()}
        return {"PipelineArn": pipeline["PipelineArn"]}

    def describe(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """With the time of the latest execution, as AWS tells it."""
        with self._lock:
            return self._with_last_run(self._get(request["PipelineName"]))

    def delete(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Its executions, and what later ones could have reused of them, go with it: the next pipeline of that name begins anew."""
        with self._lock:
            pipeline = self._get(request["PipelineName"])
            name, pipeline_arn = pipeline["PipelineName"], pipeline["PipelineArn"]
            executions = [item for item in self._executions.values() if item.pipeline["PipelineArn"] == pipeline_arn]
            active = [item.arn for item in executions if not item.ended.is_set()]
            if active:
                raise ServiceError("ConflictException", f"Pipeline {name} has a running execution: {active[0]}")
            self._pipelines.pop(name)
            for execution in executions:
                self._executions.pop(execution.arn)
            self._tokens = {key: arn for key, arn in self._tokens.items() if key[0] != pipeline_arn}
            self.services.cache.forget(pipeline_arn)
            tags_of(self.services.context).forget(pipeline_arn)
        return {"PipelineArn": pipeline_arn}

    def list(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The newest first, as AWS lists pipelines."""
        prefix = request.get("PipelineNamePrefix") or ""
        chosen = [pipeline for pipeline in self.all() if pipeline["PipelineName"].startswith(prefix)]
        fields = {"Name": "PipelineName", "CreationTime": "CreationTime"}
        items, token = listing.page(chosen, request, sort_fields=fields, default_order="Descending")
        return listing.answer("PipelineSummaries", items, token)

    def all(self) -> builtins.list[dict[str, Any]]:
        with self._lock:
            return [self._with_last_run(pipeline) for pipeline in self._pipelines.values()]

    def _with_last_run(self, pipeline: Mapping[str, Any]) -> dict[str, Any]:
        times = [item.created for item in self._executions.values() if item.pipeline["PipelineArn"] == pipeline["PipelineArn"]]
        return {**pipeline, **({"LastRunTime": times[-1], "LastExecutionTime": times[-1]} if times else {})}

    # ---- executions

    def start(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Start an execution. Repeating a pipeline's ClientRequestToken answers the execution it started, whatever else is asked for:
        AWS documents no error for other parameters.
        """
        with self._lock:
            pipeline = self._get(request["PipelineName"])
            token = (pipeline["PipelineArn"], request["ClientRequestToken"])
            if token in self._tokens:
                return {"PipelineExecutionArn": self._tokens[token]}
            definition = definitions.read(pipeline["PipelineDefinition"])
            given = {item["Name"]: item["Value"] for item in request.get("PipelineParameters", [])}
            try:
                values = resolve(definition.parameters, given)
            except ParameterError as error:
                raise ServiceError("ValidationException", f"Pipeline {pipeline['PipelineName']}: {error}") from error
            parallelism = request.get("ParallelismConfiguration") or pipeline.get("ParallelismConfiguration")
            execution = Execution(self.services, pipeline, definition, values, {**request, "ParallelismConfiguration": parallelism})
            self._executions[execution.arn] = execution
            self._tokens[token] = execution.arn
        self.services.context.in_background(execution.run)
        return {"PipelineExecutionArn": execution.arn}

    def stop(self, request: Mapping[str, Any]) -> dict[str, Any]:
        execution = self._execution(request)
        if execution.ended.is_set():
            raise ServiceError(
                "ConflictException", f"Only pipeline executions in executing status can be stopped; {execution.arn} is {execution.status}."
            )
        execution.stop()
        return {"PipelineExecutionArn": execution.arn}

    def describe_execution(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return self._execution(request).describe()

    def definition_for_execution(self, request: Mapping[str, Any]) -> dict[str, Any]:
        execution = self._execution(request)
        return {"PipelineDefinition": execution.pipeline["PipelineDefinition"], "CreationTime": execution.created}

    def parameters_for_execution(self, request: Mapping[str, Any]) -> dict[str, Any]:
        items, token = listing.cut(parameters_as_text(self._execution(request).parameters), request)
        return listing.answer("PipelineParameters", items, token)

    def list_executions(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The newest first, as AWS lists executions."""
        arn = self._get(request["PipelineName"])["PipelineArn"]
        with self._lock:
            mine = [execution.describe() for execution in self._executions.values() if execution.pipeline["PipelineArn"] == arn]
        summaries = [
            {**execution, "PipelineExecutionFailureReason": execution.get("FailureReason"), "StartTime": execution["CreationTime"]}
            for execution in mine
        ]
        fields = {"CreationTime": "CreationTime", "PipelineExecutionArn": "PipelineExecutionArn"}
        items, token = listing.page(summaries, request, sort_fields=fields, default_order="Descending")
        return listing.answer("PipelineExecutionSummaries", items, token)

    def list_steps(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Steps that were started, the latest first unless asked otherwise."""
        steps = self._execution(request).list_steps()
        if (request.get("SortOrder") or "Descending") == "Descending":
            steps.reverse()
        items, token = listing.cut(steps, request)
        return listing.answer("PipelineExecutionSteps", items, token)

    def _execution(self, request: Mapping[str, Any]) -> Execution:
        arn = request.get("PipelineExecutionArn")
        execution = self._executions.get(arn) if arn else None
        if execution is None:
            raise ServiceError("ResourceNotFound", f"Pipeline execution {arn} does not exist.")
        return execution

    def _get(self, name_or_arn: str) -> dict[str, Any]:
        name = name_or_arn.rpartition("/")[2]
        pipeline = next((item for known, item in self._pipelines.items() if name in (known, known.lower())), None)
        if pipeline is None:
            raise ServiceError("ResourceNotFound", f"Pipeline {name_or_arn} does not exist.")
        return pipeline

    def _definition(self, request: Mapping[str, Any]) -> tuple[str, definitions.Definition]:
        """Text of the definition, and what it says. Raises ServiceError for one that could never run."""
        location = request.get("PipelineDefinitionS3Location") or {}
        if bool(location) == bool(request.get("PipelineDefinition")):
            raise ServiceError("ValidationException", "Give either PipelineDefinition or PipelineDefinitionS3Location.")
        text = request.get("PipelineDefinition") or self._read(request, location)
        try:
            definition = definitions.read(text)
            for step in definition.steps.values():
                if step.type in schema.OPERATIONS:
                    requests.refuse(schema.OPERATIONS[step.type], step.arguments)
            return text, definition
        except definitions.DefinitionError as error:
            raise ServiceError("ValidationException", str(error)) from error
        except definitions.UnsupportedStepError as error:
            raise ServiceError("NotImplemented", str(error), 501) from error

    def _read(self, request: Mapping[str, Any], location: Mapping[str, Any]) -> str:
        """In the name of the role that the request gives the pipeline, or that the pipeline has."""
        uri, name = f"s3://{location['Bucket']}/{location['ObjectKey']}", request["PipelineName"]
        role_arn = request.get("RoleArn") or self._get(name)["RoleArn"]
        context = self.services.context
        data = self.services.data.of(sagemaker_role(context, role_arn, context.arn("sagemaker", f"pipeline/{name.lower()}")))
        try:
            return data.read(uri, location.get("VersionId")).decode()
        except (ClientError, UnicodeDecodeError) as error:
            raise ServiceError("ValidationException", f"PipelineDefinitionS3Location: {uri} cannot be read: {error}") from error
