"""Says whether a deployment would succeed in the account that the environment names, before it is tried. Reads only.

    make preflight                                       # synthesizes first
    python -m deploy_scripts.preflight --json            # for programs
    python -m deploy_scripts.preflight --policy          # the permissions that it needs, as an IAM policy

Input: cdk.out, settings.py, models/, and each account and region that they name.
Output: a table: ✓ is fine, ✗ would fail, ? could not be seen, → what to do.
Exit code 1 with a ✗, 2 for bad input, 0 otherwise. Next: `npx cdk deploy --all`.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from build_scripts.command_line import ProblemError, parser, read_settings, run
from build_scripts.project_environment import ProjectEnvironment
from deploy_scripts.deployments import places_of, regions_of
from deploy_scripts.environment_place import EnvironmentPlace, Role
from deploy_scripts.preflight import (
    assembly,
    bootstrap,
    cost,
    fits,
    leftovers,
    names,
    network,
    offers,
    quotas,
    service_roles,
    source,
    stack_states,
    table,
    tools,
)
from deploy_scripts.preflight.account import Account, policy
from deploy_scripts.preflight.finding import Finding, NotSeenError, Sign, failed, not_seen
from deploy_scripts.preflight.identity import check_identity, check_region
from deploy_scripts.preflight.situation import Check, Situation
from settings_schema import ModelNames
from settings_schema.reading import Settings

ROOT = Path(__file__).resolve().parents[2]
#: In the order in which a person mends things.
SECTIONS: Mapping[str, Mapping[str, Check]] = {
    "Account": {
        "identity": check_identity,
        "region": check_region,
        "bootstrap": bootstrap.check_version,
        "bootstrap resources": bootstrap.check_resources,
        "bootstrap trust": bootstrap.check_trust,
        "scaling role": service_roles.check_service_roles,
        "source of the code": source.check_source,
    },
    "Tools": {"Python": tools.check_python, "CDK CLI": tools.check_cli, "libraries": tools.check_libraries},
    "Earlier deployments": {"stacks": stack_states.check_stacks, "names": names.check_names, "left behind": leftovers.check_leftovers},
    "Image and instance types": {
        "image": offers.check_image,
        "instance types": offers.check_instance_types,
        "allowed types": fits.check_version,
        "scaling": fits.check_scaling,
    },
    "Quotas": {"endpoints": quotas.check_endpoints, "jobs": quotas.check_jobs, "builds": quotas.check_builds},
    "Network": {
        "VPC endpoints": network.check_endpoint_services,
        "private DNS": network.check_private_dns,
        "VPCs": network.check_vpc_quota,
    },
    "Cost": {"a month": cost.check_cost},
}
#: Looked at in the project's own account and region only.
_ONCE = ("source of the code", "Python", "CDK CLI", "libraries", "image", "allowed types", "builds")


def examine(situation: Situation) -> dict[str, list[Finding]]:
    """Every check's findings, by section. One that cannot look is one line, and the next one looks all the same."""
    return {
        title: [
            finding
            for name, check in checks.items()
            if situation.is_own or name not in _ONCE
            for finding in _looked(name, check, situation)
        ]
        for title, checks in SECTIONS.items()
    }


def _looked(name: str, check: Check, situation: Situation) -> Iterator[Finding]:
    try:
        yield from check(situation)
    except NotSeenError as error:
        yield not_seen(name, error)


def definitions(settings: Settings, region: str) -> list[dict[str, Any]]:
    """Of every model's pipelines, with places that stand for the deployed ones. Takes seconds: the SDK is large."""
    from build_scripts import define_pipeline, score_file

    stand_ins = {"ARTIFACT_BUCKET": "artifacts", "DATA_BUCKET": "data", "KMS_KEY_ARN": f"arn:aws:kms:{region}:111122223333:key/preflight"}
    network = {"VPC_SUBNET_IDS": "subnet-1", "VPC_SECURITY_GROUP_IDS": "sg-1"} if settings.project.in_vpc else {}
    place = ProjectEnvironment(settings.project, {"AWS_REGION": region, **stand_ins, **network})
    made = [define_pipeline.define(place, model, "s3://artifacts/code/0") for model in settings.models.values()]
    made += [score_file.define(place, model.names(settings.project)) for model in settings.models.values()]
    return [json.loads(definition) for definition in made]


def look(folder: Path, settings: Settings) -> tuple[list[Situation], dict[str, Finding]]:
    """The project's own place first, then each other one where something is deployed; and those that are closed, by their names.

    That is where environments are, and the project's own account in their regions.

    Raises ProblemError for a folder without templates, and where there are no credentials or no region.
    """
    stacks, project = assembly.read(folder), ProjectEnvironment(settings.project)
    *environments, own = places_of(project, settings, Role.LOOKUP)
    regional = [EnvironmentPlace(project, own.environment.but(region=region), Role.LOOKUP) for region in regions_of(project, settings)[1:]]
    situations, closed = [], {}
    places = {item.where: item for item in (*reversed([*environments, *regional]), own)}
    # Templates of what serves fit any place: the deploy pipelines say where each goes.
    serving = {names.at(item.environment.name).stack: item.where for names in _names(settings) for item in environments}
    for place in places.values():
        here = [item.environment.name for item in environments if item.where == place.where]
        try:
            situations.append(
                _situation(
                    settings,
                    place,
                    own,
                    here,
                    [item for item in stacks if serving.get(item.name, _goes_to(item, places.values(), own)) == place.where],
                )
            )
        except ProblemError as error:
            closed[place.environment.name] = failed("another account", str(error), "bootstrap it so that it trusts the project's account")
        except NotSeenError as error:
            raise ProblemError(f"{error.reason}. Check AWS_PROFILE or the exports of `make local`") from error
    return situations[::-1], closed


def _names(settings: Settings) -> list[ModelNames]:
    return [model.names(settings.project) for model in settings.models.values()]


def _situation(
    settings: Settings, place: EnvironmentPlace, own: EnvironmentPlace, environments: Sequence[str], stacks: Sequence[assembly.Stack]
) -> Situation:
    names = {name: model.names(settings.project) for name, model in settings.models.items()}
    account = Account(place.region, lambda service, region: place.client(service, region=region))
    is_own = place.where == own.where
    return Situation(
        project=settings.project,
        stages={names[model.name].at(item).stack: serving for model in settings.models.values() for item, serving in model.serving.items()},
        here=frozenset(names[model].at(item).stack for model in names for item in environments),
        models=list(names) if is_own else (),
        prices=settings.prices,
        account=account,
        identity=account.read("sts", "get_caller_identity"),
        region_of_the_environment=ProjectEnvironment(settings.project).region,
        stacks=stacks,
        define=(lambda: definitions(settings, place.region)) if is_own else list,
        root=ROOT,
        trusted=None if place.where[0] == own.where[0] else own.account,
        is_own=is_own,
    )


#: Of a stack in the assembly whose account is the one that will deploy it.
_ANY_ACCOUNT = "unknown-account"


def _goes_to(stack: assembly.Stack, places: Iterable[EnvironmentPlace], own: EnvironmentPlace) -> tuple[str | None, str]:
    """The account and region that a stack was synthesized for; what names none is the project's own."""
    account, _, region = stack.environment.removeprefix("aws://").partition("/")
    fits = (
        item.where for item in places if item.region == region and account in (item.account, _ANY_ACCOUNT if item.where[0] is None else "")
    )
    return next(fits, own.where)


def main(arguments: Sequence[str]) -> int:
    given = _options().parse_args(arguments)
    if given.policy:
        print(json.dumps(policy(), indent=2))
        return 0
    situations, closed = look(given.assembly, read_settings())
    shown = {_title(item): {f"{title}{_suffix(item)}": found for title, found in examine(item).items()} for item in situations}
    shown |= {f"environment {name}": {f"Account of {name}": [finding]} for name, finding in closed.items()}
    sections = {title: findings for place in shown.values() for title, findings in place.items()}
    findings = [finding for section in sections.values() for finding in section]
    if given.json:
        print(json.dumps(sections, indent=2, default=asdict))
    else:
        for title, place in shown.items():
            table.show(title, place)
        print(f"\n{table.summary(findings)}")
    return int(any(finding.sign is Sign.FAILED for finding in findings))


def _suffix(situation: Situation) -> str:
    """Tells the sections of another account or region from the project's own."""
    return "" if situation.is_own else f" in {situation.place.account}, {situation.region}"


def _title(situation: Situation) -> str:
    address = situation.account.local_address
    where = f"the local account at {address}" if address else "AWS"
    return f"{situation.project.name} in {situation.place.account}, {situation.region} ({where})"


def _options() -> argparse.ArgumentParser:
    options = parser(__doc__)
    folder = Path(os.environ.get("CDK_OUTDIR", "cdk.out"))
    options.add_argument("--assembly", type=Path, default=folder, help="what `cdk synth` wrote (default: %(default)s)")
    options.add_argument("--json", action="store_true", help="print JSON")
    options.add_argument("--policy", action="store_true", help="print the IAM policy that it needs, and stop")
    return options


if __name__ == "__main__":
    raise SystemExit(run(main))
