"""Chooses the version to deploy: the newest approved one, or the one that the pipeline variable ModelPackageArn names.

Its archive has to be the one that was evaluated, and made by the commit that it names.
Input: MODEL, REQUESTED_PACKAGE and the registry. Output: chosen.env, with MODEL_PACKAGE_ARN and MODEL_PACKAGE_VERSION for the shell.
Next: render.py, which pins it in what is deployed.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from build_scripts.command_line import ProblemError, add_model_option, parser, read_settings, run
from build_scripts.evaluated_artifact import require_code_of, require_unchanged
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.registry import Version, describe, newest_approved, require_own

LATEST = "latest-approved"


def choose(project: ProjectEnvironment, group: str, requested: str = LATEST) -> Version:
    """Raises ProblemError if nothing is approved, or if the requested version is not, or is none of the group's."""
    sagemaker = project.client("sagemaker")
    if requested == LATEST:
        return newest_approved(sagemaker, group)
    require_own(requested, project.versions_arn(group), f"ModelPackageArn (or {LATEST})")
    version = describe(sagemaker, requested)
    if version.approval != "Approved":
        raise ProblemError(f"version {version.number} is {version.approval}; only an approved version is deployed")
    return version


def exported(version: Version) -> str:
    """Shell assignments; the buildspec exports them as variables of the pipeline."""
    values = {"MODEL_PACKAGE_ARN": version.arn, "MODEL_PACKAGE_VERSION": str(version.number)}
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items())


def main(arguments: Sequence[str]) -> int:
    options = parser(__doc__)
    add_model_option(options)
    options.add_argument("--package", default=os.environ.get("REQUESTED_PACKAGE") or LATEST, help="a version's ARN (default: %(default)s)")
    options.add_argument("--variables", type=Path, default=Path("chosen.env"), help="file of shell exports (default: %(default)s)")
    given = options.parse_args(arguments)
    settings = read_settings()
    names = settings.model(given.model).names(settings.project)
    project = ProjectEnvironment(settings.project)
    version = choose(project, names.model_package_group, given.package)
    print(require_unchanged(project.client("s3"), version))
    require_code_of(version, project.commit)
    given.variables.write_text(exported(version), encoding="utf-8")
    print(f"deploying version {version.number}: {version.arn}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
