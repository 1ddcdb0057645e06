"""What a decision about a version does to production, said before it is made: where it is not what one expects of it.

Approving an older version deploys nothing while a newer approved one is live or on its way; rejecting the live one takes production back
at once. `start_deployment` decides so (infra/model/start_deployment/). Input: the version that is decided about. Output: lines.
Used by approve.py, preflight.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from botocore.exceptions import ClientError

from build_scripts.command_line import ProblemError, explain
from build_scripts.missing import found
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.registry import Version, listed
from deploy_scripts.environment_place import EnvironmentPlace, Role
from deploy_scripts.function_command import invocation
from deploy_scripts.pipeline_states import running
from deploy_scripts.releases import History
from deploy_scripts.way_back import candidates, live_version
from settings_schema import Environment, ModelNames


def consequences(
    project: ProjectEnvironment, names: ModelNames, production: Environment, version: Version, *, approves: bool
) -> Iterator[str]:
    """Lines; none where an approval deploys the version, or a rejection only says no to it."""
    approved = [item for item in listed(project.client("sagemaker"), names.model_package_group) if item.approval == "Approved"]
    newer = [item for item in approved if item.number > version.number]
    if approves and not newer:
        return
    history = History(project.client("codepipeline"), names)
    live = live_version(project, EnvironmentPlace(project, production, Role.LOOKUP), names.at(production.name))
    if approves:
        yield from _of_approval(project, names, version, newer, live, production, history)
    elif version.arn == live:
        yield _of_rejection(version, production, candidates(live, approved, history.served(approved)))


def _of_approval(
    project: ProjectEnvironment,
    names: ModelNames,
    version: Version,
    newer: Sequence[Version],
    live: str | None,
    production: Environment,
    history: History,
) -> Iterator[str]:
    state = found(project.client("codepipeline").get_pipeline_state, name=names.deploy_pipeline) or {"stageStates": []}
    on_its_way = {history.package(names.deploy_pipeline, execution) for execution in running(state)}
    ahead = next((item for item in newer if item.arn == live or item.arn in on_its_way), None)
    if ahead is None:
        return
    where = f"live in {production.name}" if ahead.arn == live else "on its way"
    yield f"approving version {version.number} deploys nothing: version {ahead.number} is newer, approved and {where}"
    if history.served([version]):
        yield f'to go back to it: python -m deploy_scripts.roll_back --model {names.model} --to-version {version.number} --reason "…"'
    else:
        asked = invocation(names.start_deployment_function, {"package": version.arn})
        yield f"it has never served production; once it is approved, this takes it through the gates: {asked}"


def _of_rejection(version: Version, production: Environment, back: Sequence[Version]) -> str:
    if not back:
        return f"version {version.number} is live in {production.name} and serves on: no other version that served is approved still"
    return f"version {version.number} is live in {production.name}: version {back[0].number}, which served before, returns at once"


def say(lines: Iterable[str]) -> None:
    """Prints them. The decision does not depend on whether whoever decides may look at production."""
    try:
        for line in lines:
            print(line, flush=True)
    except (ProblemError, ClientError) as error:
        print(f"what it does to production cannot be said with these credentials: {explain(error)}", flush=True)
