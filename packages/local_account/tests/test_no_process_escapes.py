"""What a script starts ends with its container, also in a session of its own and below a parent that has ended; so with the account."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_account.account import Account
from local_account.processes import Processes

from . import sagemaker_requests as small

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux gives orphans to a guard")

#: Started twice removed: its parent ends at once, and its session is its own.
ESCAPE = (
    "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)', sys.argv[1]], start_new_session=True)"
)


@pytest.fixture
def mark() -> Iterator[str]:
    """A word on the command line of what escapes, by which the test finds it, and ends what it finds."""
    word = f"mark-{uuid.uuid4().hex}"
    yield word
    for process in alive(word):
        os.kill(process, 9)


def alive(mark: str) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and int(folder.name) != os.getpid():
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if mark.encode() in words and b"import time; time.sleep(600)" in words:
                found.append(int(folder.name))
    return found


def is_gone(mark: str) -> bool:
    """Within a moment: whoever ends it need not wait for the system to forget it."""
    deadline = time.monotonic() + 20
    while alive(mark) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(mark)


def escaping(mark: str) -> str:
    """A script that lets a process escape, and ends only when that runs."""
    return (
        f"import pathlib, subprocess, sys, time\nsubprocess.run([sys.executable, '-c', {ESCAPE!r}, {mark!r}], check=True)\n"
        "def found():\n"
        "    for file in pathlib.Path('/proc').glob('[0-9]*/cmdline'):\n"
        "        try:\n"
        f"            words = file.read_bytes().split(b'\\0')\n"
        "        except OSError:\n"
        "            continue\n"
        f"        if {mark.encode()!r} in words and b'import time; time.sleep(600)' in words:\n"
        "            return True\n"
        "while not found():\n    time.sleep(0.01)\nprint('it runs')\n"
    )


def test_a_guarded_command(tmp_path: Path, mark: str) -> None:
    log = tmp_path / "log"
    code = Processes().run([sys.executable, "-c", escaping(mark)], environment=dict(os.environ), working_directory=tmp_path, log_file=log)

    assert (code, log.read_text()) == (0, "it runs\n")
    assert is_gone(mark)


def test_a_command_that_is_stopped(tmp_path: Path, mark: str) -> None:
    processes, log = Processes(), tmp_path / "log"
    script = escaping(mark) + "time.sleep(600)\n"
    process = processes.start([sys.executable, "-u", "-c", script], environment=dict(os.environ), working_directory=tmp_path, log_file=log)
    while "it runs" not in log.read_text():
        time.sleep(0.02)

    processes.close()

    assert process.poll() is not None
    assert is_gone(mark)


def test_a_processing_job(account: Account, mark: str) -> None:
    small.publish(account.client("s3"), {"escape.py": escaping(mark)})
    client, name = account.client("sagemaker"), small.new_name("escape")
    client.create_processing_job(ProcessingJobName=name, **small.processing("escape"))
    job = small.wait(lambda: client.describe_processing_job(ProcessingJobName=name), "ProcessingJobStatus")

    assert job["ProcessingJobStatus"] == "Completed", job.get("FailureReason")
    assert is_gone(mark)


def zipped(code: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("index.py", code)
    return content.getvalue()


def test_a_function_of_an_account_that_ends(tmp_path: Path, mark: str) -> None:
    """Between two invocations a function is frozen, not ended: what it started goes on until the account ends."""
    program = (
        "import boto3, json, os, sys\nfrom pathlib import Path\nfrom local_account.account import Account\n"
        "from local_account.context import AccountSettings\n"
        "with Account(AccountSettings(state_directory=Path(sys.argv[1]), port=0)) as account:\n"
        "    client = account.client('lambda')\n"
        "    trust = {'Statement': {'Effect': 'Allow', 'Principal': {'Service': 'lambda.amazonaws.com'}, 'Action': 'sts:AssumeRole'}}\n"
        "    iam = account.client('iam')\n"
        "    role = iam.create_role(RoleName='f', AssumeRolePolicyDocument=json.dumps(trust))['Role']['Arn']\n"
        "    client.create_function(FunctionName='f', Runtime='python3.12', Handler='index.handler', Timeout=60, Role=role,\n"
        "        Code={'ZipFile': Path(sys.argv[2]).read_bytes()})\n"
        "    print(client.invoke(FunctionName='f', Payload=b'{}')['Payload'].read().decode(), flush=True)\n"
        "    os.kill(os.getpid(), 9) if sys.argv[3] == 'killed' else None\n"
    )
    code = tmp_path / "code.zip"
    code.write_bytes(zipped(f"def handler(event, context):\n    exec({escaping(mark)!r}, {{}})\n    return 'it runs'\n"))
    for how in ("stopped", "killed"):
        answer = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / how), str(code), how],
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
        )

        assert json.loads(answer.stdout.splitlines()[0]) == "it runs", answer.stderr
        assert is_gone(mark), how
