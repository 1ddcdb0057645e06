"""Removes what a model had whose file was deleted, or an environment that settings.py has no more, and says what it keeps.

    python -m deploy_scripts.retire --model old
    python -m deploy_scripts.retire --environment old    # with --account and --region, if it had its own

Run it before the next `npx cdk deploy --all`, which takes the roles away that still serve. With `Project.retain_data` the versions stay;
data, captured requests and evidence always do. Interrupted, it goes on when it is run again. How: retirement.py.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

from build_scripts.command_line import ProblemError, parser, read_settings, run
from build_scripts.project_environment import ProjectEnvironment
from deploy_scripts.agreement import person_agrees
from deploy_scripts.deployments import Deployment, deployments, places_of, regions_of
from deploy_scripts.environment_place import EnvironmentPlace, Role
from deploy_scripts.retirement import delete_stacks, pipelines, refuse_protected, remove_unused, retire_models, stop_watches, versions
from settings_schema import Environment, ModelNames
from settings_schema.reading import Settings


def refuse_what_is_set(settings: Settings, model: str | None, environment: str | None) -> None:
    """Raises ProblemError for what the next push or `cdk deploy` would make again."""
    if model in settings.models:
        where = f"models/{str(model).replace('-', '_')}.py is still there"
        raise ProblemError(f"{where}, so the next push or `cdk deploy` would make it again; delete the file first")
    if environment in {item.name for item in settings.environments}:
        raise ProblemError(f"settings.py still has the environment {environment}, so it would be made again; take it out first")


def kept(project: ProjectEnvironment, names: ModelNames, places: Sequence[EnvironmentPlace]) -> Iterator[str]:
    """What stays of a model, each with the command that deletes it."""
    sagemaker, group = project.client("sagemaker"), names.model_package_group
    if count := len(versions(sagemaker, group)):
        query = "--query 'ModelPackageSummaryList[].[ModelPackageArn]'"
        listed = f"aws sagemaker list-model-packages --model-package-group-name {group} {query}"
        yield f"{count} version{'s' if count > 1 else ''} of {group} (Project.retain_data)"
        yield f"  {listed} --output text | xargs -n 1 aws sagemaker delete-model-package --model-package-name"
        yield f"  aws sagemaker delete-model-package-group --model-package-group-name {group}"
    yield "data, evidence, and what was captured and scored, as far as there is any"
    yield f"  aws s3 rm --recursive s3://{project.data_bucket}/{names.training_data}"
    yield f"  aws s3 rm --recursive s3://{project.artifact_bucket}/pipelines/{names.training_pipeline}/"
    for place in places:
        serving = names.at(place.environment.name)
        if place.where[0] is not None:
            yield f"  with credentials of {place.account} (AWS_PROFILE):"
        queued = (serving.requests, serving.answers, serving.failures)
        for prefix in (serving.capture, *queued, serving.batch_input, serving.predictions):
            yield f"  aws s3 rm --recursive s3://{place.bucket}/{prefix}"


def main(arguments: Sequence[str]) -> int:
    given = _options().parse_args(arguments)
    settings = read_settings()
    refuse_what_is_set(settings, given.model, given.environment)
    project, places = ProjectEnvironment(settings.project), places_of(ProjectEnvironment(settings.project), settings, Role.DEPLOY)
    if given.environment:  # settings.py does not say any more where it was
        where = Environment(name=given.environment, account=given.account, region=given.region)
        places.append(EnvironmentPlace(project, where, Role.DEPLOY))
    deployed = deployments(places)
    if given.model:
        doomed = [item for item in deployed if item.model == given.model]
        names = settings.project.names.model(given.model)
        left = [*(f"stack {item.name}" for item in doomed), *(f"pipeline {name}" for name in pipelines(project.client("sagemaker"), names))]
    else:
        doomed = [item for item in deployed if item.environment == given.environment]
        left = [f"stack {item.name}" for item in doomed]
    if not left:
        print(f"nothing is left of {given.model or given.environment}; deployed: {_known(deployed)}")
        if given.environment:
            print(f"looked at: {', '.join(sorted({_place(item) for item in places}))}; elsewhere: --account and --region that it had")
    else:
        print(f"to be removed: {', '.join(left)}")
        if not given.really:
            refuse_protected(doomed)
        if not person_agrees("Remove them for good?", asked=given.yes):
            print("nothing changed")
            return 0
    if given.model:
        retire_models(project, [names], deployed, regions_of(project, settings))
        print("kept:", *kept(project, names, places[: len(settings.environments)]), sep="\n")
    else:
        environments = [item for item in doomed if not item.serves]
        for item in environments:
            stop_watches(project, item, doomed)
        delete_stacks([item for item in doomed if item.serves])
        delete_stacks([item for item in doomed if item.fleet])
        for item in environments:
            remove_unused(project, item)
            delete_stacks([item])
        print("kept: the versions, and the environment's bucket where it is protected (`aws s3 ls`)")
    print("next: `npx cdk deploy --all`, which takes away what the other stacks had for it")
    return 0


def _place(place: EnvironmentPlace) -> str:
    return f"{place.account}/{place.region}"


def _known(deployed: Sequence[Deployment]) -> str:
    models = sorted({item.model for item in deployed if item.model})
    environments = sorted({item.environment for item in deployed if item.environment})
    return f"models {', '.join(models) or 'none'}; environments {', '.join(environments) or 'none'}"


def _options() -> argparse.ArgumentParser:
    options = parser(__doc__)
    which = options.add_mutually_exclusive_group(required=True)
    which.add_argument("--model", metavar="NAME", help="a model whose file is gone")
    which.add_argument("--environment", metavar="NAME", help="an environment that settings.py has no more")
    options.add_argument("--account", metavar="ID", help="where the environment was, if it had an account of its own")
    options.add_argument("--region", metavar="NAME", help="where it was, if it had a region of its own")
    options.add_argument("--really", action="store_true", help="also what is protected from deletion")
    options.add_argument("--yes", action="store_true", help="do not ask")
    return options


if __name__ == "__main__":
    raise SystemExit(run(main))
