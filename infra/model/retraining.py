"""What starts training without a push: new data, alarms, a schedule, and that the model is new. All wake start_retraining/.

It never starts a second run. A model whose stack was just made has no pipeline yet: then it starts the build, which makes one.
"""

from __future__ import annotations

import json
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.drift_metrics import retraining_alarms
from infra.event_function import EventFunction
from infra.foundation.foundation_stack import FoundationStack
from infra.places import Context, value
from settings_schema import Model

#: Of start_retraining/handler.py, which says there when it told a person last.
TOLD = "_TOLD"


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
        self._alarms = {
            environment.name: retraining_alarms(model, self._names.at(environment.name)) for environment in context.settings.environments
        }
        self._function = self._create_function(model, foundation, dead_letters)
        self._on_creation()
        if model.retraining.on_new_data:
            self._on_new_data(foundation)
        if any(self._alarms.values()):
            self._on_alarms(foundation)
        if model.retraining.cron is not None:
            when = {"cron": model.retraining.cron, "time_zone": model.retraining.time_zone}
            self._function.wake_at(self, "Schedule", "Regular retraining", **when)

    def _create_function(self, model: Model, foundation: FoundationStack, dead_letters: sqs.IQueue) -> EventFunction:
        build, home = self._context.project.names.build_pipeline, self._context.places.home
        environment = {"SAGEMAKER_PIPELINE_NAME": self._names.training_pipeline, "BUILD_PIPELINE_NAME": build}
        function = EventFunction(
            self,
            "StartRetraining",
            folder=Path(__file__).parent,
            package="start_retraining",
            description="Starts the training pipeline, unless a run is active",
            environment={**environment, **self._of_alarms(model, foundation)},
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

    def _of_alarms(self, model: Model, foundation: FoundationStack) -> dict[str, str]:
        """What start_retraining/handler.py reads for an alarm."""
        retraining = model.retraining
        return {
            "MODEL_NAME": model.name,
            "ALARMS": json.dumps(self._alarms),
            "QUIET_HOURS": str(retraining.quiet_hours),
            "MIN_NEW_ROWS": str(retraining.min_new_rows),
            "LEARNS_FROM_ANSWERS": str(retraining.learn_from_answers).lower(),
            "DATA_VERSION_FUNCTION": self._names.data_version_function,
            "DATA_BUCKET": foundation.data_bucket.bucket_name,
            "FEEDBACK": self._names.feedback,
            "ALERT_TOPIC_ARN": foundation.alerts.topic_arn,
        }

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

    def _on_alarms(self, foundation: FoundationStack) -> None:
        """An environment elsewhere tells of its alarm here (infra/environment/drift_forwarding.py); the event keeps its account.

        What a watch writes into this account's bucket wakes the function, too: what was missing when an alarm began may have come.
        """
        watched = self._context.settings.environments
        self._function.wake_on(
            self,
            "Drift",
            "An alarm of an environment",
            source=["aws.cloudwatch"],
            account=sorted({value(self._context.places.of(environment).account) for environment in watched}),
            detail_type=["CloudWatch Alarm State Change"],
            detail={
                "alarmName": [name for names in self._alarms.values() for name in names.values()],
                "state": {"value": ["ALARM"]},
            },
        )
        self._function.wake_on(
            self,
            "Feedback",
            "A watch over the model has found something",
            source=["aws.s3"],
            detail_type=["Object Created"],
            detail={
                "bucket": {"name": [foundation.data_bucket.bucket_name]},
                "object": {"key": [self._names.at(environment.name).feedback for environment in watched]},
            },
        )
        self._ask_what_is_new(foundation)

    def _ask_what_is_new(self, foundation: FoundationStack) -> None:
        """It asks the function that may list the data, and itself reads none: HeadObject, too, would take the right to read objects."""
        home, data, names = self._context.places.home, foundation.data_bucket, self._names
        function = self._function
        runs = home.sagemaker("pipeline", f"{names.training_pipeline}/execution/*")
        function.allow("WhatRunsLearned", ["sagemaker:ListPipelineExecutionSteps"], [runs])
        function.allow("WhatIsThere", ["lambda:InvokeFunction"], [home.function(names.data_version_function)])
        function.allow("Find", ["s3:ListBucket"], [data.bucket_arn], {"StringLike": {"s3:prefix": f"{names.feedback}*"}})
        function.allow("WhatIsFound", ["s3:GetObject"], [data.arn_for_objects(f"{names.feedback}*")])
        function.allow("Told", ["s3:PutObject"], [data.arn_for_objects(f"{names.feedback}{TOLD}")])
        function.allow("Tell", ["sns:Publish"], [foundation.alerts.topic_arn])
        foundation.key.grant(function, "kms:Decrypt", "kms:GenerateDataKey")
