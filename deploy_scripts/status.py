"""Shows which version is where, since when, from which commit and how good; what failed last, and why; and what waits for a decision.

python -m deploy_scripts.status          a table
python -m deploy_scripts.status --json   the same for a program
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from build_scripts.command_line import parser, run
from build_scripts.missing import found
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.registry import Version, find, number_of, versions
from deploy_scripts import build_logs
from deploy_scripts.live_endpoint import describe_endpoint, served_package
from settings import ENVIRONMENTS, PROJECT


@dataclass(frozen=True)
class Placement:
    """A stage and the version it serves; `version` None: nothing is deployed there."""

    stage: str
    endpoint: str
    status: str = "not deployed"
    version: int | None = None
    since: str = ""
    commit: str = ""
    metric: str = ""
    instances: int = 0


@dataclass(frozen=True)
class Waiting:
    """A decision that somebody has to make, and the command for it."""

    what: str
    since: str
    command: str


@dataclass(frozen=True)
class Failure:
    """The last run of something that failed, until the next one: its reason in AWS's words, and where its log is."""

    what: str
    since: str
    reason: str
    log: str = ""


def placement(stage: str, name: str, endpoint: dict[str, Any] | None, package: str | None, version: Version | None) -> Placement:
    """`package`: ARN of what the endpoint serves; `version`: what the registry says about it, None if it was deleted there."""
    if endpoint is None:
        return Placement(stage, name)
    gone = "" if version else ", version deleted from the registry" if package else ", of no known version"
    return Placement(
        stage=stage,
        endpoint=name,
        status=f"{endpoint['EndpointStatus']}{gone}",
        version=number_of(package) if package else None,
        since=_time(endpoint.get("LastModifiedTime")),
        commit=(version.facts.get("git-commit", "") if version else "")[:12],
        metric=quality(version) if version else "",
        instances=sum(variant.get("CurrentInstanceCount", 0) for variant in endpoint.get("ProductionVariants", [])),
    )


def quality(version: Version) -> str:
    """`rmse 2.13`, or nothing for a version without it."""
    name, value = version.facts.get("metric"), version.facts.get("metric-value")
    try:
        return f"{name} {float(value):.4g}" if name and value else ""
    except ValueError:
        return f"{name} {value}"


def waiting_versions(pending: Sequence[Version]) -> list[Waiting]:
    return [
        Waiting(
            f"version {version.number} {quality(version)}".strip(),
            _time(version.created),
            f"python -m deploy_scripts.approve --version {version.number}",
        )
        for version in pending
    ]


def waiting_stages(state: dict[str, Any]) -> list[Waiting]:
    """Manual approvals of the deploy pipeline that are waiting now."""
    waiting = []
    for stage in state["stageStates"]:
        for action in stage.get("actionStates", []):
            latest = action.get("latestExecution") or {}
            if latest.get("status") == "InProgress" and latest.get("token"):
                command = (
                    f"aws codepipeline put-approval-result --pipeline-name {state['pipelineName']} --stage-name {stage['stageName']} "
                    f"--action-name {action['actionName']} --token {latest['token']} --result status=Approved,summary=ok"
                )
                waiting.append(Waiting(f"{stage['stageName']} {action['actionName']}", _time(latest.get("lastStatusChange")), command))
    return waiting


def failed_stages(state: dict[str, Any], said: Callable[[str], str] = lambda build_id: "") -> list[Failure]:
    """Actions that failed in the execution that each stage of a CodePipeline had last. `said(build id)`: the reason in a build's log."""
    failures = []
    for stage in state["stageStates"]:
        if (stage.get("latestExecution") or {}).get("status") != "Failed":
            continue
        for action in stage.get("actionStates", []):
            latest = action.get("latestExecution") or {}
            if latest.get("status") == "Failed":
                reason = (latest.get("errorDetails") or {}).get("message") or latest.get("summary") or "no reason given"
                in_log = said(latest["externalExecutionId"]) if latest.get("externalExecutionId") else ""
                reason = f"{reason} {in_log}" if in_log and in_log not in reason else reason
                what = f"{state['pipelineName']} {stage['stageName']} {action['actionName']}"
                failures.append(Failure(what, _time(latest.get("lastStatusChange")), reason, latest.get("externalExecutionUrl") or ""))
    return failures


def failed_training(name: str, newest: dict[str, Any] | None) -> list[Failure]:
    """`newest`: summary of the SageMaker pipeline's last execution."""
    if newest is None or newest["PipelineExecutionStatus"] != "Failed":
        return []
    reason = newest.get("PipelineExecutionFailureReason") or "no reason given"
    return [Failure(name, _time(newest.get("StartTime")), reason)]


def failed_endpoint(name: str, endpoint: dict[str, Any] | None) -> list[Failure]:
    """SageMaker keeps why an endpoint failed, or went back to the fleet before."""
    if endpoint is None or not endpoint.get("FailureReason"):
        return []
    return [Failure(f"endpoint {name}", _time(endpoint.get("LastModifiedTime")), endpoint["FailureReason"])]


def _time(value: datetime | None) -> str:
    return value.strftime("%Y-%m-%d %H:%M") if value else ""


def collect(project: ProjectEnvironment) -> tuple[list[Placement], list[Failure], list[Waiting]]:
    sagemaker = project.client("sagemaker")
    build, deploy = _state(project, PROJECT.build_pipeline), _state(project, project.deploy_pipeline_name)
    failures = [failure for state in (build, deploy) if state for failure in failed_stages(state, lambda build: _said(project, build))]
    failures += failed_training(project.pipeline_name, _newest_training(sagemaker, project.pipeline_name))
    placements = []
    for environment in ENVIRONMENTS:
        name = PROJECT.endpoint_name(environment)
        endpoint = describe_endpoint(sagemaker, name)
        failures += failed_endpoint(name, endpoint)
        package = served_package(sagemaker, endpoint) if endpoint else None
        placements.append(placement(environment.name, name, endpoint, package, find(sagemaker, package) if package else None))
    pending = [find(sagemaker, arn) for arn in versions(sagemaker, project.model_package_group, "PendingManualApproval")]
    approvals = waiting_stages(deploy) if deploy else []
    return placements, failures, [*waiting_versions([version for version in pending if version]), *approvals]


def _state(project: ProjectEnvironment, pipeline: str) -> dict[str, Any] | None:
    """None if there is no such CodePipeline."""
    state: dict[str, Any] | None = found(project.client("codepipeline").get_pipeline_state, name=pipeline)
    return state


def _said(project: ProjectEnvironment, build_id: str) -> str:
    return build_logs.reason(project.client("codebuild"), project.client("logs"), build_id)


def _newest_training(sagemaker: Any, name: str) -> dict[str, Any] | None:
    page = found(sagemaker.list_pipeline_executions, PipelineName=name, SortBy="CreationTime", SortOrder="Descending", MaxResults=1)
    return next(iter((page or {}).get("PipelineExecutionSummaries", [])), None)


def show(placements: Sequence[Placement], failures: Sequence[Failure], waiting: Sequence[Waiting]) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 120  # a log or a pipe has no width of its own, and columns must not be cut
    table = Table("stage", "version", "status", "since", "commit", "metric", "instances")
    for item in placements:
        table.add_row(item.stage, str(item.version or "-"), item.status, item.since, item.commit, item.metric, str(item.instances or "-"))
    console.print(table)
    for failure in failures:
        text = f"failed on {failure.since}: {failure.what}\n  {failure.reason}"
        console.print(f"{text}\n  log: {failure.log}" if failure.log else text, soft_wrap=True, markup=False)
    for decision in waiting:
        console.print(f"waits since {decision.since}: {decision.what}\n  {decision.command}", soft_wrap=True, markup=False)
    if not waiting:
        console.print("nothing waits for a decision")


def main(arguments: Sequence[str]) -> int:
    options = parser(__doc__)
    options.add_argument("--json", action="store_true", help="print JSON")
    given = options.parse_args(arguments)
    placements, failures, waiting = collect(ProjectEnvironment())
    if given.json:
        listed: dict[str, Sequence[Placement | Failure | Waiting]] = {"stages": placements, "failures": failures, "waiting": waiting}
        print(json.dumps({name: [asdict(item) for item in items] for name, items in listed.items()}, indent=2))
    else:
        show(placements, failures, waiting)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
