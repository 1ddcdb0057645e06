"""Starts the account's child processes so that none can outlive it. Next: `child_guard.py`."""

from __future__ import annotations

import contextlib
import math
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

GUARD = Path(__file__).with_name("child_guard.py")
_LONGEST_WAIT_SECONDS = 1.0


class Processes:
    """Every build, job and model server of one account."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._closed = False

    def start(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        working_directory: Path,
        log_file: Path,
    ) -> subprocess.Popen[bytes]:
        """Start a guarded command; standard output and error are appended to `log_file`. Raises OSError if it cannot start."""
        with self._lock:
            if self._closed:
                raise OSError("the local account is stopping")
            log_file.parent.mkdir(parents=True, exist_ok=True)
            with log_file.open("ab") as log:
                process = subprocess.Popen(
                    [sys.executable, "-S", "-E", str(GUARD), *command],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=working_directory,
                    env=dict(environment),
                    # Apart from our own process group: whoever kills that group with all its members
                    # must not kill the guards, or what they guard would live on.
                    start_new_session=True,
                )
            self._running = {other for other in self._running if other.poll() is None} | {process}
            return process

    def run(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        working_directory: Path,
        log_file: Path,
        timeout_seconds: float | None = None,
    ) -> int:
        """Run a guarded command to its end and return its exit code. Raises subprocess.TimeoutExpired, having ended it."""
        process = self.start(command, environment=environment, working_directory=working_directory, log_file=log_file)
        deadline = math.inf if timeout_seconds is None else time.monotonic() + timeout_seconds
        try:
            while (left := deadline - time.monotonic()) > 0:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    return process.wait(min(left, _LONGEST_WAIT_SECONDS))  # a longer one would hold up a signal to this process
            raise subprocess.TimeoutExpired(command, timeout_seconds or 0)
        finally:
            self.stop(process)

    @staticmethod
    def stop(process: subprocess.Popen[bytes]) -> None:
        """End a command with all that it started. Safe to repeat."""
        if process.stdin and not process.stdin.closed:
            process.stdin.close()
        process.wait()

    def close(self) -> None:
        """End everything, and refuse to start more."""
        with self._lock:
            self._closed = True
            running = list(self._running)
        for process in running:
            if process.stdin and not process.stdin.closed:
                process.stdin.close()
        for process in running:
            process.wait()
