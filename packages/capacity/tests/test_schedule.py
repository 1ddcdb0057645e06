"""Time zones, daylight saving, and the day rules of cron expressions."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from capacity.model import CapacityError
from capacity.schedule import parse


def after(text: str, moment: datetime, zone: str = "UTC") -> datetime | None:
    return parse(text, zone).next_after(moment)


def test_the_same_local_hour_moves_in_utc_with_daylight_saving() -> None:
    times = list(parse("cron(0 7 * * ? *)", "Europe/Madrid").between(datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 3, 30, tzinfo=UTC)))
    assert [t.hour for t in times] == [6, 5]


def test_a_local_time_that_does_not_exist_is_skipped() -> None:
    times = list(parse("cron(30 2 * * ? *)", "Europe/Madrid").between(datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 3, 31, tzinfo=UTC)))
    assert [t.day for t in times] == [28, 30]


def test_a_local_time_that_exists_twice_fires_once() -> None:
    times = list(
        parse("cron(30 2 * * ? *)", "Europe/Madrid").between(datetime(2026, 10, 24, 12, tzinfo=UTC), datetime(2026, 10, 25, 12, tzinfo=UTC))
    )
    assert times == [datetime(2026, 10, 25, 0, 30, tzinfo=UTC)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cron(0 0 L * ? *)", (2026, 1, 31)),
        ("cron(0 0 L-2 * ? *)", (2026, 1, 29)),
        ("cron(0 0 LW * ? *)", (2026, 1, 30)),  # the 31st is a Saturday
        ("cron(0 0 10W * ? *)", (2026, 1, 9)),  # the 10th is a Saturday
        ("cron(0 0 ? * 6L *)", (2026, 1, 30)),  # last Friday
        ("cron(0 0 ? * TUE#2 *)", (2026, 1, 13)),
        ("cron(0 0 ? * L *)", (2026, 1, 3)),  # Saturday
        ("cron(0 0 ? * FRI-MON *)", (2026, 1, 2)),  # a range around the weekend; the 1st is a Thursday
        ("cron(0 0 29 2 ? *)", (2028, 2, 29)),
        ("cron(0 0 1 JAN ? 2030)", (2030, 1, 1)),
    ],
)
def test_day_rules(text: str, expected: tuple[int, int, int]) -> None:
    assert after(text, datetime(2026, 1, 1, 12, tzinfo=UTC)) == datetime(*expected, tzinfo=UTC)


def test_a_past_one_time_schedule_never_fires_again() -> None:
    assert after("at(2020-01-01T00:00:00)", datetime(2026, 1, 1, tzinfo=UTC)) is None


def test_a_rate_without_start_counts_from_its_creation() -> None:
    schedule = parse("rate(1 day)", created=datetime(2026, 1, 1, 9, tzinfo=UTC))
    assert schedule.next_after(datetime(2026, 1, 1, 9, tzinfo=UTC)) == datetime(2026, 1, 2, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "cron(0 7 * *)",
        "cron(60 7 * * ? *)",
        "cron(0 24 * * ? *)",
        "cron(0 7 1 * 2 *)",
        "cron(0 7 ? * FUNDAY *)",
        "rate(5 hour)",
        "rate(1 hours)",
        "rate(0 minutes)",
        "at(2026-02-30T00:00:00)",
        "every day",
    ],
)
def test_a_wrong_expression_is_one_clear_line(text: str) -> None:
    with pytest.raises(CapacityError, match=r"allowed|needs") as caught:
        parse(text)
    assert "\n" not in str(caught.value)


def test_a_zone_that_does_not_exist_is_named() -> None:
    with pytest.raises(CapacityError, match="Europe/Atlantis"):
        parse("cron(0 7 * * ? *)", "Europe/Atlantis")
