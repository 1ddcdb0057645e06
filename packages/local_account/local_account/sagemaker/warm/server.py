"""Imports the container's packages once, then forks a child for every job that the account asks for. Linux only.

Run by `containers.py` as `python -I server.py ADDRESS PACKAGE…`; ADDRESS names an abstract Unix socket, which only the account's
user may use. One connection is one job: the account sends one line of JSON (command, environment, directory, log, opt_ml), is answered
`started`, then the exit code. `T` on the connection asks the job to end, closing the connection ends it at once. Above each job
stands its guard (`local_account/child_guard.py`), and a watcher process ends all jobs if this process dies. Standard library only.
Next: `child.py`.
"""

import contextlib
import gc
import importlib
import importlib.util
import json
import os
import selectors
import signal
import socket
import struct
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import child  # type: ignore[import-not-found]  # beside this file, which is run as a script
import opt_ml  # type: ignore[import-not-found]  # the same


def start_watcher() -> int:
    """A process that outlives this one just long enough to end its jobs. Returns the pipe that it reads."""
    read_end, write_end = os.pipe()
    if os.fork():
        os.close(read_end)
        return write_end
    os.close(write_end)
    os.setsid()
    jobs: set[int] = set()
    with os.fdopen(read_end) as lines:
        for line in lines:  # "+123" a job started, "-123" it ended
            (jobs.add if line[0] == "+" else jobs.discard)(int(line[1:]))
    for job in jobs:
        tell_guard(job, signal.SIGHUP)
    os._exit(0)


def tell_guard(guard: int, with_signal: signal.Signals) -> None:
    """A job's guard passes SIGTERM on to the job, and ends the job with all it started at SIGHUP."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # it had already ended
        os.kill(guard, with_signal)


def load_child_guard() -> Any:
    """`local_account/child_guard.py`, by its path: the folder that it is in must not be on the path of a job's script."""
    specification = importlib.util.spec_from_file_location("child_guard", Path(__file__).parents[2] / "child_guard.py")
    if specification is None or specification.loader is None:
        raise ImportError("child_guard.py is not beside this package")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


class Server:
    """The only thread of this process: forking with threads around is not safe."""

    def __init__(self, address: str, watcher: int) -> None:
        self.watcher = watcher
        self.has_own_opt_ml = opt_ml.available()
        self.child_guard = load_child_guard()
        self.selector = selectors.DefaultSelector()
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind("\0" + address)
        self.listener.listen(64)
        self.jobs: dict[socket.socket, tuple[int, int]] = {}  # connection -> process id, pidfd

    def serve(self) -> None:
        self.selector.register(self.listener, selectors.EVENT_READ, self.accept)
        while True:
            for key, _ in self.selector.select():
                key.data(key.fileobj)

    def accept(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        _, user, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if user != os.getuid():
            connection.close()
            return
        connection.settimeout(5)
        try:
            with connection.makefile("rb") as lines:
                request = json.loads(lines.readline())
        except (OSError, ValueError):
            connection.close()
            return
        self.start(connection, request)

    def start(self, connection: socket.socket, request: dict[str, Any]) -> None:
        hold, release = os.pipe()
        process = os.fork()
        if process == 0:
            os.close(release)
            os.setsid()
            if not os.read(hold, 1):
                os._exit(1)  # the server died before the watcher knew of this job
            self.selector.close()
            for inherited in (self.listener, connection, *self.jobs):
                inherited.close()
            for _, descriptor in self.jobs.values():
                os.close(descriptor)
            os.close(self.watcher)
            os.close(hold)
            self.child_guard.stand_guard()
            child.run(request, self.has_own_opt_ml)
        os.close(hold)
        os.write(self.watcher, f"+{process}\n".encode())
        os.write(release, b"g")
        os.close(release)
        descriptor = os.pidfd_open(process)
        self.jobs[connection] = (process, descriptor)
        self.selector.register(descriptor, selectors.EVENT_READ, lambda _: self.finish(connection))
        self.selector.register(connection, selectors.EVENT_READ, self.listen_to_client)
        connection.sendall(b"started\n")

    def listen_to_client(self, connection: socket.socket) -> None:
        try:
            message = connection.recv(16)
        except OSError:
            message = b""
        tell_guard(self.jobs[connection][0], signal.SIGTERM if message else signal.SIGHUP)
        if not message:
            self.selector.unregister(connection)  # or it would be readable for ever

    def finish(self, connection: socket.socket) -> None:
        process, descriptor = self.jobs.pop(connection)
        _, status = os.waitpid(process, 0)  # of its guard, which has ended what the job left running
        os.write(self.watcher, f"-{process}\n".encode())
        self.selector.unregister(descriptor)
        os.close(descriptor)
        code = os.waitstatus_to_exitcode(status)
        if connection in self.selector.get_map():
            self.selector.unregister(connection)
        with contextlib.suppress(OSError):  # the account has gone or no longer cares
            connection.sendall(f"{code if code >= 0 else 128 - code}\n".encode())
        connection.close()


def main() -> None:
    server = Server(sys.argv[1], start_watcher())
    for package in sys.argv[2:]:
        try:
            importlib.import_module(package)
        except ImportError:
            continue  # a script that needs it will say so
    gc.collect()
    gc.freeze()  # children then share these pages
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    server.serve()


if __name__ == "__main__":
    main()
