"""Removes the whole project: every model as retire.py does, then the stacks that they shared.

    python -m deploy_scripts.tear_down --really

With `Project.retain_data` it leaves the foundation, the environments (their keys and buckets) and the versions; without, nothing but what
the whole account shares. What is protected goes only with --really. The build goes first: a push would bring everything back.
docs/deploy.md, "Tear down", says what to do before. How: retirement.py.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from build_scripts.command_line import parser, read_settings, run
from build_scripts.project_environment import ProjectEnvironment
from deploy_scripts.agreement import person_agrees
from deploy_scripts.deployments import Deployment, deployments, places_of, regions_of
from deploy_scripts.environment_place import EnvironmentPlace, Role
from deploy_scripts.regional_copy import client_in
from deploy_scripts.retirement import delete_groups, delete_stacks, groups, pipelines, refuse_protected, retire_models, versions
from settings_schema import Environment, ModelNames, ProjectNames
from settings_schema.reading import Settings


def models_of(settings: Settings, deployed: Sequence[Deployment]) -> list[ModelNames]:
    """Those that are set, and those of which something is deployed."""
    names = {*settings.models, *(item.model for item in deployed if item.model)}
    return [settings.project.names.model(name) for name in sorted(names)]


def shared(deployed: Sequence[Deployment], names: ProjectNames, *, retain_data: bool) -> tuple[list[Deployment], list[list[Deployment]]]:
    """The stacks of what builds, and what goes once the models are gone, one group after the other."""
    build = [item for item in deployed if item.name in (names.build_stack, names.image_stack)]
    fleets = [item for item in deployed if item.fleet]
    environments = [item for item in deployed if item.is_environment]
    foundation = [item for item in deployed if item.name == names.foundation_stack]
    regional = [item for item in deployed if item.name.startswith(names.regional_stack(""))]
    return build, [fleets, *([] if retain_data else [environments, regional, foundation])]


def main(arguments: Sequence[str]) -> int:
    given = _options().parse_args(arguments)
    settings = read_settings()
    project = ProjectEnvironment(settings.project)
    regions, sagemaker = regions_of(project, settings), project.client("sagemaker")
    own = [Environment(name="project", account=settings.project.account, region=region) for region in regions]
    places = [*places_of(project, settings, Role.DEPLOY), *(EnvironmentPlace(project, item, Role.DEPLOY) for item in own)]
    deployed = deployments(places)
    models = models_of(settings, deployed)
    build, rest = shared(deployed, settings.project.names, retain_data=settings.project.retain_data)
    doomed = [*build, *(item for item in deployed if item.model), *(item for group in rest for item in group)]
    print(f"stacks: {', '.join(item.name for item in doomed) or 'none'}")
    print(f"pipelines: {', '.join(name for names in models for name in pipelines(sagemaker, names)) or 'none'}")
    count = sum(len(versions(sagemaker, group)) for group in groups(sagemaker, settings.project.names))
    print(f"versions: {count}, which {'stay (Project.retain_data)' if settings.project.retain_data else 'go too'}")
    if not given.really:
        refuse_protected(doomed)
    if not person_agrees("Remove them for good?", asked=given.yes):
        print("nothing changed")
        return 0
    delete_stacks(build)
    retire_models(project, models, deployed, regions)
    for group in rest:
        delete_stacks(group)
    for region in [] if settings.project.retain_data else regions:
        delete_groups(client_in(project, "sagemaker", region), settings.project.names)
    stays = [item.name for item in deployed if item not in doomed]
    print(f"removed; what stays: {', '.join(stays) or 'nothing of the project'}")
    return 0


def _options() -> argparse.ArgumentParser:
    options = parser(__doc__)
    options.add_argument("--really", action="store_true", help="also what is protected from deletion")
    options.add_argument("--yes", action="store_true", help="do not ask")
    return options


if __name__ == "__main__":
    raise SystemExit(run(main))
