"""What an action is given: its resolved configuration, its artifacts, and the record it reports to."""

from __future__ import annotations

import functools
import io
import threading
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from local_account.codepipeline import artifacts
from local_account.codepipeline.records import ActionRun, Execution, SourceRevision
from local_account.context import Context
from local_account.roles import Role, pipeline_role

_POLL_SECONDS = 0.15


class ActionError(Exception):
    """The action failed; `code` is one of the service's error codes, such as JobFailed or ConfigurationError."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


class AbandonedError(Exception):
    """The execution was stopped without waiting for this action."""


@dataclass(frozen=True)
class Job:
    """`changed` is notified when anything that an action may wait for has changed."""

    context: Context
    execution: Execution
    run: ActionRun
    changed: threading.Condition

    @property
    def configuration(self) -> dict[str, str]:
        return self.run.configuration

    @property
    def pipeline_name(self) -> str:
        return str(self.execution.declaration["name"])

    @functools.cached_property
    def role(self) -> Role:
        """In whose name the action works, in the action's region."""
        action_role = str(self.run.declaration.get("roleArn") or "")
        return pipeline_role(self.context, self.execution.declaration, self.execution.execution_id, action_role, self.run.region)

    def read_file(self, location: str) -> bytes:
        """A file of an input artifact, written `Artifact::path/in/it`."""
        name, separator, path = location.partition("::")
        artifact = next((artifact for artifact in self.run.inputs if artifact.name == name), None)
        if not separator or artifact is None:
            names = ", ".join(artifact.name for artifact in self.run.inputs)
            raise ActionError("ConfigurationError", f"{location!r} is not <artifact>::<path>; input artifacts: {names}")
        if artifact.is_clone_reference:  # user guide, "CodeStarSourceConnection": "can only be used by CodeBuild downstream actions"
            raise ActionError("ConfigurationError", f"artifact {name} is a reference to clone, which only CodeBuild actions can read")
        with zipfile.ZipFile(io.BytesIO(artifacts.get(self.role, artifact))) as bundle:
            try:
                return bundle.read(path)
            except KeyError as error:
                raise ActionError("ConfigurationError", f"artifact {name} has no file {path!r}") from error

    def took(self, revision: str, summary: str, committed: str, variables: dict[str, str]) -> None:
        """Note what a source action has taken. `committed`: when, ISO 8601."""
        self.run.external_id, self.run.summary, self.run.output_variables = revision, summary, variables
        artifact_name = self.run.outputs[0].name if self.run.outputs else ""
        self.execution.revisions.append(SourceRevision(self.run.name, artifact_name, revision, summary, datetime.fromisoformat(committed)))

    def put_output(self, content: bytes, revision: str = "", *, is_clone_reference: bool = False) -> None:
        """Store the content of the action's only output artifact, or JSON that says where a build is to clone it from."""
        for output in self.run.outputs[:1]:
            output.revision, output.is_clone_reference = revision or self.revision, is_clone_reference
            artifacts.put(self.role, self.pipeline_name, output, content)

    @property
    def revision(self) -> str:
        """The commit that this execution is about."""
        return self.execution.revisions[0].revision_id if self.execution.revisions else ""

    def wait_until(self, finished: Callable[[], Any], timeout_seconds: float | None = None) -> Any:
        """Poll until `finished()` is true and return it. Raises ActionError on timeout, AbandonedError when stopped.

        What it looks at is the account's own record: a look that were a request would cost both sides of one each time.
        """
        began = time.monotonic()
        while True:
            result = finished()
            if result:
                return result
            if timeout_seconds is not None and time.monotonic() - began >= timeout_seconds:
                raise ActionError("JobTimedOut", f"action {self.run.name} did not end within {timeout_seconds:g} s")
            if self.context.stopping.is_set() or self.execution.abandoned.wait(_POLL_SECONDS):
                raise AbandonedError
