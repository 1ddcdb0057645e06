"""A recommendation as a CloudFormation template, which CloudFormation, the CDK's `CfnInclude` and this package's own `--template` read.

In: a `Candidate`. Out: JSON text. Sources: the resource types
AWS::ApplicationAutoScaling::ScalableTarget and ScalingPolicy, AWS::CloudWatch::Alarm. Next: `template.py` reads it back.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from capacity.candidates import Candidate
from capacity.model import Alarm, Configuration, Policy, StepPolicy
from capacity.template import ALARM, POLICY, TARGET

_VARIANT = "AllTraffic"
_DIMENSIONS = [{"Name": "EndpointName", "Value": {"Ref": "Endpoint"}}, {"Name": "VariantName", "Value": _VARIANT}]
_TRACKED = "SageMakerVariantInvocationsPerInstance"


def declaration(candidate: Candidate) -> str:
    """A template of the variant and its scaling; the endpoint's name and the model's are its parameters."""
    configuration = candidate.configuration()
    resources = {"Configuration": _variant(configuration), "Target": _resource(TARGET, _target(configuration))}
    for policy in configuration.policies:
        name = "Steps" if isinstance(policy, StepPolicy) else "Tracking"
        resources[name] = _resource(POLICY, _policy(policy))
        for alarm in policy.alarms if isinstance(policy, StepPolicy) else ():
            resources["StepAlarm"] = _resource(ALARM, _alarm(alarm))
    parameters = {"Endpoint": {"Type": "String"}, "Model": {"Type": "String"}}
    return json.dumps({"Parameters": parameters, "Resources": resources}, indent=1)


def _variant(configuration: Configuration) -> dict[str, Any]:
    variant = {
        "VariantName": _VARIANT,
        "ModelName": {"Ref": "Model"},
        "InstanceType": configuration.instance_type,
        "InitialInstanceCount": configuration.initial_instance_count,
        "RoutingConfig": {"RoutingStrategy": configuration.routing},
    }
    return _resource("AWS::SageMaker::EndpointConfig", {"ProductionVariants": [variant]})


def _resource(kind: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"Type": kind, "Properties": properties}


def _target(configuration: Configuration) -> dict[str, Any]:
    target = configuration.target
    actions = [
        {
            "ScheduledActionName": action.name,
            "Schedule": action.schedule,
            "Timezone": action.time_zone,
            "ScalableTargetAction": {"MinCapacity": action.min_capacity, "MaxCapacity": action.max_capacity},
        }
        for action in configuration.scheduled_actions
    ]
    return {
        "ServiceNamespace": "sagemaker",
        "ResourceId": {"Fn::Sub": f"endpoint/${{Endpoint}}/variant/{_VARIANT}"},
        "ScalableDimension": target.scalable_dimension,
        "MinCapacity": target.min_capacity,
        "MaxCapacity": target.max_capacity,
        **({"ScheduledActions": actions} if actions else {}),
    }


def _policy(policy: Policy) -> dict[str, Any]:
    common = {"PolicyName": policy.name, "ScalingTargetId": {"Ref": "Target"}}
    if isinstance(policy, StepPolicy):
        steps = [
            {
                "MetricIntervalLowerBound": step.lower,
                **({} if math.isinf(step.upper) else {"MetricIntervalUpperBound": step.upper}),
                "ScalingAdjustment": step.adjustment,
            }
            for step in policy.steps
        ]
        configuration = {
            "AdjustmentType": policy.adjustment_type,
            "MinAdjustmentMagnitude": policy.min_adjustment_magnitude,
            "Cooldown": policy.cooldown_seconds,
            "StepAdjustments": steps,
        }
        return {**common, "PolicyType": "StepScaling", "StepScalingPolicyConfiguration": configuration}
    tracking = {
        "TargetValue": policy.target_value,
        "PredefinedMetricSpecification": {"PredefinedMetricType": _TRACKED},
        "ScaleOutCooldown": policy.scale_out_cooldown_seconds,
        "ScaleInCooldown": policy.scale_in_cooldown_seconds,
    }
    return {**common, "PolicyType": "TargetTrackingScaling", "TargetTrackingScalingPolicyConfiguration": tracking}


def _alarm(alarm: Alarm) -> dict[str, Any]:
    return {
        "AlarmName": {"Fn::Sub": "${Endpoint}-step-scaling"},
        "AlarmActions": [{"Ref": "Steps"}],
        "Namespace": alarm.metric.namespace,
        "MetricName": alarm.metric.name,
        "Dimensions": _DIMENSIONS,
        "Statistic": alarm.metric.statistic,
        "Period": alarm.metric.period_seconds,
        "ComparisonOperator": alarm.comparison,
        "Threshold": alarm.threshold,
        "EvaluationPeriods": alarm.evaluation_periods,
        "DatapointsToAlarm": alarm.datapoints_to_alarm,
        "TreatMissingData": alarm.treat_missing_data,
    }
