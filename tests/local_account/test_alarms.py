"""Alarms change state when and only when their metric says so, and act when they do."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from local_account.account import Account
from local_account.monitoring import alarms
from local_account.monitoring.store import MetricStat

NOW = 600_000.0


def alarm(**changes: Any) -> dict[str, Any]:
    """Two of the last three minutes above 10."""
    return {
        "AlarmName": "busy",
        "Namespace": "Test",
        "MetricName": "Load",
        "Dimensions": [{"Name": "Where", "Value": "here"}],
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 3,
        "DatapointsToAlarm": 2,
        "Threshold": 10.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "missing",
        "StateValue": "OK",
        **changes,
    }


def reading(*newest_last: float | None) -> Callable[[MetricStat, float, int], list[float | None]]:
    """A reader with these values, and nothing before."""

    def read(_stat: MetricStat, _end: float, count: int) -> list[float | None]:
        return ([None] * count + list(newest_last))[-count:]

    return read


@pytest.mark.parametrize(
    ("values", "state"),
    [
        ((11, 12, 1), "ALARM"),
        ((11, 1, 1), "OK"),
        ((1, 1, 1), "OK"),
        ((None, None, None), "INSUFFICIENT_DATA"),
        ((10, 10, 10), "OK"),
    ],
)
def test_m_of_n_periods_decide(values: tuple[float | None, ...], state: str) -> None:
    assert alarms.evaluate(alarm(), reading(*values), NOW).state == state


@pytest.mark.parametrize(
    ("treatment", "state"), [("breaching", "ALARM"), ("notBreaching", "OK"), ("missing", "INSUFFICIENT_DATA"), ("ignore", "OK")]
)
def test_missing_data_is_treated_as_configured(treatment: str, state: str) -> None:
    assert alarms.evaluate(alarm(TreatMissingData=treatment), reading(), NOW).state == state


def test_the_reason_shows_the_breaching_values_and_when_they_were() -> None:
    reason = alarms.evaluate(alarm(), reading(11, 12, 1), NOW).reason
    assert "2 out of the last 3 datapoints [11 (07/01/70 22:37:00), 12 (07/01/70 22:38:00)] was greater than the threshold (10)" in reason


def test_an_alarm_on_metric_math_reads_all_its_queries() -> None:
    def query(identifier: str, metric: str) -> dict[str, Any]:
        stat = {"Metric": {"Namespace": "Test", "MetricName": metric, "Dimensions": []}, "Period": 60, "Stat": "Sum"}
        return {"Id": identifier, "MetricStat": stat, "ReturnData": False}

    rate = {"Id": "rate", "Expression": "IF(invocations>0, 100*errors/invocations, 0)", "ReturnData": True}
    mathematical = alarm(
        Metrics=[rate, query("errors", "Errors"), query("invocations", "Invocations")], EvaluationPeriods=1, DatapointsToAlarm=1
    )
    values = {"Errors": 3.0, "Invocations": 20.0}

    evaluation = alarms.evaluate(mathematical, lambda stat, _end, count: [None] * (count - 1) + [values[stat.name]], NOW)
    assert (evaluation.state, evaluation.values[-1]) == ("ALARM", 15.0)


# --------------------------------------------------------------------------------------- in a running account


@pytest.fixture(scope="module")
def fast(account: Account) -> Account:
    """An account in which a minute passes in a quarter of a second."""
    account.context.clock.change(speed=240)
    return account


def put_alarm(account: Account, name: str, **changes: Any) -> None:
    definition = {key: value for key, value in alarm(**changes).items() if key != "StateValue" and value is not None}
    account.client("cloudwatch").put_metric_alarm(**{**definition, "AlarmName": name})


def state(account: Account, name: str) -> str:
    return str(account.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"])


def wait_for(condition: Callable[[], bool], what: str) -> None:
    for _ in range(400):
        if condition():
            return
        time.sleep(0.025)
    raise AssertionError(f"{what} did not happen")


def put_value(account: Account, value: float, where: str = "here", metric: str = "Load", at: datetime | None = None) -> None:
    datum = {
        "MetricName": metric,
        "Value": value,
        "Dimensions": [{"Name": "Where", "Value": where}],
        "Timestamp": at or account.context.clock.now(),
    }
    account.client("cloudwatch").put_metric_data(Namespace="Test", MetricData=[datum])


def test_an_alarm_fires_notifies_and_recovers(fast: Account) -> None:
    topic = fast.client("sns").create_topic(Name="alerts")["TopicArn"]
    queue = fast.client("sqs").create_queue(QueueName="alerts")["QueueUrl"]
    arn = fast.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    fast.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    one_minute = {"EvaluationPeriods": 1, "DatapointsToAlarm": 1, "TreatMissingData": "notBreaching"}
    put_alarm(fast, "fires", AlarmActions=[topic], **one_minute)
    put_value(fast, 99)
    wait_for(lambda: state(fast, "fires") == "ALARM", "the alarm")
    messages = fast.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=2)["Messages"]
    assert json.loads(json.loads(messages[0]["Body"])["Message"])["NewStateValue"] == "ALARM"
    wait_for(lambda: state(fast, "fires") == "OK", "recovery once the minute is over")
    history = fast.client("cloudwatch").describe_alarm_history(AlarmName="fires")["AlarmHistoryItems"]
    assert any(item["HistorySummary"].endswith("to ALARM") for item in history)


def test_other_dimensions_do_not_fire_an_alarm(fast: Account) -> None:
    put_alarm(fast, "elsewhere", EvaluationPeriods=1, DatapointsToAlarm=1, TreatMissingData="notBreaching")
    put_alarm(fast, "there", EvaluationPeriods=1, DatapointsToAlarm=1, Dimensions=[{"Name": "Where", "Value": "there"}])
    put_value(fast, 99, where="there")
    wait_for(lambda: state(fast, "there") == "ALARM", "the alarm of the dimension that was published")
    assert state(fast, "elsewhere") == "OK"


def test_a_state_change_is_an_event(fast: Account) -> None:
    events, sqs = fast.client("events"), fast.client("sqs")
    queue = sqs.create_queue(QueueName="alarm-events")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="alarms", EventPattern=json.dumps({"source": ["aws.cloudwatch"], "detail": {"state": {"value": ["ALARM"]}}}))
    events.put_targets(Rule="alarms", Targets=[{"Id": "queue", "Arn": arn}])
    put_alarm(fast, "by-hand", TreatMissingData="notBreaching")
    fast.client("cloudwatch").set_alarm_state(AlarmName="by-hand", StateValue="ALARM", StateReason="a drill")
    assert state(fast, "by-hand") == "ALARM"
    message = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"][0]
    event = json.loads(message["Body"])
    assert event["detail-type"] == "CloudWatch Alarm State Change"
    assert (event["detail"]["alarmName"], event["detail"]["state"]["reason"]) == ("by-hand", "a drill")
    wait_for(lambda: state(fast, "by-hand") == "OK", "return to what the metric says")


def test_put_metric_alarm_keeps_metric_math_and_evaluates_it(fast: Account) -> None:
    def query(identifier: str, metric: str) -> dict[str, Any]:
        dimensions = [{"Name": "Where", "Value": "math"}]
        stat = {"Metric": {"Namespace": "Test", "MetricName": metric, "Dimensions": dimensions}, "Period": 60, "Stat": "Sum"}
        return {"Id": identifier, "MetricStat": stat, "ReturnData": False}

    fast.client("cloudwatch").put_metric_alarm(
        AlarmName="rate",
        Metrics=[{"Id": "rate", "Expression": "IF(n>0, 100*e/n, 0)"}, query("e", "Errors"), query("n", "Calls")],
        EvaluationPeriods=1,
        Threshold=5,
        ComparisonOperator="GreaterThanThreshold",
    )
    described = fast.client("cloudwatch").describe_alarms(AlarmNames=["rate"])["MetricAlarms"][0]
    assert [one["Id"] for one in described["Metrics"]] == ["rate", "e", "n"]
    now = fast.context.clock.now()
    put_value(fast, 20, "math", "Calls", now)
    put_value(fast, 2, "math", "Errors", now)
    wait_for(lambda: state(fast, "rate") == "ALARM", "the alarm on 10 % errors")
