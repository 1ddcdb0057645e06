"""Runs a job's command, within its time limit, and tells how it ended."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local_account.authorization.credentials import Credentials
from local_account.context import Context
from local_account.sagemaker.jobs.container import Container
from local_account.sagemaker.jobs.record import LONGEST_REASON, Job, JobFailedError, JobStoppedError
from local_account.sagemaker.warm.containers import RunningProcess, WarmContainers

_POLL_SECONDS = 0.25
_GRACE_SECONDS = 5  # SageMaker gives 120 s between SIGTERM and SIGKILL; a person at a laptop does not wait that long


@dataclass(frozen=True)
class Launch:
    """What to run, where, with what environment besides the account's, and whether without a network."""

    container: Container
    command: Sequence[str]
    environment: Mapping[str, str]
    working_directory: Path
    isolated: bool = False


class Runner:
    """Starts instances. As many jobs run at a time as this machine has CPUs; the others wait, as `Starting`."""

    def __init__(self, context: Context, warm: WarmContainers) -> None:
        self.context, self.warm = context, warm
        self._slots = threading.BoundedSemaphore(os.cpu_count() or 1)

    @contextlib.contextmanager
    def slot(self, job: Job) -> Iterator[None]:
        """A place to run in. Raises JobStoppedError if the job is stopped while it waits."""
        while not self._slots.acquire(timeout=_POLL_SECONDS):
            self.check(job)
        try:
            self.check(job)
            yield
        finally:
            self._slots.release()

    def check(self, job: Job) -> None:
        if job.stop_requested.is_set() or self.context.stopping.is_set():
            raise JobStoppedError("stopped by a request")

    def run(
        self,
        job: Job,
        launch: Launch,
        max_seconds: float | None,
        watch: Callable[[], None] | None = None,
        *,
        credentials: Credentials | None,
    ) -> int:
        """Run to the end and return the exit code. `watch` is called a few times a second.

        `credentials` are those of the job's role; a container under network isolation gets none.

        Raises JobStoppedError if the job was stopped or ran longer than `max_seconds`, JobFailedError if it could not start.
        """
        look = watch or (lambda: None)
        process = self._start(job, launch, credentials)
        deadline = time.monotonic() + max_seconds if max_seconds else float("inf")
        try:
            while (code := process.wait(_POLL_SECONDS)) is None:
                look()
                self.check(job)
                if time.monotonic() > deadline:
                    raise JobStoppedError(f"MaxRuntimeExceeded: the job ran longer than its MaxRuntimeInSeconds of {max_seconds:g}")
            look()
            return code
        finally:
            process.stop(_GRACE_SECONDS if job.stop_requested.is_set() else 0)

    def _start(self, job: Job, launch: Launch, credentials: Credentials | None) -> RunningProcess:
        command = resolve(launch.command)
        try:
            return self.warm.start(
                command,
                environment={**self.context.process_environment(credentials), "PYTHONUNBUFFERED": "1", **launch.environment},
                working_directory=launch.working_directory,
                log_file=job.log_path,
                opt_ml=launch.container.path("/opt/ml"),
                isolated=launch.isolated,
            )
        except OSError as error:
            raise JobFailedError(f"InternalServerError: the container could not start: {error}") from error


def resolve(command: Sequence[str]) -> list[str]:
    """The container's `python` is the account's own interpreter, which has the same packages; other programs are looked up on PATH."""
    program = command[0]
    if Path(program).name in ("python", "python3"):
        arguments = [argument for argument in command[1:2] if argument != "-u"]  # output is unbuffered anyway
        return [sys.executable, *arguments, *command[2:]]
    found = shutil.which(program)
    if not found:
        raise JobFailedError(f"AlgorithmError: entrypoint {program!r} does not exist on this machine")
    return [found, *command[1:]]


def failure_reason(container: Container, message_path: str, exit_code: int, log_path: Path) -> str:
    """`AlgorithmError: <what the script says>, exit code: 1; log: <path>`, at most 1,024 characters.

    The script says it in `message_path`; if it did not, the last line of its log is taken.
    """
    message = container.read_message(message_path) or last_line(log_path) or "the script wrote nothing"
    return algorithm_error(" ".join(message.split()), exit_code, log_path)


def algorithm_error(message: str, exit_code: int, log_path: Path) -> str:
    """A FailureReason, at most 1,024 characters: a long message loses its end."""
    beginning, ending = "AlgorithmError: ", f", exit code: {exit_code}; log: {log_path}"
    return f"{beginning}{message[: LONGEST_REASON - len(beginning) - len(ending)]}{ending}"


def last_line(log_path: Path) -> str:
    try:
        with log_path.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 4096))
            lines = log.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
