"""Waits until an endpoint can be updated. SageMaker refuses UpdateEndpoint while a change is in progress, autoscaling's included.

    python -m deploy_scripts.wait_for_endpoint first      before the first environment that a version passes
    python -m deploy_scripts.wait_for_endpoint last       before the one that serves

Runs right before a deployment (render.buildspec.yml, still_approved.buildspec.yml). Input: MODEL. Exit code 1 if the wait was in vain.
Next: the Deploy action. Why there, and what remains: docs/decisions/0060-deploy-when-the-endpoint-is-in-service.md.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from build_scripts.command_line import VerdictError, add_model_option, parser, read_settings, run
from build_scripts.project_environment import ProjectEnvironment
from deploy_scripts.environment_place import EnvironmentPlace
from deploy_scripts.live_endpoint import describe_endpoint
from settings_schema import Endpoint, ModelNames

#: The statuses that pass by themselves. Any other one is left to the deployment, which may be what repairs it.
IN_PROGRESS = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
#: Short: just after a change autoscaling is in its cooldown, and the deployment should begin within that.
POLL_SECONDS = 2
LINE_SECONDS = 60
#: Autoscaling takes minutes. The builds have this much time on top of their own.
LIMIT_MINUTES = 30


def wait_until_updatable(sagemaker: Any, names: ModelNames, environment: str) -> None:
    """Returns at once when nothing is in progress or there is no such endpoint. Raises VerdictError after LIMIT_MINUTES.

    boto3's waiter endpoint_in_service is silent meanwhile, and fails for an endpoint that is missing or Failed.
    """
    name = names.at(environment).endpoint
    for waited_seconds in range(0, LIMIT_MINUTES * 60 + 1, POLL_SECONDS):
        endpoint = describe_endpoint(sagemaker, name)
        status = endpoint["EndpointStatus"] if endpoint else "missing"
        if status not in IN_PROGRESS:
            return
        if waited_seconds % LINE_SECONDS == 0:
            print(
                f"endpoint {name} is {status}; waiting until it can be updated ({waited_seconds // 60} of {LIMIT_MINUTES} min)", flush=True
            )
        time.sleep(POLL_SECONDS)
    raise VerdictError(
        f"endpoint {name} is still {status} after {LIMIT_MINUTES} min, and SageMaker updates it only once that is over; see why with "
        f"`aws sagemaker describe-endpoint --endpoint-name {name}`, then deploy again with "
        f"`aws lambda invoke --function-name {names.start_deployment_function} /dev/stdout`"
    )


def main(arguments: Sequence[str]) -> int:
    options = parser(__doc__)
    options.add_argument("which", choices=("first", "last"), help="of the environments, in the order in which a version passes them")
    add_model_option(options)
    given = options.parse_args(arguments)
    settings = read_settings()
    model = settings.model(given.model)
    environment = settings.staging if given.which == "first" else settings.production
    if not isinstance(model.serving[environment.name], Endpoint):
        print(f"{model.name} has no endpoint in {environment.name}: nothing to wait for")
        return 0
    names = model.names(settings.project)
    place = EnvironmentPlace(ProjectEnvironment(settings.project), environment, names.at(environment.name))
    wait_until_updatable(place.client("sagemaker"), names, environment.name)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
