"""What a deployed endpoint says of itself: its version in each answer, and metrics of its requests within a minute or two."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

REQUESTS = 20
PATIENCE_SECONDS = 180


@pytest.fixture(scope="module")
def asked(endpoints_at, settings):
    """Of each endpoint on staging: its name, and the answers to requests without any value, which every version takes."""
    found = {}
    for client, name in endpoints_at(settings.staging, "sagemaker-runtime"):
        body = b'{"instances": [{}]}'
        found[name] = [client.invoke_endpoint(EndpointName=name, ContentType="application/json", Body=body) for _ in range(REQUESTS)]
    return found


def test_every_answer_names_the_version_twice(asked):
    for answers in asked.values():
        for answer in answers:
            named = answer["CustomAttributes"]
            assert named.startswith("model-version=")
            assert answer["ContentType"] == f"application/json; {named}"


def test_cloudwatch_has_the_metrics_of_the_version(asked, endpoints_at, settings):
    clients = {name: client for client, name in endpoints_at(settings.staging, "cloudwatch")}
    namespaces = {
        model.names(settings.project).at(settings.staging.name).endpoint: model.names(settings.project).metrics_namespace
        for model in settings.models.values()
    }
    deadline = time.monotonic() + PATIENCE_SECONDS
    for name, answers in asked.items():
        version = answers[0]["CustomAttributes"].partition(";")[0].removeprefix("model-version=")
        while _counted(clients[name], namespaces[name], name, version) < REQUESTS:
            assert time.monotonic() < deadline, f"the metrics of {name} are not there after {PATIENCE_SECONDS} seconds"
            time.sleep(10)


def _counted(cloudwatch, namespace, endpoint, version):
    now = datetime.now(UTC)
    dimensions = [{"Name": "EndpointName", "Value": endpoint}, {"Name": "ModelVersion", "Value": version}]
    points = cloudwatch.get_metric_statistics(
        Namespace=namespace, MetricName="Requests", Dimensions=dimensions, StartTime=now - timedelta(minutes=10), EndTime=now, Period=600,
        Statistics=["Sum"],
    )["Datapoints"]  # fmt: skip
    return sum(point["Sum"] for point in points)
