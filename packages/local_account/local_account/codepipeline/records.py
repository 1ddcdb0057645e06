"""State of pipelines and their executions, as plain data. `engine.py` changes it, `shapes.py` shows it.

Every change and every reading of several fields happens under the engine's lock.
"""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from local_account.errors import ServiceError

Json = dict[str, Any]


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Artifact:
    """A ZIP in an artifact bucket, or where to clone its files from.

    `revision` is the commit it was made from, `region` that of the bucket, `kms_key` what encrypts it.
    """

    name: str
    bucket: str
    key: str
    region: str
    kms_key: str = ""
    revision: str = ""
    is_clone_reference: bool = False


@dataclass
class SourceRevision:
    action_name: str
    artifact_name: str
    revision_id: str
    summary: str
    created: datetime


@dataclass(frozen=True)
class SourceOverride:
    """What a source action takes instead of its branch's newest commit. `branch` or `tag` is what was pushed, if a push started it."""

    commit: str
    branch: str = ""
    tag: str = ""


@dataclass
class ActionRun:
    """One attempt at one action."""

    stage_name: str
    declaration: Json
    action_execution_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "InProgress"
    started: datetime = field(default_factory=now)
    updated: datetime = field(default_factory=now)
    updated_by: str | None = None
    summary: str | None = None
    error: Json | None = None
    external_id: str | None = None
    external_url: str | None = None
    log_stream_arn: str | None = None
    token: str | None = None  # of a manual approval that waits
    configuration: dict[str, str] = field(default_factory=dict)  # with its variables replaced
    inputs: list[Artifact] = field(default_factory=list)
    outputs: list[Artifact] = field(default_factory=list)
    output_variables: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.declaration["name"])

    @property
    def region(self) -> str:
        """Where the action works. `declaration.checked` has filled it in."""
        return str(self.declaration["region"])


@dataclass
class RuleRun:
    name: str
    status: str
    message: str
    at: datetime = field(default_factory=now)


@dataclass
class ConditionRun:
    """Outcome of one stage condition: Succeeded, Failed or Errored."""

    status: str
    summary: str
    rules: list[RuleRun]
    result: str  # what a failed condition does to the stage: FAIL or SKIP
    at: datetime = field(default_factory=now)


@dataclass
class StageRun:
    """A stage in one execution: InProgress, Succeeded, Failed, Stopping, Stopped, Skipped or Cancelled."""

    execution_id: str
    execution_type: str
    status: str = "InProgress"
    entry_conditions: list[ConditionRun] = field(default_factory=list)
    automatic_retries: int = 0
    manual_retries: int = 0


@dataclass
class Execution:
    """`declaration` is the pipeline as it was when this execution started. `cancelled`: by an update of the pipeline."""

    declaration: Json
    variables: dict[str, str]
    trigger: Json
    execution_type: str = "STANDARD"
    rollback_target: str | None = None
    source_overrides: dict[str, SourceOverride] = field(default_factory=dict)  # by source action name
    change: dict[str, str] = field(default_factory=dict)  # variables of the source action whose repository's push started it
    execution_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "InProgress"
    summary: str | None = None
    started: datetime = field(default_factory=now)
    updated: datetime = field(default_factory=now)
    revisions: list[SourceRevision] = field(default_factory=list)
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    namespaces: dict[str, dict[str, str]] = field(default_factory=dict)
    stages: dict[str, StageRun] = field(default_factory=dict)
    action_runs: list[ActionRun] = field(default_factory=list)
    superseded_by: str | None = None
    cancelled: bool = False
    stop_reason: str | None = None
    stop_asked: bool = False
    abandoned: threading.Event = field(default_factory=threading.Event)

    @property
    def is_over(self) -> bool:
        return self.status not in ("InProgress", "Stopping")

    @property
    def broken_off(self) -> str:
        """How it ends where somebody ends it; empty as long as nobody does."""
        return "Cancelled" if self.cancelled else "Stopped" if self.stop_asked else ""

    @property
    def known_variables(self) -> dict[str, dict[str, str]]:
        """Namespace -> variables that a configuration may refer to now."""
        return {**self.namespaces, "codepipeline": {"PipelineExecutionId": self.execution_id}, "variables": self.variables}

    def latest_run(self, stage_name: str, action_name: str) -> ActionRun | None:
        runs = [run for run in self.action_runs if (run.stage_name, run.name) == (stage_name, action_name)]
        return runs[-1] if runs else None


@dataclass
class Transition:
    """The way into a stage."""

    enabled: bool = True
    reason: str | None = None
    changed: datetime | None = None


@dataclass
class Pipeline:
    declaration: Json
    tags: dict[str, str] = field(default_factory=dict)
    created: datetime = field(default_factory=now)
    updated: datetime = field(default_factory=now)
    executions: dict[str, Execution] = field(default_factory=dict)  # in order of their start
    tokens: dict[str, str] = field(default_factory=dict)  # client request token -> execution id
    occupants: dict[str, str] = field(default_factory=dict)  # stage -> execution that holds its lock
    waiting: dict[str, list[Execution]] = field(default_factory=dict)  # stage -> executions before its entry, oldest first
    transitions: dict[str, Transition] = field(default_factory=dict)
    stages: dict[str, StageRun] = field(default_factory=dict)  # latest of each stage
    actions: dict[tuple[str, str], ActionRun] = field(default_factory=dict)  # latest of each action
    deleted: bool = False

    @property
    def name(self) -> str:
        return str(self.declaration["name"])

    @property
    def mode(self) -> str:
        return str(self.declaration.get("executionMode", "SUPERSEDED"))

    def execution(self, execution_id: str) -> Execution:
        """Raises ServiceError if there is none of that id."""
        if execution_id not in self.executions:
            raise ServiceError("PipelineExecutionNotFoundException", f"Pipeline '{self.name}' has no execution '{execution_id}'")
        return self.executions[execution_id]

    def queue(self, stage_name: str) -> list[Execution]:
        return self.waiting.setdefault(stage_name, [])

    def transition(self, stage_name: str) -> Transition:
        return self.transitions.setdefault(stage_name, Transition())
