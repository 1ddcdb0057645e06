"""Runs the commands of a phase as the service does: one shell, stop at the first command that fails.

As in the service, exported variables and the working directory carry over from phase to phase. A background process
does not: it ends with the commands that started it. Next: `build.py`.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from local_account.processes import Processes

_POLL_SECONDS = 0.2
# Prints what the next phase needs: exported variables and the working directory, as one JSON object.
_SAVE = "import json,os,sys; json.dump({'environment': dict(os.environ), 'directory': os.getcwd()}, open(sys.argv[1], 'w'))"


@dataclass(frozen=True)
class CommandError(Exception):
    command: str
    exit_code: int

    def __str__(self) -> str:
        return f"Error while executing command: {self.command}. Reason: exit status {self.exit_code}"


class BuildTimeoutError(Exception):
    """The build used up its time."""


class BuildStoppedError(Exception):
    """Someone asked the build to stop."""


class BuildShell:
    """Environment, directory, log and time of one build, shared by its phases."""

    def __init__(
        self,
        processes: Processes,
        *,
        program: str,
        environment: dict[str, str],
        directory: Path,
        state_directory: Path,
        log_file: Path,
        timeout_seconds: float,
        on_output: Callable[[], None],
    ) -> None:
        self.environment = environment
        self._processes, self._program = processes, program
        self._directory, self._state, self._log_file = directory, state_directory, log_file
        self._deadline = time.monotonic() + timeout_seconds
        self._on_output = on_output
        self._stopped = threading.Event()

    def stop(self) -> None:
        self._stopped.set()

    def run(self, commands: Sequence[str]) -> None:
        """Run the commands in order. Raises CommandError, BuildTimeoutError or BuildStoppedError."""
        if not commands:
            return
        script, saved, running = (self._state / name for name in ("commands.sh", "saved.json", "running"))
        script.write_text(_script(commands, saved, running), encoding="utf-8")
        exit_code = self._run_script(script)
        if saved.exists():
            self.environment, self._directory = _read(saved)
            saved.unlink()
        if exit_code != 0:
            raise CommandError(running.read_text(encoding="utf-8") if running.exists() else commands[0], exit_code)

    def _run_script(self, script: Path) -> int:
        process = self._processes.start(
            [self._program, str(script)],
            environment=self.environment,
            working_directory=self._directory,
            log_file=self._log_file,
        )
        try:
            while True:
                if self._stopped.is_set():
                    raise BuildStoppedError
                remaining = self._deadline - time.monotonic()
                if remaining <= 0:
                    raise BuildTimeoutError
                try:
                    return process.wait(min(_POLL_SECONDS, remaining))
                except subprocess.TimeoutExpired:
                    self._on_output()
        finally:
            self._processes.stop(process)
            self._on_output()


def _read(saved: Path) -> tuple[dict[str, str], Path]:
    """Environment and working directory that the last commands left. Raises OSError if they could not be kept to their end."""
    try:
        state = json.loads(saved.read_text(encoding="utf-8"))
    except ValueError as error:
        raise OSError(f"what the commands exported could not be written; is the disk full? ({saved})") from error
    return state["environment"], Path(state["directory"])


def _script(commands: Sequence[str], saved: Path, running: Path) -> str:
    """Shell text: each command is one `eval`, so a later line of a multi-line command decides its status, as in the service."""
    save = shlex.join([sys.executable, "-S", "-E", "-c", _SAVE, str(saved)])
    lines = [f"trap {shlex.quote(save)} EXIT"]
    for command in commands:
        first_line = command.strip().splitlines()[0] if command.strip() else ""
        lines += [
            f"printf '%s\\n' {shlex.quote('[build] ' + first_line)}",
            f"printf '%s' {shlex.quote(first_line)} > {shlex.quote(str(running))}",
            f"eval {shlex.quote(command)} || exit $?",
        ]
    return "\n".join(lines) + "\n"
