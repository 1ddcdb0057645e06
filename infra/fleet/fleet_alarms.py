"""Alarms on the instances that the models of a fleet share: whether they are used up, and whether more of them may come.

What each model answers, and whether it has a copy, its own stack watches (infra/serving/endpoint_alarms.py).
"""

from __future__ import annotations

from constructs import Construct

from infra.serving.instance_alarms import INSTANCES, InstanceAlarms
from settings_schema import FleetNames, Instances
from settings_schema.names import VARIANT

DISK_PERCENT = 85


class FleetAlarms(InstanceAlarms):
    def __init__(self, scope: Construct, construct_id: str, *, names: FleetNames, instances: Instances, topic_arn: str) -> None:
        dimensions = {"EndpointName": names.endpoint, "VariantName": VARIANT}
        super().__init__(scope, construct_id, names=names, topic_arn=topic_arn, dimensions=dimensions)
        self.watch_instances(instances.instance_type)
        self._instance_alarm("disk", "DiskUtilization", DISK_PERCENT)  # every instance has the archives of its copies
        if instances.min_count < instances.max_count:
            self._full(instances.max_count)

    def _full(self, most: int) -> None:
        """Each instance sends its value each minute, so there are as many values as instances. No metric counts them otherwise."""
        self._alarm(
            "full",
            f"All {most} instances of the fleet run, for 12 of 15 minutes: copies that need another one wait; max_count of settings.py",
            namespace=INSTANCES,
            metric_name="CPUUtilization",
            statistic="SampleCount",
            threshold=most,
            comparison_operator="GreaterThanOrEqualToThreshold",
            evaluation_periods=15,
            datapoints_to_alarm=12,
        )
