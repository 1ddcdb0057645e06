"""Operations of CodeBuild that MiniStack only records, made real. State belongs to the account.

Hooks: `ministack.services.codebuild._start_build`, `_stop_build`, `_execute_build`, and CloudFormation's handlers of
`AWS::CodeBuild::Project` (for the log group, which MiniStack drops). Next: `build.py`.
"""

from __future__ import annotations

import contextvars
import copy
import functools
import logging
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any

from local_account.codebuild.build import Build
from local_account.context import Context, Part

_log = logging.getLogger(__name__)
_Response = Any  # MiniStack: status, headers, body

#: StartBuild parameter -> where it goes in the copy of the project that this build uses.
_OVERRIDES = {
    "artifactsOverride": ("artifacts",),
    "buildspecOverride": ("source", "buildspec"),
    "computeTypeOverride": ("environment", "computeType"),
    "encryptionKeyOverride": ("encryptionKey",),
    "environmentTypeOverride": ("environment", "type"),
    "imageOverride": ("environment", "image"),
    "logsConfigOverride": ("logsConfig",),
    "secondarySourcesOverride": ("secondarySources",),
    "sourceLocationOverride": ("source", "location"),
    "sourceTypeOverride": ("source", "type"),
    "timeoutInMinutesOverride": ("timeoutInMinutes",),
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-_]{1,149}")  # botocore's model of CodeBuild: ProjectName


class CodeBuild(Part):
    """Builds of one account."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._running: dict[str, Build] = {}
        self._started: dict[str, str] = {}  # idempotency token -> build id
        self._lock = threading.Lock()

    def start(self, request: Mapping[str, Any]) -> _Response:
        from ministack.core.responses import error_response_json, json_response
        from ministack.services import codebuild

        known = codebuild._projects.get(request.get("projectName", ""))
        if known is None:
            return error_response_json("ResourceNotFoundException", f"Project cannot be found: {request.get('projectName')}", 400)
        project = with_overrides(known, request)
        if project["source"].get("type") == "CODEPIPELINE":
            message = f"Project {project['name']} takes its source from CodePipeline; start the pipeline, or pass sourceTypeOverride"
            return error_response_json("InvalidInputException", message, 400)
        with self._lock:
            record = self._record(codebuild, project, request)
        return json_response({"build": copy.deepcopy(record)})

    def _record(self, codebuild: Any, project: dict[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
        token = request.get("idempotencyToken")
        if token and token in self._started:
            return dict(codebuild._builds[self._started[token]])
        build_id = codebuild._build_id(project["name"])
        record: dict[str, Any] = codebuild._make_build_record(project, build_id, request.get("sourceVersion"))
        record.pop("endTime")
        record.update(buildStatus="IN_PROGRESS", buildComplete=False, currentPhase="QUEUED", phases=[{"phaseType": "SUBMITTED"}])
        record["phases"][0].update(phaseStatus="SUCCEEDED", startTime=record["startTime"], endTime=record["startTime"], durationInSeconds=0)
        record["logs"] = self._logs(project, build_id)
        build = self._running[build_id] = Build(self.context, project, record)  # first, since what it raises is no build
        codebuild._builds[build_id] = record
        if token:
            self._started[token] = build_id
        # MiniStack keeps records per account and region in context variables.
        run = contextvars.copy_context().run
        self.context.in_background(
            run, codebuild._execute_build, build_id, project, failed=lambda _: build.end("FAULT"), name=f"build {build_id}"
        )
        return record

    def _logs(self, project: Mapping[str, Any], build_id: str) -> dict[str, str]:
        settings = (project.get("logsConfig") or {}).get("cloudWatchLogs") or {}
        group = settings.get("groupName") or f"/aws/codebuild/{project['name']}"
        stream = build_id.split(":")[1]
        if settings.get("streamName"):
            stream = f"{settings['streamName']}/{stream}"
        return {
            "groupName": group,
            "streamName": stream,
            "cloudWatchLogsArn": self.context.arn("logs", f"log-group:{group}:log-stream:{stream}"),
            "deepLink": self.context.log_path("build", build_id).as_uri(),
        }

    def execute(self, build_id: str, project: Mapping[str, Any]) -> None:
        """Run a recorded build to its end, and say so on the event bus."""
        from ministack.services import codebuild

        record = codebuild._builds[build_id]
        self._emit(record, "IN_PROGRESS")
        try:
            self._running[build_id].run()
        except Exception:  # the record already says FAULT and why; the traceback belongs into the account's log
            _log.exception("build %s failed inside the local account", build_id)
        finally:
            self._running.pop(build_id, None)
        self._emit(record, record["buildStatus"])

    def has_ended(self, build_id: str) -> bool:
        """Whether a build is over, or there is none of this id any more."""
        from ministack.services import codebuild

        record = self.context.keyring.here(lambda: codebuild._builds.get(build_id))
        return record is None or record["buildStatus"] != "IN_PROGRESS"

    def stop(self, request: Mapping[str, Any]) -> _Response:
        from ministack.core.responses import error_response_json, json_response
        from ministack.services import codebuild

        record = codebuild._builds.get(request.get("id", ""))
        if record is None:
            return error_response_json("ResourceNotFoundException", f"Build cannot be found: {request.get('id')}", 400)
        running = self._running.get(record["id"])
        if running is not None:
            running.stop()
        return json_response({"build": copy.deepcopy(record)})

    def _emit(self, record: Mapping[str, Any], status: str) -> None:
        detail = {
            "build-status": status,
            "project-name": record["projectName"],
            "build-id": record["arn"],
            "current-phase": record["currentPhase"],
            "version": "1",
            "additional-information": {
                "logs": {"group-name": record["logs"]["groupName"], "stream-name": record["logs"]["streamName"]},
                "build-complete": status != "IN_PROGRESS",
                "phases": [{"phase-type": phase["phaseType"], "phase-status": phase.get("phaseStatus")} for phase in record["phases"]],
            },
        }
        self.context.emit("aws.codebuild", "CodeBuild Build State Change", detail, [record["arn"]])


def with_overrides(project: Mapping[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
    """Copy of the project with the overrides of a StartBuild request; variables of the same name are replaced."""
    result: dict[str, Any] = copy.deepcopy(dict(project))
    for parameter, path in _OVERRIDES.items():
        if parameter in request:
            place = result
            for key in path[:-1]:
                place = place.setdefault(key, {})
            place[path[-1]] = copy.deepcopy(request[parameter])
    environment = result.setdefault("environment", {})
    variables = {variable["name"]: variable for variable in environment.get("environmentVariables") or []}
    variables |= {variable["name"]: variable for variable in request.get("environmentVariablesOverride") or []}
    environment["environmentVariables"] = list(variables.values())
    return result


def install(context: Context) -> None:
    """Make these accounts the ones whose builds run, in the place of those of an earlier account of this process."""
    from ministack.services import codebuild
    from ministack.services.cloudformation import provisioners

    codebuild._start_build = lambda request: CodeBuild.at(context.here).start(request)
    codebuild._stop_build = lambda request: CodeBuild.at(context.here).stop(request)
    codebuild._execute_build = lambda build_id, project: CodeBuild.at(context.here).execute(build_id, project)
    handlers = provisioners._RESOURCE_HANDLERS["AWS::CodeBuild::Project"]
    for name, properties_at in (("create", 1), ("update", 2)):
        handlers[name] = _with_logs(getattr(handlers[name], "__wrapped__", handlers[name]), properties_at)


def _with_logs(handler: Callable[..., tuple[str, dict[str, Any]]], properties_at: int) -> Callable[..., tuple[str, dict[str, Any]]]:
    @functools.wraps(handler)  # the next account wraps MiniStack's own
    def handle(*arguments: Any, **named: Any) -> tuple[str, dict[str, Any]]:
        from ministack.services import codebuild

        asked = arguments[properties_at].get("Name")
        if asked is not None and not _NAME.fullmatch(str(asked)):
            rule = "2 to 150 letters, digits, dashes and underscores, the first a letter or a digit"
            raise ValueError(f"Project name {asked!r} is not valid; allowed: {rule}")
        name, attributes = handler(*arguments, **named)
        settings = (arguments[properties_at].get("LogsConfig") or {}).get("CloudWatchLogs") or {}
        codebuild._projects[name]["logsConfig"] = {
            "cloudWatchLogs": {"groupName": settings.get("GroupName"), "streamName": settings.get("StreamName")}
        }
        return name, attributes

    return handle
