"""The account ends when it is asked to, whichever of its threads the system tells, and starts nothing from then on."""

from __future__ import annotations

import base64
import contextlib
import ctypes
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from local_account.processes import Processes

PROJECT = Path(__file__).parents[1]


def start_account(state: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "local_account", "--port", "0", "--state", str(state)], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert "answers on http://127.0.0.1:" in process.stdout.readline()
    return process


def signal_thread(process: int, thread: int, number: signal.Signals) -> None:
    """The system may hand a signal for a process to any of its threads; this says which. Linux: tgkill(2)."""
    library = ctypes.CDLL(None, use_errno=True)
    library.tgkill.argtypes = [ctypes.c_int] * 3
    assert library.tgkill(process, thread, number) == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux lets a test choose the thread")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_that_another_thread_gets_ends_the_account(tmp_path: Path, number: signal.Signals) -> None:
    process = start_account(tmp_path / "state")
    try:
        others = [int(task.name) for task in Path(f"/proc/{process.pid}/task").iterdir() if int(task.name) != process.pid]
        signal_thread(process.pid, others[0], number)

        assert process.wait(60) == 0
    finally:
        process.kill()
        process.communicate()


def test_whoever_waits_for_the_account_does_not_keep_it(tmp_path: Path) -> None:
    """A request is under way that will not be answered: its thread does not hold up the end."""
    program = (
        "import runpy, sys, time\nfrom pathlib import Path\nfrom local_account import codecommit\n"
        "codecommit.serve_git = lambda context, request: (Path(sys.argv[-1] + '-asked').touch(), time.sleep(600))\n"
        "sys.argv[1:] = ['--port', '0', '--state', sys.argv[1]]\nrunpy.run_module('local_account', run_name='__main__')"
    )
    state = tmp_path / "state"
    process = subprocess.Popen([sys.executable, "-c", program, str(state)], cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert "answers on" in process.stdout.readline()
        description = json.loads((state / "account.json").read_text())
        password = base64.b64encode(f":{description['environment']['AWS_SECRET_ACCESS_KEY']}".encode()).decode()
        connection = http.client.HTTPConnection("127.0.0.1", description["port"])
        connection.request("GET", "/v1/repos/x/info/refs", headers={"Authorization": f"Basic {password}"})
        while not (tmp_path / "state-asked").exists():
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)

        assert process.wait(60) == 0
    finally:
        process.kill()
        process.communicate()


def sleep(processes: Processes, directory: Path) -> subprocess.Popen[bytes]:
    return processes.start(["sleep", "600"], environment=dict(os.environ), working_directory=directory, log_file=directory / "log")


def test_a_stopping_account_starts_no_process(tmp_path: Path) -> None:
    processes = Processes()
    running = sleep(processes, tmp_path)

    processes.close()

    assert running.poll() is not None
    with pytest.raises(OSError, match="stopping"):
        sleep(processes, tmp_path)


def test_processes_that_start_while_the_account_stops_end_with_it(tmp_path: Path) -> None:
    """Whatever the moment: either a process was registered and is ended, or it does not start."""
    for _ in range(10):
        processes, started = Processes(), []
        go = threading.Barrier(5)

        def start(processes: Processes = processes, started: list[subprocess.Popen[bytes]] = started, go: threading.Barrier = go) -> None:
            go.wait()
            for _ in range(3):
                with contextlib.suppress(OSError):
                    started.append(sleep(processes, tmp_path))

        threads = [threading.Thread(target=start) for _ in range(4)]
        for thread in threads:
            thread.start()
        go.wait()
        processes.close()
        for thread in threads:
            thread.join()

        assert [process for process in started if process.poll() is None] == []
