"""A function that handles events: a failed invocation is tried twice more and then waits in the dead-letter queue."""

from __future__ import annotations

from pathlib import Path

from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.dead_letter_queue import TO_SEND
from infra.project_function import ProjectFunction


class EventFunction(ProjectFunction):
    """`folder` holds `handler.py`; its configuration are the variables of `environment`."""

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
        function_name: str | None = None,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            folder=folder,
            description=description,
            key=key,
            log_retention_days=log_retention_days,
            environment=environment,
            function_name=function_name,
            retry_attempts=2,
            dead_letter_queue=dead_letters,
        )
        # The CDK lets the role send to it, which Lambda asks about before it takes the function. That it may use the queue's key, the CDK
        # leaves out.
        dead_letters.encryption_master_key.grant(self.role, *TO_SEND)
