"""A stack's status is an event: "CloudFormation Stack Status Change" on the default bus, so that a rule can act once a stack is made.

MiniStack keeps what happens to a stack for DescribeStackEvents only; what it records of the stack itself is told to the bus here.
Source of the event's form: EventBridge, "Amazon CloudFormation events" (CloudFormation user guide, "Managing events with CloudFormation and
Amazon EventBridge"). Used by `__init__.py`.
"""

from __future__ import annotations

from typing import Any

from local_account.context import Context


def install(context: Context) -> None:
    from ministack.services.cloudformation import changesets, handlers, stacks

    record = getattr(stacks._add_event, "records", stacks._add_event)  # an earlier account of this process has told of its own

    def add_event(
        stack_id: str, stack_name: str, logical_id: str, resource_type: str, status: str, reason: str = "", *rest: Any, **more: Any
    ) -> None:
        record(stack_id, stack_name, logical_id, resource_type, status, reason, *rest, **more)
        if resource_type == "AWS::CloudFormation::Stack" and logical_id == stack_name:
            detail = {
                "stack-id": stack_id,
                "status-details": {"status": status, "status-reason": reason},
                "client-request-token": stacks.CLIENT_REQUEST_TOKEN.get(),
            }
            context.here.emit("aws.cloudformation", "CloudFormation Stack Status Change", detail, [stack_id])

    add_event.records = record  # type: ignore[attr-defined]  # of the function itself, for the next account
    stacks._add_event = add_event
    changesets._add_event = add_event
    handlers._add_event = add_event
