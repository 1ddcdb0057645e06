"""Alarms on a multi-model fleet, of all its models together; each has its own (infra/serving/member_alarms.py).

Its memory is meant to be full: what was loaded stays until there is no room for something else. So not memory is watched, but whether it is
too small for what is asked. Source: "CloudWatch Metrics for Multi-Model Endpoint Deployments", "Set SageMaker AI multi-model endpoint model
caching behavior" of the SageMaker guide.
"""

from __future__ import annotations

from infra.serving.endpoint_alarms import EndpointAlarms

#: Of the requests, that find their model loaded (the average of ModelCacheHit).
FOUND_PERCENT = 90


class MultiModelAlarms(EndpointAlarms):
    def watch_instances(self, instance_type: str) -> None:
        self.watch_cpu(instance_type)
        self._alarm(
            "reloads",
            f"Fewer than {FOUND_PERCENT} % of the requests found their model loaded, for 8 of 10 minutes: memory is short of what is asked",
            namespace="AWS/SageMaker",
            metric_name="ModelCacheHit",
            statistic="Average",
            threshold=FOUND_PERCENT / 100,
            comparison_operator="LessThanThreshold",
            evaluation_periods=10,
            datapoints_to_alarm=8,
        )
