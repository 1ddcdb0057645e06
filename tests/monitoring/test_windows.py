"""Windows are aligned in UTC, and due once they are complete and whenever their files have changed."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
import windows
from windows import Judged, Window


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def names(found):
    return [window.name for window in found]


@pytest.mark.parametrize(
    ("moment", "hours", "name"),
    [
        ("2026-11-27T14:59:59", 1, "2026-11-27T14Z--2026-11-27T15Z"),
        ("2026-11-27T14:00:00", 24, "2026-11-27T00Z--2026-11-28T00Z"),
        ("2026-11-27T14:00:00", 168, "2026-11-23T00Z--2026-11-30T00Z"),  # a Friday: the week began on Monday
        ("2026-11-23T00:00:00", 168, "2026-11-23T00Z--2026-11-30T00Z"),
        ("2026-11-27T14:00:00", 6, "2026-11-27T12Z--2026-11-27T18Z"),
    ],
)
def test_a_moment_is_in_one_window(moment, hours, name):
    window = windows.of(at(moment), hours)
    assert window.name == name
    assert windows.named(name) == window


def test_a_change_of_clocks_neither_loses_nor_doubles_a_window():
    """Madrid's clocks went back on 2026-10-25 at 03:00, so that the hour from 02:00 came twice there."""
    night = [datetime(2026, 10, 25, 0, 20, tzinfo=ZoneInfo("Europe/Madrid")).astimezone(UTC) + timedelta(hours=hour) for hour in range(6)]
    judged: dict[Window, Judged] = {}
    found = []
    for now in night:
        due = windows.due(now, 1, {windows.of(at("2026-10-24T21:00"), 1): {"a": "1"}}, judged)
        files = {windows.of(at("2026-10-24T21:00"), 1): {"a": "1"}}
        judged |= {window: Judged([], windows.digest(windows.together(files, [window]))) for window in due}
        found += due
    assert found == sorted(set(found))
    assert all(before.end == after.start for before, after in pairwise(found))


def test_a_window_is_due_until_it_was_judged_with_the_files_that_there_are():
    window = windows.of(at("2026-11-27T14:00"), 1)
    now, files = at("2026-11-27T15:20"), {window: {"a": "1"}}
    assert windows.due(now, 1, files, {}) == [window]
    judged = {window: Judged([], windows.digest({"a": "1"}))}
    assert windows.due(now, 1, files, judged) == []
    assert windows.due(now, 1, {window: {"a": "2"}}, judged) == [window]
    assert windows.due(now, 1, {window: {"a": "1", "b": "1"}}, judged) == [window]


def test_without_any_capture_the_last_window_is_due():
    assert names(windows.due(at("2026-11-27T15:20"), 1, {}, {})) == ["2026-11-27T14Z--2026-11-27T15Z"]


def test_windows_since_the_first_capture_and_within_a_week_are_due():
    early = windows.of(at("2026-11-27T12:00"), 1)
    assert names(windows.due(at("2026-11-27T15:20"), 1, {early: {"a": "1"}}, {})) == [
        "2026-11-27T12Z--2026-11-27T13Z",
        "2026-11-27T13Z--2026-11-27T14Z",
        "2026-11-27T14Z--2026-11-27T15Z",
    ]
    long_ago = windows.of(at("2026-10-01T12:00"), 1)
    assert len(windows.due(at("2026-11-27T15:20"), 1, {long_ago: {"a": "1"}}, {})) == 7 * 24 + 2


@pytest.mark.parametrize(("hours", "before"), [(1, 23), (6, 6), (24, 6), (168, 6)])
def test_a_day_or_seven_windows_are_judged_together(hours, before):
    window = windows.of(at("2026-11-27T14:00"), hours)
    together = windows.pooled(window)
    assert len(together) == before
    assert together[0].end == window.start


def test_the_windows_of_a_time_span_are_those_that_share_time_with_it_and_are_over():
    found = windows.between(at("2026-11-27T13:30"), at("2026-11-27T15:30"), 1, at("2026-11-27T15:45"))
    assert [window.first for window in found] == ["2026-11-27T13Z", "2026-11-27T14Z"]


@pytest.mark.parametrize(("first", "hours"), [("2026-11-02T09:05:05", 1), ("2026-11-02T00:00:05", 24), ("2026-11-02T00:00:05", 168)])
def test_a_weekly_schedule_loses_no_window_whatever_its_minute(first, hours):
    """What ends within a quarter of an hour of a run is complete only afterwards."""
    began, judged = windows.of(at(first), hours).before(), {}
    for week in range(4):
        now = at(first) + timedelta(days=7 * week)
        files = {window: {"a": "1"} for window in windows.between(began.start, now, hours, now)}
        judged |= {window: Judged([], windows.digest({"a": "1"})) for window in windows.due(now, hours, files, judged)}
    assert set(windows.between(began.start, now, hours, now - windows.GRACE)) <= set(judged)
