"""Scaling acts on real processes: each of the three kinds, the bounds, and what the API tells about it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account.account import Account
from local_account.endpoints.registry import Endpoints

from .endpoint_models import create_configuration, create_endpoint, create_model, variant

RESOURCE = "endpoint/scaled/variant/AllTraffic"
TARGET = {"ServiceNamespace": "sagemaker", "ResourceId": RESOURCE, "ScalableDimension": "sagemaker:variant:DesiredInstanceCount"}
TRACKING = {
    "TargetValue": 100.0,
    "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
    "ScaleOutCooldown": 60,
    "ScaleInCooldown": 60,
}


@pytest.fixture(scope="module")
def fast(account: Account) -> Account:
    """An account in which a minute passes in a fifth of a second, with an endpoint of one instance."""
    create_model(account, "doubling")
    create_configuration(account, "scaled", variant("doubling"))
    assert create_endpoint(account, "scaled", "scaled")["EndpointStatus"] == "InService"
    account.context.clock.change(speed=300)
    return account


@pytest.fixture
def target(fast: Account) -> Iterator[Any]:
    """A scalable target from 1 to 4 instances; yields the Application Auto Scaling client."""
    scaling = fast.client("application-autoscaling")
    scaling.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=4)
    yield scaling
    scaling.deregister_scalable_target(**TARGET)
    wanted = [{"VariantName": "AllTraffic", "DesiredInstanceCount": 1}]
    wait_for(lambda: fast.client("sagemaker").describe_endpoint(EndpointName="scaled")["EndpointStatus"] == "InService", "an idle endpoint")
    fast.client("sagemaker").update_endpoint_weights_and_capacities(EndpointName="scaled", DesiredWeightsAndCapacities=wanted)
    wait_for(lambda: instances(fast) == 1, "return to one instance")


class Load:
    """Publishes one value of InvocationsPerInstance for each minute, as if the endpoint had that traffic."""

    def __init__(self, account: Account, per_minute: float) -> None:
        self.per_minute = per_minute
        self._account, self._stop = account, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        published = 0
        while not self._stop.wait(0.02):
            minute = int(self._account.context.clock.now().timestamp() // 60)
            if minute > published:
                published = minute
                dimensions = [{"Name": "EndpointName", "Value": "scaled"}, {"Name": "VariantName", "Value": "AllTraffic"}]
                datum = {
                    "MetricName": "InvocationsPerInstance",
                    "Value": self.per_minute / max(1, instances(self._account)),
                    "Dimensions": dimensions,
                    "Timestamp": datetime.fromtimestamp(minute * 60, UTC),
                }
                self._account.client("cloudwatch").put_metric_data(Namespace="AWS/SageMaker", MetricData=[datum])

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def wait_for(condition: Callable[[], bool], what: str) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.025)
    raise AssertionError(f"{what} did not happen")


def instances(account: Account) -> int:
    return sum(len(each.instances) for each in Endpoints.at(account.context).by_name["scaled"].variants())


def test_target_tracking_follows_the_load_out_and_in(fast: Account, target: Any) -> None:
    policy = target.put_scaling_policy(
        **TARGET, PolicyName="tracking", PolicyType="TargetTrackingScaling", TargetTrackingScalingPolicyConfiguration=TRACKING
    )
    names = [alarm["AlarmName"] for alarm in policy["Alarms"]]
    described = {alarm["AlarmName"]: alarm for alarm in fast.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"]}
    assert sorted((one["EvaluationPeriods"], one["Threshold"]) for one in described.values()) == [(3, 100.0), (15, 90.0)]
    with Load(fast, 290) as load:
        wait_for(lambda: instances(fast) == 3, "scaling out to ceil(290 / 100) instances")
        load.per_minute = 40
        wait_for(lambda: instances(fast) == 1, "scaling in")
    activities = target.describe_scaling_activities(ServiceNamespace="sagemaker", ResourceId=RESOURCE)["ScalingActivities"]
    assert activities[-1]["Description"] == "Setting desired instance count to 3."
    assert "policy tracking" in activities[-1]["Cause"] and activities[-1]["StatusCode"] == "Successful"
    target.delete_scaling_policy(**TARGET, PolicyName="tracking")
    assert fast.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"] == [], "its alarms go with the policy"


def test_a_step_policy_adds_more_the_further_its_alarm_is_exceeded(fast: Account, target: Any) -> None:
    steps = [
        {"MetricIntervalLowerBound": 0.0, "MetricIntervalUpperBound": 100.0, "ScalingAdjustment": 1},
        {"MetricIntervalLowerBound": 100.0, "ScalingAdjustment": 3},
    ]
    configuration = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": steps, "Cooldown": 600, "MetricAggregationType": "Maximum"}
    policy = target.put_scaling_policy(**TARGET, PolicyName="steps", PolicyType="StepScaling", StepScalingPolicyConfiguration=configuration)
    fast.client("cloudwatch").put_metric_alarm(
        AlarmName="too-busy",
        Namespace="AWS/SageMaker",
        MetricName="InvocationsPerInstance",
        Dimensions=[{"Name": "EndpointName", "Value": "scaled"}, {"Name": "VariantName", "Value": "AllTraffic"}],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1000,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[policy["PolicyARN"]],
    )
    with Load(fast, 1150):
        wait_for(lambda: instances(fast) == 4, "adding three instances at 150 above the threshold")
    described = target.describe_scaling_policies(ServiceNamespace="sagemaker", ResourceId=RESOURCE)["ScalingPolicies"][0]
    assert [alarm["AlarmName"] for alarm in described["Alarms"]] == ["too-busy"]
    fast.client("cloudwatch").delete_alarms(AlarmNames=["too-busy"])


def test_a_scheduled_action_moves_the_bounds_and_the_instances(fast: Account, target: Any) -> None:
    soon = fast.context.clock.now() + timedelta(minutes=2)
    target.put_scheduled_action(
        **TARGET,
        ScheduledActionName="morning",
        Schedule=f"at({soon:%Y-%m-%dT%H:%M:%S})",
        ScalableTargetAction={"MinCapacity": 2, "MaxCapacity": 3},
    )
    wait_for(lambda: instances(fast) == 2, "the scheduled minimum")
    registered = target.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[RESOURCE])["ScalableTargets"][0]
    assert (registered["MinCapacity"], registered["MaxCapacity"]) == (2, 3)
    causes = [one["Cause"] for one in target.describe_scaling_activities(ServiceNamespace="sagemaker")["ScalingActivities"]]
    assert any("scheduled action name morning was triggered" in cause for cause in causes)


def test_the_record_says_when_which_rule_changed_what(fast: Account, target: Any) -> None:
    lines = (fast.settings.state_directory / "scaling.jsonl").read_text().splitlines()
    decisions = [record for record in map(json.loads, lines) if record["decision"]]
    assert {record["rule"] for record in decisions} >= {"tracking", "steps", "morning"}
    assert {record["kind"] for record in decisions} >= {"target tracking", "step scaling", "scheduled"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"MinCapacity": 0, "MaxCapacity": 2}, "allowed for a variant: at least 1"),
        ({"MinCapacity": 3, "MaxCapacity": 2}, "cannot be less than minimum"),
        ({"MinCapacity": 1, "MaxCapacity": 2, "ResourceId": "endpoint/absent/variant/AllTraffic"}, "create the endpoint first"),
    ],
)
def test_a_target_that_cannot_work_is_refused(fast: Account, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientError, match=message):
        fast.client("application-autoscaling").register_scalable_target(**{**TARGET, **changes})


def test_a_policy_needs_a_target(fast: Account) -> None:
    with pytest.raises(ClientError, match="ObjectNotFoundException"):
        fast.client("application-autoscaling").put_scaling_policy(
            **TARGET, PolicyName="tracking", PolicyType="TargetTrackingScaling", TargetTrackingScalingPolicyConfiguration=TRACKING
        )


def test_overlapping_steps_are_refused(fast: Account, target: Any) -> None:
    steps = [
        {"MetricIntervalLowerBound": 0.0, "MetricIntervalUpperBound": 100.0, "ScalingAdjustment": 1},
        {"MetricIntervalLowerBound": 50.0, "ScalingAdjustment": 3},
    ]
    configuration = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": steps}
    with pytest.raises(ClientError, match="steps overlap between 50 and 100"):
        target.put_scaling_policy(**TARGET, PolicyName="steps", PolicyType="StepScaling", StepScalingPolicyConfiguration=configuration)


def test_scaling_of_other_services_is_refused_by_name(fast: Account) -> None:
    other = {"ServiceNamespace": "ecs", "ResourceId": "service/a/b", "ScalableDimension": "ecs:service:DesiredCount"}
    with pytest.raises(
        ClientError,
        match="does not implement application-autoscaling:RegisterScalableTarget with ScalableDimension ecs:service:DesiredCount",
    ):
        fast.client("application-autoscaling").register_scalable_target(**other, MinCapacity=1, MaxCapacity=2)


def test_a_variant_that_scales_keeps_its_instance_type_until_it_is_deregistered(fast: Account, target: Any) -> None:
    create_configuration(fast, "larger", {**variant("doubling"), "InstanceType": "ml.m5.xlarge"})
    wait_for(lambda: fast.client("sagemaker").describe_endpoint(EndpointName="scaled")["EndpointStatus"] == "InService", "an idle endpoint")

    with pytest.raises(ClientError, match=r'The variant\(s\) \["AllTraffic"\] must be deregistered as scalable targets'):
        fast.client("sagemaker").update_endpoint(EndpointName="scaled", EndpointConfigName="larger")

    assert fast.client("sagemaker").describe_endpoint(EndpointName="scaled")["EndpointConfigName"] == "scaled"
