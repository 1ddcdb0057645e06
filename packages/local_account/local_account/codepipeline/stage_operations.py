"""Operations on stages that run, wait or have failed: approve, retry, roll back, open and close transitions, report a job.

`operations.py` has found pipeline and stage, and holds the engine's lock. Next: `engine.py`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

from local_account import asking
from local_account.codepipeline.actions import lambda_function
from local_account.codepipeline.engine import Engine
from local_account.codepipeline.records import Json, Pipeline, now
from local_account.context import Context
from local_account.errors import InvalidError, ServiceError


def _put_approval_result(engine: Engine, pipeline: Pipeline, request: Json) -> Json:
    run = pipeline.actions.get((request["stageName"], request["actionName"]))
    if run is None or run.declaration["actionTypeId"]["category"] != "Approval":
        message = f"Stage '{request['stageName']}' has no approval '{request['actionName']}' that was reached"
        raise ServiceError("ActionNotFoundException", message)
    if run.status != "InProgress":
        raise ServiceError("ApprovalAlreadyCompletedException", f"The approval '{run.name}' is already {run.status}")
    if run.token is None or run.token != request["token"]:
        raise ServiceError("InvalidApprovalTokenException", "The approval token is not the one of the approval that waits now")
    run.summary = request["result"]["summary"]
    run.status = "Succeeded" if request["result"]["status"] == "Approved" else "Failed"
    run.updated, run.updated_by, run.token = now(), asking.arn(engine.context), None
    return {"approvedAt": now()}


def _retry_stage_execution(engine: Engine, pipeline: Pipeline, request: Json) -> Json:
    name = request["stageName"]
    execution, latest = pipeline.execution(request["pipelineExecutionId"]), pipeline.stages.get(name)
    if latest is None or latest.execution_id != execution.execution_id:
        raise ServiceError("NotLatestPipelineExecutionException", f"The latest execution of stage '{name}' is another one")
    if latest.status not in ("Failed", "Stopped") or not execution.is_over or name in pipeline.occupants:
        raise ServiceError("StageNotRetryableException", f"Stage '{name}' is {latest.status}; only a failed stage can be retried")
    execution.stop_asked = False
    execution.abandoned.clear()
    engine.retry(pipeline, execution, name, request["retryMode"])
    return {"pipelineExecutionId": execution.execution_id}


def _rollback_stage(engine: Engine, pipeline: Pipeline, request: Json) -> Json:
    target = pipeline.execution(request["targetPipelineExecutionId"])
    run = target.stages.get(request["stageName"])
    same_version = target.declaration["version"] == pipeline.declaration["version"]
    is_source = request["stageName"] == pipeline.declaration["stages"][0]["name"]
    if is_source or run is None or run.status != "Succeeded" or target.execution_type != "STANDARD" or not same_version:
        message = (
            "Roll back to a standard execution of the current pipeline version that succeeded in this stage, and not to a source stage"
        )
        raise ServiceError("UnableToRollbackStageException", message)
    trigger = {"triggerType": "ManualRollback", "triggerDetail": f"arn:aws:iam::{engine.context.settings.account_id}:root"}
    return {"pipelineExecutionId": engine.roll_back(pipeline, request["stageName"], target, trigger).execution_id}


def _set_transition(_: Engine, pipeline: Pipeline, request: Json, *, enabled: bool) -> Json:
    names = [stage["name"] for stage in pipeline.declaration["stages"]]
    position = names.index(request["stageName"]) + (request["transitionType"] == "Outbound")
    if position == len(names):
        raise InvalidError(f"Stage '{names[-1]}' is the last one and has no outbound transition")
    transition = pipeline.transition(names[position])
    transition.enabled, transition.changed = enabled, now()
    transition.reason = None if enabled else request.get("reason")
    return {}


def put_job_result(_: Context, request: Json) -> Json:
    """Of a function that an action has invoked, which knows no pipeline."""
    if request["jobId"] not in lambda_function.results:
        raise ServiceError("JobNotFoundException", f"There is no job '{request['jobId']}' that waits for a result")
    lambda_function.results[request["jobId"]] = request
    return {}


STAGE_OPERATIONS: Mapping[str, Callable[[Engine, Pipeline, Json], Json]] = {
    "put_approval_result": _put_approval_result,
    "retry_stage_execution": _retry_stage_execution,
    "rollback_stage": _rollback_stage,
    "disable_stage_transition": functools.partial(_set_transition, enabled=False),
    "enable_stage_transition": functools.partial(_set_transition, enabled=True),
}
