"""The endpoint and how it is updated: a second fleet, traffic moved in steps, and back again if an alarm fires.

Rules: "Blue/Green Deployments" and "Auto-Rollback Configuration" of the SageMaker guide.
"""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from settings_schema import Endpoint, Rollout, Routing

UPDATE_TIMEOUT_SECONDS = 7200


class GuardedEndpoint(Construct):
    """`alarms` roll an update back while they are in ALARM."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        configuration: sagemaker.CfnEndpointConfig,
        serving: Endpoint,
        alarms: Sequence[cloudwatch.CfnAlarm],
    ) -> None:
        super().__init__(scope, construct_id)
        scales = serving.autoscaling is not None
        self._endpoint = sagemaker.CfnEndpoint(
            self,
            "Endpoint",
            endpoint_name=name,
            endpoint_config_name=configuration.attr_endpoint_config_name,
            # Without it every update would go back to the configuration's instance count, in the middle of the day's peak.
            retain_all_variant_properties=scales,
            exclude_retained_variant_properties=self._from_new_configuration() if scales else None,
            deployment_config=self._deployment(serving.rollout, alarms),
        )

    @property
    def name(self) -> str:
        return self._endpoint.attr_endpoint_name

    @staticmethod
    def _from_new_configuration() -> list[sagemaker.CfnEndpoint.VariantPropertyProperty]:
        kinds = ("DataCaptureConfig", "DesiredWeight")
        return [sagemaker.CfnEndpoint.VariantPropertyProperty(variant_property_type=kind) for kind in kinds]

    @staticmethod
    def _deployment(rollout: Rollout, alarms: Sequence[cloudwatch.CfnAlarm]) -> sagemaker.CfnEndpoint.DeploymentConfigProperty:
        step = sagemaker.CfnEndpoint.CapacitySizeProperty(type="CAPACITY_PERCENT", value=rollout.step_percent)
        traffic = sagemaker.CfnEndpoint.TrafficRoutingConfigProperty(
            type=rollout.routing.value,
            wait_interval_in_seconds=rollout.bake_seconds,
            canary_size=step if rollout.routing is Routing.CANARY else None,
            linear_step_size=step if rollout.routing is Routing.LINEAR else None,
        )
        return sagemaker.CfnEndpoint.DeploymentConfigProperty(
            blue_green_update_policy=sagemaker.CfnEndpoint.BlueGreenUpdatePolicyProperty(
                traffic_routing_configuration=traffic,
                termination_wait_in_seconds=rollout.termination_wait_seconds,
                maximum_execution_timeout_in_seconds=UPDATE_TIMEOUT_SECONDS,
            ),
            auto_rollback_configuration=sagemaker.CfnEndpoint.AutoRollbackConfigProperty(
                alarms=[sagemaker.CfnEndpoint.AlarmProperty(alarm_name=alarm.ref) for alarm in alarms]
            ),
        )
