"""What an endpoint does can be read in CloudWatch under SageMaker's names."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account.account import Account
from local_account.endpoints.traffic import Minute, Traffic
from local_account.monitoring import endpoint_metrics

from .endpoint_models import create_configuration, create_endpoint, create_model, invoke, variant

DIMENSIONS = [{"Name": "EndpointName", "Value": "measured"}, {"Name": "VariantName", "Value": "AllTraffic"}]


def test_grouping_keeps_the_sum_the_count_and_the_slowest() -> None:
    latencies = [float(value) for value in range(1, 1001)]
    values, counts = endpoint_metrics.grouped(latencies)
    assert len(values) <= 28 and sum(counts) == 1000
    assert sum(value * count for value, count in zip(values, counts, strict=True)) == pytest.approx(sum(latencies))
    assert values[-3:] == [998.0, 999.0, 1000.0]


def test_grouping_few_values_keeps_each() -> None:
    assert endpoint_metrics.grouped([3.0, 1.0]) == ([1.0, 3.0], [1.0, 1.0])
    assert endpoint_metrics.grouped([]) == ([], [])


def test_errors_are_counted_by_side_and_minutes_are_taken_once() -> None:
    traffic = Traffic()
    for minute, status in ((1, 200), (1, 415), (1, 500), (1, 0), (2, 200)):
        traffic.began("v")
        traffic.ended("v", minute, status, instances=2, model_latency=5.0, overhead_latency=1.0)
    ((key, minute),) = traffic.take_before(2).items()
    assert key == ("v", 1)
    assert minute == Minute(4, 2.0, 1, 2, [5.0] * 4, [1.0] * 4)
    assert traffic.take_before(2) == {} and len(traffic.take_before(3)) == 1


@pytest.fixture(scope="module")
def measured(account: Account) -> Account:
    """An account whose endpoint answered eight invocations, one of them with 415 and one with 500, in a minute that is over."""
    create_model(account, "doubling")
    create_configuration(account, "measured", variant("doubling", count=2))
    assert create_endpoint(account, "measured", "measured")["EndpointStatus"] == "InService"
    clock = account.context.clock
    now = clock.now()
    clock.change(now=now.replace(second=0, microsecond=0) + timedelta(minutes=1))
    for _ in range(6):
        invoke(account, "measured")
    for body, content_type in ((b"1", "image/png"), (b"boom", "text/csv")):
        with pytest.raises(ClientError):
            invoke(account, "measured", body, content_type)
    clock.change(speed=240)
    return account


def statistics(account: Account, metric: str, *names: str, namespace: str = "AWS/SageMaker", **more: Any) -> dict[str, Any]:
    """The first datapoint of the metric, waiting for the minute to be published."""
    now = account.context.clock.now()
    for _ in range(200):
        answer = account.client("cloudwatch").get_metric_statistics(
            Namespace=namespace,
            MetricName=metric,
            Dimensions=DIMENSIONS,
            StartTime=now - timedelta(hours=3),
            EndTime=account.context.clock.now() + timedelta(hours=1),
            Period=60,
            **({"Statistics": list(names)} if names else {}),
            **more,
        )
        if answer["Datapoints"]:
            first: dict[str, Any] = min(answer["Datapoints"], key=lambda point: point["Timestamp"])
            return first
        time.sleep(0.025)
    raise AssertionError(f"{metric} was not published")


@pytest.mark.parametrize(
    ("metric", "statistic", "value"),
    [
        ("Invocations", "Sum", 8.0),
        ("InvocationsPerInstance", "Sum", 4.0),
        ("Invocation4XXErrors", "Sum", 1.0),
        ("Invocation5XXErrors", "Average", 1 / 8),
        ("ModelLatency", "SampleCount", 8.0),
        ("OverheadLatency", "SampleCount", 8.0),
    ],
)
def test_a_minute_of_invocations_is_published(measured: Account, metric: str, statistic: str, value: float) -> None:
    assert statistics(measured, metric, statistic)[statistic] == pytest.approx(value)


def test_model_latency_is_in_microseconds_and_has_percentiles(measured: Account) -> None:
    point = statistics(measured, "ModelLatency", ExtendedStatistics=["p99"])
    assert point["Unit"] == "Microseconds"
    assert 50 < point["ExtendedStatistics"]["p99"] < 10_000_000


def test_concurrency_is_published_at_high_resolution(measured: Account) -> None:
    assert statistics(measured, "ConcurrentRequestsPerModel", "Maximum")["Maximum"] >= 0


@pytest.mark.parametrize("metric", ["CPUUtilization", "MemoryUtilization", "DiskUtilization"])
def test_use_of_the_instances_is_measured(measured: Account, metric: str) -> None:
    point = statistics(measured, metric, "Average", "Maximum", namespace="/aws/sagemaker/Endpoints")
    assert point["Unit"] == "Percent" and 0 <= point["Average"] <= point["Maximum"]


def test_a_minute_without_invocations_has_no_datapoint(measured: Account) -> None:
    now = measured.context.clock.now()
    time.sleep(0.6)
    answer = measured.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/SageMaker",
        MetricName="Invocations",
        Dimensions=DIMENSIONS,
        StartTime=now,
        EndTime=measured.context.clock.now(),
        Period=60,
        Statistics=["Sum"],
    )
    assert answer["Datapoints"] == []
