"""Runs jobs, each on a thread of its own: its command, within its time limit, and how it ended. Next: the kinds of job that do so."""

from __future__ import annotations

import abc
import contextlib
import os
import shutil
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from local_account.context import Context
from local_account.roles import Role, sagemaker_role
from local_account.sagemaker.jobs import cloudwatch_logs
from local_account.sagemaker.jobs.container import Container
from local_account.sagemaker.jobs.record import LONGEST_REASON, Job, JobFailedError, JobKind, Jobs, JobStoppedError, failure_of, now
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
    """Starts instances. As many jobs run at a time as this machine has CPUs; the others wait their turn, as `Starting`."""

    def __init__(self, context: Context, warm: WarmContainers) -> None:
        self.context, self.warm = context, warm
        self._lock, self._free = threading.Lock(), os.cpu_count() or 1
        self._waiting: deque[threading.Event] = deque()

    @contextlib.contextmanager
    def slot(self, job: Job) -> Iterator[None]:
        """A place to run in, for whoever waits longest. Raises JobStoppedError if the job is stopped while it waits.

        A semaphore that is asked again and again keeps no order: who lost its place at each look would wait for all others.
        """
        turn = threading.Event()
        with self._lock:
            self._waiting.append(turn)
            self._next()
        try:
            while not turn.wait(_POLL_SECONDS):
                self.check(job)
            self.check(job)
            yield
        finally:
            with self._lock:
                if turn.is_set():
                    self._free += 1
                    self._next()
                else:
                    self._waiting.remove(turn)

    def _next(self) -> None:
        """Under the lock."""
        while self._free and self._waiting:
            self._free -= 1
            self._waiting.popleft().set()

    def check(self, job: Job) -> None:
        if job.stop_requested.is_set() or self.context.stopping.is_set():
            raise JobStoppedError("stopped by a request")

    def run(
        self, job: Job, launches: Sequence[Launch], role: Role, max_seconds: float | None, look: Callable[[], None] = lambda: None
    ) -> tuple[Launch, int]:
        """Run all to the end as `role`, whose credentials an isolated container does not get; one that fails ends the others.

        Returns that one, else the first, with its exit code. `look` is called a few times a second. Raises JobStoppedError if the job was
        stopped or ran longer than `max_seconds`, JobFailedError if it could not start.
        """
        processes: list[RunningProcess] = []
        deadline = time.monotonic() + max_seconds if max_seconds else float("inf")
        try:
            processes += (self._start(job, launch, role) for launch in launches)
            while True:
                codes = [process.wait(_POLL_SECONDS / len(processes)) for process in processes]
                look()
                failed = [(launch, code) for launch, code in zip(launches, codes, strict=True) if code]
                if failed or None not in codes:
                    return failed[0] if failed else (launches[0], 0)
                self.check(job)
                if time.monotonic() > deadline:
                    raise JobStoppedError(f"MaxRuntimeExceeded: the job ran longer than its MaxRuntimeInSeconds of {max_seconds:g}")
        finally:
            for process in processes:
                process.stop(_GRACE_SECONDS if job.stop_requested.is_set() else 0)

    def _start(self, job: Job, launch: Launch, role: Role) -> RunningProcess:
        command, credentials = resolve(launch.command, launch.environment.get("PATH")), None if launch.isolated else role.credentials
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


class JobService(abc.ABC):
    """What the jobs of every kind that runs a command have in common: how one begins, and how it ends whatever happens."""

    kind: ClassVar[JobKind]

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.jobs = Jobs(runner.context, self.kind)

    @abc.abstractmethod
    def create(self, request: Mapping[str, Any]) -> Job:
        """Start a job. Raises ServiceError if the request cannot be run; nothing is started then."""

    def role(self, job: Job) -> Role:
        """In whose name a job reads, runs and writes."""
        return sagemaker_role(self.runner.context, job.description["RoleArn"], job.arn)

    @abc.abstractmethod
    def work(self, job: Job) -> None:
        """Do all of it. Raises JobStoppedError, or JobFailedError with the FailureReason."""

    def turn(self, job: Job) -> contextlib.AbstractContextManager[None]:
        """Waits until the job may run."""
        return self.runner.slot(job)

    def properties(self, job: Job) -> dict[str, Any]:
        """What a pipeline's later steps may read of a job."""
        return job.describe()

    def run(self, job: Job) -> None:
        """`work`, in its turn, and the end of the job's record."""
        status, reason = "Completed", ""
        try:
            with self.turn(job):
                self.work(job)
        except JobStoppedError as stopped:
            status, reason = "Stopped", str(stopped)
        except Exception as error:  # whatever it is, the job must not hang
            status, reason = "Failed", failure_of(error)
        finally:
            shutil.rmtree(job.working_directory, ignore_errors=True)
        self.end(job, status, reason)
        if self.kind.log_group:
            cloudwatch_logs.publish(self.role(job), job)

    def end(self, job: Job, status: str, reason: str, **changes: Any) -> None:
        if status == "Failed" or reason.startswith("MaxRuntimeExceeded"):
            changes.setdefault("FailureReason", reason)
        self.jobs.end(job, status, **{self.kind.end_field: now()}, **changes)


def resolve(command: Sequence[str], path: str | None = None) -> list[str]:
    """The container's `python` is the account's own interpreter, which has the same packages; other programs are looked up on `path`."""
    program = command[0]
    if Path(program).name in ("python", "python3"):
        arguments = [argument for argument in command[1:2] if argument != "-u"]  # output is unbuffered anyway
        return [sys.executable, *arguments, *command[2:]]
    found = shutil.which(program, path=path)
    if not found:
        raise JobFailedError(f"AlgorithmError: entrypoint {program!r} does not exist on this machine")
    return [found, *command[1:]]


def failure_reason(container: Container, message_path: str, exit_code: int, log_path: Path) -> str:
    """`AlgorithmError: <what the script says>, exit code: 1; log: <path>`, at most 1,024 characters.

    The script says it in `message_path`; if it did not, the last line of its log is taken.
    """
    message = container.read_message(message_path) or last_line(log_path) or "the script wrote nothing"
    return algorithm_error(container.name_if_several(" ".join(message.split())), exit_code, log_path)


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
