"""An alarm on the predictions of one version: they are no longer spread as its predictions on the validation rows were.

Of the version, so that a rollout is judged by the new one's answers alone; and by name, too: an alarm keeps its state when its definition
changes, so one that the old version had set off would undo the rollout of what mends it. The metric is there from the second hundred
requests of a worker process on; fewer, and none, are no anomaly. Source of the metric: pipelines/tabular/steps/prediction_shares.py.
"""

from __future__ import annotations

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from infra.serving import live_metrics
from settings_schema import ServingNames

PREDICTIONS = "predictions"
#: Ends the names of the alarms of all versions, in policies.
OF_ANY_VERSION = f"{PREDICTIONS}--*"


class PredictionAlarm(cloudwatch.CfnAlarm):
    """`limit`: the standardised distance that is no chance any more. The mean over worker processes and instances is compared with it."""

    def __init__(self, scope: Construct, construct_id: str, *, names: ServingNames, version: str, limit: float, topic_arn: str) -> None:
        values = (names.endpoint, version)
        super().__init__(
            scope,
            construct_id,
            alarm_name=names.alarm(f"{PREDICTIONS}--{version}"),
            alarm_description=f"{names.endpoint}: version {version} does not predict as on its validation rows (distance over {limit:g})",
            alarm_actions=[topic_arn],
            namespace=names.of_model.metrics_namespace,
            metric_name=live_metrics.DISTANCE,
            dimensions=[
                cloudwatch.CfnAlarm.DimensionProperty(name=name, value=value)
                for name, value in zip(live_metrics.DIMENSIONS, values, strict=True)
            ],
            statistic="Average",
            period=60,
            threshold=limit,
            evaluation_periods=1,
            comparison_operator="GreaterThanThreshold",
            treat_missing_data="notBreaching",
        )
