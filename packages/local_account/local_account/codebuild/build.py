"""One build from its source to its artifacts, with the phases and transitions of the service.

In: the build's record (API shape, changed while the build runs) and its project. Out: artifacts in S3, exported
variables, a log file and a log stream. Transitions: a failed `install` or `pre_build` ends the build; a failed `build`
still runs `post_build` and uploads artifacts.
https://docs.aws.amazon.com/codebuild/latest/userguide/view-build-details-phases.html
"""

from __future__ import annotations

import platform
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from local_account.codebuild import runtimes, stand_in
from local_account.codebuild.build_log import BuildLog
from local_account.codebuild.buildspec import PHASES, Buildspec, BuildspecError, Phase, parse
from local_account.codebuild.environment import build_environment
from local_account.codebuild.files import ArtifactError, pack, select
from local_account.codebuild.shell import BuildShell, BuildStoppedError, BuildTimeoutError, CommandError
from local_account.codebuild.source import Source, fetch
from local_account.context import Context
from local_account.errors import ServiceError
from local_account.roles import build_role

_PHASE_FAILURES = (CommandError, BuildTimeoutError, BuildStoppedError)


class Build:
    """A running build. `run` blocks until it ended; `stop` may be called from another thread."""

    def __init__(self, context: Context, project: Mapping[str, Any], record: dict[str, Any]) -> None:
        self._context, self._project, self._record = context, project, record
        self._directory = context.directory("builds", record["id"].replace(":", "_"))
        self._role = build_role(context, project, record["id"])
        self._log = BuildLog(self._role, record)
        self._shell: BuildShell | None = None
        self._stop_asked = False

    def stop(self) -> None:
        self._stop_asked = True
        if self._shell is not None:
            self._shell.stop()

    def run(self) -> None:
        """Blocks until the build has ended, well or not: a FAULT is the account's own failure, whose phase says why."""
        status = "FAULT"
        try:
            status = self._run()
        except Exception as error:
            self._end_phase(self._record["currentPhase"], "FAULT", "INTERNAL_SERVICE_ERROR", f"{type(error).__name__}: {error}")
            raise
        finally:
            if not self._context.settings.debug:
                shutil.rmtree(self._directory, ignore_errors=True)
            self._end_phase("FINALIZING", "SUCCEEDED")
            self._log.flush()
            self.end(status)

    def end(self, status: str) -> None:
        """Say in the record that the build is over."""
        self._record.update(buildStatus=status, currentPhase="COMPLETED", endTime=time.time(), buildComplete=True)
        self._record["phases"].append({"phaseType": "COMPLETED", "startTime": time.time()})

    def _run(self) -> str:
        self._end_phase("QUEUED", "SUCCEEDED")
        self._end_phase("PROVISIONING", "SUCCEEDED")
        try:
            source, spec = self._download()
            self._shell = self._open_shell(source, spec)
        except (BuildspecError, ValueError, OSError, ServiceError) as error:
            self._end_phase("DOWNLOAD_SOURCE", "FAILED", "YAML_FILE_ERROR" if isinstance(error, BuildspecError) else "CLIENT_ERROR", error)
            return "FAILED"
        self._end_phase("DOWNLOAD_SOURCE", "SUCCEEDED")
        status = self._run_phases(spec)
        ran_build = any(phase["phaseType"] == "BUILD" for phase in self._record["phases"])
        if ran_build and status in ("SUCCEEDED", "FAILED"):
            uploaded = self._upload(spec, source)
            status = status if uploaded else "FAILED"
        self._export(spec)
        return status

    def _download(self) -> tuple[Source, Buildspec]:
        self._begin_phase("DOWNLOAD_SOURCE")
        source = fetch(self._role, self._project, self._record, self._directory)
        text = str(self._project["source"].get("buildspec") or "buildspec.yml")
        is_path = "\n" not in text and text.endswith((".yml", ".yaml"))
        if is_path:
            path = (source.directory / text).resolve()
            if not path.is_relative_to(source.directory.resolve()) or not path.is_file():
                raise BuildspecError(f"the source has no buildspec {text!r}")
            text = path.read_text(encoding="utf-8")
        spec = parse(text)
        for note in spec.ignored:
            self._log.line(f"ignored {note}")
        return source, spec

    def _open_shell(self, source: Source, spec: Buildspec) -> BuildShell:
        state = self._directory / "shell"
        state.mkdir(parents=True)
        shell = BuildShell(
            self._context.processes,
            program=spec.shell,
            environment=build_environment(self._role, self._project, self._record, source, spec, self._python(source, spec)),
            directory=source.directory,
            state_directory=state,
            log_file=self._log.path,
            timeout_seconds=60.0 * int(self._project.get("timeoutInMinutes") or 60),
            on_output=self._log.flush,
        )
        if self._stop_asked:
            shell.stop()
        return shell

    def _python(self, source: Source, spec: Buildspec) -> Path:
        """The folder of the build's `python`: the account's own, where that may stand in for what CodeBuild would run."""
        chosen = runtimes.select(str((self._project.get("environment") or {}).get("image") or ""), spec.runtimes)
        for note in chosen.notes:
            self._log.line(note)
        if chosen.python is None or stand_in.can_stand_in(chosen.python, source.directory):
            if chosen.python:
                self._log.line(f"python is {platform.python_version()}, the local account's, in the place of {chosen.python}")
            # Not resolved: the Python of a virtual environment is a link to one outside of it.
            return Path(sys.executable).parent
        self._log.line(f"python is {chosen.python}, {'as named' if 'python' in spec.runtimes else 'the default of the image'}")
        return stand_in.make(self._directory / "python", chosen.python)

    def _run_phases(self, spec: Buildspec) -> str:
        assert self._shell is not None  # noqa: S101 - opened by the caller
        status = "SUCCEEDED"
        for name in PHASES:
            self._shell.environment["CODEBUILD_BUILD_SUCCEEDING"] = "1" if status == "SUCCEEDED" else "0"
            phase = spec.phases.get(name, Phase())
            self._begin_phase(name.upper())
            failure = self._run_phase(phase)
            if isinstance(failure, BuildTimeoutError | BuildStoppedError):
                outcome = "TIMED_OUT" if isinstance(failure, BuildTimeoutError) else "STOPPED"
                self._end_phase(name.upper(), outcome, "CLIENT_ERROR", f"Build {outcome.lower().replace('_', ' ')} in phase {name}")
                return outcome
            if failure is None:
                self._end_phase(name.upper(), "SUCCEEDED")
                continue
            self._end_phase(name.upper(), "FAILED", "COMMAND_EXECUTION_ERROR", failure)
            if phase.on_failure == "CONTINUE":
                continue
            status = "FAILED"
            if name != "build" or phase.on_failure == "ABORT":
                break
        return status

    def _run_phase(self, phase: Phase) -> Exception | None:
        assert self._shell is not None  # noqa: S101 - opened by the caller
        failure: Exception | None = None
        for commands in (phase.commands, phase.finally_commands):
            try:
                self._shell.run(commands)
            except _PHASE_FAILURES as error:
                failure = failure or error
                if not isinstance(error, CommandError):
                    return error
        return failure

    def _upload(self, spec: Buildspec, source: Source) -> bool:
        self._begin_phase("UPLOAD_ARTIFACTS")
        target = self._project.get("artifacts") or {}
        try:
            if spec.artifacts and target.get("type") == "S3":
                self._put_artifacts(target, select(spec.artifacts, source.directory), source.metadata)
        except (ArtifactError, ClientError) as error:
            self._end_phase("UPLOAD_ARTIFACTS", "FAILED", "CLIENT_ERROR", error)
            return False
        self._end_phase("UPLOAD_ARTIFACTS", "SUCCEEDED")
        return True

    def _put_artifacts(self, target: Mapping[str, Any], files: dict[str, Path], metadata: dict[str, str]) -> None:
        s3, bucket = self._role.client("s3"), target["location"].removeprefix("arn:aws:s3:::")
        name = target.get("name") or self._project["name"]
        build_id = self._record["id"].split(":")[1] if target.get("namespaceType") == "BUILD_ID" else ""
        prefix = "/".join(part.strip("/") for part in (target.get("path") or "", build_id, name) if part.strip("/"))
        if target.get("packaging") == "ZIP":
            s3.put_object(Bucket=bucket, Key=prefix, Body=pack(files), Metadata=metadata)
            self._record["artifacts"] = {"location": f"arn:aws:s3:::{bucket}/{prefix}"}
            return
        for relative, path in files.items():
            s3.put_object(Bucket=bucket, Key=f"{prefix}/{relative}", Body=path.read_bytes())
        self._record["artifacts"] = {"location": f"arn:aws:s3:::{bucket}/{prefix}"}

    def _export(self, spec: Buildspec) -> None:
        environment = self._shell.environment if self._shell else {}
        self._record["exportedEnvironmentVariables"] = [
            {"name": name, "value": environment[name]} for name in spec.exported_variables if name in environment
        ]

    def _begin_phase(self, phase: str) -> None:
        self._record["currentPhase"] = phase
        self._record["phases"].append({"phaseType": phase, "startTime": time.time()})
        self._log.line(f"Entering phase {phase}")

    def _end_phase(self, phase: str, status: str, code: str = "", reason: object = "") -> None:
        now = time.time()
        phases = self._record["phases"]
        if not phases or phases[-1]["phaseType"] != phase:
            phases.append({"phaseType": phase, "startTime": now})
        message = f"{reason}. Log: {self._log.path}" if reason else ""
        phases[-1].update(
            phaseStatus=status,
            endTime=now,
            durationInSeconds=int(now - phases[-1]["startTime"]),
            contexts=[{"statusCode": code, "message": message}],
        )
        seconds = now - phases[-1]["startTime"]
        self._log.line(f"Phase complete: {phase} State: {status} after {seconds:.1f} s" + (f" ({code}: {reason})" if reason else ""))
