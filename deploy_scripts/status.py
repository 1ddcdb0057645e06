"""Shows which version of each model is where, since when, from which commit and how good; what failed last and why; what waits for whom.

    python -m deploy_scripts.status                    every model and environment, one line each
    python -m deploy_scripts.status --model abalone    one model
    python -m deploy_scripts.status --json             the same for a program

Found by what is deployed: a model whose file is gone is shown as long as its stacks are there, with the command that retires it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from build_scripts.command_line import ProblemError, add_model_option, parser, read_settings, run
from build_scripts.follow import newest_run
from build_scripts.missing import found
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.registry import Version, find, versions
from deploy_scripts import build_logs
from deploy_scripts.deployments import Deployment, at_place, places_of
from deploy_scripts.environment_place import EnvironmentPlace, Role
from deploy_scripts.placements import Placement, Stage, at, look, quality
from deploy_scripts.regional_copy import original
from settings_schema import ModelNames
from settings_schema.reading import Settings

_AT_ONCE = 8  # questions: many models are asked in the time of a few, and SageMaker does not throttle


@dataclass(frozen=True)
class Waiting:
    """A decision that somebody has to make, and the command for it."""

    what: str
    since: str
    command: str
    whom: str = "an approver"


@dataclass(frozen=True)
class Failure:
    """The last run of something that failed, until the next one: its reason in AWS's words, and where its log is."""

    what: str
    since: str
    reason: str
    log: str = ""


def waiting_versions(model: str, pending: Iterable[Version]) -> list[Waiting]:
    return [
        Waiting(
            f"version {version.number} of {model} {quality(version)}".strip(),
            at(version.created),
            f"python -m deploy_scripts.approve --model {model} --version {version.number}",
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
                waiting.append(
                    Waiting(
                        f"{state['pipelineName']} {stage['stageName']} {action['actionName']}", at(latest.get("lastStatusChange")), command
                    )
                )
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
                failures.append(Failure(what, at(latest.get("lastStatusChange")), reason, latest.get("externalExecutionUrl") or ""))
    return failures


def undone_stages(codepipeline: Any, state: dict[str, Any]) -> list[Failure]:
    """Actions that failed before a stage went back by itself: its last execution is the return, which hides them.

    ListActionExecutions has the newest first; what the stage ran before its return is what was undone.
    """
    last = {stage["stageName"]: stage.get("latestExecution") or {} for stage in state["stageStates"]}
    returns = {name: latest["pipelineExecutionId"] for name, latest in last.items() if latest.get("type") == "ROLLBACK"}
    if not returns:
        return []
    actions = codepipeline.list_action_executions(pipelineName=state["pipelineName"])["actionExecutionDetails"]
    failures = []
    for stage, execution in returns.items():
        before = [action for action in actions if action["stageName"] == stage and action["pipelineExecutionId"] != execution]
        undone = [action for action in before if action["pipelineExecutionId"] == before[0]["pipelineExecutionId"]]
        for action in (action for action in undone if action["status"] == "Failed"):
            result = action.get("output", {}).get("executionResult", {})
            reason = result.get("errorDetails", {}).get("message") or result.get("externalExecutionSummary") or "no reason given"
            what = f"{state['pipelineName']} {stage} {action['actionName']}, and the stage went back to what it had"
            failures.append(Failure(what, at(action.get("lastUpdateTime")), reason, result.get("externalExecutionUrl") or ""))
    return failures


def failed_training(name: str, newest: dict[str, Any] | None) -> list[Failure]:
    """`newest`: summary of the SageMaker pipeline's last execution."""
    if newest is None or newest["PipelineExecutionStatus"] != "Failed":
        return []
    reason = newest.get("PipelineExecutionFailureReason") or "no reason given"
    return [Failure(name, at(newest.get("StartTime")), reason)]


def failed_stage(placement: Placement) -> list[Failure]:
    """An endpoint that failed or went back, or rows that a batch model could not score."""
    if not placement.failure:
        return []
    return [Failure(f"{placement.model} in {placement.stage}", placement.since, placement.failure)]


def left_behind(settings: Settings, deployed: Sequence[Deployment], model: str | None) -> list[Waiting]:
    """Stacks of models and environments that are not set any more, with the command that retires them. `model`: of this one only."""
    set_environments = {environment.name for environment in settings.environments}
    gone: dict[tuple[str, str], list[str]] = {}
    for item in deployed:
        if item.model and item.model not in settings.models:
            gone.setdefault(("model", item.model), []).append(item.name)
        elif item.environment and item.environment not in set_environments:
            gone.setdefault(("environment", item.environment), []).append(item.name)
    return [
        Waiting(
            f"{kind} {name} is not set any more, but {', '.join(stacks)} are still there",
            "",
            f"python -m deploy_scripts.retire --{kind} {name}",
            "whoever took it out",
        )
        for (kind, name), stacks in sorted(gone.items())
        if model is None or (kind, model) == ("model", name)
    ]


@dataclass(frozen=True)
class Overview:
    stages: Sequence[Placement]
    failures: Sequence[Failure]
    waiting: Sequence[Waiting]


def collect(project: ProjectEnvironment, settings: Settings, model: str | None = None) -> Overview:
    """`model`: only this one. Raises ProblemError for one that is neither set nor deployed."""
    places = places_of(project, settings, Role.LOOKUP)
    deployed, closed = _deployed(places)
    known = sorted({*settings.models, *(item.model for item in deployed if item.model)})
    if model is not None and model not in known:
        raise ProblemError(f"--model is {model!r}; allowed: {', '.join(known) or 'none, models/ has no file and nothing is deployed'}")
    models = [settings.project.names.model(name) for name in known if model in (None, name)]
    stages = [stage for names in models for stage in _stages(settings, names, places, deployed) if stage.place.where not in closed]
    registry, codepipeline = project.client("sagemaker"), project.client("codepipeline")
    # Made here and not by the threads: boto3 makes clients one at a time.
    sagemaker = {where: place.client("sagemaker") for where, place in {stage.place.where: stage.place for stage in stages}.items()}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        placements = pool.map(lambda stage: look(stage, sagemaker[stage.place.where], registry, lambda arn: original(project, arn)), stages)
        pipelines = [settings.project.names.build_pipeline, *(names.deploy_pipeline for names in models)]
        states = pool.map(lambda name: found(codepipeline.get_pipeline_state, name=name), pipelines)
        trainings = pool.map(lambda names: failed_training(names.training_pipeline, newest_run(registry, names.training_pipeline)), models)
        pending = pool.map(lambda names: waiting_versions(names.model, _pending(registry, names)), models)
        shown, (build, *deploy) = list(placements), list(states)
    failures = [Failure(f"environment {name}", "", reason) for name, reason in closed.values()]
    failures += [item for state in (build, *deploy) if state for item in failed_stages(state, lambda build_id: _said(project, build_id))]
    failures += [item for state in deploy if state for item in undone_stages(codepipeline, state)]
    failures += [*(item for items in trainings for item in items), *(item for placement in shown for item in failed_stage(placement))]
    waiting = [*(item for items in pending for item in items), *(item for state in deploy if state for item in waiting_stages(state))]
    return Overview(shown, failures, [*waiting, *left_behind(settings, deployed, model)])


def _deployed(places: Sequence[EnvironmentPlace]) -> tuple[list[Deployment], dict[tuple[str | None, str], tuple[str, str]]]:
    """What there is, and where the account is closed to us: place -> environment and reason."""
    found_there: list[Deployment] = []
    closed: dict[tuple[str | None, str], tuple[str, str]] = {}
    for where, place in {place.where: place for place in reversed(places)}.items():
        try:
            found_there += at_place(place)
        except ProblemError as error:
            closed[where] = (place.environment.name, str(error))
    return found_there, closed


def _stages(settings: Settings, names: ModelNames, places: Sequence[EnvironmentPlace], deployed: Sequence[Deployment]) -> Iterator[Stage]:
    """What is set, in the order of the environments, and then what is deployed although nothing is set for it."""
    left = {(item.environment, item.place.where): item for item in deployed if item.model == names.model and item.environment}
    model = settings.models.get(names.model)
    for place in places[: len(settings.environments)] if model else ():
        name = place.environment.name
        yield Stage(names.at(name), place, model.serving[name] if model else None, left.pop((name, place.where), None))
    for (name, _), item in left.items():
        yield Stage(names.at(str(name)), item.place, None, item)


def _said(project: ProjectEnvironment, build_id: str) -> str:
    return build_logs.reason(project.client("codebuild"), project.client("logs"), build_id)


def _pending(registry: Any, names: ModelNames) -> list[Version]:
    """None of a model that is not deployed yet, which has no group."""
    try:
        arns = versions(registry, names.model_package_group, "PendingManualApproval")
    except ProblemError:
        return []
    return [version for version in (find(registry, arn) for arn in arns) if version]


def show(overview: Overview) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 140  # a log or a pipe has no width of its own, and columns must not be cut
    table = Table("model", "stage", "version", "status", "since", "commit", "metric", "instances")
    for item in overview.stages:
        runs = str(item.instances or "-") if not item.schedule else "\n".join(filter(None, (item.schedule, item.scored)))
        table.add_row(item.model, item.stage, str(item.version or "-"), item.status, item.since, item.commit, item.metric, runs)
    console.print(table)
    for failure in overview.failures:
        text = f"failed on {failure.since}: {failure.what}\n  {failure.reason}"
        console.print(f"{text}\n  log: {failure.log}" if failure.log else text, soft_wrap=True, markup=False)
    for decision in overview.waiting:
        since = f" since {decision.since}" if decision.since else ""
        console.print(f"waits{since} for {decision.whom}: {decision.what}\n  {decision.command}", soft_wrap=True, markup=False)
    if not overview.waiting:
        console.print("nothing waits for a decision")


def main(arguments: Sequence[str]) -> int:
    options = parser(__doc__)
    add_model_option(options)
    options.add_argument("--json", action="store_true", help="print JSON")
    given = options.parse_args(arguments)
    settings = read_settings()
    overview = collect(ProjectEnvironment(settings.project), settings, given.model)
    if given.json:
        print(json.dumps(asdict(overview), indent=2))
    else:
        show(overview)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
