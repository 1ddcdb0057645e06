"""Shows which version is where, since when, from which commit and how good; and what waits for a decision.

python -m deploy_scripts.status          a table
python -m deploy_scripts.status --json   the same for a program
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from build_scripts.command_line import parser, run
from build_scripts.missing import found
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.registry import Version, find, number_of, versions
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


def _time(value: datetime | None) -> str:
    return value.strftime("%Y-%m-%d %H:%M") if value else ""


def collect(project: ProjectEnvironment) -> tuple[list[Placement], list[Waiting]]:
    sagemaker = project.client("sagemaker")
    placements = []
    for environment in ENVIRONMENTS:
        name = PROJECT.endpoint_name(environment)
        endpoint = describe_endpoint(sagemaker, name)
        package = served_package(sagemaker, endpoint) if endpoint else None
        placements.append(placement(environment.name, name, endpoint, package, find(sagemaker, package) if package else None))
    pending = [find(sagemaker, arn) for arn in versions(sagemaker, project.model_package_group, "PendingManualApproval")]
    return placements, [*waiting_versions([version for version in pending if version]), *_deploy_approvals(project)]


def _deploy_approvals(project: ProjectEnvironment) -> list[Waiting]:
    state = found(project.client("codepipeline").get_pipeline_state, name=project.deploy_pipeline_name)
    return waiting_stages(state) if state else []


def show(placements: Sequence[Placement], waiting: Sequence[Waiting]) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 120  # a log or a pipe has no width of its own, and columns must not be cut
    table = Table("stage", "version", "status", "since", "commit", "metric", "instances")
    for item in placements:
        table.add_row(item.stage, str(item.version or "-"), item.status, item.since, item.commit, item.metric, str(item.instances or "-"))
    console.print(table)
    for decision in waiting:
        console.print(f"waits since {decision.since}: {decision.what}\n  {decision.command}", soft_wrap=True, markup=False)
    if not waiting:
        console.print("nothing waits for a decision")


def main(arguments: Sequence[str]) -> int:
    options = parser(__doc__)
    options.add_argument("--json", action="store_true", help="print JSON")
    given = options.parse_args(arguments)
    placements, waiting = collect(ProjectEnvironment())
    if given.json:
        print(json.dumps({"stages": [asdict(item) for item in placements], "waiting": [asdict(item) for item in waiting]}, indent=2))
    else:
        show(placements, waiting)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
