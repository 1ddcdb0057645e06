"""Asynchronous endpoints: requests wait in a queue, answers lie in S3, topics are told, and the fleet goes to zero and comes back."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account.account import Account
from local_account.endpoints.registry import Endpoints

from .endpoint_models import create_configuration, create_endpoint, create_model, invoke, variant, wait_until_settled
from .roles import open_to_services

NAME = "queued"
TARGET = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": f"endpoint/{NAME}/variant/AllTraffic",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}


@pytest.fixture(scope="module")
def queue(account: Account) -> str:
    """Address of a queue that gets what both topics say."""
    sqs, sns = account.client("sqs"), account.client("sns")
    url = sqs.create_queue(QueueName="told", Attributes=open_to_services())["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    for name in ("done", "failed"):
        sns.subscribe(TopicArn=sns.create_topic(Name=name)["TopicArn"], Protocol="sqs", Endpoint=arn)
    return str(url)


@pytest.fixture(scope="module")
def endpoint(account: Account, queue: str) -> Iterator[str]:
    create_model(account, "doubling")
    account.client("s3").create_bucket(Bucket="data")
    topics = {f"{kind}Topic": account.context.arn("sns", name) for kind, name in (("Success", "done"), ("Error", "failed"))}
    output = {"S3OutputPath": "s3://data/out", "S3FailurePath": "s3://data/failures", "NotificationConfig": topics}
    account.client("sagemaker").create_endpoint_config(
        EndpointConfigName=NAME, ProductionVariants=[variant("doubling")], AsyncInferenceConfig={"OutputConfig": output}
    )
    described = create_endpoint(account, NAME, NAME)
    assert described["EndpointStatus"] == "InService", described
    assert described["AsyncInferenceConfig"]["OutputConfig"]["S3OutputPath"] == "s3://data/out"
    yield NAME
    account.client("sagemaker").delete_endpoint(EndpointName=NAME)


def ask(account: Account, body: bytes | None = None, **more: Any) -> dict[str, Any]:
    if body is not None:
        account.client("s3").put_object(Bucket="data", Key="in/rows.csv", Body=body)
        more["InputLocation"] = "s3://data/in/rows.csv"
    answer: dict[str, Any] = account.client("sagemaker-runtime").invoke_endpoint_async(EndpointName=NAME, ContentType="text/csv", **more)
    return answer


def read(account: Account, address: str) -> bytes:
    """Once it is there."""
    bucket, _, key = address.removeprefix("s3://").partition("/")
    for _ in range(400):
        try:
            content: bytes = account.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
            return content
        except ClientError:
            time.sleep(0.025)
    raise AssertionError(f"{address} is not written")


def told(account: Account, queue: str, inference_id: str) -> dict[str, Any]:
    for _ in range(100):
        for message in account.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            said: dict[str, Any] = json.loads(json.loads(message["Body"])["Message"])
            if said["inferenceId"] == inference_id:
                return said
        time.sleep(0.05)
    raise AssertionError(f"nobody was told of {inference_id}")


def metric(account: Account, name: str, **dimensions: str) -> list[float]:
    now = account.context.clock.now()
    times = {"StartTime": now - timedelta(hours=6), "EndTime": now + timedelta(hours=1), "Period": 60}
    given = [{"Name": key, "Value": value} for key, value in {"EndpointName": NAME, **dimensions}.items()]
    found = account.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/SageMaker", MetricName=name, Dimensions=given, Statistics=["Maximum"], **times
    )
    return [point["Maximum"] for point in found["Datapoints"]]


def wait_for(condition: Any, what: str) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.025)
    raise AssertionError(what)


def test_the_answer_lies_in_s3_and_a_topic_is_told(account: Account, endpoint: str, queue: str) -> None:
    accepted = ask(account, b"1,2", InferenceId="first")
    assert accepted["ResponseMetadata"]["HTTPStatusCode"] == 202 and accepted["InferenceId"] == "first"
    assert json.loads(read(account, accepted["OutputLocation"])) == [2.0, 4.0]
    said = told(account, queue, "first")
    assert (said["invocationStatus"], said["responseParameters"]["outputLocation"]) == ("Completed", accepted["OutputLocation"])
    assert said["requestParameters"] == {
        "contentType": "text/csv",
        "endpointName": NAME,
        "inputLocation": "s3://data/in/rows.csv",
    }


def test_a_small_body_can_be_sent_with_the_request(account: Account, endpoint: str) -> None:
    assert json.loads(read(account, ask(account, Body=b"3")["OutputLocation"])) == [6.0]


def test_what_the_model_refuses_lies_at_the_failure_location(account: Account, endpoint: str, queue: str) -> None:
    accepted = ask(account, Body=b"no number", InferenceId="wrong")
    assert b"from model" in read(account, accepted["FailureLocation"])
    said = told(account, queue, "wrong")
    assert said["invocationStatus"] == "Failed" and "from model" in said["failureReason"]


def test_a_request_that_is_not_there_fails(account: Account, endpoint: str) -> None:
    accepted = ask(account, InputLocation="s3://data/in/nothing.csv")
    assert b"could not be downloaded" in read(account, accepted["FailureLocation"])


@pytest.mark.parametrize("more", [{}, {"Body": b"1", "InputLocation": "s3://data/in/rows.csv"}])
def test_a_request_has_one_payload(account: Account, endpoint: str, more: dict[str, Any]) -> None:
    with pytest.raises(ClientError, match="exactly one of Body and InputLocation"):
        ask(account, **more)


def test_each_kind_is_invoked_in_its_own_way(account: Account, endpoint: str) -> None:
    with pytest.raises(ClientError, match="InvokeEndpointAsync"):
        invoke(account, NAME)
    create_configuration(account, "synchronous", variant("doubling"))
    create_endpoint(account, "synchronous", "synchronous")
    with pytest.raises(ClientError, match="does not support this inference type"):
        account.client("sagemaker-runtime").invoke_endpoint_async(EndpointName="synchronous", Body=b"1")
    account.client("sagemaker").delete_endpoint(EndpointName="synchronous")


def test_a_configuration_without_a_bucket_is_refused(account: Account, endpoint: str) -> None:
    with pytest.raises(ClientError, match="needs an S3OutputPath"):
        account.client("sagemaker").create_endpoint_config(
            EndpointConfigName="nowhere", ProductionVariants=[variant("doubling")], AsyncInferenceConfig={"OutputConfig": {}}
        )


def test_its_metrics_are_those_of_asynchronous_endpoints(account: Account, endpoint: str) -> None:
    read(account, ask(account, Body=b"1")["OutputLocation"])
    account.context.clock.change(now=account.context.clock.now() + timedelta(minutes=1))
    wait_for(lambda: metric(account, "ModelLatency", VariantName="AllTraffic"), "the model's latency is a metric")
    for name in ("InvocationsProcessed", "TimeInBacklog", "TotalProcessingTime", "Invocation5XXErrors"):
        assert metric(account, name, VariantName="AllTraffic"), name
    for name in ("Invocations", "InvocationsPerInstance", "OverheadLatency"):
        assert not metric(account, name, VariantName="AllTraffic"), name
    assert metric(account, "ApproximateBacklogSizePerInstance")


def test_it_goes_to_zero_and_comes_back_for_a_request(account: Account, endpoint: str) -> None:
    """As "Autoscale an asynchronous endpoint" of the guide has it: down by the backlog of each instance, up from zero by a step."""
    sagemaker, scaling = account.client("sagemaker"), account.client("application-autoscaling")
    scaling.register_scalable_target(**TARGET, MinCapacity=0, MaxCapacity=2)
    sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=NAME, DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", "DesiredInstanceCount": 0}]
    )
    assert wait_until_settled(account, NAME)["ProductionVariants"][0]["CurrentInstanceCount"] == 0
    policy = scaling.put_scaling_policy(
        **TARGET,
        PolicyName="from-zero",
        PolicyType="StepScaling",
        StepScalingPolicyConfiguration={
            "AdjustmentType": "ChangeInCapacity",
            "MetricAggregationType": "Maximum",
            "Cooldown": 60,
            "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}],
        },
    )
    account.client("cloudwatch").put_metric_alarm(
        AlarmName="waiting",
        Namespace="AWS/SageMaker",
        MetricName="HasBacklogWithoutCapacity",
        Dimensions=[{"Name": "EndpointName", "Value": NAME}],
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="missing",
        AlarmActions=[policy["PolicyARN"]],
    )
    account.context.clock.change(speed=300)
    accepted = ask(account, Body=b"5")
    wait_for(
        lambda: sum(len(each.instances) for each in Endpoints.at(account.context).by_name[NAME].variants()) == 1, "one instance is back"
    )
    assert json.loads(read(account, accepted["OutputLocation"])) == [10.0]
    tracking = {
        "TargetValue": 5.0,
        "CustomizedMetricSpecification": {
            "MetricName": "ApproximateBacklogSizePerInstance",
            "Namespace": "AWS/SageMaker",
            "Dimensions": [{"Name": "EndpointName", "Value": NAME}],
            "Statistic": "Average",
        },
        "ScaleInCooldown": 60,
        "ScaleOutCooldown": 60,
    }
    scaling.put_scaling_policy(
        **TARGET, PolicyName="backlog", PolicyType="TargetTrackingScaling", TargetTrackingScalingPolicyConfiguration=tracking
    )
    wait_for(lambda: not any(each.instances for each in Endpoints.at(account.context).by_name[NAME].variants()), "no instance is left")
    scaling.deregister_scalable_target(**TARGET)


def test_an_endpoint_that_answers_at_once_cannot_go_to_zero(account: Account) -> None:
    create_model(account, "plain")
    create_configuration(account, "plain", variant("plain"))
    create_endpoint(account, "plain", "plain")
    with pytest.raises(ClientError, match="at least 1"):
        account.client("application-autoscaling").register_scalable_target(
            **{**TARGET, "ResourceId": "endpoint/plain/variant/AllTraffic"}, MinCapacity=0, MaxCapacity=1
        )
