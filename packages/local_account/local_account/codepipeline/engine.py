"""Moves executions through the stages of their pipelines; one thread per execution, one per running action.

A stage holds one execution at a time (except in PARALLEL mode). An execution that waits before a stage is overtaken by
a newer one in SUPERSEDED mode, and waits its turn in QUEUED mode. A failed stage is retried or rolled back as declared.
https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts-how-it-works.html. Next: `stage.py`.
"""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Sequence
from typing import Any

from local_account.codepipeline.announcements import announce_pipeline
from local_account.codepipeline.records import Execution, Json, Pipeline, SourceOverride, StageRun, now
from local_account.codepipeline.stage import StageRunner
from local_account.context import Context, Part
from local_account.errors import InvalidError, ServiceError

_log = logging.getLogger(__name__)
_CHECK_SECONDS = 1.0  # how often a waiting execution looks whether the account is stopping


class Engine(Part):
    """`changed` guards all state, and is notified when something that others may wait for has changed."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.changed = threading.Condition(threading.RLock())
        self.pipelines: dict[str, Pipeline] = {}
        self._stages = StageRunner(context, self.changed)

    def pipeline(self, name: str) -> Pipeline:
        """Raises ServiceError if there is none of that name."""
        if name not in self.pipelines:
            message = f"Account '{self.context.settings.account_id}' does not have a pipeline with name '{name}'"
            raise ServiceError("PipelineNotFoundException", message)
        return self.pipelines[name]

    def start(
        self, pipeline: Pipeline, variables: dict[str, str], sources: dict[str, SourceOverride], trigger: Json, change: dict[str, str]
    ) -> Execution:
        """Begin an execution at the first stage. `sources`: what source actions take, by name; `change`: what a push changed.

        Raises ServiceError for variables that are not declared, or have no value.
        """
        execution = Execution(
            declaration=copy.deepcopy(pipeline.declaration),
            variables=_resolved_variables(pipeline, variables),
            trigger=trigger,
            source_overrides=sources,
            change=change,
        )
        with self.changed:
            pipeline.executions[execution.execution_id] = execution
            if pipeline.mode == "QUEUED":  # in the order of their starts, however their threads come to run
                pipeline.queue(execution.declaration["stages"][0]["name"]).append(execution)
        announce_pipeline(self.context, execution, "STARTED")
        self.context.in_background(self._go, pipeline, execution, execution.declaration["stages"], None)
        return execution

    def retry(self, pipeline: Pipeline, execution: Execution, stage_name: str, retry_mode: str) -> None:
        """Run a failed stage of an execution again, and go on from there."""
        stages = execution.declaration["stages"]
        first = next(index for index, stage in enumerate(stages) if stage["name"] == stage_name)
        with self.changed:
            execution.status, execution.summary = "InProgress", None
            execution.stages[stage_name].manual_retries += 1
        announce_pipeline(self.context, execution, "RESUMED")
        self.context.in_background(self._go, pipeline, execution, stages[first:], retry_mode)

    def roll_back(self, pipeline: Pipeline, stage_name: str, target: Execution, trigger: dict[str, str]) -> Execution:
        """Run one stage again as it was in `target`: same artifacts, same variables, a new execution."""
        execution = Execution(
            declaration=target.declaration,
            variables=dict(target.variables),
            trigger=trigger,
            execution_type="ROLLBACK",
            rollback_target=target.execution_id,
            revisions=list(target.revisions),
            artifacts=dict(target.artifacts),
            namespaces={name: dict(values) for name, values in target.namespaces.items()},
        )
        stages = [stage for stage in execution.declaration["stages"] if stage["name"] == stage_name]
        with self.changed:
            pipeline.executions[execution.execution_id] = execution
            pipeline.queue(stage_name).insert(0, execution)
        announce_pipeline(self.context, execution, "STARTED")
        self.context.in_background(self._go, pipeline, execution, stages, None)
        return execution

    def _go(self, pipeline: Pipeline, execution: Execution, stages: Sequence[dict[str, Any]], retry_mode: str | None) -> None:
        try:
            status = self._run_stages(pipeline, execution, stages, retry_mode)
        except Exception as error:  # a defect of ours must end the execution, not leave it running for ever
            _log.exception("execution %s of %s failed inside the local account", execution.execution_id, pipeline.name)
            status, execution.summary = "Failed", f"internal error of the local account: {error}"
        with self.changed:
            execution.status, execution.updated = status, now()
            self.changed.notify_all()
        if not self.context.stopping.is_set():
            announce_pipeline(self.context, execution, status.upper())

    def _run_stages(self, pipeline: Pipeline, execution: Execution, stages: Sequence[dict[str, Any]], retry_mode: str | None) -> str:
        held: str | None = None
        try:
            for stage in stages:
                refused = self._enter(pipeline, execution, stage["name"], leaving=held)
                held = None
                if refused:
                    return refused
                held = stage["name"]
                outcome = self._run_stage(pipeline, execution, stage, retry_mode)
                retry_mode = None
                if outcome != "Succeeded":
                    return outcome
            return "Succeeded"
        finally:
            self._release(pipeline, execution, held)

    def _run_stage(self, pipeline: Pipeline, execution: Execution, stage: dict[str, Any], retry_mode: str | None) -> str:
        """Status of the execution if it must end here; Succeeded to go on."""
        run = self._stages.begin(pipeline, execution, stage)
        status = self._stages.run(pipeline, execution, stage, run, retry_mode)
        on_failure = stage.get("onFailure") or {}
        if status == "Failed" and on_failure.get("result") == "RETRY" and not execution.broken_off:
            run.automatic_retries += 1
            mode = (on_failure.get("retryConfiguration") or {}).get("retryMode", "FAILED_ACTIONS")
            status = self._stages.run(pipeline, execution, stage, run, mode)
        if status == "Failed" and on_failure.get("result") == "ROLLBACK" and execution.execution_type == "STANDARD":
            target = self.last_success(pipeline, stage["name"], execution)
            if target is not None and not self.context.stopping.is_set():
                self.roll_back(
                    pipeline, stage["name"], target, {"triggerType": "AutomatedRollback", "triggerDetail": execution.execution_id}
                )
        return "Succeeded" if status in ("Succeeded", "Skipped") else status

    def last_success(self, pipeline: Pipeline, stage_name: str, failed: Execution | None = None) -> Execution | None:
        """The execution that a stage can go back to: its newest success in the pipeline's current version."""
        with self.changed:
            version = (failed.declaration if failed else pipeline.declaration)["version"]
            for execution in reversed(pipeline.executions.values()):
                run: StageRun | None = execution.stages.get(stage_name)
                standard = execution.execution_type == "STANDARD" and execution is not failed
                if standard and run and run.status == "Succeeded" and execution.declaration["version"] == version:
                    return execution
        return None

    def _enter(self, pipeline: Pipeline, execution: Execution, stage_name: str, leaving: str | None) -> str | None:
        """Wait for the stage's lock and take it. Returns the execution's final status if it may not enter."""
        with self.changed:
            queue = pipeline.queue(stage_name)
            if execution not in queue:
                queue.append(execution)
            # Joining the queue and leaving the last stage in one step keeps executions in their order.
            self._release(pipeline, execution, leaving)
            if pipeline.mode == "SUPERSEDED":
                for older in queue[: queue.index(execution)]:
                    if older.execution_type == "STANDARD":
                        older.superseded_by = execution.execution_id
                self.changed.notify_all()
            try:
                while not self._may_enter(pipeline, execution, stage_name):
                    refused = self._refusal(pipeline, execution)
                    if refused:
                        return refused
                    self.changed.wait(_CHECK_SECONDS)
                if pipeline.mode != "PARALLEL":
                    pipeline.occupants[stage_name] = execution.execution_id
            finally:
                queue.remove(execution)
                self.changed.notify_all()
        return None

    def _may_enter(self, pipeline: Pipeline, execution: Execution, stage_name: str) -> bool:
        if self._refusal(pipeline, execution) or not pipeline.transition(stage_name).enabled:
            return False
        return pipeline.mode == "PARALLEL" or (pipeline.queue(stage_name)[0] is execution and stage_name not in pipeline.occupants)

    def _refusal(self, pipeline: Pipeline, execution: Execution) -> str | None:
        if execution.broken_off or self.context.stopping.is_set() or pipeline.deleted:
            return execution.broken_off or "Stopped"
        if execution.superseded_by:
            execution.summary = f"Superseded by {execution.superseded_by}"
            return "Superseded"
        return None

    def _release(self, pipeline: Pipeline, execution: Execution, stage_name: str | None) -> None:
        with self.changed:
            if stage_name and pipeline.occupants.get(stage_name) == execution.execution_id:
                del pipeline.occupants[stage_name]
            self.changed.notify_all()


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
