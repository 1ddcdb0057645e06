"""A small Lambda function that handles events: its code is one self-contained folder, its configuration environment variables.

A failed invocation is tried twice more and then waits in the dead-letter queue.
"""

from __future__ import annotations

from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.retained_log_group import RetainedLogGroup
from infra.service_role import ServiceRole

RUNTIME = lambda_.Runtime.PYTHON_3_14


class EventFunction(lambda_.Function):
    """`folder` holds `handler.py` with `handler(event, context)`; nothing is installed or bundled."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        folder: Path,
        description: str,
        environment: dict[str, str],
        dead_letters: sqs.IQueue,
        key: kms.IKey,
        log_retention_days: int,
    ) -> None:
        log_group = RetainedLogGroup(scope, f"{construct_id}Logs", retention_days=log_retention_days, key=key)
        role = ServiceRole(scope, f"{construct_id}Role", service="lambda.amazonaws.com", description=description)
        super().__init__(
            scope,
            construct_id,
            code=lambda_.Code.from_asset(str(folder), exclude=["__pycache__", "*.pyc"]),
            handler="handler.handler",
            runtime=RUNTIME,
            description=description,
            environment=environment,
            role=role,
            log_group=log_group,
            timeout=cdk.Duration.minutes(1),
            memory_size=256,
            retry_attempts=2,
            dead_letter_queue=dead_letters,
        )
        self.allow = role.allow
        # Not AWSLambdaBasicExecutionRole, which may write to every log group of the account.
        role.allow("Logs", ["logs:CreateLogStream", "logs:PutLogEvents"], [log_group.log_group_arn])
        dead_letters.grant_send_messages(role)
