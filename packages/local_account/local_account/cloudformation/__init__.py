"""CloudFormation: MiniStack's engine (order, events, rollback), with resource types of ours where it lacks or drops something.

Before an operation begins, rules are asked (`operations.py`): `stack_status.py` which operations a stack's status allows,
`template_requests.py` whether the template and its parameters hold, `exports.py` and `change_sets.py` the rest. `properties.py` says
which properties of which types are acted on, `schemas.py` which values they may have, `completions.py` what
MiniStack's own types lack. Next: `resource_type.py` (what our types share), then one module per service.
"""

from __future__ import annotations

import time
from urllib.parse import parse_qs

from local_account.cloudformation import (
    application_autoscaling,
    change_sets,
    codecommit,
    codeconnections,
    codepipeline,
    deployer,
    event_bus_policy,
    exports,
    operations,
    properties,
    s3,
    sagemaker,
    scheduler,
    stack_outputs,
    stack_status,
    status_events,
    template_reads,
    template_requests,
)
from local_account.cloudformation.completions import completed
from local_account.cloudformation.resource_type import handlers, in_sentences
from local_account.context import Context

_RESOURCE_TYPES = (
    codecommit.Repository,
    codeconnections.Connection,
    codeconnections.CodeStarConnection,
    codepipeline.Pipeline,
    sagemaker.ModelPackageGroup,
    sagemaker.Pipeline,
    sagemaker.Model,
    sagemaker.EndpointConfig,
    sagemaker.Endpoint,
    sagemaker.InferenceComponent,
    application_autoscaling.ScalableTarget,
    application_autoscaling.ScalingPolicy,
    scheduler.Schedule,
    event_bus_policy.EventBusPolicy,
    s3.Bucket,
    s3.AutoDeleteObjects,
)
#: Operations that start to change a stack and answer before it is done.
STACK_CHANGES = frozenset(deployer.CHANGES) - {"CreateChangeSet"}

_LONGEST_HOLD_SECONDS = 8.0
_POLL_SECONDS = 0.05


def install(context: Context) -> None:
    from ministack.services.cloudformation import custom_resource, provisioners, stacks
    from ministack.services.cloudformation import handlers as actions

    custom_resource._PORT = str(context.settings.port)  # where custom resources send their answers
    actions._capabilities_enforced = lambda: True  # MiniStack asks for them only where it holds every request against policies
    for part in (template_requests, exports, change_sets):
        part.install()
    template_reads.install(context)
    stack_outputs.install(context)
    status_events.install(context)
    rules = (*stack_status.RULES, *template_requests.rules(), ("DeleteStack", exports.refuse_deletion))
    operations.install(rules, (("CreateChangeSet", change_sets.complete), *deployer.afterwards()))
    ours = {resource.name: handlers(resource(context)) for resource in _RESOURCE_TYPES}
    table = provisioners._RESOURCE_HANDLERS
    for name in {*table, *ours}:
        table[name] = in_sentences(properties.held(name, ours.get(name) or completed(context, name, table[name])))
    taggable = [name for name in ours if "Tags" in properties.coverage().acted.get(name, ())]
    provisioners._STACK_TAG_PROPERTY.update(dict.fromkeys(taggable, ("Tags", "list")))
    stacks._runs_on_worker_thread = lambda resource_type: True  # they call back into the account's port, which the event loop answers


def wait_until_settled(context: Context, form: bytes) -> None:
    """Wait until nothing is in progress in the stack that a request (its form) names, or long enough."""
    name = parse_qs(form.decode()).get("StackName", [""])[0]
    longest = time.monotonic() + _LONGEST_HOLD_SECONDS
    while name and time.monotonic() < longest and not context.stopping.wait(_POLL_SECONDS):
        if operations.is_settled(context, name):
            return
