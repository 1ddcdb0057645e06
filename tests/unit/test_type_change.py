"""How many instances another type needs, and what is left of a template without its scaling."""

from __future__ import annotations

from typing import Any

import pytest

from deploy_scripts.live_capacity import Fleet
from deploy_scripts.type_change import type_change, without_scaling
from settings_schema import Autoscaling, Endpoint, TargetTracking

TARGET = {"Type": "AWS::ApplicationAutoScaling::ScalableTarget", "Properties": {}, "DependsOn": ["Endpoint"]}
TRACKING = {"Type": "AWS::ApplicationAutoScaling::ScalingPolicy", "Properties": {"ScalingTargetId": {"Ref": "Target"}}}
STEPS = {"Type": "AWS::ApplicationAutoScaling::ScalingPolicy", "Properties": {"ScalingTargetId": {"Fn::GetAtt": ["Target", "Id"]}}}
LOAD = {"Type": "AWS::CloudWatch::Alarm", "Properties": {"AlarmActions": [{"Ref": "Steps"}]}}
ENDPOINT = {"Type": "AWS::SageMaker::Endpoint", "Properties": {"EndpointName": "Target"}}


def tracked(requests_per_minute: float, metric: str = "SageMakerVariantInvocationsPerInstance") -> dict[str, Any]:
    """A template whose target tracking gives each instance so many."""
    tracking = {"PredefinedMetricSpecification": {"PredefinedMetricType": metric}, "TargetValue": requests_per_minute}
    return {"Resources": {"Policy": {"Type": "…", "Properties": {"TargetTrackingScalingPolicyConfiguration": tracking}}}}


def endpoint(requests_per_second: float | None, low: int = 1, high: int = 20, count: int = 1) -> Endpoint:
    """Half of them are the target of its tracking: 30 a minute for each."""
    tracking = TargetTracking(max_rps_per_instance=requests_per_second, safety=0.5) if requests_per_second else None
    scaling = Autoscaling(min_capacity=low, max_capacity=high, target_tracking=tracking)
    return Endpoint(instance_type="ml.m5.xlarge", initial_instance_count=count, autoscaling=scaling)


SIX = Fleet("ml.m5.large", 6, scales=True)


@pytest.mark.parametrize(
    ("serving", "template", "instances"),
    [
        (endpoint(40), tracked(600), 3),  # 6 x 600 a minute are 3 x 1200
        (endpoint(10), tracked(600), 12),
        (endpoint(45), tracked(600), 3),  # 2.7
        (endpoint(40, low=4, count=4), tracked(600), 4),
        (endpoint(40, count=5), tracked(600), 5),
        (endpoint(10, high=8), tracked(600), 8),
        (endpoint(None), tracked(600), 6),  # nothing says how much one of the new type takes
        (endpoint(40), {"Resources": {}}, 6),
        (endpoint(40), tracked(600, "SageMakerVariantConcurrentRequestsPerModelHighResolution"), 6),
    ],
)
def test_the_new_type_has_as_many_as_the_load_of_the_live_fleet_needs(serving: Endpoint, template: dict[str, Any], instances: int) -> None:
    change = type_change(SIX, serving, template)
    assert change is not None
    assert change.parameters == {"Capacity": "given", "InstanceCount": str(instances)}


def test_a_limit_that_is_too_low_for_the_load_is_told() -> None:
    assert "8 × ml.m5.xlarge replace 6 × ml.m5.large, of which the load of now needs 12" in str(
        type_change(SIX, endpoint(10, high=8), tracked(600))
    )


def test_without_scaling_afterwards_there_are_as_many_as_the_file_says() -> None:
    change = type_change(SIX, Endpoint(instance_type="ml.m5.xlarge", initial_instance_count=3), tracked(600))
    assert change is not None and change.instances == 3
    assert "scales again" not in str(change)


@pytest.mark.parametrize(
    ("live", "serving"),
    [
        (None, endpoint(40)),
        (Fleet("ml.m5.xlarge", 6, scales=True), endpoint(40)),
        (Fleet("ml.m5.large", 6), Endpoint(instance_type="ml.m5.xlarge")),
    ],
    ids=["nothing serves", "the type stays", "nothing scales"],
)
def test_one_update_does_everything_else(live: Fleet | None, serving: Endpoint) -> None:
    assert type_change(live, serving, tracked(600)) is None


def test_only_what_scales_is_taken_away() -> None:
    """The alarm that calls a policy goes with it; what has the same name for another thing stays."""
    others = {"Endpoint": ENDPOINT, "Errors": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"AlarmActions": ["arn"]}}}
    template = {"Parameters": {"P": {}}, "Resources": {"Load": LOAD, "Steps": STEPS, "Tracking": TRACKING, "Target": TARGET, **others}}
    assert without_scaling(template) == {"Parameters": {"P": {}}, "Resources": others}
