"""One alarm per endpoint on what its monitoring runs found (drift_metrics.py). It calls a person and starts retraining."""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra.monitoring.drift_metrics import DRIFTED_FEATURES, drift_alarm_name, namespace
from settings import Environment, Project


class DriftAlarms(Construct):
    def __init__(
        self, scope: Construct, construct_id: str, *, project: Project, environments: Sequence[Environment], topic: sns.ITopic
    ) -> None:
        super().__init__(scope, construct_id)
        self.alarms = [self._alarm(project, environment, topic) for environment in environments]

    def _alarm(self, project: Project, environment: Environment, topic: sns.ITopic) -> cloudwatch.Alarm:
        metric = cloudwatch.Metric(
            namespace=namespace(project),
            metric_name=DRIFTED_FEATURES,
            dimensions_map={"EndpointName": project.endpoint_name(environment)},
            statistic="Maximum",
            period=cdk.Duration.hours(1),
        )
        alarm = cloudwatch.Alarm(
            self,
            environment.name.title().replace("-", ""),
            alarm_name=drift_alarm_name(project, environment),
            alarm_description=f"Requests to the {environment.name} endpoint no longer look like the training data",
            metric=metric,
            threshold=1,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            # Between two monitoring runs there is no data, and the finding stands.
            treat_missing_data=cloudwatch.TreatMissingData.IGNORE,
        )
        alarm.add_alarm_action(actions.SnsAction(topic))
        return alarm
