"""Alarms change state when and only when their metric says so, and act when they do."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from local_account.account import Account
from local_account.monitoring import alarm_loop, alarms
from local_account.monitoring.store import MetricStat

from .roles import open_to_services

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
    assert reason == (
        "Threshold Crossed: 2 out of the last 3 datapoints [11.0 (07/01/70 22:37:00), 12.0 (07/01/70 22:38:00)] was greater than "
        "the threshold (10.0) (minimum 2 datapoints for OK -> ALARM transition)."
    )


def test_an_alarm_that_is_on_gives_the_values_that_made_it_so_however_old() -> None:
    """Nothing was reported in the newest periods: the values before them decide, and are the reason."""
    evaluation = alarms.evaluate(alarm(TreatMissingData="notBreaching"), reading(11, 12, 13, None, None), NOW)
    assert evaluation.state == "ALARM"
    assert evaluation.reason.startswith("Threshold Crossed: 3 out of the last 3 datapoints [11.0 (07/01/70 22:35:00), 12.0")


@pytest.mark.parametrize(
    ("treatment", "values", "reason"),
    [
        ("breaching", (), "no datapoints were received for 3 periods and 3 missing datapoints were treated as [Breaching]."),
        ("notBreaching", (), "no datapoints were received for 3 periods and 3 missing datapoints were treated as [NonBreaching]."),
        ("breaching", (1, 1, None), "2 out of the last 3 datapoints"),
        (
            "breaching",
            (11, None, None, None, None),
            "was greater than the threshold (10.0) and 2 missing datapoints were treated as [Breaching]",
        ),
    ],
)
def test_the_reason_says_what_missing_values_were_taken_for(treatment: str, values: tuple[float | None, ...], reason: str) -> None:
    assert reason in alarms.evaluate(alarm(TreatMissingData=treatment), reading(*values), NOW).reason


@pytest.mark.parametrize(
    ("treatment", "values", "state"),
    [("notBreaching", (11, 12, None), "ALARM"), ("notBreaching", (11, None, 12), "ALARM"), ("breaching", (1, None, 1), "OK")],
)
def test_missing_values_that_were_taken_for_the_other_state_are_no_reason(
    treatment: str, values: tuple[float | None, ...], state: str
) -> None:
    evaluation = alarms.evaluate(alarm(TreatMissingData=treatment), reading(*values), NOW)
    assert evaluation.state == state
    assert "treated as" not in evaluation.reason
    assert evaluation.reason.startswith("Threshold Crossed: 2 out of the last 3 datapoints [")


@pytest.mark.parametrize(("periods", "reason"), [(1, "1 datapoint was unknown."), (3, "3 datapoints were unknown.")])
def test_too_few_values_are_the_reason_of_an_alarm_without_a_state(periods: int, reason: str) -> None:
    silent = alarm(TreatMissingData="missing", EvaluationPeriods=periods, DatapointsToAlarm=1)
    assert alarms.evaluate(silent, reading(), NOW).reason == f"Insufficient Data: {reason}"


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
    topic = fast.client("sns").create_topic(Name="alerts", Attributes=open_to_services())["TopicArn"]
    queue = fast.client("sqs").create_queue(QueueName="alerts", Attributes=open_to_services())["QueueUrl"]
    arn = fast.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    fast.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    one_minute = {"EvaluationPeriods": 1, "DatapointsToAlarm": 1, "TreatMissingData": "notBreaching"}
    put_alarm(fast, "fires", AlarmActions=[topic], **one_minute)

    def fires() -> bool:
        put_value(fast, 99)  # a minute is a tenth of a second here, which a busy machine may sleep through
        return state(fast, "fires") == "ALARM"

    wait_for(fires, "the alarm")
    messages = fast.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=2)["Messages"]
    assert json.loads(json.loads(messages[0]["Body"])["Message"])["NewStateValue"] == "ALARM"
    wait_for(lambda: state(fast, "fires") == "OK", "recovery once the minute is over")
    history = fast.client("cloudwatch").describe_alarm_history(AlarmName="fires")["AlarmHistoryItems"]
    assert any(item["HistorySummary"].endswith("to ALARM") for item in history)


def test_a_value_without_a_time_is_of_when_it_is_sent_by_the_accounts_clock(fast: Account) -> None:
    """As the monitoring job publishes what it found, which an alarm is to hear of, however far the clock was put forward."""
    fast.context.clock.change(now=fast.context.clock.now() + timedelta(days=3))
    put_alarm(fast, "told-now", EvaluationPeriods=1, DatapointsToAlarm=1, TreatMissingData="ignore", MetricName="Told")
    datum = {"MetricName": "Told", "Value": 99, "Dimensions": [{"Name": "Where", "Value": "here"}]}
    fast.client("cloudwatch").put_metric_data(Namespace="Test", MetricData=[datum])
    wait_for(lambda: state(fast, "told-now") == "ALARM", "the alarm")


def test_an_alarm_on_silence_acts_when_values_cease_and_not_when_it_is_made(fast: Account) -> None:
    """As `<endpoint>-no-traffic` is made: with nothing to look at it stays as it began, and its reason does too."""
    topic = fast.client("sns").create_topic(Name="silence", Attributes=open_to_services())["TopicArn"]
    queue = fast.client("sqs").create_queue(QueueName="silence", Attributes=open_to_services())["QueueUrl"]
    arn = fast.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    fast.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    silence = {
        "EvaluationPeriods": 1,
        "DatapointsToAlarm": 1,
        "TreatMissingData": "missing",
        "Dimensions": [{"Name": "Where", "Value": "silent"}],
    }
    put_alarm(fast, "silence", InsufficientDataActions=[topic], AlarmActions=[topic], Threshold=1000, **silence)
    wait_for(lambda: "silence" in alarm_loop.AlarmLoop.at(fast.context).evaluations, "the first evaluation")
    made = fast.client("cloudwatch").describe_alarms(AlarmNames=["silence"])["MetricAlarms"][0]
    assert (made["StateValue"], made["StateReason"]) == ("INSUFFICIENT_DATA", "Unchecked: Initial alarm creation")

    put_value(fast, 1, where="silent")
    wait_for(lambda: state(fast, "silence") == "OK", "the first value")
    wait_for(lambda: state(fast, "silence") == "INSUFFICIENT_DATA", "silence")
    told = [json.loads(json.loads(message["Body"])["Message"]) for message in _messages(fast, queue)]
    assert [(each["OldStateValue"], each["NewStateValue"]) for each in told] == [("OK", "INSUFFICIENT_DATA")]


def _messages(account: Account, queue: str) -> list[Any]:
    return list(account.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=2, MaxNumberOfMessages=10)["Messages"])


def test_other_dimensions_do_not_fire_an_alarm(fast: Account) -> None:
    put_alarm(fast, "elsewhere", EvaluationPeriods=1, DatapointsToAlarm=1, TreatMissingData="notBreaching")
    put_alarm(fast, "there", EvaluationPeriods=1, DatapointsToAlarm=1, Dimensions=[{"Name": "Where", "Value": "there"}])
    put_value(fast, 99, where="there")
    wait_for(lambda: state(fast, "there") == "ALARM", "the alarm of the dimension that was published")
    assert state(fast, "elsewhere") == "OK"


def test_a_state_change_is_an_event(fast: Account) -> None:
    events, sqs = fast.client("events"), fast.client("sqs")
    queue = sqs.create_queue(QueueName="alarm-events", Attributes=open_to_services())["QueueUrl"]
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
