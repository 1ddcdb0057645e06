"""A schedule that invokes a function. EventBridge Scheduler, not a scheduled rule: it knows time zones and daylight saving."""

from __future__ import annotations

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.dead_letter_queue import TO_SEND
from infra.service_role import ServiceRole


class FunctionSchedule(Construct):
    """Scheduler acts as a role of the schedule's own: it invokes, and sends what it could not deliver to an encrypted queue."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        function: lambda_.IFunction,
        dead_letters: sqs.IQueue,
        cron: str,
        time_zone: str,
        description: str,
        payload: Mapping[str, str],
    ) -> None:
        super().__init__(scope, construct_id)
        role = ServiceRole(self, "Role", service="scheduler.amazonaws.com", description=description, own_account_only=True)
        dead_letters.encryption_master_key.grant(role, *TO_SEND)  # which the CDK's target leaves out
        scheduler.Schedule(
            self,
            "Schedule",
            description=description,
            schedule=scheduler.ScheduleExpression.expression(f"cron({cron})", cdk.TimeZone.of(time_zone)),
            target=targets.LambdaInvoke(
                function,
                role=role,
                dead_letter_queue=dead_letters,
                input=scheduler.ScheduleTargetInput.from_object(dict(payload)),
                retry_attempts=10,
            ),
        )
