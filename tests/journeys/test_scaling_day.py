"""All three kinds of scaling on one variant, on one trace: real processes and the simulator decide the same, at the same minute."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest

from capacity import api
from capacity.model import Configuration
from demo.local_day import Deployment, LocalDay, simulated, stop_time, told
from local_account.account import Account
from packages.local_account.tests.endpoint_models import create_configuration, create_endpoint, create_model, variant

RESOURCE = "endpoint/day/variant/AllTraffic"
TARGET = {"ServiceNamespace": "sagemaker", "ResourceId": RESOURCE, "ScalableDimension": "sagemaker:variant:DesiredInstanceCount"}
DIMENSIONS = {"EndpointName": "day", "VariantName": "AllTraffic"}

#: Requests per minute: a quiet start, a ramp, a burst, a fall; one value per minute.
LOAD = [80.0] * 6 + [83 + 20.0 * minute for minute in range(12)] + [1500.0] * 6 + [60.0] * 30
DEPLOYMENT_AT = 30  # minute of a deployment, when the fleet is scaled out

POLICIES: list[dict[str, Any]] = [
    {
        "PolicyName": "tracking",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": 100.0,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
            "ScaleOutCooldown": 60,
            "ScaleInCooldown": 300,
        },
    },
    {
        "PolicyName": "steps",
        "PolicyType": "StepScaling",
        "StepScalingPolicyConfiguration": {
            "AdjustmentType": "PercentChangeInCapacity",
            "StepAdjustments": [
                {"MetricIntervalLowerBound": 0.0, "MetricIntervalUpperBound": 100.0, "ScalingAdjustment": 25},
                {"MetricIntervalLowerBound": 100.0, "ScalingAdjustment": 100},
            ],
            "MinAdjustmentMagnitude": 1,
            "Cooldown": 120,
            "MetricAggregationType": "Maximum",
        },
    },
]
ALARM: dict[str, Any] = {
    "AlarmName": "day-steps",
    "Namespace": "AWS/SageMaker",
    "MetricName": "InvocationsPerInstance",
    "Dimensions": [{"Name": name, "Value": value} for name, value in DIMENSIONS.items()],
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 250.0,
    "ComparisonOperator": "GreaterThanThreshold",
}


def scheduled(start: float) -> dict[str, Any]:
    at = datetime.fromtimestamp(start + 48 * 60, UTC)
    return {
        "ScheduledActionName": "evening",
        "Schedule": f"at({at:%Y-%m-%dT%H:%M:%S})",
        "ScalableTargetAction": {"MinCapacity": 2, "MaxCapacity": 4},
    }


@pytest.fixture(scope="module")
def day(account: Account) -> LocalDay:
    stop_time(account)
    start = account.context.clock.now().timestamp() // 3600 * 3600 + 7200
    create_model(account, "doubling")
    create_configuration(account, "day-1", variant("doubling", count=1))
    create_configuration(account, "day-2", variant("doubling", count=1))
    assert create_endpoint(account, "day", "day-1")["EndpointStatus"] == "InService"
    scaling = account.client("application-autoscaling")
    scaling.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=8)
    arns = {policy["PolicyName"]: scaling.put_scaling_policy(**TARGET, **policy)["PolicyARN"] for policy in POLICIES}
    account.client("cloudwatch").put_metric_alarm(**ALARM, AlarmActions=[arns["steps"]])
    scaling.put_scheduled_action(**TARGET, **scheduled(start))
    lived = LocalDay(account, "day", LOAD, start, Deployment(DEPLOYMENT_AT, "day-2", asks_for=1))
    lived.live()
    return lived


def configured(start: float) -> Configuration:
    """The same for the simulator."""
    alarm = api.alarm_from_api({**ALARM, "Dimensions": []})
    return Configuration(
        target=api.target_from_api({**TARGET, "MinCapacity": 1, "MaxCapacity": 8}),
        policies=(api.policy_from_api(POLICIES[0]), api.policy_from_api(POLICIES[1], [alarm])),
        scheduled_actions=(api.scheduled_action_from_api(scheduled(start)),),
        initial_instance_count=1,
    )


def test_each_kind_of_scaling_acts_and_the_record_says_which(day: LocalDay) -> None:
    assert {decision.kind for decision in day.decisions if decision.changes_capacity} == {"target tracking", "step scaling", "scheduled"}
    assert max(day.counts) == 8 and day.counts[-1] < 8


def test_a_deployment_in_the_middle_keeps_the_capacity(day: LocalDay) -> None:
    assert day.deployment.before > day.deployment.asks_for
    assert day.deployment.after == day.deployment.before == day.counts[DEPLOYMENT_AT - 1]
    assert not [one for one in day.decisions if round((one.time - day.start) / 60) == DEPLOYMENT_AT], "so that nothing else can explain it"
    assert day.counts[DEPLOYMENT_AT] == day.counts[DEPLOYMENT_AT - 1]


def test_the_local_account_and_the_simulator_decide_the_same(day: LocalDay) -> None:
    expected = told(simulated(configured(day.start), LOAD, day.start), day.start, len(LOAD))
    assert told(day.decisions, day.start, len(LOAD)) == expected
    assert math.prod(one[2] for one in expected) > 0
