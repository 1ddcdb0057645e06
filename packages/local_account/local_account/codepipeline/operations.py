"""The CodePipeline API: each operation checks its request, asks the engine, and answers in the API's shapes.

Errors: https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_Operations.html. Next: `stage_operations.py`, then `engine.py`.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from local_account import listing
from local_account.codepipeline import change_detection, shapes
from local_account.codepipeline.declaration import checked
from local_account.codepipeline.engine import Engine
from local_account.codepipeline.lookup import find_execution, find_pipeline
from local_account.codepipeline.records import ActionRun, Execution, Pipeline, SourceOverride, now
from local_account.codepipeline.stage_operations import STAGE_OPERATIONS
from local_account.context import Context
from local_account.errors import InvalidError, ServiceError
from local_account.moto_operations import Operation, install_operations


def install(context: Context) -> None:
    from moto.codepipeline.responses import CodePipelineResponse

    install_operations(context, CodePipelineResponse, _OPERATIONS)


def begin(context: Context) -> None:
    """Start pipelines of the account in this region on pushes to the repositories of their connections."""
    change_detection.install(Engine.at(context), lambda name, sources, trigger, change: _start(context, name, {}, sources, trigger, change))


# ---------------------------------------------------------------------------------- the pipelines


def _create_pipeline(context: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    engine, declaration = Engine.at(context), checked(request["pipeline"], version=1, region=context.settings.region)
    with engine.changed:
        if declaration["name"] in engine.pipelines:
            raise ServiceError("PipelineNameInUseException", f"A pipeline with the name '{declaration['name']}' already exists")
        tags = request.get("tags") or []
        engine.pipelines[declaration["name"]] = Pipeline(declaration, {tag["key"]: tag["value"] for tag in tags})
    return {"pipeline": declaration, "tags": tags}


def _update_pipeline(context: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    engine = Engine.at(context)
    with engine.changed:
        pipeline = find_pipeline(context, request["pipeline"].get("name", ""))
        pipeline.declaration = checked(request["pipeline"], version=pipeline.declaration["version"] + 1, region=context.settings.region)
        pipeline.updated = now()
        return {"pipeline": copy.deepcopy(pipeline.declaration)}


def _get_pipeline(context: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    pipeline = find_pipeline(context, request["name"])
    if request.get("version") not in (None, pipeline.declaration["version"]):
        raise ServiceError("PipelineVersionNotFoundException", f"The local account keeps version {pipeline.declaration['version']} only")
    arn = context.arn("codepipeline", pipeline.name)
    return {"pipeline": pipeline.declaration, "metadata": {"pipelineArn": arn, "created": pipeline.created, "updated": pipeline.updated}}


def _delete_pipeline(context: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    engine = Engine.at(context)
    with engine.changed:
        pipeline = engine.pipelines.pop(request["name"], None)
        if pipeline is not None:
            pipeline.deleted = True
            for execution in pipeline.executions.values():
                execution.abandoned.set()
            engine.changed.notify_all()
    return {}


def _list_pipelines(context: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    pipelines = [
        {**pipeline.declaration, "created": pipeline.created, "updated": pipeline.updated}
        for pipeline in sorted(Engine.at(context).pipelines.values(), key=lambda pipeline: pipeline.name)
    ]
    return listing.cut("pipelines", pipelines, request)


def _get_pipeline_state(context: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    with Engine.at(context).changed:
        return shapes.pipeline_state(find_pipeline(context, request["name"]))


# -------------------------------------------------------------------------------- the executions


def _start_pipeline_execution(context: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    pipeline, token = find_pipeline(context, request["name"]), request.get("clientRequestToken")
    with Engine.at(context).changed:
        if token and token in pipeline.tokens:
            return {"pipelineExecutionId": pipeline.tokens[token]}
        variables = {variable["name"]: variable["value"] for variable in request.get("variables") or []}
        trigger = {"triggerType": "StartPipelineExecution", "triggerDetail": f"arn:aws:iam::{context.settings.account_id}:root"}
        execution_id = _start(context, pipeline.name, variables, _source_overrides(pipeline, request), trigger)
        if token:
            pipeline.tokens[token] = execution_id
    return {"pipelineExecutionId": execution_id}


def _start(
    context: Context,
    name: str,
    variables: dict[str, str],
    sources: dict[str, SourceOverride],
    trigger: dict[str, str],
    change: dict[str, str] | None = None,
) -> str:
    pipeline = find_pipeline(context, name)
    execution = Execution(
        declaration=copy.deepcopy(pipeline.declaration),
        variables=_resolved_variables(pipeline, variables),
        trigger=trigger,
        source_overrides=sources,
        change=change or {},
    )
    Engine.at(context).start(pipeline, execution)
    return execution.execution_id


def _resolved_variables(pipeline: Pipeline, given: dict[str, str]) -> dict[str, str]:
    declared = {variable["name"]: variable.get("defaultValue") for variable in pipeline.declaration.get("variables") or []}
    unknown = sorted(set(given) - set(declared))
    if unknown:
        known = ", ".join(declared) or "none"
        raise InvalidError(f"Pipeline '{pipeline.name}' does not declare variables {', '.join(unknown)}; declared: {known}")
    resolved = {name: given.get(name, default) for name, default in declared.items()}
    missing = [name for name, value in resolved.items() if not value]
    if missing:
        raise InvalidError(f"Pipeline '{pipeline.name}' needs a value for the variables {', '.join(missing)}")
    return {name: str(value) for name, value in resolved.items()}


def _source_overrides(pipeline: Pipeline, request: dict[str, Any]) -> dict[str, SourceOverride]:
    sources = {action["name"] for action in pipeline.declaration["stages"][0]["actions"]}
    overrides = {}
    for override in request.get("sourceRevisions") or []:
        if override["actionName"] not in sources or override["revisionType"] != "COMMIT_ID":
            message = f"source revisions: allowed are COMMIT_ID of {', '.join(sorted(sources))}"
            raise InvalidError(message)
        overrides[override["actionName"]] = SourceOverride(override["revisionValue"])
    return overrides


def _stop_pipeline_execution(context: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    with Engine.at(context).changed:
        execution = find_execution(find_pipeline(context, request["pipelineName"]), request["pipelineExecutionId"])
        if execution.is_over:
            raise ServiceError("PipelineExecutionNotStoppableException", f"Execution '{execution.execution_id}' is {execution.status}")
        if execution.stop_asked and not request.get("abandon"):
            raise ServiceError("DuplicatedStopRequestException", f"Execution '{execution.execution_id}' is already stopping")
        execution.stop_asked, execution.stop_reason = True, request.get("reason") or execution.stop_reason
        execution.status = "Stopping"
        if request.get("abandon"):
            execution.abandoned.set()
        Engine.at(context).changed.notify_all()
    return {"pipelineExecutionId": execution.execution_id}


def _get_pipeline_execution(context: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    with Engine.at(context).changed:
        execution = find_execution(find_pipeline(context, request["pipelineName"]), request["pipelineExecutionId"])
        return {"pipelineExecution": shapes.execution(execution)}


def _list_pipeline_executions(context: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    stage = ((request.get("filter") or {}).get("succeededInStage") or {}).get("stageName")
    with Engine.at(context).changed:
        executions = [
            shapes.execution(execution)
            for execution in reversed(find_pipeline(context, request["pipelineName"]).executions.values())
            if stage is None or (stage in execution.stages and execution.stages[stage].status == "Succeeded")
        ]
    return listing.cut("pipelineExecutionSummaries", executions, request)


def _list_action_executions(context: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    wanted = request.get("filter") or {}
    latest = (wanted.get("latestInPipelineExecution") or {}).get("pipelineExecutionId")
    execution_id = latest or wanted.get("pipelineExecutionId")
    with Engine.at(context).changed:
        found: list[tuple[Execution, ActionRun]] = []
        for execution in find_pipeline(context, request["pipelineName"]).executions.values():
            if execution_id in (None, execution.execution_id):
                kept = {(run.stage_name, run.name) if latest else run.action_execution_id: run for run in execution.action_runs}
                found += [(execution, run) for run in kept.values()]
        found.sort(key=lambda pair: pair[1].started, reverse=True)
        details = [shapes.action_execution(execution, run) for execution, run in found]
    return listing.cut("actionExecutionDetails", details, request)


# ------------------------------------------------------------------------------------------ the tags


def _tagged(context: Context, request: dict[str, Any]) -> Pipeline:
    return find_pipeline(context, request["resourceArn"].rsplit(":", 1)[-1])


def _list_tags_for_resource(context: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    return {"tags": [{"key": key, "value": value} for key, value in sorted(_tagged(context, request).tags.items())]}


def _tag_resource(context: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    _tagged(context, request).tags.update({tag["key"]: tag["value"] for tag in request["tags"]})
    return {}


def _untag_resource(context: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    for key in request["tagKeys"]:
        _tagged(context, request).tags.pop(key, None)
    return {}


_OPERATIONS: Mapping[str, Operation] = {
    "create_pipeline": _create_pipeline,
    "update_pipeline": _update_pipeline,
    "get_pipeline": _get_pipeline,
    "delete_pipeline": _delete_pipeline,
    "list_pipelines": _list_pipelines,
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
