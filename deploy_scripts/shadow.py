"""Compares a version with the one that serves production, in its shadow: it gets copies of production's requests, and answers nobody.

Before a person is asked for production. What it finds is a file of the version's (comparison.py says which) and one line of the message
that asks; it decides nothing, and fails only where it cannot work. Nothing that serves yet, and a time without requests, are said.
Input: MODEL, STAGE, MODEL_PACKAGE_ARN. Output: comparison.json, and comparison.env for the shell. Next: the approval.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from build_scripts import version_contract
from build_scripts.command_line import ProblemError, add_model_option, add_package_option, parser, read_settings, run
from build_scripts.objects import encryption
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.registry import Version, describe, find
from deploy_scripts import comparison, shadow_answers, shadow_metrics
from deploy_scripts.comparison import PRODUCTION, SHADOW, Seen
from deploy_scripts.environment_place import EnvironmentPlace
from deploy_scripts.live_endpoint import describe_endpoint, served_package
from deploy_scripts.regional_copy import original
from deploy_scripts.review import publishing
from deploy_scripts.shadow_stay import ShadowFunction, Stay, stay
from settings_schema import Endpoint, ModelNames, ServingNames, Shadow
from settings_schema.reading import Settings

#: Of CustomData of an approval, which has more to say (CodePipeline's service model: 1,000 characters).
_LONGEST_SUMMARY = 500


@dataclass(frozen=True)
class Compared:
    """Both versions, where they serve. `live`: None where nothing that is known serves."""

    project: ProjectEnvironment
    place: EnvironmentPlace
    names: ServingNames
    serving: Endpoint
    shadow: Shadow
    version: Version
    live: Version | None

    def seen(self, made: Stay) -> Seen:
        """What there is to see of a stay."""
        assert made.began is not None  # noqa: S101 - asked of a stay that was one
        minutes = shadow_metrics.minutes(self.place.client("cloudwatch"), self.names.endpoint, made.began, made.minutes)
        return Seen(minutes, self._pairs(made, sum(item.requests for item in minutes[SHADOW] if item)))

    def _pairs(self, made: Stay, requests: float) -> Any:
        if self.serving.data_capture_percent == 0 or self.live is None or made.began is None:
            return None
        home, until = self.project.client("s3"), made.began + timedelta(minutes=made.minutes)
        try:
            contracts = {name: version_contract.read(home, item) for name, item in ((PRODUCTION, self.live), (SHADOW, self.version))}
        except ProblemError as error:  # a version of long ago, whose evidence is gone: errors and latency are compared all the same
            print(f"answers are not compared: {error}", flush=True)
            return None
        captured = (self.place.client("s3"), self.place.bucket, self.names.capture)
        return shadow_answers.pairs(*captured, made.began, until, contracts, round(requests))


def fact(compared: Compared, made: Stay, seen: Seen | None, usd_per_hour: float | None) -> dict[str, Any]:
    """The content of comparison.json."""
    minutes = made.minutes if seen else 0
    known: dict[str, Any] = {
        "model": compared.names.model,
        "environment": compared.names.environment,
        "version": compared.version.number,
        "production": compared.live.number if compared.live else 0,
        "compared": seen is not None,
        "reason": made.ended,
        "began": made.began.isoformat() if made.began else None,
        "minutes": minutes,
        "wanted_minutes": compared.shadow.minutes,
        "percent": compared.shadow.percent,
        "instances": made.instances,
        "production_instances": list(made.production),
        "usd": None if usd_per_hour is None else round(usd_per_hour * made.instances * minutes / 60, 4),
        **comparison.measured(seen or Seen(), compared.serving),
    }
    return {**known, "summary": comparison.summary(known)}


def compare(settings: Settings, given: argparse.Namespace) -> tuple[ProjectEnvironment, ModelNames, dict[str, Any]]:
    """The content of the file."""
    model, environment = settings.model(given.model), settings.environment(given.stage)
    serving, shadow = model.serving[environment.name], model.shadow(environment.name)
    if not isinstance(serving, Endpoint) or shadow is None:
        raise ProblemError(f"models/: {model.name} has no shadow in {environment.name}; allowed: Endpoint(..., shadow=Shadow())")
    names, project = model.names(settings.project).at(environment.name), ProjectEnvironment(settings.project)
    place = EnvironmentPlace(project, environment, names)
    version = describe(project.client("sagemaker"), given.package)
    compared = Compared(project, place, names, serving, shadow, version, _live(project, place, names))
    looked: list[Seen] = []
    function = ShadowFunction(project, names.of_model.change_shadow_function)
    made = stay(function, place, names, version.arn, shadow, lambda there: looked.append(compared.seen(there)))
    content = fact(compared, made, looked[0] if looked else None, settings.prices.usd_per_hour.get(serving.instance_type))
    return project, names.of_model, content


def _live(project: ProjectEnvironment, place: EnvironmentPlace, names: ServingNames) -> Version | None:
    sagemaker = place.client("sagemaker")
    endpoint = describe_endpoint(sagemaker, names.endpoint)
    package = served_package(sagemaker, endpoint) if endpoint else None
    return find(project.client("sagemaker"), original(project, package)) if package else None


def exported(content: Mapping[str, Any]) -> str:
    """A shell's: the line for the message that asks."""
    line = str(content["summary"]).encode("ascii", "replace").decode()
    return f"export COMPARISON={shlex.quote(line[:_LONGEST_SUMMARY])}\n"


def main(arguments: Sequence[str]) -> int:
    given = _options().parse_args(arguments)
    project, names, content = compare(read_settings(), given)
    key = names.comparison(content["version"])
    body = json.dumps(content, indent=1).encode()
    project.client("s3").put_object(Bucket=project.artifact_bucket, Key=key, Body=body, **encryption(project.key_arn))
    for line in comparison.lines(content):
        print(line)
    page = publishing.add_comparison(project, names, content["version"], content)
    print(f"for the approver: {page or f's3://{project.artifact_bucket}/{key}'}")
    given.variables.write_text(exported(content), encoding="utf-8")
    return 0


def _options() -> argparse.ArgumentParser:
    options = parser(__doc__)
    add_model_option(options)
    options.add_argument("--stage", default=os.environ.get("STAGE"), help="which environment (default: STAGE)")
    add_package_option(options)
    options.add_argument("--variables", type=Path, default=Path("comparison.env"), help="file of shell exports (default: %(default)s)")
    return options


if __name__ == "__main__":
    raise SystemExit(run(main))
