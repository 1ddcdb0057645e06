"""AWS::Events::EventBusPolicy: one statement of an event bus's policy, for accounts that put events there. MiniStack has no such type.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-events-eventbuspolicy.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from local_account.cloudformation.resource_type import Attributes, Properties, ResourceType


class EventBusPolicy(ResourceType):
    """Ref: the bus and the statement's id."""

    name = "AWS::Events::EventBusPolicy"

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> tuple[str, Attributes]:
        self.modify("", {}, properties)
        return f"{_bus(properties)}|{properties['StatementId']}", {}

    def modify(self, physical_id: str, old: Properties, new: Properties) -> Attributes:
        bus, sid = _bus(new), new["StatementId"]
        client = self.client("events")
        if "Statement" in new:
            policy = {"Version": "2012-10-17", "Statement": [*self._others(bus, sid), {**_document(new["Statement"]), "Sid": sid}]}
            client.put_permission(EventBusName=bus, Policy=json.dumps(policy))
        else:
            given = {name: new[name] for name in ("Action", "Principal", "Condition") if name in new}
            client.put_permission(EventBusName=bus, StatementId=sid, **given)
        return {}

    def delete(self, physical_id: str, properties: Properties) -> None:
        client = self.client("events")
        try:
            client.remove_permission(EventBusName=_bus(properties), StatementId=properties["StatementId"])
        except client.exceptions.ResourceNotFoundException:
            return  # it went with its bus

    def _others(self, bus: str, sid: str) -> Iterator[Any]:
        """PutPermission takes the whole policy: what the other statements of the bus say stays."""
        text = self.context.client("events").describe_event_bus(Name=bus).get("Policy")
        yield from (statement for statement in json.loads(text or '{"Statement": []}')["Statement"] if statement.get("Sid") != sid)


def _bus(properties: Properties) -> str:
    return str(properties.get("EventBusName") or "default")


def _document(statement: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(statement) if isinstance(statement, str) else statement
    return found
