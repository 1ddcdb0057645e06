"""Output of a build: a file that one can open, copied to the CloudWatch Logs stream that the build's record names."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local_account import log_streams
from local_account.errors import ServiceError
from local_account.roles import Role


class BuildLog:
    """A log that cannot be written, such as on a full disk, does not end the build: what comes next does, with its reason in the record."""

    def __init__(self, role: Role, record: dict[str, Any]) -> None:
        self.path = role.context.log_path("build", record["id"])
        self._role = role
        self._logs = record["logs"]
        self._sent = 0
        self._lock = threading.Lock()
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.touch()

    def line(self, text: str) -> None:
        """Add a line of the service's own."""
        with contextlib.suppress(OSError), self.path.open("a", encoding="utf-8") as log:
            log.write(f"[build] {text}\n")

    def flush(self) -> None:
        """Copy complete lines that are new to the log stream. A log that cannot be copied does not fail the build."""
        with self._lock, contextlib.suppress(ClientError, BotoCoreError, OSError, ServiceError):
            with self.path.open("rb") as log:
                log.seek(self._sent)
                new = log.read()
            complete = new[: new.rfind(b"\n") + 1]
            self._sent += len(complete)
            lines = complete.decode("utf-8", "replace").splitlines()
            log_streams.append(self._role, self._logs["groupName"], self._logs["streamName"], lines)
