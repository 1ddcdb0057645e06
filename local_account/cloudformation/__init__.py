"""CloudFormation: MiniStack's engine (order, events, rollback, exports) with the resource types that it lacks.

Next: `resource_type.py` (what our types share), then one module per service.
"""

from __future__ import annotations

import time
from urllib.parse import parse_qs

from botocore.exceptions import ClientError

from local_account.cloudformation import application_autoscaling, codecommit, codepipeline, s3, sagemaker, scheduler
from local_account.cloudformation.completions import COMPLETIONS, completed
from local_account.cloudformation.resource_type import handlers
from local_account.context import Context

_RESOURCE_TYPES = (
    codecommit.Repository,
    codepipeline.Pipeline,
    sagemaker.ModelPackageGroup,
    sagemaker.Pipeline,
    sagemaker.Model,
    sagemaker.EndpointConfig,
    sagemaker.Endpoint,
    application_autoscaling.ScalableTarget,
    application_autoscaling.ScalingPolicy,
    scheduler.Schedule,
    s3.AutoDeleteObjects,
)
#: Operations that start to change a stack and answer before it is done.
STACK_CHANGES = frozenset({"CreateStack", "UpdateStack", "DeleteStack", "ExecuteChangeSet", "RollbackStack", "ContinueUpdateRollback"})

_LONGEST_HOLD_SECONDS = 8.0
_POLL_SECONDS = 0.05


def install(context: Context) -> None:
    from ministack.services.cloudformation import custom_resource, provisioners, stacks

    custom_resource._PORT = str(context.settings.port)  # where custom resources send their answers
    provisioners._RESOURCE_HANDLERS.update({resource.name: handlers(resource(context)) for resource in _RESOURCE_TYPES})
    for name, completion in COMPLETIONS.items():
        provisioners._RESOURCE_HANDLERS[name] = completed(context, provisioners._RESOURCE_HANDLERS[name], completion)
    original = getattr(stacks._runs_on_worker_thread, "__wrapped__", stacks._runs_on_worker_thread)
    ours = {*COMPLETIONS, *(resource.name for resource in _RESOURCE_TYPES)}

    def runs_on_worker_thread(resource_type: str) -> bool:
        """Ours call back into the account's port, which the event loop must be free to answer."""
        return resource_type in ours or bool(original(resource_type))

    runs_on_worker_thread.__wrapped__ = original  # type: ignore[attr-defined]  # so that the next account wraps MiniStack's own
    stacks._runs_on_worker_thread = runs_on_worker_thread


def wait_until_settled(context: Context, form: bytes) -> None:
    """Wait until nothing is in progress in the stack that a request (its form) names, or long enough."""
    name = parse_qs(form.decode()).get("StackName", [""])[0]
    longest = time.monotonic() + _LONGEST_HOLD_SECONDS
    while name and time.monotonic() < longest and not context.stopping.wait(_POLL_SECONDS):
        try:
            status = context.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
        except ClientError:
            return  # deleted
        if not status.endswith("_IN_PROGRESS"):
            return
