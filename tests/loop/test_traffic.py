"""The traffic of the demo: rates of a profile, and what happens when an endpoint cannot keep up."""

from __future__ import annotations

import threading
import time

import pytest

from demo.traffic import Phase, Profile, Traffic, rows_in_turn


@pytest.mark.parametrize(("minute", "rate"), [(-1, 0), (0, 10), (4.9, 10), (5, 20), (7.5, 30), (10, 40), (11.9, 40), (12, 0)])
def test_a_profile_steps_and_ramps(minute, rate):
    profile = Profile([Phase(0, 10), Phase(5, 20, ramp=True), Phase(10, 40)], end_minute=12)
    assert profile.rate(minute) == pytest.approx(rate)


def test_every_request_is_counted_in_its_minute_as_answered_or_failed():
    def send():
        if next(numbers) % 2:
            raise OSError("refused")

    numbers = iter(range(1_000_000))
    minutes = iter([0.5] * 40 + [1.5] * 40)
    traffic = Traffic(Profile([Phase(0, 1e6)], 2.0), send, lambda: next(minutes, 2.0))
    traffic.start()
    while not traffic.ended:
        time.sleep(0.01)
    assert set(traffic.answered) == set(traffic.failed) == {0, 1}
    assert sum(traffic.answered.values()) + sum(traffic.failed.values()) == next(numbers)
    assert traffic.last_error == "refused"


def test_an_endpoint_that_hangs_is_not_buried_under_waiting_requests():
    release, sent = threading.Event(), []

    def send():
        sent.append(time.monotonic())
        release.wait(10)

    began = time.monotonic()
    traffic = Traffic(Profile([Phase(0, 1e5)], 1.0), send, lambda: 0.0 if time.monotonic() < began + 0.5 else 1.0)
    traffic.start()
    time.sleep(0.6)
    release.set()
    traffic.stop()
    assert 0 < len(sent) <= 100


def test_rows_go_round():
    following = rows_in_turn([b"a", b"b"])
    assert [following() for _ in range(3)] == [b"a", b"b", b"a"]
