"""What starts training without a push: a schedule, new data, drift. All three wake start_retraining/, which never starts a second run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.arns import Arns
from infra.event_function import EventFunction
from infra.foundation.foundation_stack import FoundationStack
from infra.function_schedule import FunctionSchedule
from infra.monitoring.drift_metrics import drift_alarm_name
from settings import Environment, Project


class Retraining(Construct):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        project: Project,
        foundation: FoundationStack,
        environments: Sequence[Environment],
        dead_letters: sqs.IQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        self._dead_letters = dead_letters
        self._function = self._create_function(project, foundation)
        self._on_new_data(foundation)
        self._on_drift([drift_alarm_name(project, environment) for environment in environments])
        if project.retrain_cron is not None:
            self._on_schedule(project.retrain_cron, project.time_zone)

    def _create_function(self, project: Project, foundation: FoundationStack) -> EventFunction:
        function = EventFunction(
            self,
            "StartRetraining",
            folder=Path(__file__).with_name("start_retraining"),
            description="Starts the training pipeline, unless a run is active",
            environment={"SAGEMAKER_PIPELINE_NAME": project.sagemaker_pipeline},
            dead_letters=self._dead_letters,
            key=foundation.key,
            log_retention_days=project.log_retention_days,
        )
        actions = ["DescribePipeline", "ListPipelineExecutions", "StartPipelineExecution"]
        pipeline = Arns(self, project).sagemaker("pipeline", project.sagemaker_pipeline)
        function.allow("Retrain", [f"sagemaker:{action}" for action in actions], [pipeline])
        return function

    def _on_new_data(self, foundation: FoundationStack) -> None:
        """A marker object ends an upload: a rule on every object would start a run per file."""
        pattern = events.EventPattern(
            source=["aws.s3"],
            detail_type=["Object Created"],
            detail={
                "bucket": {"name": [foundation.data_bucket.bucket_name]},
                "object": {"key": [{"wildcard": "training/*/_SUCCESS"}]},  # `*` also matches `/`
            },
        )
        self._rule("NewData", "A complete upload of training data", pattern)

    def _on_drift(self, alarm_names: list[str]) -> None:
        pattern = events.EventPattern(
            source=["aws.cloudwatch"],
            detail_type=["CloudWatch Alarm State Change"],
            detail={"alarmName": alarm_names, "state": {"value": ["ALARM"]}},
        )
        self._rule("Drift", "A drift alarm of an endpoint", pattern)

    def _rule(self, construct_id: str, description: str, pattern: events.EventPattern) -> None:
        target = targets.LambdaFunction(self._function, dead_letter_queue=self._dead_letters, retry_attempts=10)
        events.Rule(self, construct_id, description=description, event_pattern=pattern, targets=[target])

    def _on_schedule(self, cron: str, time_zone: str) -> None:
        FunctionSchedule(
            self,
            "Schedule",
            function=self._function,
            dead_letters=self._dead_letters,
            cron=cron,
            time_zone=time_zone,
            description="Regular retraining",
            payload={"source": "schedule"},
        )
