"""Fails if the version that was tested on staging has been rejected or deleted since, so that production does not get it.

Before that it waits until the production endpoint can be updated, so that a rejection meanwhile counts as well.
Input: MODEL_PACKAGE_ARN. Exit code 1 if it is not approved any more, or the wait was in vain. Next: the production deployment.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from build_scripts.command_line import ProblemError, VerdictError, parser, run
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.registry import find, number_of
from deploy_scripts.wait_for_endpoint import wait_until_updatable
from settings import PRODUCTION, PROJECT


def main(arguments: Sequence[str]) -> int:
    options = parser(__doc__)
    options.add_argument("--package", default=os.environ.get("MODEL_PACKAGE_ARN"), help="the version's ARN (default: MODEL_PACKAGE_ARN)")
    arn = options.parse_args(arguments).package
    if not arn:
        raise ProblemError("MODEL_PACKAGE_ARN is not set; give --package")
    sagemaker = ProjectEnvironment().client("sagemaker")
    wait_until_updatable(sagemaker, PROJECT.endpoint_name(PRODUCTION))
    version = find(sagemaker, arn)
    if version is None:
        raise VerdictError(f"version {number_of(arn)} was deleted from the registry meanwhile; production keeps what it has")
    if version.approval != "Approved":
        raise VerdictError(f"version {version.number} is {version.approval} now; production keeps what it has")
    print(f"version {version.number} is still approved")
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
