"""An alarm on what the monitoring of one endpoint found (infra/drift_metrics.py). It calls a person and starts retraining."""

from __future__ import annotations

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from infra.drift_metrics import DRIFT, DRIFTED_FEATURES
from settings_schema import ServingNames


class DriftAlarm(cloudwatch.CfnAlarm):
    """Named, because the rules that retrain on it are in other stacks."""

    def __init__(self, scope: Construct, construct_id: str, *, names: ServingNames, topic_arn: str) -> None:
        super().__init__(
            scope,
            construct_id,
            alarm_name=names.alarm(DRIFT),
            alarm_description=f"Requests to {names.endpoint} no longer look like the training data",
            alarm_actions=[topic_arn],
            namespace=names.of_model.metrics_namespace,
            metric_name=DRIFTED_FEATURES,
            dimensions=[cloudwatch.CfnAlarm.DimensionProperty(name="EndpointName", value=names.endpoint)],
            statistic="Maximum",
            period=3600,
            threshold=1,
            evaluation_periods=1,
            comparison_operator="GreaterThanOrEqualToThreshold",
            treat_missing_data="ignore",  # between two monitoring runs there is no data, and the finding stands
        )
