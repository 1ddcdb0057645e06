"""Windows are aligned in UTC, and due once they are complete and whenever their files have changed."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
import windows
from windows import Calendar, Judged, Window


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
    window = Calendar(hours).of(at(moment))
    assert window.name == name
    assert windows.named(name) == window


def test_a_change_of_clocks_neither_loses_nor_doubles_a_window():
    """Madrid's clocks went back on 2026-10-25 at 03:00, so that the hour from 02:00 came twice there."""
    night = [datetime(2026, 10, 25, 0, 20, tzinfo=ZoneInfo("Europe/Madrid")).astimezone(UTC) + timedelta(hours=hour) for hour in range(6)]
    judged: dict[Window, Judged] = {}
    found = []
    for now in night:
        due = windows.due(now, Calendar(1), {Calendar(1).of(at("2026-10-24T21:00")): {"a": "1"}}, judged)
        files = {Calendar(1).of(at("2026-10-24T21:00")): {"a": "1"}}
        judged |= {window: Judged([], windows.digest(windows.together(files, [window]))) for window in due}
        found += due
    assert found == sorted(set(found))
    assert all(before.end == after.start for before, after in pairwise(found))


def test_a_window_is_due_until_it_was_judged_with_the_files_that_there_are():
    window = Calendar(1).of(at("2026-11-27T14:00"))
    now, files = at("2026-11-27T15:20"), {window: {"a": "1"}}
    assert windows.due(now, Calendar(1), files, {}) == [window]
    judged = {window: Judged([], windows.digest({"a": "1"}))}
    assert windows.due(now, Calendar(1), files, judged) == []
    assert windows.due(now, Calendar(1), {window: {"a": "2"}}, judged) == [window]
    assert windows.due(now, Calendar(1), {window: {"a": "1", "b": "1"}}, judged) == [window]


def test_without_any_capture_the_last_window_is_due():
    assert names(windows.due(at("2026-11-27T15:20"), Calendar(1), {}, {})) == ["2026-11-27T14Z--2026-11-27T15Z"]


def test_windows_since_the_first_capture_and_within_a_week_are_due():
    early = Calendar(1).of(at("2026-11-27T12:00"))
    assert names(windows.due(at("2026-11-27T15:20"), Calendar(1), {early: {"a": "1"}}, {})) == [
        "2026-11-27T12Z--2026-11-27T13Z",
        "2026-11-27T13Z--2026-11-27T14Z",
        "2026-11-27T14Z--2026-11-27T15Z",
    ]
    long_ago = Calendar(1).of(at("2026-10-01T12:00"))
    assert len(windows.due(at("2026-11-27T15:20"), Calendar(1), {long_ago: {"a": "1"}}, {})) == 7 * 24 + 2


@pytest.mark.parametrize(("hours", "before"), [(1, 23), (6, 6), (24, 6), (168, 6)])
def test_a_day_or_seven_windows_are_judged_together(hours, before):
    window = Calendar(hours).of(at("2026-11-27T14:00"))
    together = Calendar(hours).pooled(window)
    assert len(together) == before
    assert together[0].end == window.start


def test_the_windows_of_a_time_span_are_those_that_share_time_with_it_and_are_over():
    found = Calendar(1).between(at("2026-11-27T13:30"), at("2026-11-27T15:30"), at("2026-11-27T15:45"))
    assert [window.first for window in found] == ["2026-11-27T13Z", "2026-11-27T14Z"]


@pytest.mark.parametrize(("first", "hours"), [("2026-11-02T09:05:05", 1), ("2026-11-02T00:00:05", 24), ("2026-11-02T00:00:05", 168)])
def test_a_weekly_schedule_loses_no_window_whatever_its_minute(first, hours):
    """What ends within a quarter of an hour of a run is complete only afterwards."""
    began, judged = Calendar(hours).before(Calendar(hours).of(at(first))), {}
    for week in range(4):
        now = at(first) + timedelta(days=7 * week)
        files = {window: {"a": "1"} for window in Calendar(hours).between(began.start, now, now)}
        judged |= {window: Judged([], windows.digest({"a": "1"})) for window in windows.due(now, Calendar(hours), files, judged)}
    assert set(Calendar(hours).between(began.start, now, now - windows.GRACE)) <= set(judged)


def hourly(first, last):
    return Calendar(1).between(at(first), at(last), at(last))


def test_windows_of_a_new_length_begin_where_the_old_ones_end():
    kept = hourly("2026-11-26T22:00", "2026-11-27T13:00")
    days = Calendar(24, kept).between(at("2026-11-27T11:00"), at("2026-11-29T01:00"), at("2026-11-30T00:00"))
    assert names(days) == [
        "2026-11-27T11Z--2026-11-27T12Z",
        "2026-11-27T12Z--2026-11-27T13Z",
        "2026-11-27T13Z--2026-11-28T00Z",
        "2026-11-28T00Z--2026-11-29T00Z",
        "2026-11-29T00Z--2026-11-30T00Z",
    ]
    assert names([Calendar(24, kept).of(at("2026-11-26T12:00"))]) == ["2026-11-26T00Z--2026-11-26T22Z"]
    hours = Calendar(1, [Calendar(24).of(at("2026-11-27T00:00"))]).between(
        at("2026-11-27T05:00"), at("2026-11-28T01:00"), at("2026-11-28T09:00")
    )
    assert names(hours) == ["2026-11-27T00Z--2026-11-28T00Z", "2026-11-28T00Z--2026-11-28T01Z"]


@pytest.mark.parametrize("hours", [1, 2, 7, 24, 168])
@pytest.mark.parametrize("before", [1, 3, 24, 168])
def test_each_hour_is_in_one_window_whatever_the_length_was_before(hours, before):
    start, end = at("2026-11-10T00:00"), at("2026-11-27T13:00")
    calendar = Calendar(hours, Calendar(before).between(start, end, end))
    found = calendar.between(at("2026-11-05T00:00"), at("2026-12-10T00:00"), at("2026-12-20T00:00"))
    assert all(one.end == other.start for one, other in pairwise(found))
    assert all(calendar.of(hour) == window for window in found for hour in window.hours())
    assert all(one.start >= other.end for window in found for one, other in pairwise([window, *calendar.pooled(window)]))


def test_what_is_no_window_is_none():
    assert Calendar.beside(24, ["x", "2026-11-27T13Z--2026-11-27T14Z"]).of(at("2026-11-27T13:30")).name == "2026-11-27T13Z--2026-11-27T14Z"
