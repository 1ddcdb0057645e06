"""Starts instances fast: this process has imported the model libraries once, and forks itself for every instance.

Importing xgboost, scikit-learn and pandas takes seconds; a fork takes milliseconds and shares their memory. It connects to the
account (`warm_client.py`), which sends one JSON object per line and gets one back for each:
`{"id", "start": {"directory", "environment", "log"}}` -> `{"id", "pid", "port"}`, `{"id", "stop": pid}` -> `{"id", "stopped": pid}`;
and, unasked, `{"ended": pid, "code": n}`. When the connection closes it ends, with all instances.
Run as `python -m local_account.endpoints.warm_server PORT MODULE...`, the run's secret in LOCAL_ACCOUNT_WARM_SECRET.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

from local_account.endpoints import model_server


class WarmServer:
    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._children: dict[int, threading.Event] = {}

    def run(self) -> None:
        """Handle requests until the account closes the connection."""
        with self._connection.makefile("r", encoding="utf-8") as requests:
            for line in requests:
                request = json.loads(line)
                if "start" in request:
                    self._send({"id": request["id"], **self._start(request["start"])})
                else:
                    self._stop(request["stop"])
                    self._send({"id": request["id"], "stopped": request["stop"]})

    def _start(self, instance: dict[str, Any]) -> dict[str, Any]:
        """Fork an instance. Its port accepts connections at once; they wait until the model is loaded."""
        with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
            port = listener.getsockname()[1]
            pid = os.fork()
            if pid == 0:
                self._become_instance(listener, instance)
        ended = self._children[pid] = threading.Event()
        threading.Thread(target=self._reap, args=(pid, ended), daemon=True).start()
        return {"pid": pid, "port": port}

    def _become_instance(self, listener: socket.socket, instance: dict[str, Any]) -> None:
        """In the child: serve, and never return into the parent's code."""
        try:
            self._connection.close()
            model_server.redirect_output(Path(instance["log"]))
            _leave_the_project()
            model_server.serve(listener, Path(instance["directory"]), instance["environment"])
        except BaseException:  # the log is the only place where the reason can be read
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(1)

    def _reap(self, pid: int, ended: threading.Event) -> None:
        _, status = os.waitpid(pid, 0)
        ended.set()
        self._send({"ended": pid, "code": os.waitstatus_to_exitcode(status)})

    def _stop(self, pid: int) -> None:
        ended = self._children.pop(pid, None)
        if ended is not None and not ended.is_set():
            os.kill(pid, signal.SIGKILL)
            ended.wait()

    def _send(self, message: dict[str, Any]) -> None:
        with self._sending:
            self._connection.sendall(json.dumps(message).encode() + b"\n")


def _leave_the_project() -> None:
    """The container does not have this project's modules: code that imports them must fail here too."""
    project = str(Path(__file__).resolve().parents[2])
    sys.path[:] = [path for path in sys.path if path and str(Path(path).resolve()) != project]
    os.environ.pop("PYTHONPATH", None)


def main() -> None:
    connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    connection.sendall(os.environ.pop("LOCAL_ACCOUNT_WARM_SECRET").encode() + b"\n")
    for module in sys.argv[2:]:
        importlib.import_module(module)
    WarmServer(connection).run()


if __name__ == "__main__":
    main()
