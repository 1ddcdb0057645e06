"""The function that begins an experiment in production and ends it, and what wakes it: its review, whatever ends, an alarm, the clock.

Like that of a shadow it is no build and no action of the pipeline (shadow_change.py). Next: change_production/experiment.py.
"""

from __future__ import annotations

import json
from pathlib import Path

from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.environment.experiment_permissions import ExperimentPermissions
from infra.event_function import EventFunction
from infra.foundation.foundation_stack import FoundationStack
from infra.model.deploy_pipeline import DECIDE_ACTION, EXPERIMENT_STAGE, PRODUCTION_STAGE
from infra.places import Context, Place, value
from settings_schema import Experiment, Model

_EVERY_FIVE_MINUTES = "*/5 * * * ? *"


class ExperimentChange(Construct):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        context: Context,
        model: Model,
        foundation: FoundationStack,
        dead_letters: sqs.IQueue,
        experiment: Experiment,
    ) -> None:
        super().__init__(scope, construct_id)
        self._context, self._names = context, model.names(context.project)
        self._permissions = ExperimentPermissions(context, model)
        self._function = self._create_function(foundation, dead_letters, experiment)
        self._allow(foundation)
        self._wake()

    def _create_function(self, foundation: FoundationStack, dead_letters: sqs.IQueue, experiment: Experiment) -> EventFunction:
        there = self._permissions
        return EventFunction(
            self,
            "Function",
            folder=Path(__file__).parent,
            package="change_production",
            module="experiment",
            function_name=self._names.change_experiment_function,
            description="Begins an experiment in production, and ends it",
            environment={
                "MODEL": self._names.model,
                "MODEL_PACKAGE_GROUP": self._names.model_package_group,
                "STACK_NAME": there.names.stack,
                "ENDPOINT_NAME": there.names.endpoint,
                "REGION": value(self._context.places.of(self._context.settings.production).region),
                "ROLE_ARN": value(there.role),
                "DEPLOY_PIPELINE_NAME": self._names.deploy_pipeline,
                "RETURN_PIPELINE_NAME": self._names.return_pipeline,
                "EXPERIMENT_STAGE_NAME": EXPERIMENT_STAGE,
                "EXPERIMENT_ACTION_NAME": DECIDE_ACTION,
                "PRODUCTION_STAGE_NAME": PRODUCTION_STAGE,
                "BUCKET": value(there.bucket),
                "RESULTS_PREFIX": there.names.experiments,
                "ALARM_NAMES": json.dumps(there.alarms),
                "DAYS_AT_MOST": str(experiment.days_at_most),
                "ALERT_TOPIC_ARN": foundation.alerts.topic_arn,
            },
            dead_letters=dead_letters,
            key=foundation.key,
            log_retention_days=self._context.project.log_retention_days,
        )

    def _allow(self, foundation: FoundationStack) -> None:
        """It may answer that one review. Source of its resource: "CodePipeline permissions reference" (PutApprovalResult: an action)."""
        home, function, group = self._context.places.home, self._function, self._names.model_package_group
        function.allow("ReadVersions", ["sagemaker:DescribeModelPackage"], [home.model_packages(group)])
        for region in self._context.places.other_regions([self._context.settings.production]):
            there = Place(home.account, region)
            function.allow("Copies", ["sagemaker:ListModelPackages", "sagemaker:DescribeModelPackage"], there.registry(group))
        deploy, back = (home.code_pipeline(name) for name in (self._names.deploy_pipeline, self._names.return_pipeline))
        tried = ("GetPipelineState", "GetPipelineExecution", "ListActionExecutions")
        function.allow("WhatIsTried", [f"codepipeline:{name}" for name in tried], [deploy])
        function.allow("WhatReturns", ["codepipeline:ListPipelineExecutions"], [back])
        function.allow("Answer", ["codepipeline:PutApprovalResult"], [f"{deploy}/{EXPERIMENT_STAGE}/{DECIDE_ACTION}"])
        function.allow("Tell", ["sns:Publish"], [foundation.alerts.topic_arn])
        foundation.key.grant(function, "kms:Decrypt", "kms:GenerateDataKey")
        self._permissions.let_change(function)

    def _wake(self) -> None:
        pipelines = [self._names.deploy_pipeline, self._names.return_pipeline]
        self._function.wake_on(
            self,
            "Asked",
            "The review of an experiment opened, or was answered",
            source=["aws.codepipeline"],
            detail_type=["CodePipeline Action Execution State Change"],
            detail={"pipeline": pipelines[:1], "stage": [EXPERIMENT_STAGE], "action": [DECIDE_ACTION]},
        )
        self._function.wake_on(
            self,
            "Ended",
            "A deployment or a return ended",
            source=["aws.codepipeline"],
            detail_type=["CodePipeline Pipeline Execution State Change"],
            detail={"pipeline": pipelines, "state": ["SUCCEEDED", "FAILED", "STOPPED"]},
        )
        self._function.wake_on(
            self,
            "Alarmed",
            "A challenger breaks",
            source=["aws.cloudwatch"],
            detail_type=["CloudWatch Alarm State Change"],
            detail={"alarmName": self._permissions.alarms, "state": {"value": ["ALARM"]}},
        )
        time = {"time": "<aws.scheduler.scheduled-time>"}
        self._function.wake_at(self, "Regularly", "Looks at the experiment", cron=_EVERY_FIVE_MINUTES, time_zone="Etc/UTC", **time)
