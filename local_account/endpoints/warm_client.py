"""The account's side of `warm_server.py`: starts it when first needed, and asks it to start and stop instances."""

from __future__ import annotations

import hmac
import json
import os
import secrets
import socket
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from itertools import count
from pathlib import Path
from typing import Any

from local_account.context import Context

#: What inference code imports in the XGBoost container; imported once, before the first fork.
PRELOADED_MODULES = ("numpy", "pandas", "scipy.sparse", "sklearn.ensemble", "sklearn.linear_model", "xgboost")

_PROJECT = Path(__file__).resolve().parents[2]
_START_TIMEOUT_SECONDS = 60


class WarmClient:
    """Thread-safe. `on_end(pid, code)` is called on another thread when an instance ends, whatever the reason."""

    def __init__(self, context: Context, on_end: Callable[[int, int], None], modules: Sequence[str] = PRELOADED_MODULES) -> None:
        self._context, self._on_end = context, on_end
        self.modules = tuple(modules)  # imported before the first instance; a change later has no effect
        self._log_file = context.log_path("endpoint", "warm-server")
        self._lock = threading.Lock()
        self._ids = count(1)
        self._waiting: dict[int, Future[dict[str, Any]]] = {}
        self._connection: socket.socket | None = None

    def warm_up(self) -> None:
        """Begin importing in the background, so that the first instance does not wait for it. Safe to repeat."""
        with self._lock:
            if self._connection is None:
                self._connection = self._launch()

    def start(self, directory: Path, environment: Mapping[str, str], log_file: Path) -> tuple[int, int]:
        """Start an instance; returns its process id and port. Raises OSError when the account is stopping."""
        reply = self._ask({"start": {"directory": str(directory), "environment": dict(environment), "log": str(log_file)}})
        return reply["pid"], reply["port"]

    def stop(self, pid: int) -> None:
        """End an instance at once. Safe to repeat, and once the account is stopping."""
        try:
            self._ask({"stop": pid})
        except OSError:
            return  # the warm server is gone, and its instances with it

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        self.warm_up()
        reply: Future[dict[str, Any]] = Future()
        with self._lock:
            if self._connection is None:
                raise OSError(f"the model servers have ended; see {self._log_file}")
            identifier = next(self._ids)
            self._waiting[identifier] = reply
            self._connection.sendall(json.dumps({"id": identifier, **request}).encode() + b"\n")
        return reply.result(_START_TIMEOUT_SECONDS)

    def _launch(self) -> socket.socket:
        secret = secrets.token_hex(16)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(_START_TIMEOUT_SECONDS)
            environment = self._context.process_environment(
                {
                    "PYTHONPATH": str(_PROJECT),
                    "LOCAL_ACCOUNT_WARM_SECRET": secret,
                    # One thread per instance, so that instances share the machine as separate machines would not disturb each other.
                    "OMP_NUM_THREADS": "1",
                    "OPENBLAS_NUM_THREADS": "1",
                    # macOS ends a forked process that touches its frameworks otherwise.
                    "OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES",
                }
            )
            self._context.processes.start(
                [sys.executable, "-m", "local_account.endpoints.warm_server", str(listener.getsockname()[1]), *self.modules],
                environment=environment,
                working_directory=self._context.settings.state_directory,
                log_file=self._log_file,
            )
            connection, _ = listener.accept()
        messages = connection.makefile("r", encoding="utf-8")
        if not hmac.compare_digest(messages.readline().strip(), secret):
            raise OSError("a foreign process connected as the model servers' parent")
        os.set_inheritable(connection.fileno(), False)
        threading.Thread(target=self._receive, args=(messages,), daemon=True, name="warm-client").start()
        return connection

    def _receive(self, messages: Any) -> None:
        for line in messages:
            message = json.loads(line)
            if "ended" in message:
                threading.Thread(target=self._on_end, args=(message["ended"], message["code"]), daemon=True).start()
            else:
                self._waiting.pop(message["id"]).set_result(message)
        with self._lock:
            self._connection = None
            waiting, self._waiting = self._waiting, {}
        for reply in waiting.values():
            reply.set_exception(OSError(f"the model servers have ended; see {self._log_file}"))
