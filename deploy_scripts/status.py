"""Shows which version of each model is where, since when, from which commit and how good, and what the watch over it found; what failed
last and why; what waits for whom.

    python -m deploy_scripts.status                    every model and environment, one line each
    python -m deploy_scripts.status --model abalone    one model
    python -m deploy_scripts.status --json             the same for a program
    python -m deploy_scripts.status --history          who decided what about each version, when, and with which words

Found by what is deployed: a model whose file is gone is shown as long as its stacks are there, with the command that retires it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any

from rich.console import Console
from rich.table import Table

from build_scripts.command_line import ProblemError, add_model_option, parser, read_settings, run
from build_scripts.missing import found
from build_scripts.project_environment import ProjectEnvironment
from deploy_scripts import build_logs, decision_history, experiment
from deploy_scripts.attention import ON_CALL, Failure, Waiting
from deploy_scripts.deployments import Deployment, at_place, places_of
from deploy_scripts.environment_place import EnvironmentPlace, Role
from deploy_scripts.fleet_state import FleetState
from deploy_scripts.fleet_state import look as look_at_fleet
from deploy_scripts.model_state import ask
from deploy_scripts.pipeline_states import cancelled, failed_stages
from deploy_scripts.placements import ON_MULTI_MODEL, Placement, Stage, at, look
from deploy_scripts.regional_copy import client_in, original
from deploy_scripts.scaling_state import unscaled
from deploy_scripts.watch_state import WatchState, watch_state
from preflight.obstacle import REPLACED_BY_CDK, deletion, of_stack
from settings_schema import Endpoint, ModelNames
from settings_schema.reading import Settings
from settings_schema.serving import OnEndpoint

_AT_ONCE = 8  # questions: many models are asked in the time of a few, and SageMaker does not throttle


def failed_run(name: str, newest: Mapping[str, Any] | None) -> list[Failure]:
    """`newest`: summary of the SageMaker pipeline's last execution, of a training or a watch."""
    if newest is None or newest["PipelineExecutionStatus"] != "Failed":
        return []
    reason = newest.get("PipelineExecutionFailureReason") or "no reason given"
    return [Failure(name, at(newest.get("StartTime")), reason)]


def failed_stage(placement: Placement) -> list[Failure]:
    """An endpoint that failed or went back, or rows that a batch model could not score."""
    if not placement.failure:
        return []
    return [Failure(f"{placement.model} in {placement.stage}", placement.since, placement.failure)]


def obstructed(placement: Placement) -> list[Waiting]:
    """What serves, or should, is in a state from which no deployment goes on."""
    if placement.obstacle is None:
        return []
    stands = placement.obstacle
    return [Waiting(f"{placement.model} in {placement.stage}: {stands.found}; {stands.advice}", placement.since, stands.command, ON_CALL)]


def broken(deployed: Iterable[Deployment], model: str | None) -> list[Waiting]:
    """Stacks of the project, of a model or of an environment that `cdk deploy` cannot go on from. `model`: of this one only."""
    ours = [item for item in deployed if not item.serves and model in (None, item.model)]
    stands = [found_one for item in ours if (found_one := of_stack(item.stack, REPLACED_BY_CDK))]
    return [Waiting(f"{item.found}; {item.advice}", "", item.command, ON_CALL) for item in stands]


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
        *(_left_fleet(item) for item in deployed if model is None and item.fleet and not _is_set(settings, item)),
        *(
            Waiting(
                f"{kind} {name} is not set any more, but {', '.join(stacks)} are still there",
                "",
                f"python -m deploy_scripts.retire --{kind} {name}",
                "whoever took it out",
            )
            for (kind, name), stacks in sorted(gone.items())
            if model is None or (kind, model) == ("model", name)
        ),
    ]


def _is_set(settings: Settings, item: Deployment) -> bool:
    """A fleet, in the environment that its stack is in."""
    fleet = settings.fleets.get(str(item.fleet))
    return fleet is not None and item.environment in fleet.instances


def _left_fleet(item: Deployment) -> Waiting:
    """CloudFormation keeps it as long as a model is on it."""
    what = f"fleet {item.fleet} is not set any more in {item.environment}, but {item.name} is still there"
    return Waiting(what, "", deletion(item.stack), "whoever took it out")


@dataclass(frozen=True)
class Overview:
    stages: Sequence[Placement]
    failures: Sequence[Failure]
    waiting: Sequence[Waiting]
    fleets: Sequence[FleetState] = ()


def collect(project: ProjectEnvironment, settings: Settings, model: str | None = None) -> Overview:
    """`model`: only this one. Raises ProblemError for one that is neither set nor deployed."""
    places = places_of(project, settings, Role.LOOKUP)
    deployed, closed = _deployed(places)
    known = sorted({*settings.models, *(item.model for item in deployed if item.model)})
    if model is not None and model not in known:
        raise ProblemError(f"--model is {model!r}; allowed: {', '.join(known) or 'none, models/ has no file and nothing is deployed'}")

    def said(build_id: str) -> str:
        return build_logs.reason(project.client("codebuild"), project.client("logs"), build_id)

    models = [settings.project.names.model(name) for name in known if model in (None, name)]
    stages = [stage for names in models for stage in _stages(settings, names, places, deployed) if stage.place.where not in closed]
    registry, codepipeline = project.client("sagemaker"), project.client("codepipeline")
    # Made here and not by the threads: boto3 makes clients one at a time.
    there = {stage.place.where: stage.place for stage in stages}
    sagemaker, cloudwatch, cloudformation = (
        {where: place.client(name) for where, place in there.items()} for name in ("sagemaker", "cloudwatch", "cloudformation")
    )
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        looked = pool.map(lambda stage: look(stage, sagemaker[stage.place.where], registry, lambda arn: original(project, arn)), stages)
        watched = pool.map(lambda stage: _watch(stage, sagemaker[stage.place.where], cloudwatch[stage.place.where]), stages)
        asked = pool.map(lambda names: ask(registry, codepipeline, names), models)
        build = found(codepipeline.get_pipeline_state, name=settings.project.names.build_pipeline)
        watches, states = list(watched), list(asked)
        placements = [replace(placement, watch=state.shown) for placement, state in zip(looked, watches, strict=True)]
        production = {item.model: item for item in placements if item.stage == settings.production.name}
        waiting = list(pool.map(lambda state: state.waiting(production.get(state.names.model), codepipeline), states))
        unscaled_ones = pool.map(lambda item, seen: unscaled(item, seen, cloudformation[item.place.where], project), stages, placements)
        waiting += list(unscaled_ones)
    waiting += [_experiment(stage) for stage in stages]
    failures = [Failure(f"environment {name}", "", reason) for name, reason in closed.values()]
    failures += failed_stages(build, said) if build else []
    failures += [item for state in states for item in state.failures(said)]
    failures += [item for state in states for item in failed_run(state.names.training_pipeline, state.training)]
    failures += [item for placement in placements for item in failed_stage(placement)]
    failures += [
        item for stage, state in zip(stages, watches, strict=True) for item in failed_run(stage.names.monitoring_pipeline, state.run)
    ]
    shared = [_fleet(project, item, deployed) for item in deployed if item.fleet and model is None]
    stuck = [
        *(item for fleet in shared for item in fleet.waiting),
        *(item for placement in placements for item in obstructed(placement)),
        *broken(deployed, model),
        *(cancelled(build) if build else []),
    ]
    waits = [*stuck, *(item for items in waiting for item in items), *left_behind(settings, deployed, model)]
    return Overview(placements, failures, waits, shared)


def _fleet(project: ProjectEnvironment, fleet: Deployment, deployed: Sequence[Deployment]) -> FleetState:
    """Its archives are of the project's account."""
    s3 = client_in(project, "s3", fleet.place.region)
    return look_at_fleet(fleet, fleet.place.client("sagemaker"), s3, deployed, lambda arn: original(project, arn))


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


def _experiment(stage: Stage) -> list[Waiting]:
    """What is tried there, where something is, or was left behind by settings that have no experiments any more."""
    if stage.deployment is None:
        return []
    trial = experiment.on_trial(stage.deployment.stack, stage.place, stage.names)
    set_there = stage.serving.experiment if isinstance(stage.serving, Endpoint) else None
    return experiment.waiting(trial, stage.names.model, set_there) if set_there else experiment.abandoned(trial, stage.names)


def _watch(stage: Stage, sagemaker: Any, cloudwatch: Any) -> WatchState:
    if isinstance(stage.serving, OnEndpoint) and stage.serving.uncaptured:
        return WatchState(f"none: {stage.serving.uncaptured}")
    return watch_state(stage.names, sagemaker, cloudwatch) if stage.deployment else WatchState()


def runs_on(placement: Placement) -> str:
    """`2`, `serverless: 5 at once`, `0, asynchronous`, `1 copies on mlops--fleet--small--production`, `one of many on …`."""
    if placement.kind.startswith(("serverless", ON_MULTI_MODEL)):
        return placement.kind
    count = str(placement.instances) if placement.instances or placement.kind else "-"
    if placement.kind.startswith("copies"):
        return f"{placement.instances} {placement.kind}"
    return ", ".join(filter(None, (count, placement.kind)))


def show(overview: Overview) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 140  # a log or a pipe has no width of its own, and columns must not be cut
    table = Table("model", "stage", "version", "status", "since", "commit", "metric", "instances", "watch")
    for item in overview.stages:
        runs = "\n".join(filter(None, (item.schedule, item.scored))) or runs_on(item)
        table.add_row(
            item.model, item.stage, str(item.version or "-"), item.status, item.since, item.commit, item.metric, runs, item.watch or "-"
        )
    console.print(table)
    for fleet in overview.fleets:
        console.print(str(fleet), soft_wrap=True, markup=False)
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
    options.add_argument("--history", action="store_true", help="the decisions about every version, instead of where they are")
    given = options.parse_args(arguments)
    settings = read_settings()
    if given.history:
        decision_history.show(decision_history.collect(ProjectEnvironment(settings.project), settings, given.model), as_json=given.json)
        return 0
    overview = collect(ProjectEnvironment(settings.project), settings, given.model)
    if given.json:
        print(json.dumps(asdict(overview), indent=2))
    else:
        show(overview)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
