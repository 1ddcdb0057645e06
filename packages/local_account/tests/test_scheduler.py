"""Schedules and scheduled rules fire on the account's clock, in their own time zone, as often as they should."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account import running_functions, scheduler
from local_account.account import Account
from local_account.context import AccountSettings

from .roles import make_roles, open_to_services

MINUTES_PER_SECOND = 60
ROLE = "arn:aws:iam::111122223333:role/scheduler"


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An account in which a minute passes in a sixtieth of a second."""
    speed = 60.0 * MINUTES_PER_SECOND
    with Account(AccountSettings(state_directory=tmp_path_factory.mktemp("account"), port=0, speed=speed)) as running:
        make_roles(running)
        yield running


@pytest.fixture
def queue(account: Account) -> tuple[str, Callable[[int], list[Any]]]:
    """A new queue: its ARN, and a function that waits up to so many seconds for messages and returns their bodies."""
    client = account.client("sqs")
    url = client.create_queue(QueueName=f"queue-{uuid.uuid4().hex[:8]}", Attributes=open_to_services())["QueueUrl"]
    arn = client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    def receive(wait_seconds: int) -> list[Any]:
        found = client.receive_message(QueueUrl=url, WaitTimeSeconds=wait_seconds, MaxNumberOfMessages=10).get("Messages", [])
        for message in found:
            client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in found]

    return arn, receive


def create_schedule(account: Account, queue_arn: str, expression: str, **options: Any) -> str:
    name = f"schedule-{uuid.uuid4().hex[:8]}"
    target = {"Arn": queue_arn, "RoleArn": ROLE, "Input": json.dumps({"from": name})}
    account.client("scheduler").create_schedule(
        Name=name, ScheduleExpression=expression, FlexibleTimeWindow={"Mode": "OFF"}, Target=target, **options
    )
    return name


def test_a_schedule_that_cannot_be_fired_does_not_stop_the_others(account: Account, queue: Any) -> None:
    from ministack.services import scheduler as records

    arn, receive = queue
    broken = create_schedule(account, arn, "rate(10 minutes)")
    settings = account.settings
    records._schedules._data[settings.account_id, settings.region, f"default/{broken}"]["Target"] = None
    name = create_schedule(account, arn, "rate(10 minutes)")

    assert {"from": name} in receive(10)
    account.client("scheduler").delete_schedule(Name=broken)


def test_a_rate_fires_again_and_again(account: Account, queue: Any) -> None:
    arn, receive = queue
    name = create_schedule(account, arn, "rate(10 minutes)")

    fired = [*receive(10), *receive(10)]

    assert len(fired) >= 2
    assert set(map(str, fired)) == {str({"from": name})}
    account.client("scheduler").delete_schedule(Name=name)


def test_a_one_time_schedule_fires_once_in_its_time_zone_and_deletes_itself(account: Account, queue: Any) -> None:
    arn, receive = queue
    from zoneinfo import ZoneInfo

    local = (account.context.clock.now() + timedelta(minutes=30)).astimezone(ZoneInfo("Asia/Tokyo")).strftime("%Y-%m-%dT%H:%M:%S")
    name = create_schedule(account, arn, f"at({local})", ScheduleExpressionTimezone="Asia/Tokyo", ActionAfterCompletion="DELETE")

    assert receive(10) == [{"from": name}]
    assert receive(1) == []
    with pytest.raises(account.client("scheduler").exceptions.ResourceNotFoundException):
        account.client("scheduler").get_schedule(Name=name)


def test_a_disabled_schedule_does_not_fire(account: Account, queue: Any) -> None:
    arn, receive = queue
    create_schedule(account, arn, "rate(1 minute)", State="DISABLED")

    assert receive(1) == []


@pytest.mark.parametrize(
    ("expression", "zone", "said"),
    [
        ("cron(0 25 * * ? *)", "UTC", "25"),
        ("rate(0 minutes)", "UTC", "0"),
        ("rate(1 hour)", "Mars/Olympus", "Mars/Olympus"),
        ("soon", "UTC", "soon"),
    ],
)
def test_a_schedule_that_could_never_fire_is_refused(account: Account, expression: str, zone: str, said: str) -> None:
    with pytest.raises(ClientError) as error:
        create_schedule(account, "arn:aws:sqs:us-east-1:111122223333:x", expression, ScheduleExpressionTimezone=zone)

    assert error.value.response["Error"]["Code"] == "ValidationException"
    assert said in error.value.response["Error"]["Message"]


def test_a_rule_with_a_schedule_sends_a_scheduled_event(account: Account, queue: Any) -> None:
    arn, receive = queue
    events = account.client("events")
    events.put_rule(Name="tick", ScheduleExpression="cron(0/15 * * * ? *)")
    events.put_targets(Rule="tick", Targets=[{"Id": "q", "Arn": arn}])

    event = receive(10)[0]

    assert (event["source"], event["detail-type"]) == ("aws.events", "Scheduled Event")
    assert event["resources"] == [account.context.arn("events", "rule/tick")]
    assert datetime.fromisoformat(event["time"]).minute % 15 == 0


def test_what_a_jump_of_the_clock_left_out_fires_once() -> None:
    """What runs each hour runs once after a morning that was skipped, and then as ever."""
    from capacity import schedule

    night = datetime(2026, 1, 1, 2, 30, tzinfo=UTC)
    morning = night + timedelta(hours=6)
    hourly = schedule.parse("cron(20 * * * ? *)")
    fired = scheduler._occurrences(hourly, night - timedelta(hours=1), morning + timedelta(hours=1), "arn", (night, morning))
    assert fired == [night.replace(minute=20), morning.replace(minute=20), morning.replace(hour=9, minute=20)]


def test_a_clock_that_jumps_does_not_fire_without_end() -> None:
    from capacity import schedule

    start = datetime(2026, 1, 1, tzinfo=UTC)
    every_minute = schedule.parse("cron(* * * * ? *)")

    fired = scheduler._occurrences(every_minute, start, start + timedelta(days=1), "arn")

    assert len(fired) == scheduler._MAXIMUM_CATCH_UP
    assert fired[-1] == start + timedelta(days=1) - timedelta(minutes=1)


def test_a_function_is_not_woken_faster_than_it_can_run_however_fast_the_clock_is() -> None:
    """Every quarter of an hour is every 1.5 seconds at 600 times the speed; of those in between the latest comes as soon as it may."""
    record = {"Target": {"Arn": "arn:aws:lambda:us-east-1:111122223333:function:f"}}
    quarters = [datetime(2026, 1, 5, 0, 15 * quarter, tzinfo=UTC) for quarter in range(4)]
    assert scheduler.paced(record, quarters[:1], at=100.0) == quarters[:1]
    assert scheduler.paced(record, quarters[1:2], at=101.5) == []
    assert scheduler.paced(record, quarters[2:3], at=103.0) == []
    assert scheduler.paced(record, [], at=105.0) == quarters[2:3]
    assert scheduler.paced(record, [], at=200.0) == []
    assert scheduler.paced(record, quarters[3:], at=300.0) == quarters[3:]


def test_a_function_that_still_runs_is_not_woken_again() -> None:
    """On a machine that is busy it may take longer than any pause; each that waits for the processor would make all others wait."""
    arn = "arn:aws:lambda:us-east-1:111122223333:function:f"
    record, moment = {"Target": {"Arn": arn}}, datetime(2026, 1, 5, tzinfo=UTC)
    with running_functions.running(arn):
        assert scheduler.paced(record, [moment], at=100.0) == []
        with running_functions.running(f"{arn}-of-another-name"):
            assert scheduler.paced({"Target": {"Arn": arn.replace(":f", ":g")}}, [moment], at=100.0) == [moment]
    assert scheduler.paced(record, [], at=101.0) == [moment]


def test_what_takes_no_time_is_told_each_time() -> None:
    queue = {"Target": {"Arn": "arn:aws:sqs:us-east-1:111122223333:q"}}
    moments = [datetime(2026, 1, 5, hour, tzinfo=UTC) for hour in range(3)]
    assert scheduler.paced(queue, moments, at=100.0) == scheduler.paced(queue, moments, at=100.1) == moments
