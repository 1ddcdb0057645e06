"""Alarms on what must not fail silently: the three pipelines, and events that nobody could handle."""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from settings import Project

_FIVE_MINUTES = cdk.Duration.minutes(5)


class FailureAlarms(Construct):
    """`alarms` fire on the first failure and speak to `topic`."""

    def __init__(
        self, scope: Construct, construct_id: str, *, project: Project, dead_letters: Sequence[sqs.IQueue], topic: sns.ITopic
    ) -> None:
        super().__init__(scope, construct_id)
        self._prefix = project.name
        self._topic = topic
        self.alarms = [
            self._code_pipeline("build-failed", project.build_pipeline),
            self._code_pipeline("deploy-failed", project.deploy_pipeline),
            self._sagemaker_pipeline("training-failed", project.sagemaker_pipeline),
            *(self._undelivered(queue) for queue in dead_letters),
        ]

    def _code_pipeline(self, what: str, name: str) -> cloudwatch.Alarm:
        metric = self._metric("AWS/CodePipeline", "FailedPipelineExecutions", name)
        return self._alarm(what, f"An execution of the pipeline {name} failed", metric)

    def _sagemaker_pipeline(self, what: str, name: str) -> cloudwatch.Alarm:
        metric = self._metric("AWS/Sagemaker/ModelBuildingPipeline", "ExecutionFailed", name)
        return self._alarm(what, f"A run of the SageMaker pipeline {name} failed", metric)

    def _undelivered(self, queue: sqs.IQueue) -> cloudwatch.Alarm:
        metric = queue.metric_approximate_number_of_messages_visible(period=_FIVE_MINUTES, statistic="Maximum")
        stack = cdk.Stack.of(queue).stack_name.removeprefix(f"{self._prefix}-")
        return self._alarm(f"{stack}-undelivered", f"An event of the stack {stack} was not handled; read its dead-letter queue", metric)

    @staticmethod
    def _metric(namespace: str, name: str, pipeline: str) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace=namespace, metric_name=name, dimensions_map={"PipelineName": pipeline}, statistic="Sum", period=_FIVE_MINUTES
        )

    def _alarm(self, what: str, description: str, metric: cloudwatch.IMetric) -> cloudwatch.Alarm:
        alarm = cloudwatch.Alarm(
            self,
            "".join(part.title() for part in what.split("-")),
            alarm_name=f"{self._prefix}-{what}",
            alarm_description=description,
            metric=metric,
            threshold=1,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(self._topic))
        return alarm
