"""What a serving container prints is in its endpoint's log group as its role, and what it prints of metrics is in CloudWatch."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local_account.account import Account

from .endpoint_models import ENVIRONMENT, create_configuration, create_endpoint, create_model, invoke, variant

GROUP = "/aws/sagemaker/Endpoints/{}"
#: Says each request in its log, and on its way out that it goes.
SAYING = """
import atexit, os, sys, json, time

def model_fn(model_dir):
    atexit.register(lambda: print(f"{os.environ.get('NAMED')} goes"))
    return None

def input_fn(data, content_type):
    return data

def predict_fn(data, model):
    print(data)
    sys.stdout.write("half a line")
    sys.stdout.write(", and the rest\\n")
    return data

def output_fn(prediction, accept):
    return prediction, "text/csv"
"""


def eventually(found: Callable[[], Any]) -> Any:
    for _ in range(800):
        if value := found():
            return value
        time.sleep(0.025)
    raise AssertionError("nothing was found in twenty seconds")


def endpoint(account: Account, name: str) -> str:
    account.client("logs").create_log_group(logGroupName=GROUP.format(name))
    create_model(account, name, code=SAYING)
    create_configuration(account, name, variant(name))
    assert create_endpoint(account, name, name)["EndpointStatus"] == "InService"
    return name


def events(account: Account, name: str) -> list[str]:
    return [event["message"] for event in account.client("logs").filter_log_events(logGroupName=GROUP.format(name))["events"]]


def test_each_line_of_a_container_is_an_event_in_a_stream_of_its_instance(account: Account) -> None:
    endpoint(account, "talkative")
    for word in (b"one", b"two"):
        invoke(account, "talkative", word)
    said = eventually(
        lambda: (found := events(account, "talkative")) and "two" in found and found.count("half a line, and the rest") == 2 and found
    )
    assert said.index("one") < said.index("two")
    (stream,) = account.client("logs").describe_log_streams(logGroupName=GROUP.format("talkative"))["logStreams"]
    assert stream["logStreamName"].startswith("AllTraffic/i-")


def test_the_last_words_of_an_instance_are_heard(account: Account) -> None:
    """It is asked to end before it is ended, so that exit handlers run."""
    endpoint(account, "leaving")
    account.client("sagemaker").delete_endpoint(EndpointName="leaving")
    eventually(lambda: "None goes" in events(account, "leaving"))


def test_metrics_that_a_container_prints_are_in_cloudwatch_within_seconds(account: Account) -> None:
    endpoint(account, "measured")
    invoke(account, "measured", document(NAMES, Latency=[1, 3]).encode(), "application/json")
    found = eventually(lambda: statistics(account, "Latency", {"Name": "twelve"}))
    assert (found["Sum"], found["SampleCount"], found["Maximum"]) == (4, 2, 3)


# ----------------------------------------------------------------------------------------- the embedded metric format

NAMES = {"Dimensions": [["Name"]], "Metrics": [{"Name": "Latency", "Unit": "Milliseconds"}]}


def document(directive: dict[str, Any], *, milliseconds: float | None = None, **values: Any) -> str:
    at = int(time.time() * 1000) if milliseconds is None else milliseconds
    return json.dumps({"_aws": {"Timestamp": at, "CloudWatchMetrics": [{"Namespace": "Mine", **directive}]}, "Name": "twelve", **values})


def statistics(account: Account, metric: str, dimensions: dict[str, str]) -> Any:
    now = datetime.now(UTC)
    points = account.client("cloudwatch").get_metric_statistics(
        Namespace="Mine", MetricName=metric, Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        StartTime=now - timedelta(hours=1), EndTime=now + timedelta(hours=1), Period=86400, Statistics=["Sum", "SampleCount", "Maximum"],
    )["Datapoints"]  # fmt: skip
    return points[0] if points else None


@pytest.fixture
def put(account: Account, request: pytest.FixtureRequest) -> Callable[[str], None]:
    logs, group = account.client("logs"), f"put-{abs(hash(request.node.name))}"
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="s")

    def put_event(message: str) -> None:
        logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=[{"timestamp": int(time.time() * 1000), "message": message}])

    return put_event


def test_whoever_puts_an_event_of_the_format_has_its_metrics_for_every_set_of_dimensions(
    account: Account, put: Callable[[str], None]
) -> None:
    put(document({**NAMES, "Dimensions": [["Name"], ["Name", "Zone"]], "Metrics": [{"Name": "Size"}]}, Size=5, Zone="a"))
    for dimensions in ({"Name": "twelve"}, {"Name": "twelve", "Zone": "a"}):
        assert statistics(account, "Size", dimensions)["Sum"] == 5


@pytest.mark.parametrize(
    "message",
    [
        "Depth 5",
        '{"Depth": 5}',
        document({**NAMES, "Metrics": [{"Name": "Depth"}]}, Depth="5"),
        document({**NAMES, "Metrics": [{"Name": "Depth"}]}),
        document({**NAMES, "Metrics": [{"Name": "Depth"}]}, Depth=list(range(101))),
        document({**NAMES, "Metrics": [{"Name": "Depth"}], "Dimensions": [["Absent"]]}, Depth=5),
        document({**NAMES, "Metrics": [{"Name": "Depth"}], "Dimensions": "Name"}, Depth=5),
        document({**NAMES, "Metrics": [{"Name": "Depth"}]}, milliseconds=1000, Depth=5),
        "2026-11-27 12:00:00 " + document({**NAMES, "Metrics": [{"Name": "Depth"}]}, Depth=5),
    ],
    ids=["text", "plain JSON", "a text", "no value", "more than a hundred", "an absent dimension", "no list", "long ago", "a prefix"],
)
def test_another_line_is_a_line_of_log_and_no_metric(account: Account, put: Callable[[str], None], message: str) -> None:
    put(message)
    listed = account.client("cloudwatch").list_metrics(Namespace="Mine", MetricName="Depth")["Metrics"]
    assert listed == []


# ----------------------------------------------------------------------------------------------------- a rollout

#: Prints a distance with each request, of the version that its environment names.
DISTANT = """
import json, os, time

def model_fn(model_dir):
    return None

def transform_fn(model, data, content_type, accept):
    metrics = {"Namespace": "Mine", "Dimensions": [["Version"]], "Metrics": [{"Name": "Distance"}]}
    about = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [metrics]}
    print(json.dumps({"_aws": about, "Version": os.environ["VERSION"], "Distance": 9}))
    return os.environ["VERSION"], accept
"""


def test_an_update_goes_back_when_the_new_container_s_own_metric_alarms_also_on_a_fast_clock(account: Account) -> None:
    """What the old one prints is another metric: the alarm is of the new one."""
    account.client("logs").create_log_group(logGroupName=GROUP.format("judged"))
    for version in ("1", "2"):
        create_model(account, f"judged-{version}", code=DISTANT, environment={**ENVIRONMENT, "VERSION": version})
        create_configuration(account, f"judged-{version}", variant(f"judged-{version}"))
    create_endpoint(account, "judged", "judged-1")
    account.client("cloudwatch").put_metric_alarm(
        AlarmName="distance-2", Namespace="Mine", MetricName="Distance", Dimensions=[{"Name": "Version", "Value": "2"}],
        Statistic="Average", Period=60, EvaluationPeriods=1, Threshold=4, ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
    )  # fmt: skip
    account.context.clock.change(speed=30)
    policy = {"TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 1200}}
    guarded = {"BlueGreenUpdatePolicy": policy, "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "distance-2"}]}}
    account.client("sagemaker").update_endpoint(EndpointName="judged", EndpointConfigName="judged-2", DeploymentConfig=guarded)

    def settled() -> Any:
        invoke(account, "judged")
        described = account.client("sagemaker").describe_endpoint(EndpointName="judged")
        return described["EndpointStatus"] == "InService" and described

    described = eventually(settled)
    assert described["EndpointConfigName"] == "judged-1"
    assert "distance-2" in described["FailureReason"]
