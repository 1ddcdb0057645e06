"""What the instances of endpoints print, in CloudWatch Logs: group `/aws/sagemaker/Endpoints/<endpoint>` or
`/aws/sagemaker/InferenceComponents/<component>`, a stream for each instance.

In: the instances' log files. Out: an event for each line, written as the model's role; a role that may not write has no log in the
cloud, and its endpoint serves all the same. Source: SageMaker developer guide, "Log groups and streams that SageMaker AI logs".
"""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from local_account import log_streams
from local_account.context import Context, Part
from local_account.errors import ServiceError
from local_account.roles import Role

_log = logging.getLogger(__name__)
#: Lines wait at most this long, in real seconds.
WRITE_SECONDS = 0.5
#: Of one file at a time; what is longer follows.
_MOST_BYTES = 512 * 1024
_LONGEST_LINE = 4000


@dataclass
class _Followed:
    """A log file, how far it has been written, and where to."""

    role: Role
    group: str
    stream: str
    written_bytes: int = 0
    is_over: bool = False
    is_refused: bool = False


class EndpointLogs(Part):
    """Follows files until their instances have ended and all is written."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._followed: dict[Path, _Followed] = {}
        context.in_background(self._write_regularly, name="endpoint-logs")

    def follow(self, file: Path, role: Role, group: str, variant: str) -> None:
        """Before the instance that writes it starts."""
        start = file.stat().st_size if file.exists() else 0  # an endpoint of the same name may have been there before
        self._followed[file] = _Followed(role, group, f"{variant}/i-{uuid.uuid4().hex[:17]}", start)

    def over(self, file: Path) -> None:
        """The instance has ended: nothing more will be in its file."""
        if file in self._followed:
            self._followed[file].is_over = True

    def _write_regularly(self) -> None:
        while not self.context.stopping.wait(WRITE_SECONDS):
            for file, followed in list(self._followed.items()):
                was_over = followed.is_over  # read first: what came before it is then in the file
                if not self._write(file, followed) and was_over and self._followed.get(file) is followed:
                    del self._followed[file]

    def _write(self, file: Path, followed: _Followed) -> bool:
        """Write the lines that are complete. Whether there were any."""
        if not file.exists():
            return False
        with file.open("rb") as log:
            log.seek(followed.written_bytes)
            data = log.read(_MOST_BYTES)
        end = data.rfind(b"\n") + 1 or (len(data) if len(data) == _MOST_BYTES or followed.is_over else 0)
        followed.written_bytes += end
        lines = [line[:_LONGEST_LINE] for line in data[:end].decode("utf-8", "replace").splitlines()]
        if lines and not followed.is_refused:
            try:
                log_streams.append(followed.role, followed.group, followed.stream, lines)
            except (BotoCoreError, ClientError, ServiceError) as error:
                followed.is_refused = True
                if not self.context.stopping.is_set():
                    _log.warning("the log of %s is not in CloudWatch Logs: %s; it is in %s", followed.group, error, file)
        return bool(lines)
