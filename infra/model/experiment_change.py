"""The function that begins an experiment in production and ends it, and what wakes it: its review, whatever ends, an alarm, the clock.

What such functions have in common: production_change.py. Next: change_production/experiment.py.
"""

from __future__ import annotations

import json
from typing import Any

from constructs import Construct

from infra.environment.experiment_permissions import ExperimentPermissions
from infra.foundation.foundation_stack import FoundationStack
from infra.model.deploy_pipeline import DECIDE_ACTION, EXPERIMENT_STAGE
from infra.model.production_change import ProductionChange
from infra.places import Context, value
from settings_schema import Experiment, Model

_EVERY_FIVE_MINUTES = "*/5 * * * ? *"


class ExperimentChange(ProductionChange):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        context: Context,
        model: Model,
        foundation: FoundationStack,
        experiment: Experiment,
        **given: Any,
    ) -> None:
        """`given`: as ProductionChange's."""
        permissions = ExperimentPermissions(context, model)
        super().__init__(
            scope,
            construct_id,
            context=context,
            model=model,
            foundation=foundation,
            module="experiment",
            function_name=model.names(context.project).change_experiment_function,
            description="Begins an experiment in production, and ends it",
            permissions=permissions,
            variables={
                "MODEL": model.name,
                "EXPERIMENT_STAGE_NAME": EXPERIMENT_STAGE,
                "EXPERIMENT_ACTION_NAME": DECIDE_ACTION,
                "BUCKET": value(permissions.bucket),
                "RESULTS_PREFIX": permissions.names.experiments,
                "ALARM_NAMES": json.dumps(permissions.alarms),
                "DAYS_AT_MOST": str(experiment.days_at_most),
                "CHALLENGER_PERCENT": str(experiment.challenger_percent),
                "ALERT_TOPIC_ARN": foundation.alerts.topic_arn,
            },
            **given,
        )
        self._allow(foundation)
        self._wake(permissions.alarms)

    def _allow(self, foundation: FoundationStack) -> None:
        """It may answer that one review. Source of its resource: "CodePipeline permissions reference" (PutApprovalResult: an action)."""
        function, deploy = self._function, self._context.places.home.code_pipeline(self._names.deploy_pipeline)
        tried = ("GetPipelineState", "GetPipelineExecution", "ListActionExecutions")
        function.allow("WhatIsTried", [f"codepipeline:{name}" for name in tried], [deploy])
        function.allow("Answer", ["codepipeline:PutApprovalResult"], [f"{deploy}/{EXPERIMENT_STAGE}/{DECIDE_ACTION}"])
        function.allow("Tell", ["sns:Publish"], [foundation.alerts.topic_arn])
        foundation.key.grant(function, "kms:Decrypt", "kms:GenerateDataKey")

    def _wake(self, alarms: list[str]) -> None:
        self._function.wake_on(
            self,
            "Asked",
            "The review of an experiment opened, or was answered",
            source=["aws.codepipeline"],
            detail_type=["CodePipeline Action Execution State Change"],
            detail={"pipeline": self._pipelines[:1], "stage": [EXPERIMENT_STAGE], "action": [DECIDE_ACTION]},
        )
        self._function.wake_on(
            self,
            "Alarmed",
            "A challenger breaks",
            source=["aws.cloudwatch"],
            detail_type=["CloudWatch Alarm State Change"],
            detail={"alarmName": alarms, "state": {"value": ["ALARM"]}},
        )
        time = {"time": "<aws.scheduler.scheduled-time>"}
        self._function.wake_at(self, "Regularly", "Looks at the experiment", cron=_EVERY_FIVE_MINUTES, time_zone="Etc/UTC", **time)
