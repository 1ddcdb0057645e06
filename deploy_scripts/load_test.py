"""Measures what one instance of an endpoint can do: `python -m deploy_scripts.load_test --model abalone --environment staging`.

`python -m capacity.measure` (packages/capacity) with what is set: the model's endpoint in an environment, in whichever account it lives
(real or local), the latency that it may have, and as requests the golden rows of the version that it serves. Output: max RPS per instance
and the line for models/; with `--output` the service-time distribution for `python -m capacity --service`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from build_scripts import command_line, golden, invocation, version_contract
from build_scripts.command_line import ProblemError
from build_scripts.project_environment import ProjectEnvironment
from capacity import measure
from capacity.model import CapacityError
from deploy_scripts.environment_place import EnvironmentPlace, Role
from deploy_scripts.live_endpoint import asked_at_once, endpoint_of, served_version
from settings_schema.reading import Settings


def parser() -> argparse.ArgumentParser:
    result = command_line.parser(__doc__)
    command_line.add_model_option(result)
    measure.add_options(result)
    add = result.add_argument
    add("--environment", help="which of the model's endpoints (default: the first environment's, where versions are tested)")
    add("--endpoint", help="another endpoint than the model's")
    add("--p99-ms", type=float, help="slower than this counts as too much load (default: Endpoint.p99_latency_ms of who serves)")
    add("--payload", type=Path, help="file with the body of a request (default: the version's golden rows, one after the other)")
    return result


def main(arguments: Sequence[str]) -> int:
    options = parser().parse_args(arguments)
    if options.payload is None and options.content_type not in invocation.KINDS:
        raise ProblemError(f"--content-type is {options.content_type!r}; without --payload allowed: {', '.join(invocation.KINDS)}")
    project, place = place_of(options, command_line.read_settings())
    try:
        measure.bounds_of(options)  # before anything is asked or sent
        payload = [measure.payload_of(options.payload)] if options.payload else []
        target = measure.target_of(place.client("sagemaker"), options.endpoint)
        bodies = payload or golden_bodies(project, place.client("sagemaker"), options)
        result = measure.measure(place.client("sagemaker-runtime", measure.CLIENT), target, bodies, options)
    except CapacityError as error:
        raise ProblemError(str(error)) from error
    if options.output and options.image:
        both = f"--images {options.image}={options.output} and the other's"
        print(f"measured with the {options.image} image; with a load test of the other `make capacity` prices both: {both}")
    print(f"models/: TargetTracking(max_rps_per_instance={result['max_rps_per_instance']:.1f}, safety={options.safety:g})")
    return 0


def place_of(options: argparse.Namespace, settings: Settings) -> tuple[ProjectEnvironment, EnvironmentPlace]:
    """Fills in what was left out: the model's endpoint in the environment, and the latency that it may have where it serves."""
    environment = settings.environment(options.environment) if options.environment else settings.staging
    options.image = None  # of another endpoint than the model's nobody knows
    if options.endpoint is None or options.p99_ms is None:
        model = settings.model(options.model)
        options.image = None if options.endpoint else endpoint_of(model, environment).image
        options.endpoint = options.endpoint or model.names(settings.project).at(environment.name).endpoint
        options.p99_ms = options.p99_ms or float(asked_at_once(model, settings.production).p99_latency_ms)
    project = ProjectEnvironment(settings.project)
    return project, EnvironmentPlace(project, environment, Role.LOOKUP)


def golden_bodies(project: ProjectEnvironment, sagemaker: Any, options: argparse.Namespace) -> list[bytes]:
    """One request for each golden row of the version that is served: what it surely takes, and as different as real rows are."""
    _, version = served_version(sagemaker, project, options.endpoint)
    invocation.require_taken(version, options.content_type)
    contract = version_contract.read(project.client("s3"), version)
    rows = golden.read(project.client("s3"), version, contract).rows
    return [invocation.body([row], options.content_type, contract) for row in rows]


if __name__ == "__main__":
    raise SystemExit(command_line.run(main))
