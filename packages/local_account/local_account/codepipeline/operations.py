"""The CodePipeline API: each operation checks its request, asks the engine, and answers in the API's shapes.

Errors: https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_Operations.html. Next: `stage_operations.py`, then `engine.py`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping

from local_account import listing
from local_account.codepipeline import shapes
from local_account.codepipeline.declaration import checked
from local_account.codepipeline.engine import Engine
from local_account.codepipeline.records import ActionRun, Execution, Json, Pipeline, SourceOverride, now
from local_account.codepipeline.stage_operations import STAGE_OPERATIONS, put_job_result
from local_account.context import Context
from local_account.errors import InvalidError, ServiceError
from local_account.moto_operations import Operation, install_operations


def install(context: Context) -> None:
    from moto.codepipeline.responses import CodePipelineResponse

    install_operations(context, CodePipelineResponse, _OPERATIONS)


def _on_a_pipeline(operation: Callable[[Engine, Pipeline, Json], Json]) -> Operation:
    """An operation on one pipeline, and on a stage of it where the request names one, under the engine's lock."""

    def call(context: Context, request: Json) -> Json:
        engine = Engine.at(context)
        named = request.get("pipelineName") or request.get("name") or (request.get("pipeline") or {}).get("name")
        with engine.changed:
            pipeline = engine.pipeline(named or request["resourceArn"].rpartition(":")[2])
            stages = [stage["name"] for stage in pipeline.declaration["stages"]]
            if request.get("stageName", stages[0]) not in stages:
                raise ServiceError("StageNotFoundException", f"Pipeline '{pipeline.name}' has no stage '{request['stageName']}'")
            answer = operation(engine, pipeline, request)
            engine.changed.notify_all()
        return answer

    return call


# ---------------------------------------------------------------------------------- the pipelines


def _create_pipeline(context: Context, request: Json) -> Json:
    engine, declaration = Engine.at(context), checked(request["pipeline"], version=1, region=context.settings.region)
    with engine.changed:
        if declaration["name"] in engine.pipelines:
            raise ServiceError("PipelineNameInUseException", f"A pipeline with the name '{declaration['name']}' already exists")
        tags = request.get("tags") or []
        engine.pipelines[declaration["name"]] = Pipeline(declaration, {tag["key"]: tag["value"] for tag in tags})
    return {"pipeline": declaration, "tags": tags}


def _update_pipeline(engine: Engine, pipeline: Pipeline, request: Json) -> Json:
    """Executions under way are cancelled, and not begun anew ("Edit a pipeline in CodePipeline"; PipelineExecution, status Cancelled)."""
    region = engine.context.settings.region
    pipeline.declaration = checked(request["pipeline"], version=pipeline.declaration["version"] + 1, region=region)
    pipeline.updated = now()
    for execution in pipeline.executions.values():
        if not execution.is_over:
            execution.cancelled = True
            execution.abandoned.set()
    return {"pipeline": copy.deepcopy(pipeline.declaration)}


def _get_pipeline(engine: Engine, pipeline: Pipeline, request: Json) -> Json:
    if request.get("version") not in (None, pipeline.declaration["version"]):
        raise ServiceError("PipelineVersionNotFoundException", f"The local account keeps version {pipeline.declaration['version']} only")
    arn = engine.context.arn("codepipeline", pipeline.name)
    return {"pipeline": pipeline.declaration, "metadata": {"pipelineArn": arn, "created": pipeline.created, "updated": pipeline.updated}}


def _delete_pipeline(context: Context, request: Json) -> Json:
    engine = Engine.at(context)
    with engine.changed:
        pipeline = engine.pipelines.pop(request["name"], None)
        if pipeline is not None:
            pipeline.deleted = True
            for execution in pipeline.executions.values():
                execution.abandoned.set()
            engine.changed.notify_all()
    return {}


def _list_pipelines(context: Context, request: Json) -> Json:
    pipelines = [
        {**pipeline.declaration, "created": pipeline.created, "updated": pipeline.updated}
        for pipeline in sorted(Engine.at(context).pipelines.values(), key=lambda pipeline: pipeline.name)
    ]
    return listing.cut("pipelines", pipelines, request)


def _get_pipeline_state(_: Engine, pipeline: Pipeline, request: Json) -> Json:
    return shapes.pipeline_state(pipeline)


# -------------------------------------------------------------------------------- the executions


def _start_pipeline_execution(engine: Engine, pipeline: Pipeline, request: Json) -> Json:
    token = request.get("clientRequestToken")
    if token and token in pipeline.tokens:
        return {"pipelineExecutionId": pipeline.tokens[token]}
    variables = {variable["name"]: variable["value"] for variable in request.get("variables") or []}
    trigger = {"triggerType": "StartPipelineExecution", "triggerDetail": f"arn:aws:iam::{engine.context.settings.account_id}:root"}
    execution = engine.start(pipeline, variables, _source_overrides(pipeline, request), trigger, {})
    if token:
        pipeline.tokens[token] = execution.execution_id
    return {"pipelineExecutionId": execution.execution_id}


def _source_overrides(pipeline: Pipeline, request: Json) -> dict[str, SourceOverride]:
    sources = {action["name"] for action in pipeline.declaration["stages"][0]["actions"]}
    overrides = {}
    for override in request.get("sourceRevisions") or []:
        if override["actionName"] not in sources or override["revisionType"] != "COMMIT_ID":
            raise InvalidError(f"source revisions: allowed are COMMIT_ID of {', '.join(sorted(sources))}")
        overrides[override["actionName"]] = SourceOverride(override["revisionValue"])
    return overrides


def _stop_pipeline_execution(_: Engine, pipeline: Pipeline, request: Json) -> Json:
    execution = pipeline.execution(request["pipelineExecutionId"])
    if execution.is_over:
        raise ServiceError("PipelineExecutionNotStoppableException", f"Execution '{execution.execution_id}' is {execution.status}")
    if execution.stop_asked and not request.get("abandon"):
        raise ServiceError("DuplicatedStopRequestException", f"Execution '{execution.execution_id}' is already stopping")
    execution.stop_asked, execution.stop_reason = True, request.get("reason") or execution.stop_reason
    execution.status = "Stopping"
    if request.get("abandon"):
        execution.abandoned.set()
    return {"pipelineExecutionId": execution.execution_id}


def _get_pipeline_execution(_: Engine, pipeline: Pipeline, request: Json) -> Json:
    return {"pipelineExecution": shapes.execution(pipeline.execution(request["pipelineExecutionId"]))}


def _list_pipeline_executions(_: Engine, pipeline: Pipeline, request: Json) -> Json:
    stage = ((request.get("filter") or {}).get("succeededInStage") or {}).get("stageName")
    executions = [
        shapes.execution(execution)
        for execution in reversed(pipeline.executions.values())
        if stage is None or (stage in execution.stages and execution.stages[stage].status == "Succeeded")
    ]
    return listing.cut("pipelineExecutionSummaries", executions, request)


def _list_action_executions(_: Engine, pipeline: Pipeline, request: Json) -> Json:
    wanted = request.get("filter") or {}
    latest = (wanted.get("latestInPipelineExecution") or {}).get("pipelineExecutionId")
    execution_id = latest or wanted.get("pipelineExecutionId")
    found: list[tuple[Execution, ActionRun]] = []
    for execution in pipeline.executions.values():
        if execution_id in (None, execution.execution_id):
            kept = {(run.stage_name, run.name) if latest else run.action_execution_id: run for run in execution.action_runs}
            found += [(execution, run) for run in kept.values()]
    found.sort(key=lambda pair: pair[1].started, reverse=True)
    return listing.cut("actionExecutionDetails", [shapes.action_execution(execution, run) for execution, run in found], request)


# ------------------------------------------------------------------------------------------ the tags


def _list_tags_for_resource(_: Engine, pipeline: Pipeline, request: Json) -> Json:
    return {"tags": [{"key": key, "value": value} for key, value in sorted(pipeline.tags.items())]}


def _tag_resource(_: Engine, pipeline: Pipeline, request: Json) -> Json:
    pipeline.tags |= {tag["key"]: tag["value"] for tag in request["tags"]}
    return {}


def _untag_resource(_: Engine, pipeline: Pipeline, request: Json) -> Json:
    pipeline.tags = {key: value for key, value in pipeline.tags.items() if key not in request["tagKeys"]}
    return {}


_ON_A_PIPELINE: Mapping[str, Callable[[Engine, Pipeline, Json], Json]] = {
    "update_pipeline": _update_pipeline,
    "get_pipeline": _get_pipeline,
    "get_pipeline_state": _get_pipeline_state,
    "start_pipeline_execution": _start_pipeline_execution,
    "stop_pipeline_execution": _stop_pipeline_execution,
    "get_pipeline_execution": _get_pipeline_execution,
    "list_pipeline_executions": _list_pipeline_executions,
    "list_action_executions": _list_action_executions,
    "list_tags_for_resource": _list_tags_for_resource,
    "tag_resource": _tag_resource,
    "untag_resource": _untag_resource,
    **STAGE_OPERATIONS,
}
_OPERATIONS: Mapping[str, Operation] = {
    "create_pipeline": _create_pipeline,
    "delete_pipeline": _delete_pipeline,
    "list_pipelines": _list_pipelines,
    "put_job_success_result": put_job_result,
    "put_job_failure_result": put_job_result,
    **{name: _on_a_pipeline(operation) for name, operation in _ON_A_PIPELINE.items()},
}
