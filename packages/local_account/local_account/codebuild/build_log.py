"""Output of a build: a file that one can open, copied to the CloudWatch Logs stream that the build's record names."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local_account.errors import ServiceError
from local_account.roles import Role

_MOST_EVENTS_PER_CALL = 5000  # PutLogEvents accepts 10,000 events and 1 MiB


class BuildLog:
    """A log that cannot be written, such as on a full disk, does not end the build: what comes next does, with its reason in the record."""

    def __init__(self, role: Role, record: dict[str, Any]) -> None:
        self.path = role.context.log_path("build", record["id"])
        self._role = role
        self._logs = record["logs"]
        self._sent = 0
        self._lock = threading.Lock()
        self._opened = False
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
            for first in range(0, len(lines), _MOST_EVENTS_PER_CALL):
                self._put(lines[first : first + _MOST_EVENTS_PER_CALL])

    def _put(self, lines: list[str]) -> None:
        logs = self._role.client("logs")
        stream = {"logGroupName": self._logs["groupName"], "logStreamName": self._logs["streamName"]}
        if not self._opened:
            with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
                try:
                    logs.create_log_stream(**stream)
                except logs.exceptions.ResourceNotFoundException:  # a group that is there needs no permission to make one
                    logs.create_log_group(logGroupName=stream["logGroupName"])
                    logs.create_log_stream(**stream)
            self._opened = True
        now = int(time.time() * 1000)
        # The service refuses empty events.
        logs.put_log_events(**stream, logEvents=[{"timestamp": now, "message": line or " "} for line in lines])
