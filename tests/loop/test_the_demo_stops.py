"""However and whenever a demo is stopped, nothing that it started goes on; and there is one demo at a time."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from tests.loop.survivors import MARK, survivors, survivors_after

ROOT = Path(__file__).resolve().parents[2]


def start_demo(out: Path, mark: str, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "demo", "--out", str(out), *options],
        cwd=ROOT,
        env={**os.environ, MARK: mark, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def read_until(demo: subprocess.Popen[str], words: str) -> None:
    """Wait for a line of the story. The pipe ends with the demo, so this cannot hang."""
    for line in demo.stdout:
        if words in line:
            return
    raise AssertionError(f"the demo ended before {words!r}: {demo.stderr.read()}")


@pytest.mark.parametrize(
    ("moment", "stop", "code"),
    [
        ("The account and its infrastructure", signal.SIGTERM, 128 + signal.SIGTERM),
        ("Local account starts", signal.SIGINT, 128 + signal.SIGINT),
        ("Local account starts", signal.SIGKILL, -signal.SIGKILL),
        ("cdk bootstrap", signal.SIGKILL, -signal.SIGKILL),
    ],
)
def test_a_stopped_demo_leaves_nothing_behind(tmp_path, moment, stop, code):
    mark = uuid.uuid4().hex
    demo = start_demo(tmp_path / "demo", mark)
    read_until(demo, moment)
    time.sleep(0.3)  # in the middle of what comes next
    assert survivors(mark, tmp_path)  # or this test could not fail
    demo.send_signal(stop)
    assert demo.wait(20) == code
    assert survivors_after(mark, tmp_path) == []


def test_an_account_that_ends_in_the_middle_is_the_reason_at_once(tmp_path):
    """Not the failures that follow from it, which the CDK repeats for a minute."""
    mark = uuid.uuid4().hex
    demo = start_demo(tmp_path / "demo", mark)
    read_until(demo, "Local account starts")
    account = json.loads((tmp_path / "demo" / "account" / "account.json").read_text())
    os.kill(account["process_id"], signal.SIGKILL)
    _, errors = demo.communicate(timeout=50)
    assert demo.returncode == 2
    assert errors.splitlines()[-1].startswith("demo: the local account ended by signal SIGKILL")
    assert str(tmp_path / "demo" / "logs" / "account.log") in errors
    assert survivors_after(mark, tmp_path) == []


def test_a_second_demo_says_in_one_line_that_one_is_running(tmp_path):
    holder = (tmp_path / ".lock").open("w+")
    holder.write("4711")
    holder.flush()
    fcntl.flock(holder, fcntl.LOCK_EX)
    demo = start_demo(tmp_path, "second")
    _, errors = demo.communicate(timeout=20)
    assert demo.returncode == 2
    assert len(errors.splitlines()) == 1
    assert "process 4711" in errors


def test_the_lock_of_a_dead_demo_is_taken_over(tmp_path):
    from demo.lock import only_one

    (tmp_path / ".lock").write_text("999999")
    with only_one(tmp_path):
        assert (tmp_path / ".lock").read_text() == str(os.getpid())


def test_a_port_in_use_is_one_clear_line(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        demo = start_demo(tmp_path, "port", "--port", port)
        _, errors = demo.communicate(timeout=30)
    assert demo.returncode == 2
    assert len(errors.splitlines()) == 1
    assert f"Port {port}" in errors


def test_a_missing_cdk_is_one_clear_line(tmp_path, monkeypatch):
    from demo.errors import SetupError
    from demo.terminal import Terminal

    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SetupError, match="make setup"):
        Terminal(tmp_path, tmp_path)
