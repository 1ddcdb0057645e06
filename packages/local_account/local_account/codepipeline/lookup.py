"""Finds the engine of an account, its pipelines and their executions, with the API's errors for what is not there."""

from __future__ import annotations

from local_account.codepipeline.engine import Engine
from local_account.codepipeline.records import Execution, Pipeline
from local_account.context import Context
from local_account.errors import ServiceError


def find_pipeline(context: Context, name: str) -> Pipeline:
    pipeline = Engine.at(context).pipelines.get(name)
    if pipeline is None:
        raise ServiceError(
            "PipelineNotFoundException", f"Account '{context.settings.account_id}' does not have a pipeline with name '{name}'"
        )
    return pipeline


def find_execution(pipeline: Pipeline, execution_id: str) -> Execution:
    if execution_id not in pipeline.executions:
        raise ServiceError("PipelineExecutionNotFoundException", f"Pipeline '{pipeline.name}' has no execution '{execution_id}'")
    return pipeline.executions[execution_id]


def require_stage(pipeline: Pipeline, name: str) -> None:
    if name not in [stage["name"] for stage in pipeline.declaration["stages"]]:
        raise ServiceError("StageNotFoundException", f"Pipeline '{pipeline.name}' has no stage '{name}'")
