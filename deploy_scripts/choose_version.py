"""Chooses the version to deploy: the newest approved one, or the one that the pipeline variable ModelPackageArn names.

Its archive has to be the one that was evaluated, and made by the commit that it names.
Output: a `Version`; and `exported`, by which the pipeline learns of it. Used by render.py, which pins it in what is deployed.
"""

from __future__ import annotations

import shlex

from build_scripts.command_line import ProblemError
from build_scripts.evaluated_artifact import MODEL, require_code_of, require_unchanged
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.registry import Version, describe, newest_approved, require_own

LATEST = "latest-approved"


def choose(project: ProjectEnvironment, group: str, requested: str = LATEST) -> Version:
    """Raises ProblemError if nothing is approved, or if the requested version is not (any more, or yet), or is none of the group's."""
    sagemaker = project.client("sagemaker")
    if requested == LATEST:
        return newest_approved(sagemaker, group)
    require_own(requested, project.versions_arn(group), f"ModelPackageArn (or {LATEST})")
    version = describe(sagemaker, requested)
    if version.approval != "Approved":
        raise ProblemError(f"version {version.number} is {version.approval}; only an approved version is deployed")
    return version


def require_deployable(project: ProjectEnvironment, version: Version) -> str:
    """A line that says so. Raises ProblemError for a version that is not what was evaluated, or that other code made."""
    line = require_unchanged(project.client("s3"), version)
    require_code_of(version, project.commit)
    return line


def exported(version: Version) -> str:
    """Shell assignments; the buildspec exports them as variables of the pipeline.

    Address and hash of the archive are for the next training: the registry has them no more once the version is deleted, which serves on.
    """
    values = {"MODEL_PACKAGE_ARN": version.arn, "MODEL_PACKAGE_VERSION": str(version.number)}
    values |= {"MODEL_DATA_URL": version.model_url or "", "MODEL_SHA256": version.facts.get(MODEL, "")}
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items())
