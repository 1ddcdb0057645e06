"""A stack of the local account for tests, and what its resources look like in a template."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from local_account.account import Account

ROLE = "arn:aws:iam::111122223333:role/Model"
FINISHED = ("_COMPLETE", "_FAILED")


class Stack:
    """A stack of the account, changed one template at a time."""

    def __init__(self, account: Account, name: str) -> None:
        self.name, self._client = name, account.client("cloudformation")

    def create(self, resources: Mapping[str, Any], outputs: Mapping[str, Any] | None = None, **options: Any) -> str:
        self._client.create_stack(StackName=self.name, TemplateBody=template(resources, outputs), **options)
        return self.settle()

    def update(self, resources: Mapping[str, Any], outputs: Mapping[str, Any] | None = None, **options: Any) -> str:
        self._client.update_stack(StackName=self.name, TemplateBody=template(resources, outputs), **options)
        return self.settle()

    def delete(self) -> None:
        self._client.delete_stack(StackName=self.name)
        self._client.get_waiter("stack_delete_complete").wait(StackName=self.name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})

    def settle(self) -> str:
        """The status once it is final; waits on the resources, not on a fixed time."""
        while True:
            status = str(self.describe()["StackStatus"])
            if status.endswith(FINISHED) and not status.endswith("CLEANUP_IN_PROGRESS"):
                return status
            time.sleep(0.05)

    def describe(self) -> dict[str, Any]:
        return dict(self._client.describe_stacks(StackName=self.name)["Stacks"][0])

    def outputs(self) -> dict[str, str]:
        return {output["OutputKey"]: output["OutputValue"] for output in self.describe().get("Outputs", [])}

    def physical_id(self, logical_id: str) -> str:
        detail = self._client.describe_stack_resource(StackName=self.name, LogicalResourceId=logical_id)
        return str(detail["StackResourceDetail"]["PhysicalResourceId"])

    def reasons(self) -> str:
        events = self._client.describe_stack_events(StackName=self.name)["StackEvents"]
        return "\n".join(event.get("ResourceStatusReason", "") for event in events)


def template(resources: Mapping[str, Any], outputs: Mapping[str, Any] | None = None) -> str:
    return json.dumps({"Resources": resources, **({"Outputs": outputs} if outputs else {})})


def parameter(value: str, **properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": value, **properties}}


def impossible() -> dict[str, Any]:
    """A resource that cannot be made: a topic has no colour. Everything else of its template comes before it."""
    return {"Type": "AWS::SNS::Topic", "Properties": {"Colour": "red"}, "DependsOn": "One"}
