"""State in the shapes of the CodePipeline API. Pure: called under the engine's lock.

https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_GetPipelineState.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from local_account.codepipeline.records import ActionRun, Artifact, ConditionRun, Execution, Pipeline, StageRun
from local_account.context import Context

Json = dict[str, Any]


def without_empty(values: Mapping[str, Any]) -> Json:
    return {key: value for key, value in values.items() if value is not None}


def pipeline_state(pipeline: Pipeline) -> Json:
    return {
        "pipelineName": pipeline.name,
        "pipelineVersion": pipeline.declaration["version"],
        "created": pipeline.created,
        "updated": pipeline.updated,
        "stageStates": [_stage_state(pipeline, stage) for stage in pipeline.declaration["stages"]],
    }


def _stage_state(pipeline: Pipeline, stage: Mapping[str, Any]) -> Json:
    name = stage["name"]
    transition, run = pipeline.transition(name), pipeline.stages.get(name)
    waiting = [
        {"pipelineExecutionId": execution.execution_id, "status": "InProgress", "type": execution.execution_type}
        for execution in pipeline.queue(name)
    ]
    state: Json = {
        "stageName": name,
        "inboundExecutions": waiting,
        "inboundTransitionState": without_empty(
            {
                "enabled": transition.enabled,
                "disabledReason": transition.reason,
                "lastChangedAt": transition.changed,
                "lastChangedBy": "local account" if transition.changed else None,
            }
        ),
        "actionStates": [_action_state(pipeline, name, action) for action in stage["actions"]],
    }
    if waiting:
        state["inboundExecution"] = waiting[0]
    if run is not None:
        state["latestExecution"] = {
            "pipelineExecutionId": run.execution_id,
            "status": _stage_status(pipeline, run),
            "type": run.execution_type,
        }
        if run.entry_conditions:
            state["beforeEntryConditionState"] = _conditions(run.entry_conditions)
        if run.automatic_retries or run.manual_retries:
            state["retryStageMetadata"] = without_empty(
                {
                    "autoStageRetryAttempt": run.automatic_retries or None,
                    "manualStageRetryAttempt": run.manual_retries or None,
                    "latestRetryTrigger": "ManualStageRetry" if run.manual_retries else "AutomatedStageRetry",
                }
            )
    return state


def _stage_status(pipeline: Pipeline, run: StageRun) -> str:
    stopping = pipeline.executions[run.execution_id].status == "Stopping"
    return "Stopping" if stopping and run.status == "InProgress" else run.status


def _conditions(conditions: Iterable[ConditionRun]) -> Json:
    runs = list(conditions)
    worst = next((condition for condition in runs if condition.status != "Succeeded"), runs[0])
    return {
        "latestExecution": {"status": worst.status, "summary": worst.summary},
        "conditionStates": [
            {
                "latestExecution": {"status": condition.status, "summary": condition.summary, "lastStatusChange": condition.at},
                "ruleStates": [
                    {
                        "ruleName": rule.name,
                        "latestExecution": {"status": rule.status, "summary": rule.message, "lastStatusChange": rule.at},
                    }
                    for rule in condition.rules
                ],
            }
            for condition in runs
        ],
    }


def _action_state(pipeline: Pipeline, stage_name: str, action: Mapping[str, Any]) -> Json:
    run = pipeline.actions.get((stage_name, action["name"]))
    if run is None:
        return {"actionName": action["name"]}
    state: Json = {
        "actionName": action["name"],
        "latestExecution": without_empty(
            {
                "actionExecutionId": run.action_execution_id,
                "status": run.status,
                "summary": run.summary,
                "lastStatusChange": run.updated,
                "token": run.token,
                "lastUpdatedBy": run.updated_by,
                "externalExecutionId": run.external_id,
                "externalExecutionUrl": run.external_url,
                "errorDetails": run.error,
                "logStreamARN": run.log_stream_arn,
            }
        ),
    }
    if run.declaration["actionTypeId"]["category"] == "Source" and run.status == "Succeeded":
        state["currentRevision"] = {"revisionId": run.external_id, "revisionChangeId": run.external_id, "created": run.updated}
    return state


def execution_detail(execution: Execution) -> Json:
    return without_empty(
        {
            **_execution(execution),
            "pipelineName": execution.declaration["name"],
            "pipelineVersion": execution.declaration["version"],
            "artifactRevisions": [
                {
                    "name": revision.artifact_name,
                    "revisionId": revision.revision_id,
                    "revisionSummary": revision.summary,
                    "created": revision.created,
                }
                for revision in execution.revisions
            ],
            "variables": [{"name": name, "resolvedValue": value} for name, value in execution.variables.items()],
        }
    )


def execution_summary(execution: Execution) -> Json:
    return without_empty(
        {
            **_execution(execution),
            "startTime": execution.started,
            "lastUpdateTime": execution.updated,
            "sourceRevisions": [
                {"actionName": revision.action_name, "revisionId": revision.revision_id, "revisionSummary": revision.summary}
                for revision in execution.revisions
            ],
            "stopTrigger": {"reason": execution.stop_reason} if execution.stop_reason else None,
        }
    )


def _execution(execution: Execution) -> Json:
    return {
        "pipelineExecutionId": execution.execution_id,
        "status": execution.status,
        "statusSummary": execution.summary,
        "trigger": execution.trigger,
        "executionMode": execution.declaration["executionMode"],
        "executionType": execution.execution_type,
        "rollbackMetadata": {"rollbackTargetPipelineExecutionId": execution.rollback_target} if execution.rollback_target else None,
    }


def action_execution(context: Context, execution: Execution, run: ActionRun) -> Json:
    result = without_empty(
        {
            "externalExecutionId": run.external_id,
            "externalExecutionSummary": run.summary or (run.error or {}).get("message"),
            "externalExecutionUrl": run.external_url,
            "errorDetails": run.error,
            "logStreamARN": run.log_stream_arn,
        }
    )
    return without_empty(
        {
            "pipelineExecutionId": execution.execution_id,
            "actionExecutionId": run.action_execution_id,
            "pipelineVersion": execution.declaration["version"],
            "stageName": run.stage_name,
            "actionName": run.name,
            "startTime": run.started,
            "lastUpdateTime": run.updated,
            "updatedBy": run.updated_by,
            "status": run.status,
            "input": without_empty(
                {
                    "actionTypeId": run.declaration["actionTypeId"],
                    "configuration": run.declaration["configuration"],
                    "resolvedConfiguration": run.configuration,
                    "roleArn": run.declaration.get("roleArn"),
                    "region": run.region,
                    "inputArtifacts": [_artifact(artifact) for artifact in run.inputs],
                    "namespace": run.declaration.get("namespace"),
                }
            ),
            "output": {
                "outputArtifacts": [_artifact(artifact) for artifact in run.outputs] if run.status == "Succeeded" else [],
                "executionResult": result,
                "outputVariables": run.output_variables,
            },
        }
    )


def _artifact(artifact: Artifact) -> Json:
    return {"name": artifact.name, "s3location": {"bucket": artifact.bucket, "key": artifact.key}}
