"""Chapter 3: approving a version rolls it to staging, where it is verified; a second approval rolls it to production."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from demo import loop
from demo.errors import StageError
from demo.facts import ModelFacts
from demo.narrator import Narrator, Stage
from demo.terminal import Terminal
from settings_schema import Serverless

_ACTION_ENDS = {"Succeeded", "Failed", "Abandoned"}


def releasing(terminal: Terminal, narrator: Narrator, model: ModelFacts) -> Callable[[], None]:
    """What `side_by_side` does: from the approval in the registry to production."""
    return lambda: release(terminal, narrator, model)


def release(terminal: Terminal, narrator: Narrator, model: ModelFacts) -> None:
    subject = model.subject
    pipeline = subject.names.deploy_pipeline
    known = {execution["pipelineExecutionId"] for execution in loop.pipeline_executions(terminal, pipeline)}
    with narrator.stage(subject.titled("Approved in the model registry")) as stage:
        model.approved_at = narrator.elapsed()
        loop.judge(terminal, model.version_arn, "Approved", "The report shows it is good enough")
        stage.note = f"version {model.version}"
    _Rollout(terminal, narrator, model, loop.new_execution(terminal, pipeline, known)).follow()
    live = loop.live_version(terminal, subject.production)
    if live != model.version_arn:
        raise StageError(f"production has {live}, not the approved {model.version_arn}", terminal.account_logs)


class _Rollout:
    """Tells every action of one execution of the deploy pipeline, and gives the approval it asks for."""

    def __init__(self, terminal: Terminal, narrator: Narrator, model: ModelFacts, execution: str) -> None:
        self._terminal, self._narrator, self._model, self._execution = terminal, narrator, model, execution
        self._pipeline = model.subject.names.deploy_pipeline
        self._latest: dict[str, Mapping[str, Any]] = {}
        self._running: dict[str, Stage] = {}
        self._status = ""

    def follow(self) -> None:
        for name, status in loop.changes(self._look, self._over):
            if name not in self._running:
                self._running[name] = self._narrator.begin(self._model.subject.titled(_title(name)))
            if name.endswith("/Approve") and status == "InProgress":
                self._approve(self._running[name])
            if status in _ACTION_ENDS:
                self._tell(name, status)
        if self._status != "Succeeded":
            raise StageError(loop.failure_of(self._terminal, self._pipeline, self._execution), self._terminal.account_logs)

    def _look(self) -> dict[str, str]:
        self._latest = loop.actions(self._terminal, self._pipeline, self._execution)
        return {
            name: str(action["status"]) for name, action in self._latest.items() if not name.endswith("/ChangeType")
        }  # has nothing to do

    def _over(self) -> bool:
        self._status = loop.status_of(self._terminal, self._pipeline, self._execution)
        return self._status in loop.PIPELINE_ENDS

    def _approve(self, stage: Stage) -> None:
        names = self._model.subject.names
        waiting = loop.wait_for(
            "the token of the approval", lambda: loop.waiting_approval(self._terminal, names, self._execution), seconds=10
        )
        loop.answer_approval(self._terminal, names, waiting, "Approved", "Staging answers as it should")
        stage.note = "approved by a person: staging answers as it should"

    def _tell(self, name: str, status: str) -> None:
        stage = self._running[name]
        if name == "Staging/Deploy" and status == "Succeeded":
            self._model.staging_at = self._narrator.elapsed()
            seconds = self._model.staging_at - self._model.approved_at
            stage.note = f"{self._model.subject.staging.stack} is there {seconds:.1f} s after the approval"
        elif name == "Production/Deploy" and status == "Succeeded":
            self._model.production_at = self._narrator.elapsed()
            stage.note = self._in_production()
        stage.failed = status != "Succeeded"
        self._narrator.end(stage)

    def _in_production(self) -> str:
        subject = self._model.subject
        if subject.model.is_batch_only:
            return f"{subject.production.stack} scores what is uploaded; no instance runs"
        if isinstance(subject.in_production, Serverless):
            return f"{subject.production.endpoint} in service; containers come with requests"
        return f"{subject.production.endpoint} in service on {loop.instance_count(self._terminal, subject.production)} instances"


def _title(name: str) -> str:
    stage, _, action = name.partition("/")
    return action if action == stage else f"{stage}: {action}"
