"""Deployments move traffic step by step, and go back when an alarm trips."""

from __future__ import annotations

import json
import re
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account.account import Account
from local_account.endpoints import operations, rollout
from local_account.endpoints.registry import Endpoints
from local_account.errors import ServiceError

from .endpoint_models import create_configuration, create_endpoint, create_model, invoke, variant, wait_until_settled


def blue_green(routing: dict[str, Any], alarms: tuple[str, ...] = (), termination_seconds: int = 0) -> dict[str, Any]:
    policy = {"TrafficRoutingConfiguration": {"WaitIntervalInSeconds": 60, **routing}, "TerminationWaitInSeconds": termination_seconds}
    configuration: dict[str, Any] = {"BlueGreenUpdatePolicy": policy}
    if alarms:
        configuration["AutoRollbackConfiguration"] = {"Alarms": [{"AlarmName": name} for name in alarms]}
    return configuration


def percent(value: int) -> dict[str, Any]:
    return {"Type": "CAPACITY_PERCENT", "Value": value}


def rolling(size: dict[str, Any], bake_seconds: int = 60, alarms: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    policy = {"MaximumBatchSize": size, "WaitIntervalInSeconds": bake_seconds, **more}
    rollback = {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": name} for name in alarms]}} if alarms else {}
    return {"RollingUpdatePolicy": policy, **rollback}


# ------------------------------------------------------------------------------------------------ the plan

FOUR = {"AllTraffic": 4}


@pytest.mark.parametrize(
    ("routing", "shares"),
    [
        ({"Type": "ALL_AT_ONCE"}, (1.0,)),
        ({"Type": "CANARY", "CanarySize": percent(30)}, (0.3, 1.0)),
        ({"Type": "CANARY", "CanarySize": {"Type": "INSTANCE_COUNT", "Value": 1}}, (0.25, 1.0)),
        ({"Type": "LINEAR", "LinearStepSize": percent(40)}, (0.4, 0.8, 1.0)),
    ],
)
def test_traffic_moves_in_the_configured_steps(routing: dict[str, Any], shares: tuple[float, ...]) -> None:
    planned = rollout.plan(blue_green(routing, ("a",), 120), FOUR)
    assert (planned.shares, planned.bake_seconds, planned.termination_wait_seconds, planned.alarms) == (shares, 60.0, 120.0, ("a",))


def test_without_configuration_everything_moves_at_once_and_nothing_is_watched() -> None:
    assert rollout.plan(None, {"AllTraffic": 2}) == rollout.Plan((1.0,), 0.0, 0.0, ())


@pytest.mark.parametrize(
    ("routing", "message"),
    [
        ({"Type": "CANARY", "CanarySize": percent(60)}, "CanarySize is 60"),
        ({"Type": "LINEAR", "LinearStepSize": percent(5)}, "LinearStepSize is 5"),
        ({"Type": "CANARY"}, "CanarySize is required"),
        ({"Type": "SOMEHOW"}, "allowed: ALL_AT_ONCE, CANARY, LINEAR"),
    ],
)
def test_a_step_that_sagemaker_refuses_is_refused(routing: dict[str, Any], message: str) -> None:
    with pytest.raises(ServiceError, match=message):
        rollout.plan(blue_green(routing), FOUR)


def test_a_timeout_that_the_waiting_alone_would_reach_is_refused() -> None:
    configuration = blue_green({"Type": "LINEAR", "LinearStepSize": percent(50), "WaitIntervalInSeconds": 300}, termination_seconds=60)
    configuration["BlueGreenUpdatePolicy"]["MaximumExecutionTimeoutInSeconds"] = 660
    with pytest.raises(ServiceError, match="is 660; allowed: more than the 660 seconds"):
        rollout.plan(configuration, FOUR)
    configuration["BlueGreenUpdatePolicy"]["MaximumExecutionTimeoutInSeconds"] = 661
    assert rollout.plan(configuration, FOUR).timeout_seconds == 661


@pytest.mark.parametrize(
    ("size", "instances", "shares"),
    [
        (percent(50), 4, (0.5, 1.0)),
        (percent(30), 4, (0.25, 0.5, 0.75, 1.0)),
        (percent(5), 4, (0.25, 0.5, 0.75, 1.0)),
        ({"Type": "INSTANCE_COUNT", "Value": 2}, 5, (0.4, 0.8, 1.0)),
    ],
)
def test_a_rolling_update_moves_whole_instances(size: dict[str, Any], instances: int, shares: tuple[float, ...]) -> None:
    planned = rollout.plan(rolling(size, alarms=("a",)), {"AllTraffic": instances})
    assert (planned.shares, planned.rolls, planned.rollback_share) == (shares, True, 1.0)


def test_the_way_back_of_a_rolling_update_has_batches_of_its_own() -> None:
    assert rollout.plan(rolling(percent(25), RollbackMaximumBatchSize=percent(50)), FOUR).rollback_share == 0.5


@pytest.mark.parametrize(
    ("configuration", "counts", "message"),
    [
        (rolling(percent(60)), FOUR, "MaximumBatchSize is 60 .* allowed: 5 to 50 % of the new fleet"),
        (rolling(percent(4)), FOUR, "MaximumBatchSize is 4 "),
        (rolling({"Type": "INSTANCE_COUNT", "Value": 3}), FOUR, "MaximumBatchSize is 3 "),
        (rolling(percent(50), RollbackMaximumBatchSize=percent(4)), FOUR, "RollbackMaximumBatchSize is 4 .* allowed: 5 to 100 %"),
        (rolling(percent(50)), {"a": 2, "b": 2}, "cannot be used with 2 variants"),
        ({**rolling(percent(50)), **blue_green({"Type": "ALL_AT_ONCE"})}, FOUR, "only one of them"),
    ],
)
def test_a_rolling_update_that_sagemaker_refuses_is_refused(configuration: dict[str, Any], counts: dict[str, int], message: str) -> None:
    with pytest.raises(ServiceError, match=message):
        rollout.plan(configuration, counts)


def test_only_the_properties_that_are_not_excluded_are_retained() -> None:
    configuration = {"ProductionVariants": [variant("m", count=2, weight=1.0)]}
    running = [{"VariantName": "AllTraffic", "DesiredInstanceCount": 5, "DesiredWeight": 7.0}]
    kept = operations.retain_properties(configuration, running, {"DesiredWeight"})["ProductionVariants"][0]
    assert (kept["InitialInstanceCount"], kept["InitialVariantWeight"]) == (5, 1.0)


# -------------------------------------------------------------------------------------- in a running account


@pytest.fixture(scope="module")
def fast(account: Account) -> Account:
    """An account in which a minute passes in half a second, and two models."""
    create_model(account, "old", 2.0)
    create_model(account, "new", 3.0)
    create_configuration(account, "old", variant("old", count=2))
    create_configuration(account, "new", variant("new", count=2))
    account.context.clock.change(speed=120)
    return account


@pytest.fixture
def endpoint(fast: Account, request: pytest.FixtureRequest) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name)[-60:].strip("-")
    assert create_endpoint(fast, name, "old")["EndpointStatus"] == "InService"
    request.addfinalizer(lambda: fast.client("sagemaker").delete_endpoint(EndpointName=name))
    return name


def update(account: Account, endpoint: str, configuration: str = "new", **options: Any) -> None:
    account.client("sagemaker").update_endpoint(EndpointName=endpoint, EndpointConfigName=configuration, **options)


def factor(account: Account, endpoint: str) -> float:
    return float(json.loads(invoke(account, endpoint, b"1")["Body"])[0])


def test_a_canary_shares_traffic_before_it_takes_over(fast: Account, endpoint: str) -> None:
    update(fast, endpoint, DeploymentConfig=blue_green({"Type": "CANARY", "CanarySize": percent(50)}))
    seen = set()
    while fast.client("sagemaker").describe_endpoint(EndpointName=endpoint)["EndpointStatus"] == "Updating":
        seen.add(factor(fast, endpoint))
    assert seen == {2.0, 3.0}, "both fleets answered during the bake"
    described = wait_until_settled(fast, endpoint)
    assert described["EndpointConfigName"] == "new" and factor(fast, endpoint) == 3.0
    assert "FailureReason" not in described
    assert sum(len(each.instances) for each in Endpoints.at(fast.context).by_name[endpoint].variants()) == 2, "the old fleet is gone"


def test_an_alarm_during_the_bake_rolls_back(fast: Account, endpoint: str) -> None:
    cloudwatch = fast.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="errors",
        Namespace="AWS/SageMaker",
        MetricName="Invocation5XXErrors",
        Statistic="Average",
        Period=60,
        EvaluationPeriods=1,
        Threshold=0.01,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
        Dimensions=[{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": "AllTraffic"}],
    )
    create_model(fast, "failing", code="def model_fn(d): return 1\ndef transform_fn(m, data, ct, accept): raise RuntimeError('bug')\n")
    create_configuration(fast, "failing", variant("failing", count=2))
    routing = {"Type": "CANARY", "CanarySize": percent(50), "WaitIntervalInSeconds": 600}
    update(fast, endpoint, "failing", DeploymentConfig=blue_green(routing, ("errors",)))
    while fast.client("sagemaker").describe_endpoint(EndpointName=endpoint)["EndpointStatus"] != "InService":
        try:
            factor(fast, endpoint)
        except ClientError as error:
            assert error.response["Error"]["Code"] == "ModelError"
        time.sleep(0.01)
    described = wait_until_settled(fast, endpoint)
    assert described["EndpointConfigName"] == "old"
    assert "rolled back because these alarms were in ALARM: errors" in described["FailureReason"]
    assert {factor(fast, endpoint) for _ in range(10)} == {2.0}


def running(account: Account, endpoint: str) -> int:
    return sum(len(each.instances) for each in Endpoints.at(account.context).by_name[endpoint].variants())


def test_a_rolling_update_never_has_more_than_a_batch_on_top(fast: Account, endpoint: str) -> None:
    update(fast, endpoint, DeploymentConfig=rolling(percent(50)))
    seen, most = set(), 0
    while fast.client("sagemaker").describe_endpoint(EndpointName=endpoint)["EndpointStatus"] == "Updating":
        seen.add(factor(fast, endpoint))
        most = max(most, running(fast, endpoint))
    assert (seen, most) == ({2.0, 3.0}, 3), "two instances, and a batch of one"
    described = wait_until_settled(fast, endpoint)
    assert described["EndpointConfigName"] == "new" and "FailureReason" not in described
    assert (running(fast, endpoint), factor(fast, endpoint)) == (2, 3.0)


@pytest.mark.parametrize("back", [{}, {"RollbackMaximumBatchSize": percent(50)}], ids=["at once", "in batches"])
def test_an_alarm_brings_back_the_instances_that_a_rolling_update_has_taken_away(
    fast: Account, endpoint: str, back: dict[str, Any]
) -> None:
    cloudwatch, state = fast.client("cloudwatch"), Endpoints.at(fast.context).by_name[endpoint]
    alarm = {"Namespace": "own", "MetricName": "m", "Statistic": "Sum", "Period": 3600, "EvaluationPeriods": 1, "Threshold": 1}
    cloudwatch.put_metric_alarm(AlarmName="by-hand", ComparisonOperator="GreaterThanThreshold", **alarm)
    cloudwatch.set_alarm_state(AlarmName="by-hand", StateValue="OK", StateReason="test")
    update(fast, endpoint, DeploymentConfig=rolling(percent(50), bake_seconds=120, alarms=("by-hand",), **back))
    while state.candidate_share < 1.0:  # the first batch has replaced one of the two
        time.sleep(0.005)
    cloudwatch.set_alarm_state(AlarmName="by-hand", StateValue="ALARM", StateReason="test")
    described = wait_until_settled(fast, endpoint)
    assert described["EndpointConfigName"] == "old" and "in ALARM: by-hand" in described["FailureReason"]
    assert (running(fast, endpoint), {factor(fast, endpoint) for _ in range(10)}) == (2, {2.0})


def test_a_model_that_does_not_start_leaves_the_old_one_serving(fast: Account, endpoint: str) -> None:
    create_model(fast, "unloadable", code="raise ImportError('missing')")
    create_configuration(fast, "unloadable", variant("unloadable"))
    update(fast, endpoint, "unloadable")
    described = wait_until_settled(fast, endpoint)
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "old")
    assert "did not pass the ping health check" in described["FailureReason"]
    assert factor(fast, endpoint) == 2.0


def test_a_deployment_that_takes_too_long_goes_back(fast: Account, endpoint: str) -> None:
    configuration = blue_green({"Type": "CANARY", "CanarySize": percent(50), "WaitIntervalInSeconds": 300})
    configuration["BlueGreenUpdatePolicy"]["MaximumExecutionTimeoutInSeconds"] = 700
    update(fast, endpoint, DeploymentConfig=configuration)
    state = Endpoints.at(fast.context).by_name[endpoint]
    while state.candidate is None:
        time.sleep(0.005)
    fast.context.clock.change(now=fast.context.clock.now() + timedelta(seconds=701))
    described = wait_until_settled(fast, endpoint)
    assert described["EndpointConfigName"] == "old" and "MaximumExecutionTimeoutInSeconds of 700" in described["FailureReason"]


@pytest.mark.parametrize("how", [{}, {"DeploymentConfig": rolling(percent(50), 0)}], ids=["blue/green", "rolling"])
def test_no_request_fails_while_a_deployment_takes_over(fast: Account, endpoint: str, how: dict[str, Any]) -> None:
    answers: list[float] = []
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            answers.append(factor(fast, endpoint))

    clients = [threading.Thread(target=ask) for _ in range(8)]
    for client in clients:
        client.start()
    update(fast, endpoint, **how)
    wait_until_settled(fast, endpoint)
    done.set()
    for client in clients:
        client.join()
    assert set(answers) == {2.0, 3.0} and answers[-1] == 3.0


def test_scaled_out_capacity_is_retained_and_data_capture_is_not(fast: Account, endpoint: str) -> None:
    sagemaker = fast.client("sagemaker")
    wanted = [{"VariantName": "AllTraffic", "DesiredInstanceCount": 3}]
    sagemaker.update_endpoint_weights_and_capacities(EndpointName=endpoint, DesiredWeightsAndCapacities=wanted)
    wait_until_settled(fast, endpoint)
    capture = {"InitialSamplingPercentage": 10, "DestinationS3Uri": "s3://models/capture", "CaptureOptions": [{"CaptureMode": "Input"}]}
    create_configuration(fast, "with-capture", variant("new", count=1), capture=capture)
    excluded = [{"VariantPropertyType": "DataCaptureConfig"}, {"VariantPropertyType": "DesiredWeight"}]
    update(fast, endpoint, "with-capture", RetainAllVariantProperties=True, ExcludeRetainedVariantProperties=excluded)
    described = wait_until_settled(fast, endpoint)
    assert described["ProductionVariants"][0]["CurrentInstanceCount"] == 3
    assert described["DataCaptureConfig"]["CurrentSamplingPercentage"] == 10


def test_an_updating_endpoint_refuses_to_be_scaled_or_updated(fast: Account, endpoint: str) -> None:
    update(fast, endpoint, DeploymentConfig=blue_green({"Type": "ALL_AT_ONCE"}))
    wanted = [{"VariantName": "AllTraffic", "DesiredInstanceCount": 3}]
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        fast.client("sagemaker").update_endpoint_weights_and_capacities(EndpointName=endpoint, DesiredWeightsAndCapacities=wanted)
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        update(fast, endpoint)
    assert wait_until_settled(fast, endpoint)["EndpointConfigName"] == "new"


def test_a_canary_above_half_is_refused_before_anything_changes(fast: Account, endpoint: str) -> None:
    with pytest.raises(ClientError, match="CanarySize is 60"):
        update(fast, endpoint, DeploymentConfig=blue_green({"Type": "CANARY", "CanarySize": percent(60)}))
    assert wait_until_settled(fast, endpoint)["EndpointConfigName"] == "old"


def test_an_endpoint_can_be_deleted_while_it_is_updated(fast: Account) -> None:
    create_endpoint(fast, "doomed", "old")
    state = Endpoints.at(fast.context).by_name["doomed"]
    update(fast, "doomed", DeploymentConfig=blue_green({"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 3600}))
    fast.client("sagemaker").delete_endpoint(EndpointName="doomed")
    assert [each.instances for each in state.variants()] == [()]
