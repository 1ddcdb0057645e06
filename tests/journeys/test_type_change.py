"""Another instance type under an endpoint that scales, by the two updates of its stack that the pipelines make."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from deploy_scripts.type_change import coming
from local_account.account import Account
from packages.local_account.tests.endpoint_models import create_model, wait_until_settled
from packages.local_account.tests.stacks import Stack
from settings_schema import Autoscaling, Endpoint

NAME = "scaled"
VARIANT = f"endpoint/{NAME}/variant/AllTraffic"
LARGER = Endpoint(instance_type="ml.m5.xlarge", initial_instance_count=2, autoscaling=Autoscaling(min_capacity=2, max_capacity=6))


def resources(instance_type: str) -> dict[str, Any]:
    """As infra/serving/ makes them, as far as a change of type goes."""
    variant = {"VariantName": "AllTraffic", "ModelName": "served", "InstanceType": instance_type, "InitialVariantWeight": 1}
    weight, count = ({"VariantPropertyType": kind} for kind in ("DesiredWeight", "DesiredInstanceCount"))
    endpoint = {
        "EndpointName": NAME,
        "EndpointConfigName": {"Fn::GetAtt": ["Configuration", "EndpointConfigName"]},
        "RetainAllVariantProperties": True,
        "ExcludeRetainedVariantProperties": {"Fn::If": ["KeepsCapacity", [weight], [weight, count]]},
    }
    target = {
        "ServiceNamespace": "sagemaker",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        "ResourceId": VARIANT,
        "MinCapacity": 2,
        "MaxCapacity": 6,
    }
    step = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}]}
    policy = {"PolicyName": "steps", "PolicyType": "StepScaling", "ScalingTargetId": {"Ref": "Target"}}
    alarm = {"AlarmActions": [{"Ref": "Steps"}], "Namespace": "own", "MetricName": "load", "Statistic": "Sum", "Period": 60}
    alarm |= {"EvaluationPeriods": 1, "Threshold": 1, "ComparisonOperator": "GreaterThanThreshold"}
    configuration = {"ProductionVariants": [{**variant, "InitialInstanceCount": {"Ref": "InstanceCount"}}]}
    return {
        "Configuration": {"Type": "AWS::SageMaker::EndpointConfig", "Properties": configuration},
        "Endpoint": {"Type": "AWS::SageMaker::Endpoint", "Properties": endpoint},
        "Target": {"Type": "AWS::ApplicationAutoScaling::ScalableTarget", "Properties": target, "DependsOn": ["Endpoint"]},
        "Steps": {
            "Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
            "Properties": {**policy, "StepScalingPolicyConfiguration": step},
        },
        "Load": {"Type": "AWS::CloudWatch::Alarm", "Properties": alarm},
    }


def template(instance_type: str) -> dict[str, Any]:
    return {
        "Parameters": {"Capacity": {"Type": "String", "Default": "kept"}, "InstanceCount": {"Type": "Number", "Default": 2}},
        "Conditions": {"KeepsCapacity": {"Fn::Equals": [{"Ref": "Capacity"}, "kept"]}},
        "Resources": resources(instance_type),
    }


def deploy(account: Account, body: Mapping[str, Any], parameters: Mapping[str, str]) -> str:
    """As CodePipeline's action does; the stack's status in the end."""
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    account.client("cloudformation").update_stack(StackName=NAME, TemplateBody=json.dumps(body), Parameters=given)
    return Stack(account, NAME).settle()


@pytest.fixture(scope="module")
def scaled(account: Account) -> Account:
    """An endpoint that has scaled to three instances."""
    create_model(account, "served")
    account.client("cloudformation").create_stack(StackName=NAME, TemplateBody=json.dumps(template("ml.m5.large")))
    assert Stack(account, NAME).settle() == "CREATE_COMPLETE"
    wanted = [{"VariantName": "AllTraffic", "DesiredInstanceCount": 3}]
    account.client("sagemaker").update_endpoint_weights_and_capacities(EndpointName=NAME, DesiredWeightsAndCapacities=wanted)
    wait_until_settled(account, NAME)
    return account


def registered(account: Account) -> list[str]:
    targets = account.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    return [target["ResourceId"] for target in targets]


def served(account: Account) -> tuple[str, int]:
    """Instance type and count."""
    sagemaker = account.client("sagemaker")
    endpoint = sagemaker.describe_endpoint(EndpointName=NAME)
    (variant,) = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])["ProductionVariants"]
    return variant["InstanceType"], endpoint["ProductionVariants"][0]["CurrentInstanceCount"]


def test_the_first_update_takes_the_scaling_away_and_the_second_changes_the_type_and_scales_again(scaled: Account) -> None:
    place: Any = SimpleNamespace(client=scaled.client)
    names: Any = SimpleNamespace(stack=NAME, endpoint=NAME)
    assert deploy(scaled, template("ml.m5.xlarge"), {}) == "UPDATE_ROLLBACK_COMPLETE", "one update alone is refused"
    change = coming(place, names, LARGER)
    assert change is not None and change.first is not None
    before = scaled.client("sagemaker").describe_endpoint(EndpointName=NAME)
    assert deploy(scaled, *change.first) == "UPDATE_COMPLETE"
    assert scaled.client("sagemaker").describe_endpoint(EndpointName=NAME) | {"ResponseMetadata": {}} == before | {"ResponseMetadata": {}}
    assert (registered(scaled), served(scaled)) == ([], ("ml.m5.large", 3))
    assert deploy(scaled, template("ml.m5.xlarge"), change.parameters) == "UPDATE_COMPLETE"
    assert (registered(scaled), served(scaled)) == ([VARIANT], ("ml.m5.xlarge", 3))
    assert coming(place, names, LARGER) is None
