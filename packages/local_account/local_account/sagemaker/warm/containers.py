"""The account's side of the warm containers: starts a job's command in one, or as an ordinary process where that cannot be.

Ordinary: other systems than Linux, commands that are not this account's Python, and environments that change how Python starts.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from local_account.context import Context, Part

_SERVER, _OPT_ML = Path(__file__).with_name("server.py"), Path(__file__).with_name("opt_ml.py")
#: What a tabular job imports; about three seconds in all.
PACKAGES = (
    "numpy", "pandas", "scipy.stats", "scipy.sparse", "pyarrow.parquet", "sklearn.ensemble", "sklearn.linear_model",
    "sklearn.model_selection", "sklearn.metrics", "sklearn.preprocessing", "sklearn.inspection", "sklearn.calibration", "xgboost",
    "threadpoolctl", "runpy", "argparse", "csv", "hashlib", "logging", "tarfile", "tempfile", "matplotlib.figure",
    "matplotlib.backends.backend_agg", "flask",
)  # fmt: skip
_STARTUP_VARIABLES = ("PYTHONHASHSEED", "PYTHONHOME", "PYTHONOPTIMIZE", "LD_PRELOAD", "LD_LIBRARY_PATH")


class RunningProcess(Protocol):
    """A command that was started."""

    def wait(self, timeout_seconds: float) -> int | None:
        """Exit code, or None if it still runs when the time is up. 128 + n for an end by signal n."""

    def stop(self, grace_seconds: float = 0) -> None:
        """End it with all that it started: politely if there is grace, then at once. Safe to repeat."""


class WarmContainers(Part):
    """Starts jobs and endpoints of all accounts of a process, at `places.first`: the packages are imported once.

    `prepare` may be called early, so that the first job finds them imported.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._address = ""
        self._server: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Start importing in the background, where this system can fork. Safe to repeat; does not wait."""
        if not sys.platform.startswith("linux"):
            return
        with self._lock, contextlib.suppress(OSError):  # OSError: the account is stopping
            if self._server is None or self._server.poll() is not None:
                self._address = f"local-account-{secrets.token_hex(16)}"
                self._server = self.context.processes.start(
                    [sys.executable, "-I", str(_SERVER), self._address, *PACKAGES],
                    # One thread each while importing: a pool made now could not be used by the children.
                    environment={"PATH": os.environ.get("PATH", ""), "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8",
                                 "MPLCONFIGDIR": os.environ.get("MPLCONFIGDIR", ""),
                                 "OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "agg", "OMP_WAIT_POLICY": "passive"},
                    working_directory=self.context.settings.state_directory,
                    log_file=self.context.log_path("warm-containers", "server"),
                )  # fmt: skip

    def start(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        working_directory: Path,
        log_file: Path,
        opt_ml: Path,
        isolated: bool = False,
    ) -> RunningProcess:
        """Start a command, for which `opt_ml` is `/opt/ml`, without a network if it is to be `isolated` (`jobs/isolation.py`).

        Its output is appended to `log_file`. Raises OSError if it cannot start.
        """
        log_file.parent.mkdir(parents=True, exist_ok=True)
        script = _python_script(command)
        if script and not any(name in environment for name in _STARTUP_VARIABLES):
            self.prepare()
            connection = self._connect()
            if connection:
                return _Forked(
                    connection,
                    {
                        "command": script,
                        "environment": dict(environment),
                        "directory": str(working_directory),
                        "log": str(log_file),
                        "opt_ml": str(opt_ml),
                        "isolated": isolated,
                    },
                )
        process = self.context.processes.start(
            [sys.executable, "-S", "-E", str(_OPT_ML), *(["--isolated"] if isolated else []), str(opt_ml), *command],
            environment={"PYTHONUNBUFFERED": "1", **environment},
            working_directory=working_directory,
            log_file=log_file,
        )
        return _Ordinary(process)

    def _connect(self) -> socket.socket | None:
        """A connection to the server; None if there is no server. It accepts before it has imported everything."""
        deadline = time.monotonic() + 10
        while self._server is not None and self._server.poll() is None and time.monotonic() < deadline:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.connect("\0" + self._address)
                return connection
            except OSError:
                connection.close()
                time.sleep(0.01)
        return None


def _python_script(command: Sequence[str]) -> list[str] | None:
    """Script (or `-m module`) and arguments of a command that this account's Python runs; None for other commands."""
    if len(command) < 2 or command[0] != sys.executable or (command[1].startswith("-") and command[1] != "-m"):
        return None
    return list(command[1:])


class _Ordinary:
    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def wait(self, timeout_seconds: float) -> int | None:
        try:
            return self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            return None

    def stop(self, grace_seconds: float = 0) -> None:
        process_input = self._process.stdin
        if process_input and not process_input.closed:
            process_input.close()
        self._process.wait()


class _Forked:
    """One connection to the server is one job."""

    def __init__(self, connection: socket.socket, request: Mapping[str, object]) -> None:
        self._connection = connection
        self._received = b""
        self._exit_code: int | None = None
        connection.sendall(json.dumps(request).encode() + b"\n")

    def wait(self, timeout_seconds: float) -> int | None:
        deadline = time.monotonic() + timeout_seconds
        with selectors.DefaultSelector() as selector:  # select() itself takes no descriptor above 1,023, and an account has many
            selector.register(self._connection, selectors.EVENT_READ)
            while self._exit_code is None and (left := deadline - time.monotonic()) > 0:
                if selector.select(left):
                    self._receive()
        return self._exit_code

    def stop(self, grace_seconds: float = 0) -> None:
        if self._exit_code is None and grace_seconds:
            with contextlib.suppress(OSError):
                self._connection.sendall(b"T")
                self.wait(grace_seconds)
        if self._exit_code is None:
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_WR)  # the server takes this as "now" and still answers the exit code
                self.wait(5)
        self._connection.close()

    def _receive(self) -> None:
        try:
            data = self._connection.recv(64)
        except OSError:
            data = b""
        self._received += data
        *lines, _ = self._received.split(b"\n")
        if len(lines) == 2:  # "started", then the exit code
            self._exit_code = int(lines[1])
        elif not data:
            self._exit_code = 137  # the server died, and its watcher ended the job
