"""Writes a request that an endpoint answers: golden rows of the version that it serves, as a client sends them.

    python -m deploy_scripts.example_request --model abalone --output out/row.csv
    python -m deploy_scripts.example_request --model abalone --environment staging --rows 3 --content-type application/json

Input: the registry. Output: a file, or the text on standard output. Next: `aws sagemaker-runtime invoke-endpoint --body fileb://...`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from build_scripts import golden, invocation, version_contract
from build_scripts.command_line import ProblemError, add_model_option, parser, read_settings, run
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.registry import Version
from deploy_scripts.environment_place import EnvironmentPlace, Role
from deploy_scripts.live_endpoint import version_behind
from deploy_scripts.served import version_served
from deploy_scripts.way_back import live_version
from settings_schema import Batch, Member, ServingNames
from settings_schema.serving import OnEndpoint


def request(project: ProjectEnvironment, version: Version, count: int, content_type: str) -> bytes:
    """Raises ProblemError where the version has fewer rows."""
    s3 = project.client("s3")
    contract = version_contract.read(s3, version)
    rows = golden.read(s3, version, contract).rows
    if not 1 <= count <= len(rows):
        raise ProblemError(f"--rows is {count}; allowed: 1 to {len(rows)}, the golden rows of version {version.number}")
    invocation.require_taken(version, content_type)
    return invocation.body(rows[:count], content_type, contract)


def main(arguments: Sequence[str]) -> int:
    given = _options().parse_args(arguments)
    settings = read_settings()
    model = settings.model(given.model)
    environment = settings.environment(given.environment) if given.environment else settings.production
    serving = model.serving[environment.name]
    if isinstance(serving, Batch):
        asked = f"`python -m build_scripts.score_file FILE --model {model.name}` asks a version of it"
        raise ProblemError(f"model {model.name} has no endpoint in {environment.name}: models/ says Batch; {asked}")
    project = ProjectEnvironment(settings.project)
    place = EnvironmentPlace(project, environment, Role.LOOKUP)
    version = _served(project, place, model.names(settings.project).at(environment.name), serving)
    body = request(project, version, given.rows, given.content_type)
    if given.output is None:
        sys.stdout.write(body.decode())
        return 0
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_bytes(body)
    print(f"{given.output}: {given.rows} row{'s' if given.rows > 1 else ''} as {given.content_type}")
    return 0


def _served(project: ProjectEnvironment, place: EnvironmentPlace, names: ServingNames, serving: OnEndpoint) -> Version:
    """Of a member, what its clients are told: the endpoint is the fleet's."""
    if not isinstance(serving, Member):
        return version_served(place.client("sagemaker"), project, names, serving)
    live = live_version(project, place, names)
    if live is None:
        raise ProblemError(f"stack {names.stack} tells clients of no version; deploy it, or name another with --model and --environment")
    return version_behind(project, live, f"stack {names.stack}")


def _options() -> argparse.ArgumentParser:
    options = parser(__doc__)
    add_model_option(options)
    options.add_argument("--environment", help="which endpoint (default: that of the last environment, which serves)")
    options.add_argument("--rows", type=int, default=1, help="number of rows (default: %(default)s)")
    options.add_argument(
        "--content-type",
        choices=invocation.KINDS,
        default=invocation.CSV,
        help="how (default: %(default)s)",
    )
    options.add_argument("--output", type=Path, metavar="FILE", help="where it goes (default: standard output)")
    return options


if __name__ == "__main__":
    raise SystemExit(run(main))
