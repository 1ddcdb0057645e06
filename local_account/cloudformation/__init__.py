"""CloudFormation: MiniStack's engine (order, events, rollback, exports) with the resource types that it lacks.

Loading the engine takes a second and most requests do not need it, so it loads on a background thread;
`wait_until_loaded` is called before the first CloudFormation request. Next: `resource_type.py`.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from local_account.context import Context

if TYPE_CHECKING:
    from local_account.cloudformation.resource_type import ResourceType

_loaded = threading.Event()


def install(context: Context) -> None:
    _loaded.clear()
    context.in_background(_load, context)


def wait_until_loaded() -> None:
    _loaded.wait()


def _load(context: Context) -> None:
    try:
        from ministack.services.cloudformation import custom_resource, provisioners, stacks

        from local_account.cloudformation.resource_type import handlers

        custom_resource._PORT = str(context.settings.port)  # where custom resources answer
        types = [resource_type(context) for resource_type in _resource_types()]
        provisioners._RESOURCE_HANDLERS.update({resource.name: handlers(resource) for resource in types})
        original = getattr(stacks._runs_on_worker_thread, "__wrapped__", stacks._runs_on_worker_thread)
        names = {resource.name for resource in types}

        def runs_on_worker_thread(resource_type: str) -> bool:
            """Ours call back into the account's port, which the event loop must be free to answer."""
            return resource_type in names or bool(original(resource_type))

        runs_on_worker_thread.__wrapped__ = original  # type: ignore[attr-defined]  # so that the next account wraps MiniStack's own
        stacks._runs_on_worker_thread = runs_on_worker_thread
    finally:
        _loaded.set()


def _resource_types() -> Sequence[type[ResourceType]]:
    from local_account.cloudformation import application_autoscaling, codecommit, codepipeline, s3, sagemaker, scheduler

    return (
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
