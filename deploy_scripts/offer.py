"""Puts a version where a multi-model fleet finds it, and asks it there, before clients are told of it (CloudFormation's action does that).

The archive gets a name that no other version has, written once; then the fleet is asked for it with the version's golden rows, as
verify.py asks any endpoint. If it does not answer as it was evaluated, nobody was told. Archives that nobody goes back to are removed: all
but the newest KEPT of the model and the one that clients are told of; a return to an older version puts it there again.
Input: MODEL, STAGE, MODEL_PACKAGE_ARN. Output: lines. Next: Deploy, then verify.py.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from build_scripts import golden, invocation, version_contract
from build_scripts.command_line import ProblemError, add_model_option, add_package_option, parser, read_settings, run
from build_scripts.evaluated_artifact import fetch_unchanged
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.registry import Version, describe
from build_scripts.write_once import put_once
from deploy_scripts import checks
from deploy_scripts.deployments import outputs_of
from deploy_scripts.environment_place import EnvironmentPlace
from deploy_scripts.live_endpoint import describe_endpoint
from deploy_scripts.member_archive import MemberArchive
from deploy_scripts.regional_copy import client_in
from deploy_scripts.stack_states import describe_stack
from deploy_scripts.verify import answer_lines
from settings_schema import Member, ServingNames
from settings_schema.rollout import TOLD

KEPT = 5


@dataclass(frozen=True)
class Shelf:
    """Where a model's archives are, below the prefix of its fleet. `s3`: of the project's account, in the fleet's region."""

    s3: Any
    bucket: str
    prefix: str

    @classmethod
    def of(cls, project: ProjectEnvironment, place: EnvironmentPlace, names: ServingNames, serving: Member) -> Shelf:
        bucket = project.names.artifact_bucket(project.key_arn.split(":")[4], place.region)
        return cls(client_in(project, "s3", place.region), bucket, names.fleet(serving.fleet).archives)

    def put(self, archive: MemberArchive, project: ProjectEnvironment, version: Version) -> str:
        """A line. Raises ProblemError for an archive that is not what was evaluated, or a name under which there is another one."""
        with tempfile.TemporaryFile() as evaluated:
            said = fetch_unchanged(project.client("s3"), version, evaluated)
            evaluated.seek(0)
            made = put_once(self.s3, self.bucket, f"{self.prefix}{archive.target}", archive.packed(evaluated), {})
        return f"{said}; {archive.target} is {'put below' if made else 'already below'} s3://{self.bucket}/{self.prefix}"

    def remove_old(self, model: str, keep: Sequence[str]) -> list[str]:
        """Names of the archives of the model that go: neither among its newest nor in `keep`."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=f"{self.prefix}{model}/")
        found = sorted((item for page in pages for item in page.get("Contents", [])), key=lambda item: item["LastModified"], reverse=True)
        old = [str(item["Key"]) for item in found[KEPT:] if item["Key"].removeprefix(self.prefix) not in keep]
        for key in old:
            self.s3.delete_object(Bucket=self.bucket, Key=key)
        return [key.removeprefix(self.prefix) for key in old]


def require_fleet(place: EnvironmentPlace, names: ServingNames, serving: Member) -> None:
    """Raises ProblemError where the fleet does not serve."""
    fleet = names.fleet(serving.fleet)
    endpoint = describe_endpoint(place.client("sagemaker"), fleet.endpoint)
    status = endpoint["EndpointStatus"] if endpoint else "not there"
    if status not in checks.SERVING:
        raise ProblemError(f"fleet {serving.fleet} of {names.environment} is {status}; `npx cdk deploy {fleet.stack}` makes it")


def told_now(place: EnvironmentPlace, names: ServingNames) -> str:
    """The archive that clients are to ask for now; empty where they were told of none."""
    stack = describe_stack(place.client("cloudformation"), names.stack)
    return outputs_of(stack).get(TOLD, "") if stack else ""


def main(arguments: Sequence[str]) -> int:
    given = _options().parse_args(arguments)
    settings = read_settings()
    model, environment = settings.model(given.model), settings.environment(given.stage)
    names, project = model.names(settings.project).at(environment.name), ProjectEnvironment(settings.project)
    place, serving = EnvironmentPlace(project, environment, names), model.serving[environment.name]
    if not isinstance(serving, Member):
        said = f"models/ says {type(serving).__name__} in {environment.name}; allowed: a Member of a multi-model fleet"
        raise ProblemError(f"model {model.name} is not offered to a fleet: {said}")
    require_fleet(place, names, serving)
    registry, s3 = project.client("sagemaker"), project.client("s3")
    version = describe(registry, given.package)
    archive, shelf = (
        MemberArchive.of(registry.describe_model_package(ModelPackageName=given.package), names),
        Shelf.of(project, place, names, serving),
    )
    print(shelf.put(archive, project, version), flush=True)
    contract = version_contract.read(s3, version)
    known = golden.read(s3, version, contract)
    for line in answer_lines(place, names, serving, known, contract, invocation.kinds_of(version), archive.target):
        print(line, flush=True)
    gone = shelf.remove_old(model.name, [archive.target, told_now(place, names)])
    print(f"old archives removed: {', '.join(gone) or 'none'}")
    print(f"{archive.target} answers on {names.fleet(serving.fleet).endpoint}; clients are told next")
    return 0


def _options() -> argparse.ArgumentParser:
    options = parser(__doc__)
    add_model_option(options)
    options.add_argument("--stage", default=os.environ.get("STAGE"), help="which environment (default: STAGE)")
    add_package_option(options)
    return options


if __name__ == "__main__":
    raise SystemExit(run(main))
