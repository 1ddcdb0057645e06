"""Serverless endpoints: containers come with requests and go when idle, and too many requests at once are refused."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account.account import Account
from local_account.endpoints.registry import Endpoints
from local_account.endpoints.serverless import IDLE_SECONDS, ServerlessVariant

from .endpoint_models import INFERENCE, create_configuration, create_endpoint, create_model, invoke, variant, wait_until_settled

TARGET = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": "endpoint/serverless/variant/AllTraffic",
    "ScalableDimension": "sagemaker:variant:DesiredProvisionedConcurrency",
}
#: "wait" takes half a second to answer.
SLOW = INFERENCE.replace(
    'if data == "exit":', 'if data == "wait":\n        __import__("time").sleep(0.5)\n        return [1.0]\n    if data == "exit":'
)


def serverless(model: str, **configuration: int) -> dict[str, Any]:
    return {
        "VariantName": "AllTraffic",
        "ModelName": model,
        "ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 2, **configuration},
    }


@pytest.fixture(scope="module")
def endpoint(account: Account) -> str:
    create_model(account, "slow", code=SLOW)
    create_configuration(account, "serverless", serverless("slow"))
    described = create_endpoint(account, "serverless", "serverless")
    assert described["EndpointStatus"] == "InService", described
    return "serverless"


def running(account: Account, endpoint: str = "serverless") -> ServerlessVariant:
    (found,) = Endpoints.at(account.context).by_name[endpoint].variants()
    assert isinstance(found, ServerlessVariant)
    return found


def warm(account: Account, endpoint: str = "serverless") -> int:
    return len(running(account, endpoint).instances)


def wait_for(condition: Any, what: str) -> None:
    for _ in range(400):
        if condition():
            return
        time.sleep(0.025)
    raise AssertionError(what)


def pass_idle_time(account: Account) -> None:
    account.context.clock.change(now=account.context.clock.now() + timedelta(seconds=IDLE_SECONDS + 60))


def metric(account: Account, name: str, endpoint: str = "serverless", namespace: str = "AWS/SageMaker") -> list[float]:
    """Averages of every minute that has any."""
    now = account.context.clock.now()
    dimensions = [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": "AllTraffic"}]
    times = {"StartTime": now - timedelta(hours=6), "EndTime": now + timedelta(hours=1), "Period": 60}
    found = account.client("cloudwatch").get_metric_statistics(
        Namespace=namespace, MetricName=name, Dimensions=dimensions, Statistics=["Average"], **times
    )
    return [point["Average"] for point in found["Datapoints"]]


def test_it_has_no_instances_and_says_what_it_may_take(account: Account, endpoint: str) -> None:
    (described,) = account.client("sagemaker").describe_endpoint(EndpointName=endpoint)["ProductionVariants"]
    assert described["CurrentServerlessConfig"] == {"MemorySizeInMB": 1024, "MaxConcurrency": 2}
    assert described["CurrentInstanceCount"] == 0 and "DesiredInstanceCount" not in described
    assert json.loads(invoke(account, endpoint)["Body"]) == [2.0, 4.0]


def test_a_container_goes_when_idle_and_the_next_request_starts_one(account: Account, endpoint: str) -> None:
    invoke(account, endpoint)
    assert warm(account) >= 1
    pass_idle_time(account)
    wait_for(lambda: warm(account) == 0, "idle containers go")
    assert json.loads(invoke(account, endpoint)["Body"]) == [2.0, 4.0]
    assert warm(account) == 1
    invoke(account, endpoint)
    account.context.clock.change(now=account.context.clock.now() + timedelta(minutes=1))
    wait_for(lambda: metric(account, "ModelSetupTime"), "the cold start is a metric")
    (setup,) = metric(account, "ModelSetupTime")
    assert setup > 10_000, "in microseconds"
    assert not metric(account, "InvocationsPerInstance") and metric(account, "Invocations")
    wait_for(lambda: metric(account, "MemoryUtilization", namespace="/aws/sagemaker/Endpoints"), "memory is a metric")
    assert not metric(account, "CPUUtilization", namespace="/aws/sagemaker/Endpoints")


def test_more_requests_at_once_than_allowed_are_refused(account: Account, endpoint: str) -> None:
    """Each attempt counts: clients ask again after it."""
    refused: list[str] = []
    client = account.client("sagemaker-runtime")

    def note(response: Any, **_: Any) -> None:
        if response is not None:
            refused.append(response[1].get("Error", {}).get("Code", ""))

    client.meta.events.register_first("needs-retry.sagemaker-runtime.InvokeEndpoint", note)

    def is_answered(_: int) -> bool:
        try:
            return bool(client.invoke_endpoint(EndpointName=endpoint, Body=b"wait", ContentType="text/csv"))
        except ClientError as error:
            assert error.response["Error"]["Code"] == "ThrottlingException"
            return False

    with ThreadPoolExecutor(4) as pool:
        answered = list(pool.map(is_answered, range(4)))
    assert sum(answered) >= 2 and refused.count("ThrottlingException") >= 2
    assert warm(account) == 2


def test_a_body_of_more_than_four_megabytes_is_refused(account: Account, endpoint: str) -> None:
    with pytest.raises(ClientError, match="4194304"):
        invoke(account, endpoint, b"1" * (4 * 2**20 + 1))


@pytest.mark.parametrize(
    ("changes", "more", "words"),
    [
        ({"InstanceType": "ml.m5.large", "InitialInstanceCount": 1}, {}, "InstanceType or InitialInstanceCount"),
        (
            {},
            {
                "DataCaptureConfig": {
                    "InitialSamplingPercentage": 100,
                    "DestinationS3Uri": "s3://models/x",
                    "CaptureOptions": [{"CaptureMode": "Input"}],
                }
            },
            "data capture",
        ),
        ({}, {"AsyncInferenceConfig": {"OutputConfig": {"S3OutputPath": "s3://models/x"}}}, "asynchronous inference"),
        ({"ServerlessConfig": {"MemorySizeInMB": 1500, "MaxConcurrency": 1}}, {}, "MemorySizeInMB is 1500"),
        (
            {"ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 1, "ProvisionedConcurrency": 2}},
            {},
            "more than MaxConcurrency 1",
        ),
        ({"ModelName": "isolated"}, {}, "network isolation"),
        ({"ModelName": "in-vpc"}, {}, "VPC configuration"),
    ],
)
def test_what_serverless_cannot_have_is_refused(
    account: Account, endpoint: str, changes: dict[str, Any], more: dict[str, Any], words: str
) -> None:
    models = {
        "isolated": {"EnableNetworkIsolation": True},
        "in-vpc": {"VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}},
    }
    sagemaker = account.client("sagemaker")
    if changes.get("ModelName") in models:
        create_model(account, changes["ModelName"], **models[changes["ModelName"]])
    with pytest.raises(ClientError, match=words):
        sagemaker.create_endpoint_config(EndpointConfigName="refused", ProductionVariants=[{**serverless("slow"), **changes}], **more)


def test_an_endpoint_on_instances_cannot_become_serverless(account: Account, endpoint: str) -> None:
    create_configuration(account, "instances", variant("slow"))
    create_endpoint(account, "instances", "instances")
    with pytest.raises(ClientError, match="cannot be converted to serverless"):
        account.client("sagemaker").update_endpoint(EndpointName="instances", EndpointConfigName="serverless")
    account.client("sagemaker").delete_endpoint(EndpointName="instances")


def test_what_is_provisioned_stays_warm_and_scales(account: Account, endpoint: str) -> None:
    create_configuration(account, "provisioned", serverless("slow", ProvisionedConcurrency=1))
    account.client("sagemaker").update_endpoint(EndpointName=endpoint, EndpointConfigName="provisioned")
    assert wait_until_settled(account, endpoint)["EndpointConfigName"] == "provisioned"
    pass_idle_time(account)
    time.sleep(1.2)  # a beat
    assert warm(account) == 1
    scaling = account.client("application-autoscaling")
    scaling.register_scalable_target(**TARGET, MinCapacity=2, MaxCapacity=2)
    wait_for(lambda: warm(account) == 2, "the minimum is brought about")
    (described,) = wait_until_settled(account, endpoint)["ProductionVariants"]
    assert described["CurrentServerlessConfig"]["ProvisionedConcurrency"] == 2
    activities = scaling.describe_scaling_activities(ServiceNamespace="sagemaker")["ScalingActivities"]
    assert activities[0]["Description"] == "Setting desired provisioned concurrency to 2."
    invoke(account, endpoint, b"wait")
    wait_for(lambda: metric(account, "ServerlessProvisionedConcurrencyUtilization"), "its use is a metric")
    assert max(metric(account, "ServerlessProvisionedConcurrencyUtilization")) == 0.5
    scaling.deregister_scalable_target(**TARGET)


def test_instances_of_a_serverless_variant_cannot_be_scaled(account: Account, endpoint: str) -> None:
    wrong = {**TARGET, "ScalableDimension": "sagemaker:variant:DesiredInstanceCount"}
    with pytest.raises(ClientError, match="no instance count"):
        account.client("application-autoscaling").register_scalable_target(**wrong, MinCapacity=1, MaxCapacity=2)
    wanted = [{"VariantName": "AllTraffic", "DesiredInstanceCount": 2}]
    with pytest.raises(ClientError, match="it is serverless"):
        account.client("sagemaker").update_endpoint_weights_and_capacities(EndpointName=endpoint, DesiredWeightsAndCapacities=wanted)
