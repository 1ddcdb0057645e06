"""Metrics of other services, so that an alarm on a failed pipeline or on a dead-letter queue can fire."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from local_account.account import Account


@pytest.fixture(scope="module")
def fast(account: Account) -> Account:
    account.context.clock.change(speed=240)
    return account


def put_alarm(account: Account, name: str, namespace: str, metric: str, dimension: tuple[str, str]) -> Callable[[], str]:
    """An alarm on the first occurrence; returns a function that tells its state."""
    cloudwatch = account.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace=namespace,
        MetricName=metric,
        Dimensions=[{"Name": dimension[0], "Value": dimension[1]}],
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="notBreaching",
    )
    return lambda: str(cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"])


def becomes(state: Callable[[], str], wanted: str) -> bool:
    for _ in range(400):
        if state() == wanted:
            return True
        time.sleep(0.025)
    return False


def test_a_message_that_waits_in_a_queue_fires_its_alarm(fast: Account) -> None:
    queue = fast.client("sqs").create_queue(QueueName="undelivered")["QueueUrl"]
    state = put_alarm(fast, "undelivered", "AWS/SQS", "ApproximateNumberOfMessagesVisible", ("QueueName", "undelivered"))
    assert becomes(state, "OK")
    fast.client("sqs").send_message(QueueUrl=queue, MessageBody="an event that nobody handled")
    assert becomes(state, "ALARM")


@pytest.mark.parametrize(
    ("source", "kind", "detail", "namespace", "metric"),
    [
        (
            "aws.codepipeline",
            "CodePipeline Pipeline Execution State Change",
            {"pipeline": "mlops-build", "state": "FAILED"},
            "AWS/CodePipeline",
            "FailedPipelineExecutions",
        ),
        (
            "aws.sagemaker",
            "SageMaker Model Building Pipeline Execution Status Change",
            {
                "pipelineArn": "arn:aws:sagemaker:us-east-1:111122223333:pipeline/mlops-build",
                "currentPipelineExecutionStatus": "Failed",
            },
            "AWS/Sagemaker/ModelBuildingPipeline",
            "ExecutionFailed",
        ),
    ],
)
def test_a_failed_pipeline_fires_its_alarm(
    fast: Account, source: str, kind: str, detail: dict[str, Any], namespace: str, metric: str
) -> None:
    state = put_alarm(fast, metric, namespace, metric, ("PipelineName", "mlops-build"))
    fast.context.emit(source, kind, detail)
    assert becomes(state, "ALARM")
