"""Events of CodePipeline on the default event bus.

https://docs.aws.amazon.com/codepipeline/latest/userguide/detect-state-changes-cloudwatch-events.html
"""

from __future__ import annotations

import re
from typing import Any

from local_account.codepipeline.records import ActionRun, Execution
from local_account.context import Context

#: Our status in capitals -> the event's state, where they differ.
_STATES = {"CANCELLED": "CANCELED"}
_WORD = re.compile(r"(?<!^)(?=[A-Z])")


def announce_pipeline(context: Context, execution: Execution, state: str) -> None:
    detail: dict[str, Any] = {"execution-trigger": _trigger(execution)}
    _emit(context, "CodePipeline Pipeline Execution State Change", execution, state, detail)


def announce_stage(context: Context, execution: Execution, stage_name: str, state: str) -> None:
    _emit(context, "CodePipeline Stage Execution State Change", execution, state, {"stage": stage_name})


def announce_action(context: Context, execution: Execution, run: ActionRun, state: str) -> None:
    kind = run.declaration["actionTypeId"]
    detail: dict[str, Any] = {
        "stage": run.stage_name,
        "action": run.name,
        "action-execution-id": run.action_execution_id,
        "region": run.region,
        "type": {"owner": kind["owner"], "provider": kind["provider"], "category": kind["category"], "version": kind.get("version", "1")},
    }
    if state != "STARTED":
        result: dict[str, Any] = {"external-execution-id": run.external_id}
        if run.error:
            result |= {"error-code": run.error["code"], "external-execution-summary": run.error["message"]}
        detail["execution-result"] = result
    _emit(context, "CodePipeline Action Execution State Change", execution, state, detail)


def _trigger(execution: Execution) -> dict[str, str]:
    """Type and detail; of an execution that a push to a connection's repository started, what was pushed instead, as in the guide."""
    if execution.change:
        return {_WORD.sub("-", name).lower(): value for name, value in execution.change.items()}
    return {"trigger-type": execution.trigger["triggerType"], "trigger-detail": execution.trigger.get("triggerDetail", "")}


def _emit(context: Context, detail_type: str, execution: Execution, state: str, detail: dict[str, Any]) -> None:
    name = execution.declaration["name"]
    common = {
        "pipeline": name,
        "execution-id": execution.execution_id,
        "state": _STATES.get(state, state),
        "version": execution.declaration["version"],
    }
    context.emit("aws.codepipeline", detail_type, {**common, **detail}, [context.arn("codepipeline", name)])
