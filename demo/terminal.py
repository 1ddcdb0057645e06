"""The person's side: a terminal with `cdk` and `git`, a boto3 client, and the local account started in the background.

In: the output directory. Out: commands that ran, each with its output in `<out>/logs/<name>.log`. Every process is
guarded (`local_account/child_guard.py`): however the demo ends, none outlives it. Next: `narrator.py`.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from demo.errors import SetupError, StageError
from local_account.client_environment import cdk_environment, git_environment, in_utf8, only_ours
from local_account.processes import Processes

_START_TIMEOUT_SECONDS = 60.0
_STOP_TIMEOUT_SECONDS = 5.0
_MOMENT_SECONDS = 0.5


class Terminal:
    """`checkout` is the project being shown; `directory` takes logs (`logs/`), the account's state (`account/`) and the rest (`work/`).

    `tools`: where `make setup` has installed the CDK CLI, if not in the checkout.
    """

    def __init__(self, checkout: Path, directory: Path, *, tools: Path | None = None) -> None:
        self.checkout, self.directory = checkout, directory
        self.logs = directory / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)
        self.logs.chmod(0o700)  # the account's own log begins with the exports, the secret among them
        self.account: Mapping[str, Any] = {}
        self._processes = Processes()
        self._clients: dict[str, Any] = {}
        self._closing = threading.Event()
        self._account_process: subprocess.Popen[bytes] | None = None
        self._before: dict[str, str] | None = None  # this process's environment without the account
        self._path = os.pathsep.join(
            [str((tools or checkout) / "node_modules" / ".bin"), str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
        )
        self._need("cdk", "The CDK CLI is not installed here. Run `make setup`; it installs it with Node into this folder.")
        self._need("node", "Node is not on PATH, which the CDK CLI needs. Run `make setup`; it installs it into this folder.")
        self._need("git", "git is not on PATH. Install it with your system's package manager.")

    def _need(self, command: str, otherwise: str) -> None:
        if shutil.which(command, path=self._path) is None:
            raise SetupError(otherwise)

    @property
    def environment(self) -> dict[str, str]:
        """What the person exported: the account's values, and nothing that would lead elsewhere."""
        inherited = {name: value for name, value in in_utf8(only_ours(os.environ)).items() if not name.startswith("GIT_")}
        return {
            **inherited,
            "PATH": self._path,
            **cdk_environment(str(self.directory / "work" / "cdk")),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            **self.account.get("environment", {}),
            **(git_environment(self.account["endpoint_url"], {}) if self.account else {}),
        }

    @property
    def account_logs(self) -> Path:
        """Where the account keeps the log of every build, job and model server."""
        return self.directory / "account" / "logs"

    def start_account(
        self,
        *,
        port: int = 0,
        speed: float = 1.0,
        clock_start: str | None = None,
        accounts: Sequence[str] = (),
        on_end: Callable[[str], None] | None = None,
    ) -> None:
        """Start `python -m local_account` and return when it answers. Raises SetupError with the account's own reason.

        `accounts`: as `--account` takes them, the person's own first; each is a profile.
        `on_end` is called on a thread of its own, with how it ended and where its logs are, if the account ends before `close`.
        """
        state = self.directory / "account"
        log = self.logs / "account.log"
        command = [sys.executable, "-m", "local_account", "--port", str(port), "--state", str(state), "--speed", str(speed)]
        for named in accounts:
            command += ["--account", named]
        if clock_start:
            command += ["--clock-start", clock_start]
        process = self._processes.start(command, environment=self.environment, working_directory=self.checkout, log_file=log)
        description = state / "account.json"
        deadline = time.monotonic() + _START_TIMEOUT_SECONDS
        while not (account := _read_description(description)):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SetupError(_last_line(log) or f"The local account did not start; see {log}")
            time.sleep(0.02)
        self.account = account
        self._account_process = process
        self._become_client()
        if on_end is not None:
            threading.Thread(target=self._watch_account, args=(process, on_end), daemon=True, name="account-watch").start()

    def _watch_account(self, process: subprocess.Popen[bytes], on_end: Callable[[str], None]) -> None:
        process.wait()
        if not self._closing.is_set():
            on_end(self.how_the_account_ended())

    def how_the_account_ended(self) -> str:
        """One line with its logs if the account has ended by itself, even a moment ago; empty while it runs, or where there is none."""
        if self._account_process is None or self._closing.is_set():
            return ""
        try:
            code = self._account_process.wait(_MOMENT_SECONDS)
        except subprocess.TimeoutExpired:
            return ""
        own_log = self.account_logs / "account" / "account.log"
        last = _last_line(own_log)
        said = f"; last in its log: {last}" if last else ""
        return f"the local account ended {_how(code)}{said}. Logs: {self.logs / 'account.log'}, {own_log}"

    def _become_client(self) -> None:
        """While the account runs, this process is a client of it, too: no profile or endpoint of the person leads it elsewhere."""
        self._before = dict(os.environ)
        _replace_environment({**only_ours(os.environ), **self.account["environment"]})

    def run(self, name: str, command: Sequence[str], *, cwd: Path | None = None, extra: Mapping[str, str] | None = None) -> str:
        """Run a command to its end and return what it printed. Raises StageError with its last line and its log."""
        log = self.logs / f"{name}.log"
        before = log.stat().st_size if log.exists() else 0
        code = self._processes.run(
            command, environment={**self.environment, **(extra or {})}, working_directory=cwd or self.checkout, log_file=log
        )
        output = log.read_bytes()[before:].decode("utf-8", "replace")
        if code != 0:
            raise StageError(f"`{' '.join(command[:3])}` failed: {_reason(output, code)}", log)
        return output

    def client(self, service: str) -> Any:
        """A boto3 client as the person's own script would make it."""
        import boto3
        from botocore.config import Config

        if service not in self._clients:
            environment = self.account["environment"]
            session = boto3.Session(
                aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
                region_name=environment["AWS_DEFAULT_REGION"],
            )
            config = Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}, max_pool_connections=64, proxies={})
            self._clients[service] = session.client(service, endpoint_url=environment["AWS_ENDPOINT_URL"], config=config)
        return self._clients[service]

    def outputs(self, stack: str) -> dict[str, str]:
        """Outputs of a CloudFormation stack, by key; none where there is no such stack."""
        cloudformation = self.client("cloudformation")
        try:
            stacks = cloudformation.describe_stacks(StackName=stack)["Stacks"]
        except cloudformation.exceptions.ClientError:
            return {}
        return {output["OutputKey"]: output["OutputValue"] for output in stacks[0].get("Outputs", [])}

    def close(self) -> None:
        """Stop the account in order, then end whatever else still runs. Safe to repeat."""
        self._closing.set()
        if self.account:
            _ask_to_stop(self.account["process_id"])
        self._processes.close()
        self.account = {}
        if self._before is not None:
            _replace_environment(self._before)
            self._before = None


def _replace_environment(environment: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)


def _ask_to_stop(process_id: int) -> None:
    """SIGTERM lets the account end its own children in order; the guard ends it in any case."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process_id, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            os.kill(process_id, 0)  # raises once it is gone
            time.sleep(0.02)


def _read_description(path: Path) -> Mapping[str, Any] | None:
    try:
        description: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return description
    except (OSError, ValueError):  # not written yet, or not to its end
        return None


def _last_line(path: Path) -> str:
    with contextlib.suppress(OSError):
        lines = [line for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
        return lines[-1] if lines else ""
    return ""


def _how(code: int) -> str:
    """How a guarded process ended, from its exit code: 128 + n stands for signal n."""
    with contextlib.suppress(ValueError):
        return f"by signal {signal.Signals(code - 128).name}"
    return f"with exit code {code}"


def _reason(output: str, code: int) -> str:
    """The line that says what failed, or else the last one."""
    lines = [_plain(line) for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if re.search(r"\bfail: |\berror: |❌|_FAILED", line, re.IGNORECASE)]
    return (telling or lines or [f"exit code {code}"])[0 if telling else -1]


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text).strip()


def quiet_git(*arguments: str) -> list[str]:
    """git as this story's author, untouched by the machine's own configuration."""
    identity = ["-c", "user.name=Data Scientist", "-c", "user.email=data-scientist@example.com"]
    return ["git", *identity, "-c", "commit.gpgsign=false", "-c", "core.autocrlf=false", "-c", "init.defaultBranch=main", *arguments]
