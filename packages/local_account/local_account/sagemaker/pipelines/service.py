"""The API of SageMaker Pipelines: pipelines, their executions and steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from local_account import listing
from local_account.errors import InvalidError, ServiceError
from local_account.roles import sagemaker_role
from local_account.sagemaker import requests
from local_account.sagemaker.api import Operation
from local_account.sagemaker.jobs.record import now
from local_account.sagemaker.jobs.s3_data import S3Data
from local_account.sagemaker.pipelines import definition as definitions
from local_account.sagemaker.pipelines import schema
from local_account.sagemaker.pipelines.execution import Execution, Services, parameters_as_text
from local_account.sagemaker.pipelines.parameters import ParameterError, resolve
from local_account.sagemaker.resources import Kind, Resources

_CHANGED = ("PipelineDisplayName", "PipelineDescription", "RoleArn", "ParallelismConfiguration")


class Pipelines(Resources):
    """Pipelines, and executions by ARN, in the order in which they were made."""

    kind = Kind(
        "Pipeline",
        "pipeline",
        taken="Pipeline names must be unique within an AWS account and region. Pipeline with name ({name}) already exists.",
        missing="Pipeline {name} does not exist.",
        missing_code="ResourceNotFound",
        listed="PipelineSummaries",
        folds_case=True,
    )

    def __init__(self, services: Services) -> None:
        super().__init__(services.context)
        self.services = services
        self._executions: dict[str, Execution] = {}
        self._tokens: dict[tuple[str, str], str] = {}

    def operations(self) -> dict[str, Operation]:
        return super().operations() | {
            "UpdatePipeline": self.update,
            "StartPipelineExecution": self.start,
            "StopPipelineExecution": self.stop,
            "DescribePipelineExecution": self.describe_execution,
            "DescribePipelineDefinitionForExecution": self.definition_for_execution,
            "ListPipelineParametersForExecution": self.parameters_for_execution,
            "ListPipelineExecutions": self.list_executions,
            "ListPipelineExecutionSteps": self.list_steps,
        }

    # ---- pipelines

    def create(self, request: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        name, text = request["PipelineName"], self._definition(request)
        given = {member: request[member] for member in ("PipelineName", "Tags", *_CHANGED) if member in request}
        with self.lock:
            known = self.find(name)
            if known and (known["PipelineName"], known["_token"]) == (name, request["ClientRequestToken"]):
                return {"PipelineArn": known["PipelineArn"]}
            return super().create(
                {"PipelineDisplayName": name, **given},
                PipelineDefinition=text,
                PipelineStatus="Active",
                LastModifiedTime=now(),
                CreatedBy={},
                LastModifiedBy={},
                _token=request["ClientRequestToken"],
                **more,
            )

    def update(self, request: Mapping[str, Any]) -> dict[str, Any]:
        pipeline = self.record(request["PipelineName"])
        changes = {member: request[member] for member in _CHANGED if member in request}
        if request.get("PipelineDefinition") or request.get("PipelineDefinitionS3Location"):
            changes["PipelineDefinition"] = self._definition(request)
        with self.lock:
            pipeline |= {**changes, "LastModifiedTime": now()}
        return {"PipelineArn": pipeline["PipelineArn"]}

    def describe(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """With the time of the latest execution, as AWS tells it."""
        with self.lock:
            return self._with_last_run(self.record(request["PipelineName"]))

    def delete(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Its executions, and what later ones could have reused of them, go with it: the next pipeline of that name begins anew."""
        with self.lock:
            pipeline = self.record(request["PipelineName"])
            name, pipeline_arn = pipeline["PipelineName"], pipeline["PipelineArn"]
            executions = [item for item in self._executions.values() if item.pipeline["PipelineArn"] == pipeline_arn]
            active = [item.arn for item in executions if not item.ended.is_set()]
            if active:
                raise ServiceError("ConflictException", f"Pipeline {name} has a running execution: {active[0]}")
            super().delete(request)
            for execution in executions:
                self._executions.pop(execution.arn)
            self._tokens = {key: arn for key, arn in self._tokens.items() if key[0] != pipeline_arn}
            self.services.cache.forget(pipeline_arn)
        return {"PipelineArn": pipeline_arn}

    def list(self, request: Mapping[str, Any], chosen: Sequence[Mapping[str, Any]] | None = None) -> dict[str, Any]:
        prefix = request.get("PipelineNamePrefix") or ""
        with self.lock:
            mine = [self._with_last_run(pipeline) for pipeline in self.all() if pipeline["PipelineName"].startswith(prefix)]
        return super().list(request, mine)

    def _with_last_run(self, pipeline: Mapping[str, Any]) -> dict[str, Any]:
        times = [item.created for item in self._executions.values() if item.pipeline["PipelineArn"] == pipeline["PipelineArn"]]
        return {**pipeline, **({"LastRunTime": times[-1], "LastExecutionTime": times[-1]} if times else {})}

    # ---- executions

    def start(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Start an execution. Repeating a pipeline's ClientRequestToken answers the execution it started, whatever else is asked for:
        AWS documents no error for other parameters.
        """
        with self.lock:
            pipeline = self.record(request["PipelineName"])
            token = (pipeline["PipelineArn"], request["ClientRequestToken"])
            if token in self._tokens:
                return {"PipelineExecutionArn": self._tokens[token]}
            definition = definitions.read(pipeline["PipelineDefinition"])
            given = {item["Name"]: item["Value"] for item in request.get("PipelineParameters", [])}
            try:
                values = resolve(definition.parameters, given)
            except ParameterError as error:
                raise InvalidError(f"Pipeline {pipeline['PipelineName']}: {error}") from error
            parallelism = request.get("ParallelismConfiguration") or pipeline.get("ParallelismConfiguration")
            execution = Execution(self.services, pipeline, definition, values, {**request, "ParallelismConfiguration": parallelism})
            self._executions[execution.arn] = execution
            self._tokens[token] = execution.arn
        self.context.in_background(execution.run)
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
        return listing.cut("PipelineParameters", parameters_as_text(self._execution(request).parameters), request)

    def list_executions(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The newest first, as AWS lists executions."""
        arn = self.record(request["PipelineName"])["PipelineArn"]
        with self.lock:
            mine = [execution.describe() for execution in self._executions.values() if execution.pipeline["PipelineArn"] == arn]
        summaries = [
            {**execution, "PipelineExecutionFailureReason": execution.get("FailureReason"), "StartTime": execution["CreationTime"]}
            for execution in mine
        ]
        fields = {"CreationTime": "CreationTime", "PipelineExecutionArn": "PipelineExecutionArn"}
        return listing.page("PipelineExecutionSummaries", summaries, request, sort_fields=fields, default_order="Descending")

    def list_steps(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Steps that were started, the latest first unless asked otherwise."""
        steps = self._execution(request).list_steps()
        if (request.get("SortOrder") or "Descending") == "Descending":
            steps.reverse()
        return listing.cut("PipelineExecutionSteps", steps, request)

    def _execution(self, request: Mapping[str, Any]) -> Execution:
        arn = request.get("PipelineExecutionArn")
        execution = self._executions.get(arn) if arn else None
        if execution is None:
            raise ServiceError("ResourceNotFound", f"Pipeline execution {arn} does not exist.")
        return execution

    def _definition(self, request: Mapping[str, Any]) -> str:
        """Text of the definition. Raises ServiceError for one that could never run."""
        location = request.get("PipelineDefinitionS3Location") or {}
        if bool(location) == bool(request.get("PipelineDefinition")):
            raise InvalidError("Give either PipelineDefinition or PipelineDefinitionS3Location.")
        text = request.get("PipelineDefinition") or self._read(request, location)
        try:
            definition = definitions.read(text)
            for step in definition.steps.values():
                if step.type in schema.OPERATIONS:
                    requests.refuse(schema.OPERATIONS[step.type], step.arguments)
            return text
        except definitions.DefinitionError as error:
            raise InvalidError(str(error)) from error
        except definitions.UnsupportedStepError as error:
            raise ServiceError("NotImplemented", str(error), 501) from error

    def _read(self, request: Mapping[str, Any], location: Mapping[str, Any]) -> str:
        """In the name of the role that the request gives the pipeline, or that the pipeline has."""
        uri, name = f"s3://{location['Bucket']}/{location['ObjectKey']}", request["PipelineName"]
        role_arn = request.get("RoleArn") or self.record(name)["RoleArn"]
        data = S3Data(sagemaker_role(self.context, role_arn, self.context.arn("sagemaker", f"pipeline/{name.lower()}")))
        try:
            return data.read(uri, location.get("VersionId")).decode()
        except (ClientError, UnicodeDecodeError) as error:
            raise InvalidError(f"PipelineDefinitionS3Location: {uri} cannot be read: {error}") from error
