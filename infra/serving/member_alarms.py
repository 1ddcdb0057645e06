"""Alarms on one version of a model on a multi-model fleet, by what its process says: SageMaker has no metrics of one of its models.

Of the version, and by name, too: an alarm keeps its state when its definition changes, so one that another version had set off would judge
what replaces it. They are there before clients are told of the version; `rollback` are those for which the pipelines go back while they
watch it (deploy_scripts/baking.py), and later they call a person. Source of the metrics: pipelines/fleet/steps/request_metrics.py.
"""

from __future__ import annotations

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from infra.serving import live_metrics
from infra.serving.endpoint_alarms import LATENCY, SERVER_ERRORS
from settings_schema import Member, ServingNames

FAILED, MILLISECONDS = "ServerErrors", "RequestMilliseconds"
#: End the names of the alarms of all versions, in policies.
OF_ANY_VERSION = (f"{SERVER_ERRORS}--*", f"{LATENCY}--*")


class MemberAlarms(Construct):
    """The same limits, periods and names as those on an endpoint of its own (endpoint_alarms.py)."""

    def __init__(self, scope: Construct, construct_id: str, *, names: ServingNames, serving: Member, version: str, topic_arn: str) -> None:
        super().__init__(scope, construct_id)
        self._names, self._version, self._topic_arn = names, version, topic_arn
        percent, p99_ms = serving.server_error_percent, serving.p99_latency_ms
        errors = {"metric_name": FAILED, "statistic": "Average", "threshold": percent / 100}
        slow = {"metric_name": MILLISECONDS, "extended_statistic": "p99", "threshold": p99_ms}
        self.rollback = [
            self._judging(SERVER_ERRORS, f"more than {percent:g} % of the requests failed", **errors),
            self._judging(LATENCY, f"p99 latency above {p99_ms} ms", **slow),
        ]

    def watch_silence(self) -> None:
        """Requests have ceased: as `no-traffic` of an endpoint, to which INSUFFICIENT_DATA is the finding."""
        self._alarm(
            "no-traffic",
            description=f"{self._names.endpoint}: requests have ceased, none for more than an hour (INSUFFICIENT_DATA)",
            metric_name=MILLISECONDS,
            statistic="SampleCount",
            threshold=1,
            comparison_operator="LessThanThreshold",
            treat_missing_data="missing",
            insufficient_data_actions=[self._topic_arn],
            period=900,
            evaluation_periods=4,
        )

    def _judging(self, what: str, says: str, **definition: object) -> cloudwatch.CfnAlarm:
        return self._alarm(
            what,
            f"--{self._version}",
            description=f"{self._names.endpoint}: version {self._version}: {says}",
            comparison_operator="GreaterThanThreshold",
            treat_missing_data="notBreaching",
            period=60,
            evaluation_periods=3,
            datapoints_to_alarm=2,
            **definition,
        )

    def _alarm(self, what: str, of_version: str = "", *, description: str, **definition: object) -> cloudwatch.CfnAlarm:
        values = zip(live_metrics.DIMENSIONS, (self._names.endpoint, self._version), strict=True)
        return cloudwatch.CfnAlarm(
            self,
            "".join(part.title() for part in what.split("-")),
            alarm_name=f"{self._names.alarm(what)}{of_version}",
            alarm_description=description,
            alarm_actions=[self._topic_arn],
            namespace=self._names.of_model.metrics_namespace,
            dimensions=[cloudwatch.CfnAlarm.DimensionProperty(name=name, value=value) for name, value in values],
            **definition,
        )
