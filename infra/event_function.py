"""A function that handles events: a failed invocation is tried twice more and then waits in the dead-letter queue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.dead_letter_queue import TO_SEND
from infra.function_schedule import FunctionSchedule
from infra.project_function import ProjectFunction

_DELIVERIES = 10  # attempts of EventBridge, which by itself goes on for a day


class EventFunction(ProjectFunction):
    """`folder` holds `handler.py`; its configuration are the variables of `environment`. `options` as ProjectFunction's."""

    def __init__(
        self, scope: Construct, construct_id: str, *, environment: Mapping[str, str], dead_letters: sqs.IQueue, **options: Any
    ) -> None:
        super().__init__(scope, construct_id, environment=dict(environment), retry_attempts=2, dead_letter_queue=dead_letters, **options)
        self._dead_letters = dead_letters
        # The CDK lets the role send to it, which Lambda asks about before it takes the function. That it may use the queue's key, the CDK
        # leaves out.
        dead_letters.encryption_master_key.grant(self.role, *TO_SEND)

    def wake_on(self, scope: Construct, construct_id: str, description: str, **pattern: Any) -> None:
        """A rule of the default bus. `pattern`: the arguments of events.EventPattern."""
        target = targets.LambdaFunction(self, dead_letter_queue=self._dead_letters, retry_attempts=_DELIVERIES)
        events.Rule(scope, construct_id, description=description, event_pattern=events.EventPattern(**pattern), targets=[target])

    def wake_at(self, scope: Construct, construct_id: str, description: str, *, cron: str, time_zone: str, **more: str) -> None:
        """A schedule; the function is told so by `{"source": "schedule"}`, and `more`."""
        FunctionSchedule(
            scope,
            construct_id,
            function=self,
            dead_letters=self._dead_letters,
            cron=cron,
            time_zone=time_zone,
            description=description,
            payload={"source": "schedule", **more},
        )
