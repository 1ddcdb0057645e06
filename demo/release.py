"""Chapter 3: approving the version rolls it to staging, where it is verified; a second approval rolls it to production."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from demo import loop
from demo.errors import StageError
from demo.facts import Facts
from demo.narrator import Narrator, Stage
from demo.terminal import Terminal
from settings import PRODUCTION, PROJECT, STAGING

_ACTION_ENDS = {"Succeeded", "Failed", "Abandoned"}


def release(terminal: Terminal, narrator: Narrator, facts: Facts) -> None:
    """From the approval in the registry to production in service."""
    known = {execution["pipelineExecutionId"] for execution in loop.pipeline_executions(terminal, PROJECT.deploy_pipeline)}
    with narrator.stage("Approved in the model registry") as stage:
        facts.approved_at = narrator.elapsed()
        loop.judge(terminal, facts.version_arn, "Approved", "The report shows it is good enough")
        stage.note = f"version {facts.version}"
    execution = loop.new_execution(terminal, PROJECT.deploy_pipeline, known)
    _Rollout(terminal, narrator, facts, execution).follow()
    live = loop.live_version(terminal, PRODUCTION)
    if live != facts.version_arn:
        raise StageError(f"production serves {live}, not the approved {facts.version_arn}", terminal.account_logs)


class _Rollout:
    """Tells every action of one execution of the deploy pipeline, and gives the approval it asks for."""

    def __init__(self, terminal: Terminal, narrator: Narrator, facts: Facts, execution: str) -> None:
        self._terminal, self._narrator, self._facts, self._execution = terminal, narrator, facts, execution
        self._latest: dict[str, Mapping[str, Any]] = {}
        self._running: dict[str, Stage] = {}
        self._status = ""

    def follow(self) -> None:
        for name, status in loop.changes(self._look, self._over):
            if name not in self._running:
                self._running[name] = self._narrator.begin(_title(name))
            if name.endswith("/Approve") and status == "InProgress":
                self._approve(self._running[name])
            if status in _ACTION_ENDS:
                self._tell(name, status)
        if self._status != "Succeeded":
            raise StageError(loop.failure_of(self._terminal, PROJECT.deploy_pipeline, self._execution), self._terminal.account_logs)

    def _look(self) -> dict[str, str]:
        self._latest = loop.actions(self._terminal, PROJECT.deploy_pipeline, self._execution)
        return {name: str(action["status"]) for name, action in self._latest.items()}

    def _over(self) -> bool:
        self._status = loop.status_of(self._terminal, PROJECT.deploy_pipeline, self._execution)
        return self._status in loop.PIPELINE_ENDS

    def _approve(self, stage: Stage) -> None:
        waiting = loop.wait_for("the token of the approval", lambda: loop.waiting_approval(self._terminal, self._execution), seconds=10)
        loop.answer_approval(self._terminal, waiting, "Approved", "Staging answers as it should")
        stage.note = "approved by a person: staging answers as it should"

    def _tell(self, name: str, status: str) -> None:
        stage = self._running[name]
        if name == "Staging/Deploy" and status == "Succeeded":
            self._facts.staging_in_service_at = self._narrator.elapsed()
            seconds = self._facts.staging_in_service_at - self._facts.approved_at
            stage.note = f"{PROJECT.endpoint_name(STAGING)} in service {seconds:.1f} s after the approval"
        elif name == "Production/Deploy" and status == "Succeeded":
            self._facts.production_in_service_at = self._narrator.elapsed()
            stage.note = f"{PROJECT.endpoint_name(PRODUCTION)} in service on {loop.instance_count(self._terminal, PRODUCTION)} instances"
        stage.failed = status != "Succeeded"
        self._narrator.end(stage)


def _title(name: str) -> str:
    stage, _, action = name.partition("/")
    return action if action == stage else f"{stage}: {action}"
