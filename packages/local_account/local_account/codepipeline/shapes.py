"""State in the shapes of the CodePipeline API. Pure: called under the engine's lock.

What is None, and what the model of an operation's answer has not, goes when the answer is written (`moto_operations.py`): so one function
serves all shapes of one thing.
https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_GetPipelineState.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from local_account.codepipeline.records import ActionRun, Artifact, ConditionRun, Execution, Json, Pipeline, StageRun


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
    return {
        "stageName": name,
        "inboundExecution": waiting[0] if waiting else None,
        "inboundExecutions": waiting,
        "inboundTransitionState": {
            "enabled": transition.enabled,
            "disabledReason": transition.reason,
            "lastChangedAt": transition.changed,
            "lastChangedBy": "local account" if transition.changed else None,
        },
        "actionStates": [_action_state(pipeline, name, action) for action in stage["actions"]],
        **(_latest(pipeline, run) if run else {}),
    }


def _latest(pipeline: Pipeline, run: StageRun) -> Json:
    is_stopping = pipeline.executions[run.execution_id].status == "Stopping" and run.status == "InProgress"
    retried = {
        "autoStageRetryAttempt": run.automatic_retries or None,
        "manualStageRetryAttempt": run.manual_retries or None,
        "latestRetryTrigger": "ManualStageRetry" if run.manual_retries else "AutomatedStageRetry",
    }
    return {
        "latestExecution": {
            "pipelineExecutionId": run.execution_id,
            "status": "Stopping" if is_stopping else run.status,
            "type": run.execution_type,
        },
        "beforeEntryConditionState": _conditions(run.entry_conditions) if run.entry_conditions else None,
        "retryStageMetadata": retried if run.automatic_retries or run.manual_retries else None,
    }


def _conditions(runs: Sequence[ConditionRun]) -> Json:
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
    is_source = run.declaration["actionTypeId"]["category"] == "Source" and run.status == "Succeeded"
    revision = {"revisionId": run.external_id, "revisionChangeId": run.external_id, "created": run.updated}
    return {"actionName": action["name"], "latestExecution": _run(run), "currentRevision": revision if is_source else None}


def _run(run: ActionRun) -> Json:
    """Of ActionExecution, ActionExecutionDetail and ActionExecutionResult."""
    return {
        "actionExecutionId": run.action_execution_id,
        "stageName": run.stage_name,
        "actionName": run.name,
        "status": run.status,
        "summary": run.summary,
        "startTime": run.started,
        "lastStatusChange": run.updated,
        "lastUpdateTime": run.updated,
        "token": run.token,
        "lastUpdatedBy": run.updated_by,
        "updatedBy": run.updated_by,
        "externalExecutionId": run.external_id,
        "externalExecutionSummary": run.summary or (run.error or {}).get("message"),
        "externalExecutionUrl": run.external_url,
        "errorDetails": run.error,
        "logStreamARN": run.log_stream_arn,
    }


def execution(shown: Execution) -> Json:
    """Of PipelineExecution and PipelineExecutionSummary."""
    return {
        "pipelineName": shown.declaration["name"],
        "pipelineVersion": shown.declaration["version"],
        "pipelineExecutionId": shown.execution_id,
        "status": shown.status,
        "statusSummary": shown.summary,
        "startTime": shown.started,
        "lastUpdateTime": shown.updated,
        "trigger": shown.trigger,
        "executionMode": shown.declaration["executionMode"],
        "executionType": shown.execution_type,
        "rollbackMetadata": {"rollbackTargetPipelineExecutionId": shown.rollback_target} if shown.rollback_target else None,
        "stopTrigger": {"reason": shown.stop_reason} if shown.stop_reason else None,
        "variables": [{"name": name, "resolvedValue": value} for name, value in shown.variables.items()],
        "artifactRevisions": [
            {
                "name": revision.artifact_name,
                "revisionId": revision.revision_id,
                "revisionSummary": revision.summary,
                "created": revision.created,
            }
            for revision in shown.revisions
        ],
        "sourceRevisions": [
            {"actionName": revision.action_name, "revisionId": revision.revision_id, "revisionSummary": revision.summary}
            for revision in shown.revisions
        ],
    }


def action_execution(shown: Execution, run: ActionRun) -> Json:
    return {
        **_run(run),
        "pipelineExecutionId": shown.execution_id,
        "pipelineVersion": shown.declaration["version"],
        "input": {
            **run.declaration,
            "resolvedConfiguration": run.configuration,
            "inputArtifacts": [_artifact(artifact) for artifact in run.inputs],
        },
        "output": {
            "outputArtifacts": [_artifact(artifact) for artifact in run.outputs] if run.status == "Succeeded" else [],
            "executionResult": _run(run),
            "outputVariables": run.output_variables,
        },
    }


def _artifact(artifact: Artifact) -> Json:
    return {"name": artifact.name, "s3location": {"bucket": artifact.bucket, "key": artifact.key}}
