"""Says whether a deployment would succeed in the accounts that settings.py names, before it is tried. Reads only.

    make preflight                                       # synthesizes first
    python -m deploy_scripts.preflight --parameter TrainingInstanceCount=3    # of a run that is started with it
    python -m deploy_scripts.preflight --json            # for programs
    python -m deploy_scripts.preflight --policy          # the permissions that it needs, as an IAM policy

`python -m preflight` (packages/preflight) with what the templates do not say: definitions of the SageMaker pipelines, the jobs of batch
models, how other accounts are entered, noted prices, pins of the tools, and where each is set.
Input: cdk.out, settings.py, models/, and each account and region that they name.
Output: a table: ✓ is fine, ✗ would fail, ? could not be seen, → what to do.
Exit code 1 with a ✗, 2 for bad input, 0 otherwise. Next: `npx cdk deploy --all`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from build_scripts.command_line import ProblemError, parser, read_settings, run
from build_scripts.project_environment import ProjectEnvironment
from deploy_scripts import fleet_type_change
from deploy_scripts.consequences import say
from deploy_scripts.deployments import places_of, regions_of
from deploy_scripts.environment_place import EnvironmentPlace, Role
from deploy_scripts.type_change import announced
from preflight import command
from preflight.application import App, Words
from preflight.errors import PreflightError
from preflight.needs import Need, Use
from preflight.sites import ClosedError, Site
from settings_schema import Batch
from settings_schema.reading import Settings

ROOT = Path(__file__).resolve().parents[1]
_PARAMETER = "the pipeline's parameters (pipelines/)"
_REGISTRATION = "pipelines/tabular/registration.py"
WORDS = Words(
    settings="settings.py",
    account="Project.account",
    region="Project.region",
    synthesize="make synth",
    rename="choose another Project.name in settings.py",
    source="set SOURCE = CodeConnection(...) in settings.py",
    connection="set its ARN as SOURCE in settings.py",
    no_network="in_vpc is False: jobs and endpoints run outside of a VPC",
    outside_of_network="set in_vpc=False in settings.py",
    network="infra/ makes the network",
    image="another XGBOOST_VERSION in pipelines/tabular/pipeline.py",
    image_source="the SageMaker SDK",
    instance_type={
        Use.ENDPOINT: "models/ (instance_type)",
        **dict.fromkeys((Use.TRAINING, Use.SPOT_TRAINING, Use.PROCESSING, Use.TRANSFORM), _PARAMETER),
    },
    smaller={
        Use.ENDPOINT: "less in models/: instance_type, Autoscaling.max_capacity, initial_instance_count",
        **dict.fromkeys(
            (Use.TRAINING, Use.SPOT_TRAINING),
            "less: Tuning.parallel_trials in models/, TrainingInstanceType or TrainingInstanceCount of the pipeline",
        ),
        Use.PROCESSING: "another ProcessingInstanceType of the pipeline, or Monitoring.instance_type in models/",
        Use.TRANSFORM: "less: Batch.instance_count in models/, TransformInstanceType of the pipeline",
    },
    allowed_types={Use.ENDPOINT: f"INSTANCE_TYPES of {_REGISTRATION}", Use.TRANSFORM: f"TRANSFORM_TYPES of {_REGISTRATION}"},
    unscaled="another instance_type in models/, or autoscaling=None for this environment",
    price="add it to PRICES in settings.py",
    install="make setup",
    other_python="make PYTHON=python3.12 setup",
    kept={
        "AWS::SageMaker::ModelPackageGroup": (
            "the registry of an earlier deployment. To keep its versions, import it (the CLI asks for each resource: give the "
            "group's ARN, leave the others empty). To drop them, set Project.retain_data=False and type the other two. Take one way,",
            (
                "npx cdk import {stack}",
                "python -m deploy_scripts.tear_down --really",
                "aws sagemaker delete-model-package-group --model-package-group-name {name}",
            ),
        )
    },
)


def main(arguments: Sequence[str]) -> int:
    options = parser(__doc__)
    command.add_options(options)
    options.add_argument(
        "--parameter", action="append", default=[], metavar="NAME=VALUE", help="a pipeline parameter of the runs; repeatable"
    )
    given = options.parse_args(arguments)
    try:
        code = command.run(given, lambda: app_of(read_settings(), given.parameter))
    except PreflightError as error:
        raise ProblemError(str(error)) from error
    if not (given.json or given.policy):
        settings = read_settings()
        project = ProjectEnvironment(settings.project)
        say(fleet_type_change.announced(project, settings))
        say(line for model in settings.models.values() for line in announced(project, settings.environments, model))
    return code


def app_of(settings: Settings, parameters: Sequence[str] = ()) -> App:
    """What only this project knows of what it deploys. `parameters`: NAME=VALUE, with which its pipelines would be started."""
    project, prices = ProjectEnvironment(settings.project), settings.prices
    models = [model.names(settings.project) for model in settings.models.values()]
    return App(
        name=settings.project.name,
        sites=lambda _: sites(settings),
        account=settings.project.account,
        region=settings.project.region,
        terminal_region=project.terminal_region,
        define=lambda: started_with(parameters, definitions(settings, settings.project.region or project.region)),
        jobs=batch_needs(settings),
        pipelines=[name for model in models for name in (model.training_pipeline, model.batch_pipeline)],
        usd_per_hour=prices.usd_per_hour,
        prices_source=f"PRICES in settings.py: {prices.region}, {prices.as_of}, on demand",
        root=ROOT,
        words=WORDS,
    )


def sites(settings: Settings) -> list[Site]:
    """The project's own place, those of environments, and the project's account in their regions."""
    project = ProjectEnvironment(settings.project)
    *environments, own = places_of(project, settings, Role.LOOKUP)
    regional = [EnvironmentPlace(project, own.environment.but(region=region), Role.LOOKUP) for region in regions_of(project, settings)[1:]]
    models = [model.names(settings.project) for model in settings.models.values()]
    serving = {place: frozenset(names.at(place.environment.name).stack for names in models) for place in environments}
    return [_site(place, serving.get(place, frozenset())) for place in (own, *environments, *regional)]


def _site(place: EnvironmentPlace, holds: frozenset[str]) -> Site:
    def client(service: str, region: str) -> Any:
        try:
            return place.client(service, region=region)
        except ProblemError as error:
            raise ClosedError(str(error)) from error

    return Site(place.environment.name, place.account, place.region, place.where[0] is None, client, holds)


def batch_needs(settings: Settings) -> dict[str, list[Need]]:
    """By stack: the instances of batch models, which are scored on a schedule or an upload by a function of their stack."""
    served = [
        (model.names(settings.project).at(name).stack, how) for model in settings.models.values() for name, how in model.serving.items()
    ]
    return {
        stack: [Need(Use.TRANSFORM, how.instance_type, how.instance_count, f"{stack} {how.instance_count}")]
        for stack, how in served
        if isinstance(how, Batch)
    }


def started_with(parameters: Sequence[str], defined: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The definitions with these defaults. Raises ProblemError for a name that none has, and for a count that is none."""
    values = dict(text.partition("=")[::2] for text in parameters)
    known = {item["Name"]: item["Type"] for definition in defined for item in definition.get("Parameters", [])}
    for name, value in values.items():
        if name not in known:
            raise ProblemError(f"parameter {name!r} is unknown; allowed: {', '.join(sorted(known))} (pipelines/)")
        if not value or (known[name] == "Integer" and not re.fullmatch(r"[1-9]\d*", value)):
            raise ProblemError(
                f"parameter {name} is {value!r}; allowed: {'whole numbers from 1' if known[name] == 'Integer' else 'a value'}"
            )

    def valued(item: dict[str, Any]) -> dict[str, Any]:
        return {**item, "DefaultValue": values.get(item["Name"], item.get("DefaultValue"))}

    return [{**definition, "Parameters": [valued(item) for item in definition.get("Parameters", [])]} for definition in defined]


def definitions(settings: Settings, region: str) -> list[dict[str, Any]]:
    """Of every model's pipelines, with places that stand for the deployed ones. Takes seconds: the SDK is large."""
    from build_scripts import define_pipeline, score_file

    stand_ins = {"ARTIFACT_BUCKET": "artifacts", "DATA_BUCKET": "data", "KMS_KEY_ARN": f"arn:aws:kms:{region}:111122223333:key/preflight"}
    network = {"VPC_SUBNET_IDS": "subnet-1", "VPC_SECURITY_GROUP_IDS": "sg-1"} if settings.project.in_vpc else {}
    place = ProjectEnvironment(settings.project, {"AWS_REGION": region, **stand_ins, **network})
    made = [define_pipeline.define(place, model, "s3://artifacts/code/0", settings.prices) for model in settings.models.values()]
    made += [score_file.define(place, model.names(settings.project)) for model in settings.models.values()]
    return [json.loads(definition) for definition in made]


if __name__ == "__main__":
    raise SystemExit(run(main))
