"""AWS::ApplicationAutoScaling::ScalableTarget and ::ScalingPolicy.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_ApplicationAutoScaling.html
"""

from __future__ import annotations

from typing import Any

from local_account.cloudformation.resource_type import Attributes, Properties, ResourceType, api_request, generated_name, retag

_IDENTITY = ("ResourceId", "ScalableDimension", "ServiceNamespace")


def _identity(physical_id: str) -> dict[str, str]:
    """`endpoint/x/variant/y|dimension|namespace` -> the three parameters that every operation takes."""
    return dict(zip(_IDENTITY, physical_id.split("|"), strict=True))


class ScalableTarget(ResourceType):
    """Ref and GetAtt Id: `<resource>|<dimension>|<namespace>`, which a policy refers to."""

    name = "AWS::ApplicationAutoScaling::ScalableTarget"

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> tuple[str, Attributes]:
        physical_id = "|".join(properties[name] for name in _IDENTITY)
        self._register(physical_id, {}, properties)
        return physical_id, {"Id": physical_id}

    def modify(self, physical_id: str, old: Properties, new: Properties) -> Attributes:
        self._register(physical_id, old, new)
        return {"Id": physical_id}

    def delete(self, physical_id: str, properties: Properties) -> None:
        client = self.client("application-autoscaling")
        for action in properties.get("ScheduledActions", []):
            client.delete_scheduled_action(ScheduledActionName=action["ScheduledActionName"], **_identity(physical_id))
        client.deregister_scalable_target(**_identity(physical_id))

    def _register(self, physical_id: str, old: Properties, new: Properties) -> None:
        client = self.client("application-autoscaling")
        target = {key: value for key, value in new.items() if key != "ScheduledActions"}
        if "Tags" in target:  # a list of pairs in templates, a map in this API
            target["Tags"] = {tag["Key"]: tag["Value"] for tag in target["Tags"]}
        arn = client.register_scalable_target(**api_request(client, "RegisterScalableTarget", target))["ScalableTargetARN"]
        if old:  # registering again leaves the tags of an existing target as they are
            retag(client, arn, old, new)
        scheduled = {action["ScheduledActionName"]: action for action in new.get("ScheduledActions", [])}
        for action in old.get("ScheduledActions", []):
            if action["ScheduledActionName"] not in scheduled:
                client.delete_scheduled_action(ScheduledActionName=action["ScheduledActionName"], **_identity(physical_id))
        for action in scheduled.values():
            client.put_scheduled_action(**api_request(client, "PutScheduledAction", {**action, **_identity(physical_id)}))


class ScalingPolicy(ResourceType):
    """Ref and GetAtt Arn: the policy's ARN. GetAtt PolicyName."""

    name = "AWS::ApplicationAutoScaling::ScalingPolicy"

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> tuple[str, Attributes]:
        name = properties.get("PolicyName") or generated_name(stack_name, logical_id, 255)
        arn = self._put(name, properties)
        return arn, {"Arn": arn, "PolicyName": name}

    def modify(self, physical_id: str, old: Properties, new: Properties) -> Attributes:
        name = _policy_name(physical_id)
        return {"Arn": self._put(name, new), "PolicyName": name}

    def delete(self, physical_id: str, properties: Properties) -> None:
        client = self.client("application-autoscaling")
        try:
            client.delete_scaling_policy(PolicyName=_policy_name(physical_id), **self._target(properties))
        except client.exceptions.ObjectNotFoundException:
            return  # it went with its target

    def _put(self, name: str, properties: Properties) -> str:
        client = self.client("application-autoscaling")
        settings = {key: value for key, value in properties.items() if key != "ScalingTargetId"}
        request = {**settings, **self._target(properties), "PolicyName": name}
        return str(client.put_scaling_policy(**api_request(client, "PutScalingPolicy", request))["PolicyARN"])

    @staticmethod
    def _target(properties: Properties) -> dict[str, Any]:
        if "ScalingTargetId" in properties:
            return dict(_identity(properties["ScalingTargetId"]))
        return {name: properties[name] for name in _IDENTITY}


def _policy_name(arn: str) -> str:
    """`...:policyName/<name>`"""
    return arn.rsplit("policyName/", 1)[-1]
