"""Operations on stages that run, wait or have failed: approve, retry, roll back, open and close transitions, report a job.

Next: `engine.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_account.codepipeline.actions import lambda_function
from local_account.codepipeline.engine import Engine
from local_account.codepipeline.lookup import find_execution, find_pipeline, require_stage
from local_account.codepipeline.records import now
from local_account.context import Context
from local_account.errors import InvalidError, ServiceError
from local_account.moto_operations import Operation


def _put_approval_result(context: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    engine, pipeline = Engine.at(context), find_pipeline(context, request["pipelineName"])
    require_stage(pipeline, request["stageName"])
    with engine.changed:
        run = pipeline.actions.get((request["stageName"], request["actionName"]))
        if run is None or run.declaration["actionTypeId"]["category"] != "Approval":
            raise ServiceError(
                "ActionNotFoundException", f"Stage '{request['stageName']}' has no approval '{request['actionName']}' that was reached"
            )
        if run.status != "InProgress":
            raise ServiceError("ApprovalAlreadyCompletedException", f"The approval '{run.name}' is already {run.status}")
        if run.token is None or run.token != request["token"]:
            raise ServiceError("InvalidApprovalTokenException", "The approval token is not the one of the approval that waits now")
        run.summary = request["result"]["summary"]
        run.status = "Succeeded" if request["result"]["status"] == "Approved" else "Failed"
        run.updated, run.updated_by, run.token = now(), f"arn:aws:iam::{context.settings.account_id}:root", None
        engine.changed.notify_all()
    return {"approvedAt": now()}


def _retry_stage_execution(context: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    engine, pipeline = Engine.at(context), find_pipeline(context, request["pipelineName"])
    require_stage(pipeline, request["stageName"])
    with engine.changed:
        execution = find_execution(pipeline, request["pipelineExecutionId"])
        latest = pipeline.stages.get(request["stageName"])
        if latest is None or latest.execution_id != execution.execution_id:
            raise ServiceError(
                "NotLatestPipelineExecutionException", f"The latest execution of stage '{request['stageName']}' is another one"
            )
        if latest.status not in ("Failed", "Stopped") or not execution.is_over or request["stageName"] in pipeline.occupants:
            raise ServiceError(
                "StageNotRetryableException", f"Stage '{request['stageName']}' is {latest.status}; only a failed stage can be retried"
            )
        execution.stop_asked = False
        execution.abandoned.clear()
        engine.retry(pipeline, execution, request["stageName"], request["retryMode"])
    return {"pipelineExecutionId": execution.execution_id}


def _rollback_stage(context: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    engine, pipeline = Engine.at(context), find_pipeline(context, request["pipelineName"])
    require_stage(pipeline, request["stageName"])
    with engine.changed:
        target = find_execution(pipeline, request["targetPipelineExecutionId"])
        run = target.stages.get(request["stageName"])
        same_version = target.declaration["version"] == pipeline.declaration["version"]
        is_source = request["stageName"] == pipeline.declaration["stages"][0]["name"]
        if is_source or run is None or run.status != "Succeeded" or target.execution_type != "STANDARD" or not same_version:
            message = (
                "Roll back to a standard execution of the current pipeline version that succeeded in this stage, and not to a source stage"
            )
            raise ServiceError("UnableToRollbackStageException", message)
        trigger = {"triggerType": "ManualRollback", "triggerDetail": f"arn:aws:iam::{context.settings.account_id}:root"}
        execution = engine.roll_back(pipeline, request["stageName"], target, trigger)
    return {"pipelineExecutionId": execution.execution_id}


def _set_transition(context: Context, request: dict[str, Any], *, enabled: bool) -> Mapping[str, Any]:
    engine, pipeline = Engine.at(context), find_pipeline(context, request["pipelineName"])
    require_stage(pipeline, request["stageName"])
    names = [stage["name"] for stage in pipeline.declaration["stages"]]
    position = names.index(request["stageName"]) + (request["transitionType"] == "Outbound")
    if position == len(names):
        raise InvalidError(f"Stage '{names[-1]}' is the last one and has no outbound transition")
    with engine.changed:
        transition = pipeline.transition(names[position])
        transition.enabled, transition.changed = enabled, now()
        transition.reason = None if enabled else request.get("reason")
        engine.changed.notify_all()
    return {}


def _disable_stage_transition(context: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    return _set_transition(context, request, enabled=False)


def _enable_stage_transition(context: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    return _set_transition(context, request, enabled=True)


def _put_job_result(_: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    if request["jobId"] not in lambda_function.results:
        raise ServiceError("JobNotFoundException", f"There is no job '{request['jobId']}' that waits for a result")
    lambda_function.results[request["jobId"]] = request
    return {}


STAGE_OPERATIONS: Mapping[str, Operation] = {
    "put_approval_result": _put_approval_result,
    "retry_stage_execution": _retry_stage_execution,
    "rollback_stage": _rollback_stage,
    "disable_stage_transition": _disable_stage_transition,
    "enable_stage_transition": _enable_stage_transition,
    "put_job_success_result": _put_job_result,
    "put_job_failure_result": _put_job_result,
}
