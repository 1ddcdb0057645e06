"""Waits until what serves can be changed: CloudFormation changes a stack, and SageMaker an endpoint, one thing at a time.

SageMaker refuses UpdateEndpoint while a change is in progress, autoscaling's included; a component waits for its fleet's endpoint, too;
CloudFormation goes on with an update whose pipeline was stopped. Used by render.py right before a deployment, and by shadow_stay.py. Why
there, and what remains:
docs/decisions/0060-deploy-when-the-endpoint-is-in-service.md.
"""

from __future__ import annotations

import time
from typing import Any

from build_scripts.command_line import VerdictError
from deploy_scripts.environment_place import EnvironmentPlace
from deploy_scripts.function_command import invocation
from deploy_scripts.live_endpoint import describe_endpoint
from deploy_scripts.served import called, describe_served
from deploy_scripts.stack_states import describe_stack
from preflight.obstacle import in_progress
from settings_schema import Batch, Member, ServingNames
from settings_schema.fleet import OnFleet
from settings_schema.names import CHALLENGER_VARIANT
from settings_schema.serving import OnEndpoint

#: The statuses that pass by themselves. Any other one is left to the deployment, which may be what repairs it.
IN_PROGRESS = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
#: Short: just after a change autoscaling is in its cooldown, and the deployment should begin within that.
POLL_SECONDS = 2
LINE_SECONDS = 60
#: Autoscaling takes minutes. The builds have this much time on top of their own.
LIMIT_MINUTES = 30


def wait_until_updatable(place: EnvironmentPlace, names: ServingNames, serving: OnEndpoint | Batch | None, *, alone: bool = False) -> None:
    """Returns at once when nothing is in progress or nothing is there. Raises VerdictError after LIMIT_MINUTES.

    `serving` None: an endpoint of the model's own. `alone`: and until no challenger is beside the version that serves: a guarded update has
    the same variants before and after ("Exclusions" of the guide's guardrails). The function takes it out that is told of the review's
    answer (experiment_change.py).

    boto3's waiter endpoint_in_service is silent meanwhile, and fails for an endpoint that is missing or Failed.
    """
    cloudformation = place.client("cloudformation")
    sagemaker = place.client("sagemaker") if not isinstance(serving, Batch | Member) else None
    for waited_seconds in range(0, LIMIT_MINUTES * 60 + 1, POLL_SECONDS):
        busy = _busy(cloudformation, sagemaker, names, serving, alone=alone)
        if busy is None:
            return
        if waited_seconds % LINE_SECONDS == 0:
            print(f"{busy}; waiting until it can be changed ({waited_seconds // 60} of {LIMIT_MINUTES} min)", flush=True)
        time.sleep(POLL_SECONDS)
    raise VerdictError(
        f"{busy} still, after {LIMIT_MINUTES} min, and nothing can be deployed before that is over; "
        f"see why with `python -m deploy_scripts.status --model {names.model}`, "
        f"then deploy again with `{invocation(names.of_model.start_deployment_function)}`"
    )


def _busy(cloudformation: Any, sagemaker: Any, names: ServingNames, serving: OnEndpoint | Batch | None, *, alone: bool) -> str | None:
    """What is in progress. `sagemaker` None: there is no endpoint, or a fleet's, which a deployment of this model does not change."""
    stack = describe_stack(cloudformation, names.stack)
    if stack is not None and in_progress(stack):
        return f"stack {names.stack} is {stack['StackStatus']}"
    endpoint = describe_served(sagemaker, names, serving) if sagemaker else None
    shared = describe_endpoint(sagemaker, names.fleet(serving.fleet).endpoint) if sagemaker and isinstance(serving, OnFleet) else None
    for busy in (item for item in (endpoint, shared) if item and item["EndpointStatus"] in IN_PROGRESS):
        return f"{called(busy)} is {busy['EndpointStatus']}"
    if endpoint is None:
        return None
    tried = alone and any(variant["VariantName"] == CHALLENGER_VARIANT for variant in endpoint.get("ProductionVariants") or [])
    return f"endpoint {names.endpoint} has a version in an experiment, which leaves first" if tried else None
