"""CloudFormation: MiniStack's engine (order, events, rollback, exports), with resource types of ours where it lacks or drops something.

`properties.py` says which properties of which types are acted on, `stack_status.py` which operations a stack's status allows,
`completions.py` what MiniStack's own types lack. Next: `resource_type.py` (what our types share), then one module per service.
"""

from __future__ import annotations

import time
from urllib.parse import parse_qs

from botocore.exceptions import ClientError

from local_account.cloudformation import (
    application_autoscaling,
    codecommit,
    codepipeline,
    properties,
    s3,
    sagemaker,
    scheduler,
    stack_status,
    template_conditions,
)
from local_account.cloudformation.completions import completed
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
    s3.Bucket,
    s3.AutoDeleteObjects,
)
#: Operations that start to change a stack and answer before it is done.
STACK_CHANGES = frozenset({"CreateStack", "UpdateStack", "DeleteStack", "ExecuteChangeSet", "RollbackStack", "ContinueUpdateRollback"})

_LONGEST_HOLD_SECONDS = 8.0
_POLL_SECONDS = 0.05


def install(context: Context) -> None:
    from ministack.services.cloudformation import custom_resource, provisioners, stacks

    custom_resource._PORT = str(context.settings.port)  # where custom resources send their answers
    stack_status.install()
    template_conditions.install()
    ours = {resource.name: handlers(resource(context)) for resource in _RESOURCE_TYPES}
    table = provisioners._RESOURCE_HANDLERS
    for name in {*table, *ours}:
        table[name] = properties.held(name, ours.get(name) or completed(context, name, table[name]))
    taggable = [name for name in ours if "Tags" in properties.coverage().acted.get(name, ())]
    provisioners._STACK_TAG_PROPERTY.update(dict.fromkeys(taggable, ("Tags", "list")))
    stacks._runs_on_worker_thread = lambda resource_type: True  # they call back into the account's port, which the event loop answers


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
