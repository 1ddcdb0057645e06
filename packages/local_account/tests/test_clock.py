"""The account's clock, and its control from outside."""

import base64
import json
import threading
from datetime import UTC, datetime, timedelta

import pytest

from local_account.clock import Clock
from local_account.clock_control import PATH, serve_clock
from local_account.context import AccountSettings, Context
from local_account.errors import ServiceError
from local_account.signatures import Request

MONDAY = datetime(2030, 1, 7, tzinfo=UTC)


def request(method: str, body: bytes = b"", password: str = "secret") -> Request:  # noqa: S107 - the fake secret of this test
    credentials = base64.b64encode(f":{password}".encode()).decode()
    return Request(method=method, path=PATH, query="", headers={"authorization": f"Basic {credentials}"}, body=body)


@pytest.fixture
def context(tmp_path):
    made = Context(AccountSettings(state_directory=tmp_path, port=1, secret="secret"))
    made.clock = Clock(start=MONDAY)
    return made


def test_time_jumps_forward_but_never_back():
    clock = Clock(start=MONDAY)
    clock.change(now=MONDAY + timedelta(hours=7))
    assert clock.now() >= MONDAY + timedelta(hours=7)
    with pytest.raises(ValueError, match="cannot go back"):
        clock.change(now=MONDAY)


def test_a_change_of_speed_keeps_the_time_of_day():
    clock = Clock(start=MONDAY)
    clock.change(speed=0.001)
    assert clock.now() - MONDAY < timedelta(minutes=1)
    assert clock.real_seconds(60) == pytest.approx(60_000)


def test_a_wait_ends_when_the_clock_jumps_past_it():
    clock, ended = Clock(start=MONDAY), threading.Event()
    threading.Thread(target=lambda: (clock.wait(3600, threading.Event()), ended.set()), daemon=True).start()
    clock.change(now=MONDAY + timedelta(hours=2))
    assert ended.wait(10)


def test_the_clock_is_set_over_http(context):
    answer = serve_clock(context, request("PUT", b'{"speed": 60, "now": "2030-01-07T07:00:00+01:00"}'))
    told = json.loads(answer.body)
    assert told["speed"] == 60
    assert datetime.fromisoformat(told["now"]) >= MONDAY + timedelta(hours=6)


def test_only_who_knows_the_secret_sets_the_clock(context):
    assert serve_clock(context, request("PUT", b'{"speed": 60}', password="guess")).status == 401
    assert context.clock.speed == 1.0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"speed": 0}',
        b'{"speed": "fast"}',
        b'{"speed": 1, "day": 2}',
        b'{"now": "soon"}',
        b'{"requests_keep_pace": 2}',
        b'{"now": 7}',
        b'{"now": "2001-01-01T00:00:00+00:00"}',
    ],
)
def test_a_value_that_is_not_allowed_changes_nothing(context, body):
    with pytest.raises(ServiceError):
        serve_clock(context, request("PUT", body))
    assert context.clock.speed == 1.0


def test_requests_count_as_themselves_until_they_are_to_keep_pace_with_the_clock(context):
    serve_clock(context, request("PUT", b'{"speed": 60}'))
    assert context.clock.request_weight == 1.0
    serve_clock(context, request("PUT", b'{"requests_keep_pace": true}'))
    assert context.clock.request_weight == 60.0
