"""A stack's status is an event: "CloudFormation Stack Status Change" on the default bus, so that a rule can act once a stack is made.

MiniStack keeps what happens to a stack for DescribeStackEvents only; what it records of the stack itself is told to the bus here.
Source of the event's form: EventBridge, "Amazon CloudFormation events" (CloudFormation user guide, "Managing events with CloudFormation and
Amazon EventBridge"). Used by `__init__.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from local_account import hooks
from local_account.context import Context


def install(context: Context) -> None:
    from ministack.services.cloudformation import changesets, handlers, stacks

    def add_event(record: Callable[..., None], stack_id: str, name: str, logical_id: str, kind: str, *said: Any, **more: Any) -> None:
        record(stack_id, name, logical_id, kind, *said, **more)
        status, reason = (*said, more.get("reason", ""))[:2]
        if kind == "AWS::CloudFormation::Stack" and logical_id == name:
            detail = {
                "stack-id": stack_id,
                "status-details": {"status": status, "status-reason": reason},
                "client-request-token": stacks.CLIENT_REQUEST_TOKEN.get(),
            }
            context.here.emit("aws.cloudformation", "CloudFormation Stack Status Change", detail, [stack_id])

    stacks._add_event = changesets._add_event = handlers._add_event = hooks.around(stacks._add_event, add_event)
