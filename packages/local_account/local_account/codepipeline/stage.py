"""Runs one stage: its entry conditions, then its actions by run order, the ones of equal order side by side.

Next: `actions/`.
"""

from __future__ import annotations

import logging
import threading
from itertools import groupby
from typing import Any

from botocore.exceptions import ClientError

from local_account.codepipeline.actions import PROVIDERS
from local_account.codepipeline.actions.job import AbandonedError, ActionError, Job
from local_account.codepipeline.announcements import announce_action, announce_stage
from local_account.codepipeline.artifacts import copied, new_artifact
from local_account.codepipeline.conditions import evaluate
from local_account.codepipeline.records import ActionRun, Artifact, Execution, Pipeline, StageRun, now
from local_account.codepipeline.variables import UnresolvedVariableError, resolve_configuration
from local_account.context import Context
from local_account.errors import ServiceError
from local_account.roles import pipeline_role

_log = logging.getLogger(__name__)


class StageRunner:
    def __init__(self, context: Context, changed: threading.Condition) -> None:
        self._context, self._changed = context, changed

    def begin(self, pipeline: Pipeline, execution: Execution, stage: dict[str, Any]) -> StageRun:
        with self._changed:
            run = execution.stages.get(stage["name"]) or StageRun(execution.execution_id, execution.execution_type)
            execution.stages[stage["name"]] = pipeline.stages[stage["name"]] = run
        return run

    def run(self, pipeline: Pipeline, execution: Execution, stage: dict[str, Any], run: StageRun, retry_mode: str | None) -> str:
        """Run the stage and return its status. `retry_mode` FAILED_ACTIONS leaves alone what already succeeded."""
        self._set(run, "InProgress")
        announce_stage(self._context, execution, stage["name"], "RESUMED" if retry_mode else "STARTED")
        declared = (stage.get("beforeEntry") or {}).get("conditions", [])
        run.entry_conditions = [evaluate(condition, execution.known_variables) for condition in declared]
        unmet = next((condition for condition in run.entry_conditions if condition.status != "Succeeded"), None)
        if unmet is not None:
            status = "Skipped" if unmet.status == "Failed" and unmet.result == "SKIP" else "Failed"
            if status == "Failed":
                execution.summary = f"entry condition of stage {stage['name']}: {unmet.summary}"
        else:
            status = self._run_actions(pipeline, execution, stage, retry_mode)
        self._set(run, status)
        if not self._context.stopping.is_set():
            announce_stage(self._context, execution, stage["name"], {"Skipped": "SUCCEEDED"}.get(status, status.upper()))
        return status

    def _set(self, run: StageRun, status: str) -> None:
        with self._changed:
            run.status = status
            self._changed.notify_all()

    def _run_actions(self, pipeline: Pipeline, execution: Execution, stage: dict[str, Any], retry_mode: str | None) -> str:
        ordered = sorted(stage["actions"], key=lambda action: int(action["runOrder"]))
        for _, group in groupby(ordered, key=lambda action: int(action["runOrder"])):
            if execution.broken_off or self._context.stopping.is_set():
                return execution.broken_off or "Stopped"
            actions = [action for action in group if not (retry_mode == "FAILED_ACTIONS" and self._succeeded(execution, stage, action))]
            runs = [self._register(pipeline, execution, stage, action) for action in actions]
            threads = [self._context.in_background(self._run_action, pipeline, execution, run) for run in runs]
            for thread in threads:
                thread.join()
            if any(run.status == "Abandoned" for run in runs):
                return execution.broken_off or "Stopped"
            if any(run.status == "Failed" for run in runs):
                return "Failed"
        return "Succeeded"

    @staticmethod
    def _succeeded(execution: Execution, stage: dict[str, Any], action: dict[str, Any]) -> bool:
        latest = execution.latest_run(stage["name"], action["name"])
        return latest is not None and latest.status == "Succeeded"

    def _register(self, pipeline: Pipeline, execution: Execution, stage: dict[str, Any], action: dict[str, Any]) -> ActionRun:
        run = ActionRun(stage_name=stage["name"], declaration=action)
        with self._changed:
            made = execution.artifacts  # a skipped stage leaves gaps
            run.inputs = [made[artifact["name"]] for artifact in action["inputArtifacts"] if artifact["name"] in made]
            run.outputs = [new_artifact(execution.declaration, artifact["name"], run.region) for artifact in action["outputArtifacts"]]
            execution.action_runs.append(run)
            pipeline.actions[stage["name"], action["name"]] = run
            self._changed.notify_all()
        return run

    def _run_action(self, pipeline: Pipeline, execution: Execution, run: ActionRun) -> None:
        announce_action(self._context, execution, run, "STARTED")
        try:
            self._perform(execution, run)
            status = "Succeeded"
        except AbandonedError:
            status = "Abandoned"
        except ActionError as error:
            status, run.error = "Failed", {"code": error.code, "message": error.message}
        except ServiceError as error:  # such as a role that CodePipeline may not assume
            status, run.error = "Failed", {"code": "PermissionError", "message": error.message}
        except ClientError as error:
            status, run.error = "Failed", {"code": "PermissionError", "message": error.response["Error"].get("Message", str(error))}
        except Exception as error:
            _log.exception("action %s of %s failed inside the local account", run.name, pipeline.name)
            status, run.error = "Failed", {"code": "JobFailed", "message": f"{type(error).__name__}: {error}"}
        with self._changed:
            run.status, run.updated = status, now()
            if status == "Succeeded":
                execution.artifacts |= {artifact.name: artifact for artifact in run.outputs}
                if run.declaration.get("namespace"):
                    execution.namespaces[run.declaration["namespace"]] = dict(run.output_variables)
            execution.updated = now()
            self._changed.notify_all()
        if not self._context.stopping.is_set():
            announce_action(self._context, execution, run, status.upper())

    def _perform(self, execution: Execution, run: ActionRun) -> None:
        kind = run.declaration["actionTypeId"]
        try:
            run.configuration = resolve_configuration(run.declaration["configuration"], execution.known_variables)
        except UnresolvedVariableError as error:
            raise ActionError("ConfigurationError", str(error)) from error
        run.inputs = [self._in_region_of(run, execution, artifact) for artifact in run.inputs]
        PROVIDERS[kind["category"], kind["owner"], kind["provider"]](Job(self._context, execution, run, self._changed))

    def _in_region_of(self, run: ActionRun, execution: Execution, artifact: Artifact) -> Artifact:
        """CodePipeline brings an artifact to the region of the action that reads it, in the name of the pipeline's role."""
        if artifact.region == run.region:
            return artifact
        reader, writer = (
            pipeline_role(self._context, execution.declaration, execution.execution_id, region=region)
            for region in (artifact.region, run.region)
        )
        return copied(reader, writer, execution.declaration, artifact)
