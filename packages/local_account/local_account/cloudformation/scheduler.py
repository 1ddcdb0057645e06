"""AWS::Scheduler::Schedule. MiniStack has one that drops the time zone, the dates and what happens after completion.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-scheduler-schedule.html
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from local_account.cloudformation.resource_type import Attributes, Properties, ResourceType, api_request, generated_name


class Schedule(ResourceType):
    """Ref: the name. GetAtt: Arn."""

    name = "AWS::Scheduler::Schedule"
    name_property = "Name"
    create_only = frozenset({"GroupName"})  # which is a part of its ARN

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> tuple[str, Attributes]:
        name = properties.get("Name") or generated_name(stack_name, logical_id, 64)
        arn = self.client("scheduler").create_schedule(**self._request("CreateSchedule", name, properties))["ScheduleArn"]
        return name, {"Arn": arn}

    def modify(self, physical_id: str, old: Properties, new: Properties) -> Attributes:
        arn = self.client("scheduler").update_schedule(**self._request("UpdateSchedule", physical_id, new))["ScheduleArn"]
        return {"Arn": arn}

    def delete(self, physical_id: str, properties: Properties) -> None:
        group = {"GroupName": properties["GroupName"]} if "GroupName" in properties else {}
        client = self.client("scheduler")
        try:
            client.delete_schedule(Name=physical_id, **group)
        except client.exceptions.ResourceNotFoundException:
            return  # it was for one time only and deleted itself

    def _request(self, operation: str, name: str, properties: Properties) -> dict[str, Any]:
        request = api_request(self.client("scheduler"), operation, {**properties, "Name": name})
        for date in ("StartDate", "EndDate"):
            if isinstance(request.get(date), str):
                request[date] = datetime.fromisoformat(request[date].replace("Z", "+00:00"))
        return request
