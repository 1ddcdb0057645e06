"""Alarms on what the monitoring of one model found (infra/drift_metrics.py). They start retraining and stand on the dashboard.

They call nobody: the run that found something has sent a message that names the feature, the window and the report
(pipelines/monitoring/steps/publish.py), and an alarm's would be a second one that says less.
"""

from __future__ import annotations

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from infra.drift_metrics import DRIFTED_FEATURES, QUALITY_BREACHES
from settings_schema import ServingNames
from settings_schema.names import DRIFT, QUALITY


class _FindingAlarm(cloudwatch.CfnAlarm):
    """Named, because the rules that retrain on it are in other stacks."""

    def __init__(self, scope: Construct, construct_id: str, *, names: ServingNames, what: str, metric: str, description: str) -> None:
        super().__init__(
            scope,
            construct_id,
            alarm_name=names.alarm(what),
            alarm_description=description,
            namespace=names.of_model.metrics_namespace,
            metric_name=metric,
            dimensions=[cloudwatch.CfnAlarm.DimensionProperty(name="EndpointName", value=names.endpoint)],
            statistic="Maximum",
            period=60,  # a run publishes once, and what it found is to start a retraining now, not when an hour is over
            threshold=1,
            evaluation_periods=1,
            comparison_operator="GreaterThanOrEqualToThreshold",
            treat_missing_data="ignore",  # between two monitoring runs there is no data, and the finding stands
        )


class DriftAlarm(_FindingAlarm):
    def __init__(self, scope: Construct, construct_id: str, *, names: ServingNames) -> None:
        description = f"What {names.endpoint} is asked no longer looks like the data that its version was made of"
        super().__init__(scope, construct_id, names=names, what=DRIFT, metric=DRIFTED_FEATURES, description=description)


class QualityAlarm(_FindingAlarm):
    def __init__(self, scope: Construct, construct_id: str, *, names: ServingNames) -> None:
        description = f"What {names.endpoint} answers is worse than at its evaluation, by labels or by the estimate"
        super().__init__(scope, construct_id, names=names, what=QUALITY, metric=QUALITY_BREACHES, description=description)
