"""Tells the project's account and region of drift and of lost quality, where models are trained again, and of a challenger that breaks: an
alarm is an event of its own account and region.

infra/foundation/foundation_stack.py lets this in; infra/model/retraining.py and experiment_change.py act on it, each model's rule on its
own alarms. Source: "Sending and receiving events between AWS accounts" of the EventBridge user guide.
"""

from __future__ import annotations

from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.drift_metrics import retraining_alarms
from infra.places import Context
from infra.service_role import ServiceRole
from infra.serving.endpoint_alarms import CHALLENGER
from settings_schema import Environment
from settings_schema.names import DRIFT, QUALITY


class DriftForwarding(Construct):
    def __init__(
        self, scope: Construct, construct_id: str, *, context: Context, environment: Environment, dead_letters: sqs.IQueue
    ) -> None:
        super().__init__(scope, construct_id)
        models = context.settings.models.values()
        retrains = any(retraining_alarms(model, model.names(context.project).at(environment.name)) for model in models)
        tries = any(model.experiment(environment.name) for model in models)
        if not (retrains or tries):
            return
        # Of every model, in two patterns: a rule's has 2,048 characters ("Amazon EventBridge quotas"), and a project many models.
        every = context.project.names.model("*").at(environment.name)
        role = ServiceRole(
            self,
            "Role",
            service="events.amazonaws.com",
            description="Tells the project's account of drift",
            role_name=environment.names(context.project).forwarding_role,
            own_account_only=True,
        )
        bus = events.EventBus.from_event_bus_arn(self, "Bus", context.places.home.event_bus())
        events.Rule(
            self,
            "Drift",
            description=f"An alarm of {environment.name} that retrains",
            event_pattern=events.EventPattern(
                source=["aws.cloudwatch"],
                detail_type=["CloudWatch Alarm State Change"],
                detail={
                    "alarmName": [{"wildcard": every.alarm(what)} for what in (DRIFT, QUALITY, *(CHALLENGER if tries else ()))],
                    "state": {"value": ["ALARM"]},
                },
            ),
            targets=[targets.EventBus(bus, role=role, dead_letter_queue=dead_letters)],
        )
