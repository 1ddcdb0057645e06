"""Waits until an endpoint can be updated. SageMaker refuses UpdateEndpoint while a change is in progress, autoscaling's included.

Called last before a deployment: by render.py for staging, by still_approved.py for production. Next: the Deploy action.
Why there, and what remains: docs/decisions/0060-deploy-when-the-endpoint-is-in-service.md.
"""

from __future__ import annotations

import time
from typing import Any

from build_scripts.command_line import VerdictError
from deploy_scripts.live_endpoint import describe_endpoint
from settings import PROJECT

#: The statuses that pass by themselves. Any other one is left to the deployment, which may be what repairs it.
IN_PROGRESS = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
#: Short: just after a change autoscaling is in its cooldown, and the deployment should begin within that.
POLL_SECONDS = 2
LINE_SECONDS = 60
#: Autoscaling takes minutes. The builds have this much time on top of their own (infra/model_deploy/deploy_projects.py).
LIMIT_MINUTES = 30


def wait_until_updatable(sagemaker: Any, name: str) -> None:
    """Returns at once when nothing is in progress or there is no such endpoint. Raises VerdictError after LIMIT_MINUTES.

    boto3's waiter endpoint_in_service is silent meanwhile, and fails for an endpoint that is missing or Failed.
    """
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
        f"`aws lambda invoke --function-name {PROJECT.start_deployment_function} /dev/stdout`"
    )
