"""Alarms on the instances of an endpoint, and how any alarm of an endpoint is made: named, so that the environment's roles know it.

Source: SageMaker guide, "Amazon SageMaker AI metrics in Amazon CloudWatch". Next: endpoint_alarms.py of a model's own endpoint, or its
component; infra/fleet/fleet_alarms.py of an endpoint that several share.
"""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from settings_schema import FleetNames, ServingNames

INSTANCES = "/aws/sagemaker/Endpoints"
CPU_PERCENT = 90
MEMORY_PERCENT = 85


def virtual_cpus(instance_type: str) -> int:
    """CPUUtilization adds up the cores, so its maximum depends on the size: every `<n>xlarge` has 4n, smaller ones have 2."""
    size = instance_type.rsplit(".", 1)[-1]
    if not size.endswith("xlarge"):
        return 2
    return 4 * int(size.removesuffix("xlarge") or 1)


def as_dimensions(values: Mapping[str, str]) -> list[cloudwatch.CfnAlarm.DimensionProperty]:
    return [cloudwatch.CfnAlarm.DimensionProperty(name=name, value=value) for name, value in values.items()]


class InstanceAlarms(Construct):
    def __init__(
        self, scope: Construct, construct_id: str, *, names: ServingNames | FleetNames, topic_arn: str, dimensions: Mapping[str, str]
    ) -> None:
        super().__init__(scope, construct_id)
        self._names = names
        self._topic_arn = topic_arn
        self._dimensions = as_dimensions(dimensions)

    def watch_instances(self, instance_type: str) -> None:
        self.watch_cpu(instance_type)
        self.watch_memory()

    def watch_cpu(self, instance_type: str) -> None:
        self._instance_alarm("cpu", "CPUUtilization", CPU_PERCENT * virtual_cpus(instance_type))

    def watch_memory(self) -> None:
        """Of an instance, or of what a serverless container has."""
        self._instance_alarm("memory", "MemoryUtilization", MEMORY_PERCENT)

    def _instance_alarm(self, what: str, metric_name: str, threshold: float) -> cloudwatch.CfnAlarm:
        return self._alarm(
            what,
            f"{metric_name} above {threshold:g} % for 8 of 10 minutes",
            namespace=INSTANCES,
            metric_name=metric_name,
            statistic="Average",
            threshold=threshold,
            evaluation_periods=10,
            datapoints_to_alarm=8,
        )

    def _alarm(self, what: str, description: str, **definition: object) -> cloudwatch.CfnAlarm:
        defaults = {"comparison_operator": "GreaterThanThreshold", "treat_missing_data": "notBreaching", "period": 60}
        return cloudwatch.CfnAlarm(
            self,
            "".join(part.title() for part in what.split("-")),
            alarm_name=self._names.alarm(what),
            alarm_description=description,
            alarm_actions=[self._topic_arn],
            **{"dimensions": self._dimensions, **defaults, **definition},
        )
