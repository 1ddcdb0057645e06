"""A model on a multi-model fleet: which archive clients are to ask for, and the alarms on that version.

The archive is below the fleet's prefix and was asked before this stack says so (deploy_scripts/offer.py); an update changes one parameter
in SSM, whoever reads it asks for the new version from then on, and a return sets it back. Endpoint, instances and log are the fleet's
(infra/fleet/multi_model_stack.py), whose name this imports. Values: settings_schema/member.py.
"""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from infra.serving.imports import ALERTS, fleet_endpoint
from infra.serving.member_alarms import MemberAlarms
from infra.serving.prediction_alarm import PredictionAlarm
from infra.serving.serving_stack import ServingStack
from settings_schema import Environment, Member, Model, Project
from settings_schema.rollout import ROLLBACK_ALARMS, TARGET, TOLD


class MemberStack(ServingStack):
    """Alarms are made before clients are told of the version that they watch."""

    def __init__(
        self, scope: Construct, construct_id: str, *, project: Project, model: Model, environment: Environment, serving: Member
    ) -> None:
        super().__init__(scope, construct_id, project=project, model=model, environment=environment)
        topic_arn = self.imports.of_environment(ALERTS)
        alarms = MemberAlarms(self, "Alarms", names=self.names, serving=serving, version=self.version, topic_arn=topic_arn)
        if environment.protected:
            alarms.watch_silence()
        limit = serving.prediction_distance
        predictions = PredictionAlarm(self, "Predictions", names=self.names, version=self.version, limit=limit, topic_arn=topic_arn)
        rollback = [*alarms.rollback, *([predictions] if serving.roll_back_on_predictions else [])]
        target = self._target()
        told = ssm.CfnParameter(
            self,
            "Told",
            name=self.names.target_parameter,
            type="String",
            value=target,
            description=f"TargetModel of {model.name} in {environment.name}",
        )
        told.node.add_dependency(alarms, predictions)
        cdk.CfnOutput(self, "EndpointName", value=fleet_endpoint(self.names.fleet(serving.fleet)))
        cdk.CfnOutput(self, TOLD, value=told.attr_value)
        cdk.CfnOutput(self, ROLLBACK_ALARMS, value=cdk.Fn.join(",", [alarm.ref for alarm in rollback]))

    def _target(self) -> str:
        parameter = cdk.CfnParameter(
            self,
            TARGET,
            description="The version's archive, below the fleet's prefix",
            allowed_pattern=rf"{self.names.model}/\d+-[0-9a-f]+\.tar\.gz",
            constraint_description=f"{self.names.model}/<version>-<digest>.tar.gz",
        )
        return parameter.value_as_string
