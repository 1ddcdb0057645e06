"""A small endpoint stack with all three kinds of scaling, as CloudFormation JSON."""

from __future__ import annotations

from typing import Any

RESOURCE = "endpoint/mlops-production/variant/AllTraffic"


def template() -> dict[str, Any]:
    """A small endpoint stack with all three kinds of scaling."""
    return {
        "Parameters": {"Most": {"Type": "Number", "Default": 8}},
        "Resources": {
            "Config": {
                "Type": "AWS::SageMaker::EndpointConfig",
                "Properties": {
                    "ProductionVariants": [{"VariantName": "AllTraffic", "InstanceType": "ml.m5.large", "InitialInstanceCount": 2}]
                },
            },
            "Endpoint": {"Type": "AWS::SageMaker::Endpoint", "Properties": {"EndpointName": "mlops-production"}},
            "Target": {
                "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
                "Properties": {
                    "ResourceId": {"Fn::Join": ["", ["endpoint/", {"Fn::GetAtt": ["Endpoint", "EndpointName"]}, "/variant/AllTraffic"]]},
                    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
                    "MinCapacity": 2,
                    "MaxCapacity": {"Ref": "Most"},
                    "ScheduledActions": [
                        {
                            "ScheduledActionName": "morning",
                            "Schedule": "cron(0 7 ? * MON-FRI *)",
                            "Timezone": "Europe/Madrid",
                            "ScalableTargetAction": {"MinCapacity": 3, "MaxCapacity": 8},
                        }
                    ],
                },
            },
            "Tracking": {
                "Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
                "Properties": {
                    "PolicyName": "tracking",
                    "PolicyType": "TargetTrackingScaling",
                    "ScalingTargetId": {"Ref": "Target"},
                    "TargetTrackingScalingPolicyConfiguration": {
                        "TargetValue": 1200,
                        "ScaleOutCooldown": 60,
                        "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
                    },
                },
            },
            "Steps": {
                "Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
                "Properties": {
                    "PolicyName": "steps",
                    "PolicyType": "StepScaling",
                    "ScalingTargetId": {"Ref": "Target"},
                    "StepScalingPolicyConfiguration": {
                        "AdjustmentType": "PercentChangeInCapacity",
                        "MinAdjustmentMagnitude": 1,
                        "Cooldown": 120,
                        "StepAdjustments": [
                            {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 900, "ScalingAdjustment": 25},
                            {"MetricIntervalLowerBound": 900, "ScalingAdjustment": 50},
                        ],
                    },
                },
            },
            "Load": {
                "Type": "AWS::CloudWatch::Alarm",
                "Properties": {
                    "AlarmActions": [{"Ref": "Steps"}, {"Fn::ImportValue": "topic"}],
                    "Namespace": "AWS/SageMaker",
                    "MetricName": "InvocationsPerInstance",
                    "Statistic": "Sum",
                    "Period": 60,
                    "EvaluationPeriods": 2,
                    "Threshold": 1800,
                    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
                    "Dimensions": [{"Name": "EndpointName", "Value": {"Fn::GetAtt": ["Endpoint", "EndpointName"]}}],
                },
            },
        },
    }
