"""Fails if the version that was tested has been rejected or deleted since, so that production does not get it.

Runs after wait_for_endpoint.py, so that a rejection meanwhile counts as well.
Input: MODEL, MODEL_PACKAGE_ARN. Exit code 1 if it is not approved any more. Next: the production deployment.
"""

from __future__ import annotations

from collections.abc import Sequence

from build_scripts.command_line import VerdictError, add_model_option, add_package_option, parser, read_settings, run
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.registry import find, number_of, require_own


def main(arguments: Sequence[str]) -> int:
    options = parser(__doc__)
    add_model_option(options)
    add_package_option(options)
    given = options.parse_args(arguments)
    settings = read_settings()
    names = settings.model(given.model).names(settings.project)
    project = ProjectEnvironment(settings.project)
    require_own(given.package, project.versions_arn(names.model_package_group), "MODEL_PACKAGE_ARN")
    version = find(project.client("sagemaker"), given.package)
    if version is None:
        raise VerdictError(f"version {number_of(given.package)} was deleted from the registry meanwhile; production keeps what it has")
    if version.approval != "Approved":
        raise VerdictError(f"version {version.number} is {version.approval} now; production keeps what it has")
    print(f"version {version.number} is still approved")
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
