"""Starts and ends the model server processes of one account, and notices when one ends by itself.

They start in the account's warm containers (`local_account/sagemaker/warm`), which have the model libraries imported: a few
milliseconds for an instance instead of seconds. Next: `model_server.py`, which runs in the process.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from local_account.context import Context
from local_account.endpoints.endpoint_logs import EndpointLogs
from local_account.endpoints.instance_client import Address
from local_account.endpoints.package import ServedModel
from local_account.sagemaker.warm.containers import RunningProcess, WarmContainers

_PROJECT = Path(__file__).resolve().parents[2]
#: Until the process has a port; importing the libraries may come first.
_START_TIMEOUT_SECONDS = 60.0
_POLL_SECONDS = 0.01
#: Between the signals by which a container is asked to end, and ended (SageMaker waits 30 seconds).
_LAST_WORDS_SECONDS = 2.0
_LONG_SECONDS = 3600.0


class ServerDidNotStartError(OSError):
    """The model server ended, or took too long, before it had a port; the message names its log."""


class Launcher:
    """Thread-safe. `on_end(pid, code)` is called on another thread when a process ends, whatever the reason."""

    def __init__(self, context: Context, on_end: Callable[[int, int], None]) -> None:
        self._context, self._on_end = context, on_end
        self._running: dict[int, tuple[RunningProcess, threading.Thread]] = {}  # with what waits for its end
        # One thread per instance, so that instances share the machine as separate machines would not disturb each other.
        self.environment = {"PYTHONPATH": str(_PROJECT), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

    def start(self, model: ServedModel, log_file: Path, key: str) -> tuple[int, Address]:
        """Start an instance of the model; returns its process id, and where it listens.

        It answers only who has the `key`, or who may open its socket: this account's user.

        Raises OSError if it cannot start.
        """
        address = self._context.settings.state_directory / "endpoints" / "instances" / uuid.uuid4().hex
        address.parent.mkdir(parents=True, exist_ok=True)
        specification = address.with_suffix(".json")
        content = {
            "directory": str(model.directory),
            "code": str(model.code),
            "environment": model.environment,
            "has_network": model.has_network,
            "loads_later": model.loads_later,
            "address": str(address),
            "router_key": key,
            "image": None if model.image is None else {**vars(model.image), "said": model.image.said},
        }
        specification.touch(0o600)
        specification.write_text(json.dumps(content), encoding="utf-8")
        try:
            process = WarmContainers.at(self._context.places.first).start(
                [sys.executable, "-m", "local_account.endpoints.model_server", str(specification)],
                environment=self._context.process_environment(model.credentials, self.environment),
                working_directory=model.directory,
                log_file=log_file,
                opt_ml=model.opt_ml,
            )
            pid, listens = self._address(process, address, log_file)
        except Exception:
            EndpointLogs.at(self._context).over(log_file)
            raise
        finally:
            specification.unlink(missing_ok=True)
            address.unlink(missing_ok=True)
        watcher = threading.Thread(target=self._watch, args=(pid, process, log_file, listens), daemon=True, name=f"instance-{pid}")
        self._running[pid] = process, watcher
        watcher.start()
        return pid, listens

    def stop(self, pid: int) -> None:
        """End an instance, which may still say its last; returns when it is gone. Safe to repeat."""
        if pid not in self._running:
            return
        process, watcher = self._running.pop(pid)
        for ended_by in (signal.SIGTERM, signal.SIGKILL):
            if watcher.is_alive():
                with suppress(ProcessLookupError):
                    os.kill(pid, ended_by)
                watcher.join(_LAST_WORDS_SECONDS)
        watcher.join()
        process.stop()

    def _address(self, process: RunningProcess, address: Path, log_file: Path) -> tuple[int, Address]:
        deadline = time.monotonic() + _START_TIMEOUT_SECONDS
        while not address.exists():
            if process.wait(_POLL_SECONDS) is not None or time.monotonic() > deadline:
                process.stop()
                raise ServerDidNotStartError(f"a model server did not start; see {log_file}")
        pid, listens = address.read_text(encoding="utf-8").split(maxsplit=1)
        return int(pid), Path(listens) if listens.startswith("/") else int(listens)

    def _watch(self, pid: int, process: RunningProcess, log_file: Path, listened: Address) -> None:
        code = None
        while code is None:
            code = process.wait(_LONG_SECONDS)
        if isinstance(listened, Path):
            shutil.rmtree(listened.parent, ignore_errors=True)
        EndpointLogs.at(self._context).over(log_file)
        if pid in self._running:  # nobody asked for it: on a thread of its own, since it may start another instance and stop this one
            self._context.in_background(self._on_end, pid, code)
