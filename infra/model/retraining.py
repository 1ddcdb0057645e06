"""What starts training without a push: new data, drift, a schedule, and that the model is new. All wake start_retraining/.

It never starts a second run. A model whose stack was just made has no pipeline yet: then it starts the build, which makes one.
"""

from __future__ import annotations

from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.drift_metrics import DRIFT
from infra.event_function import EventFunction
from infra.foundation.foundation_stack import FoundationStack
from infra.places import Context, value
from settings_schema import Model


class Retraining(Construct):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        context: Context,
        model: Model,
        foundation: FoundationStack,
        dead_letters: sqs.IQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        self._context = context
        self._names = model.names(context.project)
        self._function = self._create_function(foundation, dead_letters)
        self._on_creation()
        if model.retraining.on_new_data:
            self._on_new_data(foundation)
        if model.retraining.on_drift and model.watch is not None:
            self._on_drift()
        if model.retraining.cron is not None:
            when = {"cron": model.retraining.cron, "time_zone": model.retraining.time_zone}
            self._function.wake_at(self, "Schedule", "Regular retraining", **when)

    def _create_function(self, foundation: FoundationStack, dead_letters: sqs.IQueue) -> EventFunction:
        build, home = self._context.project.names.build_pipeline, self._context.places.home
        function = EventFunction(
            self,
            "StartRetraining",
            folder=Path(__file__).with_name("start_retraining"),
            description="Starts the training pipeline, unless a run is active",
            environment={"SAGEMAKER_PIPELINE_NAME": self._names.training_pipeline, "BUILD_PIPELINE_NAME": build},
            dead_letters=dead_letters,
            key=foundation.key,
            log_retention_days=self._context.project.log_retention_days,
        )
        actions = ["DescribePipeline", "ListPipelineExecutions", "StartPipelineExecution"]
        pipeline = home.sagemaker("pipeline", self._names.training_pipeline)
        function.allow("Retrain", [f"sagemaker:{action}" for action in actions], [pipeline])
        building = ["codepipeline:ListPipelineExecutions", "codepipeline:StartPipelineExecution"]
        function.allow("Build", building, [home.code_pipeline(build)])
        return function

    def _on_creation(self) -> None:
        """The rule is there before the stack is complete. Source: "Managing events" of the CloudFormation user guide, on EventBridge."""
        self._function.wake_on(
            self,
            "Created",
            "The model is new",
            source=["aws.cloudformation"],
            detail_type=["CloudFormation Stack Status Change"],
            detail={"stack-id": [cdk.Stack.of(self).stack_id], "status-details": {"status": ["CREATE_COMPLETE"]}},
        )

    def _on_new_data(self, foundation: FoundationStack) -> None:
        """A marker object ends an upload: a rule on every object would start a run per file."""
        marker, below = f"{self._names.training_data}_SUCCESS", f"{self._names.training_data}*/_SUCCESS"  # `*` also matches `/`
        self._function.wake_on(
            self,
            "NewData",
            "A complete upload of training data",
            source=["aws.s3"],
            detail_type=["Object Created"],
            detail={
                "bucket": {"name": [foundation.data_bucket.bucket_name]},
                "object": {"key": [marker, {"wildcard": below}]},
            },
        )

    def _on_drift(self) -> None:
        """An environment elsewhere tells of its alarm here (infra/environment/drift_forwarding.py); the event keeps its account."""
        watched = self._context.settings.environments
        self._function.wake_on(
            self,
            "Drift",
            "A drift alarm of an environment",
            source=["aws.cloudwatch"],
            account=sorted({value(self._context.places.of(environment).account) for environment in watched}),
            detail_type=["CloudWatch Alarm State Change"],
            detail={
                "alarmName": [self._names.at(environment.name).alarm(DRIFT) for environment in watched],
                "state": {"value": ["ALARM"]},
            },
        )
