"""When an AWS schedule expression fires: cron, rate and at, with time zones and daylight saving. Pure.

Input: `cron(...)`, `rate(...)` or `at(...)` as Application Auto Scaling and EventBridge take them. Output: UTC times.
Sources: Application Auto Scaling user guide, scheduled-scaling-using-cron-expressions; EventBridge user guide,
"Cron expressions reference". Daylight saving follows EventBridge Scheduler: a local time that does not exist is
skipped, one that exists twice fires once, at its first occurrence. Next: `engine.py`.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from capacity.model import CapacityError, require

_MONTHS = {
    name: number
    for number, name in enumerate(["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"], start=1)
}
_WEEKDAYS = {name: number for number, name in enumerate(["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"], start=1)}
_LAST_YEAR = 2199
_HORIZON = timedelta(days=366 * 9)  # covers every 29 February, also around 2100


def time_zone(name: str | None) -> ZoneInfo:
    """The IANA zone, or one clear line. None and empty mean UTC."""
    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError) as error:
        raise CapacityError(f"time zone {name!r} does not exist; allowed: a name of the IANA database such as Europe/Madrid") from error


@dataclass(frozen=True)
class Cron:
    """Six fields (minute hour day month weekday year), or seven with seconds first."""

    text: str
    zone: ZoneInfo
    seconds: tuple[int, ...] = (0,)
    minutes: tuple[int, ...] = ()
    hours: tuple[int, ...] = ()
    day: str = "*"
    months: tuple[int, ...] = ()
    weekday: str = "?"
    years: tuple[int, ...] = ()

    def between(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """UTC times t with start <= t < end, in order."""
        day = start.astimezone(self.zone).date() - timedelta(days=1)
        last = end.astimezone(self.zone).date() + timedelta(days=1)
        while day <= last:
            if day.year in self.years and day.month in self.months and self._day_matches(day):
                for moment in _times_of(self, day):
                    if start <= moment < end:
                        yield moment
            day += timedelta(days=1)

    def _day_matches(self, day: date) -> bool:
        return _month_day_matches(self.day, day) and _weekday_matches(self.weekday, day)


@lru_cache(maxsize=256)
def _times_of(cron: Cron, day: date) -> tuple[datetime, ...]:
    """Kept, because who follows a clock asks for the same day again and again."""
    moments = []
    for hour in cron.hours:
        for minute in cron.minutes:
            for second in cron.seconds:
                local = datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=cron.zone)
                moment = local.astimezone(UTC)
                if moment.astimezone(cron.zone).replace(tzinfo=None) == local.replace(tzinfo=None):  # else it is skipped in spring
                    moments.append(moment)
    return tuple(sorted(moments))


@dataclass(frozen=True)
class Rate:
    """Every `interval` from `anchor` on. The first time is `anchor` itself when `fires_at_anchor`."""

    text: str
    interval: timedelta
    anchor: datetime
    fires_at_anchor: bool = False

    def between(self, start: datetime, end: datetime) -> Iterator[datetime]:
        first = 0 if self.fires_at_anchor else 1
        count = max(first, -((self.anchor - start) // self.interval))
        moment = self.anchor + max(0, count) * self.interval
        while moment < start:
            moment += self.interval
        while moment < end:
            yield moment
            moment += self.interval


@dataclass(frozen=True)
class At:
    """Once."""

    text: str
    moment: datetime

    def between(self, start: datetime, end: datetime) -> Iterator[datetime]:
        if start <= self.moment < end:
            yield self.moment


@dataclass(frozen=True)
class Schedule:
    """A parsed expression, limited to `start <= t <= end` where these are given (UTC).

    `fires_at_start`: Application Auto Scaling performs a recurring action at its start time, too (user guide,
    "If you specify a start time, Application Auto Scaling performs the action at this time").
    """

    expression: Cron | Rate | At
    start: datetime | None = None
    end: datetime | None = None
    fires_at_start: bool = field(default=False)

    def between(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """Times t with start <= t < end, in order."""
        low = max(start, self.start) if self.start else start
        high = min(end, self.end + timedelta(microseconds=1)) if self.end else end
        at_start = self.fires_at_start and self.start is not None and start <= self.start < high
        if at_start and self.start is not None:
            yield self.start
        for moment in self.expression.between(low, high):
            if not (at_start and moment == self.start):
                yield moment

    def next_after(self, moment: datetime) -> datetime | None:
        """The first time strictly after `moment`, or None if it never fires again (or not within nine years)."""
        begin = moment + timedelta(microseconds=1)
        step = timedelta(days=2)
        while step <= _HORIZON:
            found = next(self.between(begin, moment + step), None)
            if found is not None:
                return found
            begin, step = moment + step, step * 6
        return next(self.between(begin, moment + _HORIZON), None)


def parse(
    text: str,
    zone: str | None = "UTC",
    *,
    created: datetime | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    fires_at_start: bool = False,
) -> Schedule:
    """Read a schedule expression. `created` anchors a rate without a start time. Raises CapacityError with one line."""
    match = re.fullmatch(r"\s*(cron|rate|at)\(([^()]*)\)\s*", text)
    require(match is not None, f"schedule {text!r} is not understood; allowed: cron(...), rate(...) or at(...)")
    assert match is not None  # noqa: S101  # narrows the type; `require` has already refused None
    kind, body = match.group(1), match.group(2).strip()
    where = time_zone(zone)
    if kind == "at":
        return Schedule(At(text, _moment(text, body, where)), start, end)
    if kind == "rate":
        anchor = start or created or datetime(1970, 1, 1, tzinfo=UTC)
        return Schedule(Rate(text, _interval(text, body), anchor, fires_at_anchor=start is not None), start, end)
    return Schedule(_cron(text, body, where), start, end, fires_at_start)


def _moment(text: str, body: str, zone: ZoneInfo) -> datetime:
    try:
        return datetime.strptime(body, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=zone).astimezone(UTC)
    except ValueError as error:
        raise CapacityError(f"schedule {text!r}: {body!r} is not a time; allowed: at(yyyy-mm-ddThh:mm:ss)") from error


def _interval(text: str, body: str) -> timedelta:
    match = re.fullmatch(r"([1-9]\d*)\s+(minute|hour|day)(s?)", body)
    require(match is not None, f"schedule {text!r}: allowed: rate(N minutes|hours|days) with N of 1 or more")
    assert match is not None  # noqa: S101  # narrows the type; `require` has already refused None
    number, unit, plural = int(match.group(1)), match.group(2), bool(match.group(3))
    require((number == 1) != plural, f"schedule {text!r}: {number} needs {'the singular' if number == 1 else 'a plural'} unit")
    return timedelta(**{unit + "s": number})


@lru_cache(maxsize=512)
def _cron(text: str, body: str, zone: ZoneInfo) -> Cron:
    fields = body.split()
    require(len(fields) in (6, 7), f"schedule {text!r}: {len(fields)} cron fields; allowed: minute hour day month weekday year")
    seconds = _numbers(text, "second", fields.pop(0), 0, 59) if len(fields) == 7 else (0,)
    minute, hour, day, month, weekday, year = (part.upper() for part in fields)
    both = not {day, weekday} & {"?", "*"}
    require(not both, f"schedule {text!r}: day-of-month and day-of-week both given; allowed: '?' in one of them")
    cron = Cron(
        text=text,
        zone=zone,
        seconds=seconds,
        minutes=_numbers(text, "minute", minute, 0, 59),
        hours=_numbers(text, "hour", hour, 0, 23),
        day=day,
        months=_numbers(text, "month", month, 1, 12, _MONTHS),
        weekday=weekday,
        years=_numbers(text, "year", year, 1970, _LAST_YEAR),
    )
    _check_days(text, day, weekday)
    return cron


def _check_days(text: str, day: str, weekday: str) -> None:
    special_day = re.fullmatch(r"L(-\d{1,2})?|LW|\d{1,2}W", day)
    special_weekday = re.fullmatch(r"L|([1-7]|SUN|MON|TUE|WED|THU|FRI|SAT)(L|#[1-5])", weekday)
    if day != "?" and not special_day:
        _numbers(text, "day-of-month", day, 1, 31)
    if weekday != "?" and not special_weekday:
        _numbers(text, "day-of-week", weekday, 1, 7, _WEEKDAYS)


def _numbers(text: str, name: str, part: str, low: int, high: int, names: dict[str, int] | None = None) -> tuple[int, ...]:
    """The values that one cron field allows, such as `0/15`, `MON-FRI`, `1,3,5` or `*`. A range may wrap (FRI-MON)."""
    allowed = f"{name} field {part!r} of schedule {text!r}; allowed: {low} to {high}, *, lists, ranges and steps"
    values: set[int] = set()
    for item in part.split(","):
        match = re.fullmatch(r"(\*|[0-9A-Z]+)(?:-([0-9A-Z]+))?(?:/([1-9]\d*))?", item)
        require(match is not None, allowed)
        assert match is not None  # noqa: S101  # narrows the type; `require` has already refused None
        first, last, step = match.groups()
        begin = low if first == "*" else _number(first, names, allowed)
        open_ended = first == "*" or step is not None
        end = _number(last, names, allowed) if last else (high if open_ended else begin)
        require(low <= begin <= high and low <= end <= high, allowed)
        span = range(begin, (end if end >= begin else end + (high - low + 1)) + 1, int(step or 1))
        values |= {(value - low) % (high - low + 1) + low for value in span}
    return tuple(sorted(values))


def _number(text: str, names: dict[str, int] | None, allowed: str) -> int:
    if names and text in names:
        return names[text]
    require(text.isdigit(), allowed)
    return int(text)


@lru_cache(maxsize=4096)
def _month_day_matches(rule: str, day: date) -> bool:
    """`L` last day, `L-3` three days before it, `15W` weekday nearest to the 15th, `LW` last weekday of the month."""
    if rule in ("*", "?"):
        return True
    last = calendar.monthrange(day.year, day.month)[1]
    if rule == "LW":
        return day.day == _nearest_weekday(day.year, day.month, last, last)
    if rule.startswith("L"):
        return day.day == last - int(rule[2:] or 0)
    if rule.endswith("W"):
        wanted = int(rule[:-1])
        return wanted <= last and day.day == _nearest_weekday(day.year, day.month, wanted, last)
    return day.day in _numbers(rule, "day-of-month", rule, 1, 31)


def _nearest_weekday(year: int, month: int, day: int, last: int) -> int:
    weekday = date(year, month, day).weekday()
    if weekday == 5:
        return day - 1 if day > 1 else day + 2
    if weekday == 6:
        return day + 1 if day < last else day - 2
    return day


@lru_cache(maxsize=4096)
def _weekday_matches(rule: str, day: date) -> bool:
    """1 is Sunday. `L` is Saturday, `6L` the last Friday of the month, `3#2` the second Tuesday."""
    if rule in ("*", "?"):
        return True
    number = day.isoweekday() % 7 + 1
    if rule == "L":
        return number == 7
    if "#" in rule:
        weekday, count = rule.split("#")
        return number == _weekday(weekday) and (day.day - 1) // 7 + 1 == int(count)
    if rule.endswith("L"):
        return number == _weekday(rule[:-1]) and day.day + 7 > calendar.monthrange(day.year, day.month)[1]
    return number in _numbers(rule, "day-of-week", rule, 1, 7, _WEEKDAYS)


def _weekday(text: str) -> int:
    return _WEEKDAYS[text] if text in _WEEKDAYS else int(text)
