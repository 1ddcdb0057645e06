"""Inference components: several models on one endpoint, each asked, scaled, replaced and counted by itself, where there is room for it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account.account import Account

from .endpoint_models import create_configuration, create_endpoint, create_model

ROLE = "arn:aws:iam::111122223333:role/Model"
ENDPOINT = "fleet"
ROLLING = {
    "RollingUpdatePolicy": {"MaximumBatchSize": {"Type": "CAPACITY_PERCENT", "Value": 50}, "WaitIntervalInSeconds": 0},
}


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    for _ in range(400):
        if found := condition():
            return found
        time.sleep(0.025)
    raise AssertionError(what)


def empty_variant(**bounds: int) -> dict[str, Any]:
    return {
        "VariantName": "AllTraffic",
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
        "ManagedInstanceScaling": {"Status": "ENABLED", **bounds},
    }


@pytest.fixture(scope="module")
def fleet(account: Account) -> str:
    """Two instances of 2 cores at most, and none if nothing is on them."""
    for name, factor in (("double", 2.0), ("triple", 3.0), ("fourfold", 4.0)):
        create_model(account, name, factor)
    create_configuration(account, ENDPOINT, empty_variant(MinInstanceCount=0, MaxInstanceCount=2), ExecutionRoleArn=ROLE)
    assert create_endpoint(account, ENDPOINT, ENDPOINT)["EndpointStatus"] == "InService"
    return ENDPOINT


@pytest.fixture(scope="module")
def components(account: Account, fleet: str) -> str:
    for name in ("double", "triple"):
        create(account, name, name)
        assert settled(account, name)["InferenceComponentStatus"] == "InService"
    return fleet


def create(
    account: Account, name: str, model: str, copies: int = 1, cores: float = 1.0, memory_mb: int = 1024, endpoint: str = ENDPOINT
) -> None:
    account.client("sagemaker").create_inference_component(
        InferenceComponentName=name, EndpointName=endpoint, VariantName="AllTraffic", Specification=needs(model, cores, memory_mb),
        RuntimeConfig={"CopyCount": copies},
    )  # fmt: skip


def needs(model: str, cores: float = 1.0, memory_mb: int = 1024) -> dict[str, Any]:
    requirements = {"NumberOfCpuCoresRequired": cores, "MinMemoryRequiredInMb": memory_mb}
    return {"ModelName": model, "ComputeResourceRequirements": requirements}


def settled(account: Account, name: str) -> dict[str, Any]:
    def described() -> Any:
        found = account.client("sagemaker").describe_inference_component(InferenceComponentName=name)
        return found if found["InferenceComponentStatus"] in ("InService", "Failed") else None

    return dict(wait_for(described, name))


def ask(account: Account, name: str | None) -> list[float]:
    given = {"InferenceComponentName": name} if name else {}
    answer = account.client("sagemaker-runtime").invoke_endpoint(EndpointName=ENDPOINT, Body=b"1,2", ContentType="text/csv", **given)
    return list(json.loads(answer["Body"].read()))


def refused(call: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as raised:
        call()
    return str(raised.value.response["Error"]["Message"])


def instances(account: Account) -> int:
    (variant,) = account.client("sagemaker").describe_endpoint(EndpointName=ENDPOINT)["ProductionVariants"]
    return int(variant["CurrentInstanceCount"])


def utilisation(account: Account, metric: str, statistic: str) -> list[float]:
    """Of the endpoint's instances, by the minute."""
    now = account.context.clock.now()
    found = account.client("cloudwatch").get_metric_statistics(
        Namespace="/aws/sagemaker/Endpoints", MetricName=metric, Period=60, Statistics=[statistic],
        Dimensions=[{"Name": "EndpointName", "Value": ENDPOINT}, {"Name": "VariantName", "Value": "AllTraffic"}],
        StartTime=now - timedelta(hours=1), EndTime=now + timedelta(hours=1),
    )  # fmt: skip
    return [float(point[statistic]) for point in found["Datapoints"]]


def total(account: Account, metric: str, name: str) -> float:
    now = account.context.clock.now()
    found = account.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/SageMaker", MetricName=metric, Dimensions=[{"Name": "InferenceComponentName", "Value": name}], Period=60,
        StartTime=now - timedelta(hours=1), EndTime=now + timedelta(hours=1), Statistics=["Sum"],
    )  # fmt: skip
    return float(sum(point["Sum"] for point in found["Datapoints"]))


def test_each_model_is_asked_by_its_name(account: Account, components: str) -> None:
    assert (ask(account, "double"), ask(account, "triple")) == ([2.0, 4.0], [3.0, 6.0])
    listed = account.client("sagemaker").list_inference_components(EndpointNameEquals=ENDPOINT)["InferenceComponents"]
    assert {item["InferenceComponentName"] for item in listed} == {"double", "triple"}


def test_what_is_no_component_is_refused_with_the_reason(account: Account, fleet: str) -> None:
    sagemaker = account.client("sagemaker")
    bare = {"InferenceComponentName": "bare", "EndpointName": ENDPOINT, "VariantName": "AllTraffic"}
    assert refused(lambda: sagemaker.create_inference_component(**bare)) == "Specification needs ModelName and ComputeResourceRequirements."
    bounds = empty_variant(MinInstanceCount=3, MaxInstanceCount=1)
    said = refused(lambda: create_configuration(account, "bounds", bounds, ExecutionRoleArn=ROLE))
    assert said == "Variant AllTraffic has a MinInstanceCount of 3, more than its MaxInstanceCount of 1."


def test_a_target_model_is_refused_in_the_name_of_the_endpoint_that_was_asked(account: Account, components: str) -> None:
    runtime = account.client("sagemaker-runtime")
    given = {"EndpointName": ENDPOINT, "InferenceComponentName": "double", "TargetModel": "a.tar.gz", "Body": b"1,2"}
    assert refused(lambda: runtime.invoke_endpoint(**given)).startswith("Endpoint fleet is not a multi-model endpoint")


def test_of_those_that_come_at_once_only_as_many_are_made_as_there_is_room_for(account: Account, fleet: str) -> None:
    """One instance of 2 cores: one copy of 1.5. What was refused leaves nothing behind, and what is there goes on."""
    create_configuration(account, "small", empty_variant(MinInstanceCount=0, MaxInstanceCount=1), ExecutionRoleArn=ROLE)
    create_endpoint(account, "small", "small")
    said: list[str] = []

    def make(number: int) -> None:
        try:
            create(account, f"racer-{number}", "double", cores=1.5, endpoint="small")
        except ClientError as error:
            said.append(str(error))

    racing = [threading.Thread(target=make, args=(number,)) for number in range(4)]
    for thread in racing:
        thread.start()
    for thread in racing:
        thread.join()
    assert len(said) == 3 and all("Not enough capacity" in words for words in said)
    sagemaker = account.client("sagemaker")
    (made,) = sagemaker.list_inference_components(EndpointNameEquals="small")["InferenceComponents"]
    name = made["InferenceComponentName"]
    assert settled(account, name)["RuntimeConfig"]["CurrentCopyCount"] == 1
    assert "do not fit" in refused(lambda: sagemaker.update_inference_component(InferenceComponentName=name, Specification=needs("triple")))
    assert settled(account, name)["Specification"]["ModelName"] == "double"
    sagemaker.delete_inference_component(InferenceComponentName=name)
    sagemaker.delete_endpoint(EndpointName="small")


def test_a_request_without_a_name_or_with_an_unknown_one_gets_the_services_error(account: Account, components: str) -> None:
    assert refused(lambda: ask(account, None)).startswith("Inference Component Name header is required for endpoints to which you plan")
    assert refused(lambda: ask(account, "sextuple")) == "Inference Component sextuple of account 111122223333 not found on endpoint fleet."


def test_instances_follow_what_is_reserved_and_what_does_not_fit_is_refused(account: Account, components: str) -> None:
    assert instances(account) == 1
    create(account, "spread", "fourfold")
    settled(account, "spread")
    assert instances(account) == 2
    account.context.clock.change(now=account.context.clock.now() + timedelta(minutes=2))
    wait_for(lambda: 2.0 in utilisation(account, "CPUUtilization", "SampleCount"), "a value of each instance")
    assert max(utilisation(account, "MemoryUtilization", "Average")) > 0
    said = refused(lambda: create(account, "more", "fourfold", copies=2))
    assert said == "Not enough capacity: 2 x 1024 MB and 1 cores do not fit on at most 2 ml.m5.large of 8192 MB and 2 cores."
    assert "16384 MB" in refused(lambda: create(account, "large", "fourfold", memory_mb=16384))
    account.client("sagemaker").delete_inference_component(InferenceComponentName="spread")
    assert instances(account) == 1


def test_an_endpoint_with_components_is_not_deleted(account: Account, components: str) -> None:
    assert "while it hosts inference components" in refused(lambda: account.client("sagemaker").delete_endpoint(EndpointName=ENDPOINT))


def test_a_new_version_replaces_copies_while_each_request_is_answered(account: Account, components: str) -> None:
    failed: list[str] = []
    answers: dict[str, set[float]] = {"double": set(), "triple": set()}
    over = threading.Event()

    def traffic(name: str) -> None:
        while not over.is_set():
            try:
                answers[name].add(ask(account, name)[0])
            except ClientError as error:
                failed.append(str(error))

    asking = [threading.Thread(target=traffic, args=(name,)) for name in answers]
    for thread in asking:
        thread.start()
    account.client("sagemaker").update_inference_component(
        InferenceComponentName="double", Specification=needs("fourfold"), DeploymentConfig=ROLLING
    )
    assert settled(account, "double")["Specification"]["ModelName"] == "fourfold"
    assert ask(account, "double") == [4.0, 8.0]
    over.set()
    for thread in asking:
        thread.join()
    assert not failed
    assert answers["triple"] == {3.0} and answers["double"] <= {2.0, 4.0}


def test_an_alarm_brings_the_version_back(account: Account, components: str) -> None:
    cloudwatch, before = account.client("cloudwatch"), settled(account, "triple")["Specification"]["ModelName"]
    cloudwatch.put_metric_alarm(
        AlarmName="bad", MetricName="Bad", Namespace="Test", Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=1,
        ComparisonOperator="GreaterThanThreshold", TreatMissingData="ignore",
    )  # fmt: skip
    cloudwatch.set_alarm_state(AlarmName="bad", StateValue="ALARM", StateReason="by hand")
    account.client("sagemaker").update_inference_component(
        InferenceComponentName="triple",
        Specification=needs("fourfold"),
        DeploymentConfig={**ROLLING, "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "bad"}]}},
    )
    assert settled(account, "triple")["Specification"]["ModelName"] == before
    assert ask(account, "triple") == [3.0, 6.0]
    cloudwatch.delete_alarms(AlarmNames=["bad"])


def test_none_is_left_and_the_next_request_is_refused_and_counted(account: Account, components: str) -> None:
    sagemaker = account.client("sagemaker")
    for name in ("double", "triple"):
        sagemaker.update_inference_component_runtime_config(InferenceComponentName=name, DesiredRuntimeConfig={"CopyCount": 0})
        assert settled(account, name)["RuntimeConfig"]["CurrentCopyCount"] == 0
    assert instances(account) == 0
    assert refused(lambda: ask(account, "double")).startswith("Inference Component has no capacity to process this request.")
    account.context.clock.change(now=account.context.clock.now() + timedelta(minutes=2))
    assert wait_for(lambda: total(account, "NoCapacityInvocationFailures", "double"), "the metric that starts a copy") >= 1
    assert total(account, "NoCapacityInvocationFailures", "triple") == 0
    assert total(account, "Invocations", "triple") > 0
    sagemaker.update_inference_component_runtime_config(InferenceComponentName="double", DesiredRuntimeConfig={"CopyCount": 1})
    settled(account, "double")
    assert ask(account, "double") == [4.0, 8.0]
