"""All three kinds of scaling on one variant, on one trace: real processes and the simulator decide the same, at the same minute."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from capacity import api, service
from capacity.bounds import Decision
from capacity.model import Assumptions, Configuration
from capacity.simulate import simulate
from capacity.traffic import Traffic
from local_account.account import Account
from local_account.endpoints.registry import endpoints_of
from local_account.monitoring import alarm_loop, heartbeat, store
from local_account.monitoring.store import Datum
from local_account.scaling.activities import activities_of
from local_account.scaling.control_loop import ControlLoop
from tests.local_account.endpoint_models import create_configuration, create_endpoint, create_model, variant, wait_until_settled

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


def told(decisions: list[Decision], start: float) -> list[tuple[int, int, int, str]]:
    """Minute, old and new count, and rule of each decision."""
    return [(round((one.time - start) / 60), one.old, one.new, one.rule) for one in decisions]


class LocalDay:
    """Lives through the trace in a running account, minute by minute, with the account's own time standing still."""

    def __init__(self, account: Account, start: float) -> None:
        self.account, self.start = account, start
        self.loop, self.alarms = ControlLoop(account.context), alarm_loop.loop_of(account.context)
        self.decisions: list[Decision] = []
        self.counts: list[int] = []

    def live(self, minutes: int) -> None:
        before = self.running()
        for minute in range(minutes):
            if minute == DEPLOYMENT_AT:
                self.deploy()
            now = self.running()
            # New instances serve from the second of the minute's six ticks on, as in the simulator.
            value = LOAD[minute] * (1 / before + 5 / now) / 6
            before = now
            store.put(
                self.account.context,
                "AWS/SageMaker",
                [Datum("InvocationsPerInstance", DIMENSIONS, self.start + minute * 60, "None", [value])],
            )
            end = self.start + (minute + 1) * 60
            self.alarms.evaluate(end)
            self.loop.step(end)
            wait_until_settled(self.account, "day")
            self.counts.append(self.running())
        for record in activities_of(self.account.context).records:
            if record["decision"]:
                old, new = record["decision"].split(" -> ")
                moment = datetime.fromisoformat(record["time"]).timestamp()
                self.decisions.append(Decision(moment, int(old), int(new), record["rule"], record["kind"], record["cause"]))

    def running(self) -> int:
        return sum(len(each.instances) for each in endpoints_of(self.account.context).by_name["day"].variants())

    def deploy(self) -> None:
        """Deploy another configuration of one instance, retaining what scaling has made of the variant."""
        create_configuration(self.account, "day-2", variant("doubling", count=1))
        self.account.client("sagemaker").update_endpoint(EndpointName="day", EndpointConfigName="day-2", RetainAllVariantProperties=True)
        wait_until_settled(self.account, "day")


@pytest.fixture(scope="module")
def day(account: Account) -> LocalDay:
    context = account.context
    heartbeat.actions_of(context).clear()  # this test says what time it is
    start = context.clock.now().timestamp() // 3600 * 3600 + 7200
    create_model(account, "doubling")
    create_configuration(account, "day-1", variant("doubling", count=1))
    assert create_endpoint(account, "day", "day-1")["EndpointStatus"] == "InService"
    scaling = account.client("application-autoscaling")
    scaling.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=8)
    arns = {policy["PolicyName"]: scaling.put_scaling_policy(**TARGET, **policy)["PolicyARN"] for policy in POLICIES}
    account.client("cloudwatch").put_metric_alarm(**ALARM, AlarmActions=[arns["steps"]])
    scaling.put_scheduled_action(**TARGET, **scheduled(start))
    lived = LocalDay(account, start)
    lived.live(len(LOAD))
    return lived


@pytest.fixture(scope="module", autouse=True)
def ministack_identity(account: Account) -> None:
    """What `heartbeat.run` sets for its own thread."""
    from ministack.core.responses import set_request_account_id, set_request_region

    set_request_account_id(account.settings.account_id)
    set_request_region(account.settings.region)


def simulated(start: float) -> list[Decision]:
    """The same configuration, trace and a deployment that takes no time, in the simulator."""
    alarm = api.alarm_from_api(ALARM)
    alarm = api.alarm_from_api({**ALARM, "Dimensions": []}) if alarm.metric.dimensions else alarm
    configuration = Configuration(
        target=api.target_from_api({**TARGET, "MinCapacity": 1, "MaxCapacity": 8}),
        policies=(api.policy_from_api(POLICIES[0]), api.policy_from_api(POLICIES[1], [alarm])),
        scheduled_actions=(api.scheduled_action_from_api(scheduled(start)),),
        initial_instance_count=1,
    )
    at_once = Assumptions(
        provisioning_seconds=0.0,
        scale_in_seconds=0.0,
        metric_delay_seconds=0.0,
        high_resolution_delay_seconds=0.0,
        alarm_action_seconds=0.0,
    )
    traffic = Traffic(rate=np.array(LOAD) / 60, step_seconds=60.0, start=start)
    replay = simulate(configuration, traffic, service.given(1.0), slo_seconds=1.0, assumptions=at_once)
    return list(replay.decisions)


def test_each_kind_of_scaling_acts_and_the_record_says_which(day: LocalDay) -> None:
    assert {decision.kind for decision in day.decisions if decision.changes_capacity} == {"target tracking", "step scaling", "scheduled"}
    assert max(day.counts) == 8 and day.counts[-1] < 8


def test_a_deployment_in_the_middle_keeps_the_capacity(day: LocalDay) -> None:
    assert day.counts[DEPLOYMENT_AT - 1] > 1
    assert not [one for one in day.decisions if round((one.time - day.start) / 60) == DEPLOYMENT_AT], "so that nothing else can explain it"
    assert day.counts[DEPLOYMENT_AT] == day.counts[DEPLOYMENT_AT - 1]


def test_the_local_account_and_the_simulator_decide_the_same(day: LocalDay) -> None:
    expected = [one for one in told(simulated(day.start), day.start) if one[0] <= len(LOAD)]
    assert told(day.decisions, day.start) == expected
    assert math.prod(one[2] for one in expected) > 0
