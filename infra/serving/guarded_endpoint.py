"""The endpoint and how it is updated: a second fleet, traffic moved in steps, and back again if an alarm fires; or all at once.

An update is guarded if what it replaces may come back. The alarms are the endpoint's, not a fleet's: those that a broken version keeps in
ALARM would undo whatever replaces it, and bring it back. So what replaces a version that was rejected goes all at once, and nothing undoes
it; verify.py asks right after it. deploy_scripts/render.py says which (decision 141).
Rules: "Blue/Green Deployments", "Use rolling deployments" and "Auto-Rollback Configuration" of the SageMaker guide, `DeploymentConfig` of
its service model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from settings_schema import Asynchronous, Component, Endpoint, MultiModelFleet, Rollout, Routing, Serverless
from settings_schema.rollout import CAPACITY, GIVEN, INSTANCE_COUNT, KEPT, UPDATE, UPDATE_TIMEOUT_SECONDS, Update

Serving = Endpoint | Serverless | Asynchronous | Component | MultiModelFleet


class GuardedEndpoint(Construct):
    """`alarms` roll a guarded update back while they are in ALARM."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        configuration: sagemaker.CfnEndpointConfig,
        serving: Endpoint | Serverless | Asynchronous | Component,
        alarms: Sequence[cloudwatch.CfnAlarm],
    ) -> None:
        super().__init__(scope, construct_id)
        self._endpoint = sagemaker.CfnEndpoint(
            self,
            "Endpoint",
            endpoint_name=name,
            endpoint_config_name=configuration.attr_endpoint_config_name,
            # Without it every update would go back to the configuration's instance count, in the middle of the day's peak.
            retain_all_variant_properties=serving.scales,
            exclude_retained_variant_properties=self._from_new_configuration() if serving.scales else None,
            deployment_config=guarded_or_at_once(self, serving, alarms),
        )

    @property
    def name(self) -> str:
        return self._endpoint.attr_endpoint_name

    def _from_new_configuration(self) -> cdk.IResolvable:
        """What an update does not retain: the instance count too, where another type needs another one (deploy_scripts/type_change.py)."""
        always = [{"VariantPropertyType": kind} for kind in ("DataCaptureConfig", "DesiredWeight")]
        description = f"{GIVEN}: of another instance type there are as many as the parameter {INSTANCE_COUNT} says"
        kept = _chosen(self, "KeepsCapacity", CAPACITY, (KEPT, GIVEN), description)
        return cdk.Fn.condition_if(kept.logical_id, always, [*always, {"VariantPropertyType": "DesiredInstanceCount"}])


def guarded_or_at_once(scope: Construct, serving: Serving, alarms: Sequence[cloudwatch.CfnAlarm]) -> cdk.IResolvable:
    """`DeploymentConfig` of an endpoint, of an inference component or of a multi-model fleet, as the stack's parameter UPDATE says."""
    guarded = _chosen(scope, "Guarded", UPDATE, (Update.GUARDED, Update.AT_ONCE), "at-once: what serves must not come back")
    return cdk.Fn.condition_if(guarded.logical_id, _guarded_rollout(serving.rollout, alarms), _all_at_once(serving))


def _chosen(scope: Construct, condition: str, parameter: str, values: tuple[str, str], description: str) -> cdk.CfnCondition:
    """Holds for the first value, the default. In the stack's own scope, so that parameter and condition have plain names."""
    stack = cdk.Stack.of(scope)
    made = cdk.CfnParameter(stack, parameter, allowed_values=[*values], default=values[0], description=description)
    return cdk.CfnCondition(stack, condition, expression=cdk.Fn.condition_equals(made.value_as_string, values[0]))


def _guarded_rollout(rollout: Rollout, alarms: Sequence[cloudwatch.CfnAlarm]) -> dict[str, Any]:
    """As CloudFormation writes it: within `Fn::If` the CDK's own classes would keep the names of their members."""
    step = _percent(rollout.step_percent)
    sizes = {Routing.CANARY: {"CanarySize": step}, Routing.LINEAR: {"LinearStepSize": step}}
    traffic = {"Type": rollout.routing.value, "WaitIntervalInSeconds": rollout.bake_seconds, **sizes.get(rollout.routing, {})}
    rolls = rollout.routing is Routing.ROLLING
    return {
        **(_rolling(rollout) if rolls else _blue_green(traffic, rollout.termination_wait_seconds)),
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": alarm.ref} for alarm in alarms]},
    }


def _all_at_once(serving: Serving) -> Any:
    """Where a fleet rolls there may be no room for a second one: in two halves, one right after the other.

    An update that lets a second variant in, or out, has no DeploymentConfig: with one the new configuration "must have the same variant
    name as the old" ("Exclusions" of the guide's guardrails), which says nothing of shadows. Without one it is blue/green, all at once
    ("Blue/Green Deployments").
    """
    rollout = serving.rollout
    if isinstance(serving, Endpoint) and (serving.experiment is not None or serving.shadow is not None):
        return cdk.Aws.NO_VALUE
    if rollout.routing is Routing.ROLLING:
        return _rolling(Rollout(routing=Routing.ROLLING, step_percent=50, bake_seconds=0))
    return _blue_green({"Type": Routing.ALL_AT_ONCE.value, "WaitIntervalInSeconds": 0}, 0)


def _rolling(rollout: Rollout) -> dict[str, Any]:
    return {
        "RollingUpdatePolicy": {
            "MaximumBatchSize": _percent(rollout.step_percent),
            "WaitIntervalInSeconds": rollout.bake_seconds,
            "RollbackMaximumBatchSize": _percent(rollout.rollback_step_percent),
            "MaximumExecutionTimeoutInSeconds": UPDATE_TIMEOUT_SECONDS,
        }
    }


def _percent(value: int) -> dict[str, Any]:
    return {"Type": "CAPACITY_PERCENT", "Value": value}


def _blue_green(traffic: Mapping[str, Any], termination_wait_seconds: int) -> dict[str, Any]:
    return {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": dict(traffic),
            "TerminationWaitInSeconds": termination_wait_seconds,
            "MaximumExecutionTimeoutInSeconds": UPDATE_TIMEOUT_SECONDS,
        }
    }
