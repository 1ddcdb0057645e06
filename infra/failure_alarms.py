"""Alarms on what must not fail silently: pipelines, functions, and events that nobody could handle."""

from __future__ import annotations

from collections.abc import Callable

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_events as events
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

_FIVE_MINUTES = cdk.Duration.minutes(5)


class FailureAlarms(Construct):
    """They fire on the first failure and speak to `topic`. `alarm_name` names one by what it watches; `alarms` are those made so far."""

    def __init__(self, scope: Construct, construct_id: str, *, alarm_name: Callable[[str], str], topic: sns.ITopic) -> None:
        super().__init__(scope, construct_id)
        self._name = alarm_name
        self._topic = topic
        self.alarms: list[cloudwatch.Alarm] = []

    def watch_code_pipeline(self, what: str, name: str) -> None:
        metric = self._metric("AWS/CodePipeline", "FailedPipelineExecutions", name)
        self._alarm(what, f"An execution of the pipeline {name} failed", metric)

    def watch_sagemaker_pipeline(self, what: str, name: str) -> None:
        metric = self._metric("AWS/Sagemaker/ModelBuildingPipeline", "ExecutionFailed", name)
        self._alarm(what, f"A run of the SageMaker pipeline {name} failed", metric)

    def watch_queue(self, queue: sqs.IQueue) -> None:
        metric = queue.metric_approximate_number_of_messages_visible(period=_FIVE_MINUTES, statistic="Maximum")
        stack = cdk.Stack.of(queue).stack_name
        self._alarm("undelivered", f"An event of the stack {stack} was not handled; read its dead-letter queue", metric)

    def watch_rule(self, what: str, rule: events.IRule, description: str) -> None:
        """Of events that are bad news themselves. A rule cannot tell the topic: neither the policy of a topic nor that of its key can say
        for which account EventBridge asks ("Key management" of the SNS developer guide), and then a stranger's rule could as well.
        Source: "Monitoring Amazon EventBridge" of its user guide.
        """
        self._alarm(what, description, self._metric("AWS/Events", "Invocations", rule.rule_name, of="RuleName"))

    @staticmethod
    def _metric(namespace: str, name: str, watched: str, of: str = "PipelineName") -> cloudwatch.Metric:
        return cloudwatch.Metric(namespace=namespace, metric_name=name, dimensions_map={of: watched}, statistic="Sum", period=_FIVE_MINUTES)

    def _alarm(self, what: str, description: str, metric: cloudwatch.IMetric) -> None:
        alarm = cloudwatch.Alarm(
            self,
            "".join(part.title() for part in what.split("-")),
            alarm_name=self._name(what),
            alarm_description=description,
            metric=metric,
            threshold=1,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(self._topic))
        self.alarms.append(alarm)
