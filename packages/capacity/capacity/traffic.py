"""Traffic to replay: requests per second over time, from a CSV file, from CloudWatch, or from a named shape.

Output: `Traffic`, evenly spaced. Every refusal is one line that names file and row. Next: `simulate.py`.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from capacity.model import CapacityError, require
from capacity.shapes import SHAPES

Floats = NDArray[np.float64]
DEFAULT_START = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
COLUMNS = {"requests_per_second": 1.0, "invocations": 0.0, "requests": 0.0}  # 0: a count for each interval


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """`rate[i]` requests per second from `start + i * step_seconds` on (Unix seconds). shape: (intervals,).

    closed_loop: `rate` is a number of concurrent users who each send the next request when the last one is answered.
    """

    rate: Floats
    step_seconds: float
    start: float = field(default=DEFAULT_START.timestamp())
    name: str = "traffic"
    closed_loop: bool = False

    @property
    def seconds(self) -> float:
        return float(len(self.rate) * self.step_seconds)

    @property
    def requests(self) -> float:
        return float(self.rate.sum() * self.step_seconds)

    def at_ticks(self, tick_seconds: float) -> Floats:
        """The rate for each tick; a rate holds for its whole interval."""
        ticks = math.ceil(self.seconds / tick_seconds)
        index = np.minimum((np.arange(ticks) * tick_seconds / self.step_seconds + 1e-9).astype(int), len(self.rate) - 1)
        return np.asarray(self.rate[index])

    def varied(self, seed: int, *, level: float = 0.1, noise: float = 0.08, shift_seconds: float = 1200.0) -> Traffic:
        """Another day of the same kind: level, timing and minute-to-minute noise differ, reproducibly by `seed`.

        level, noise: standard deviations as a share of the rate. The noise has a correlation time of about ten minutes,
        as aggregated requests have. shift_seconds: standard deviation of the shift in time.
        """
        random = np.random.default_rng(seed)
        shift = round(random.normal(0.0, shift_seconds) / self.step_seconds)
        moved = np.clip(np.arange(len(self.rate)) - shift, 0, len(self.rate) - 1)
        rate = self.rate[moved] * math.exp(random.normal(0.0, level))
        keep = math.exp(-self.step_seconds / 600.0)
        white = random.normal(0.0, noise * math.sqrt(1 - keep * keep), len(rate))
        coloured = np.empty_like(white)
        value = random.normal(0.0, noise)
        for i, step in enumerate(white):
            value = keep * value + step
            coloured[i] = value
        return replace(self, rate=np.maximum(0.0, rate * (1 + coloured)), name=f"{self.name}, variation {seed}")


def from_shape(text: str, *, start: float | None = None) -> Traffic:
    """`name` or `name:key=value,...`, such as `diurnal:peak=300,days=7`. Rates in requests per second, one value a minute."""
    name, _, tail = text.partition(":")
    require(name in SHAPES, f"traffic shape {name!r} is unknown; allowed: {', '.join(SHAPES)}, or a CSV or JSON file that exists")
    shape, defaults = SHAPES[name]
    values = dict(defaults)
    for item in filter(None, tail.split(",")):
        key, _, number = item.partition("=")
        require(key in values, f"traffic {text!r}: {key!r} is unknown; allowed: {', '.join(values)}")
        values[key] = _number(number, f"traffic {text!r}: {key}")
        positive = values[key] > 0 or (values[key] == 0 and key in ("base", "weekend", "hour"))
        require(positive, f"traffic {text!r}: {key} is {number}; allowed: more than 0")
    require(values["days"] <= 366, f"traffic {text!r}: days is {values['days']:g}; allowed: up to 366")
    begin = DEFAULT_START.timestamp() if start is None else start
    minutes = np.arange(round(values.pop("days") * 1440)) * 60.0
    require(len(minutes) >= 1, f"traffic {text!r}: days is too short; allowed: a minute or more")
    return Traffic(rate=np.maximum(0.0, shape(minutes, **values)), step_seconds=60.0, start=begin, name=text)


def read(text: str) -> Traffic:
    """A file (CSV, or the JSON that `aws cloudwatch get-metric-statistics|get-metric-data` prints), or a shape."""
    path = Path(text)
    if path.suffix.lower() in (".csv", ".json") or path.is_file():
        try:
            content = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise CapacityError(f"traffic file {text} cannot be read: {reason}") from error
        return from_cloudwatch(content, name=path.name) if path.suffix.lower() == ".json" else from_csv(content, name=path.name)
    return from_shape(text)


def from_csv(content: str, *, name: str = "traffic.csv") -> Traffic:
    """Columns `time` (ISO 8601 or seconds) and `requests_per_second`, or `invocations`: a count for each interval.

    Rows are evenly spaced, in order and not negative; anything else is refused with its row number.
    """
    rows = list(csv.reader(content.splitlines()))
    require(bool(rows), f"{name} is empty; allowed: a header 'time,requests_per_second' and rows")
    header = [cell.strip().lower() for cell in rows[0]]
    column = next((c for c in COLUMNS if c in header), None)
    require(
        "time" in header and column is not None, f"{name}: header is {','.join(rows[0])!r}; allowed: time and one of {', '.join(COLUMNS)}"
    )
    times, values = [], []
    for number, row in enumerate(rows[1:], start=2):
        if not row:
            continue
        require(len(row) == len(header), f"{name} row {number}: {len(row)} cells; allowed: {len(header)}, as in the header")
        times.append(_time(row[header.index("time")], f"{name} row {number}"))
        values.append(_number(row[header.index(str(column))], f"{name} row {number}: {column}"))
        require(values[-1] >= 0, f"{name} row {number}: {column} is {values[-1]:g}; allowed: 0 or more")
    step = _spacing(times, name, unit="row")
    rate = np.array(values) / (1.0 if COLUMNS[str(column)] else step)
    return Traffic(rate=rate, step_seconds=step, start=_start(times), name=name)


def _spacing(times: list[float], name: str, unit: str) -> float:
    require(len(times) >= 2, f"{name}: {len(times)} {unit}s; allowed: 2 or more")
    steps = np.diff(times)
    step = float(steps[0])
    for number, found in enumerate(steps, start=3):
        require(found > 0, f"{name} {unit} {number}: time is not after the one before; allowed: rows in order of time, each time once")
        require(
            abs(found - step) < 1e-6 * step, f"{name} {unit} {number}: {found:g} s after the one before, not {step:g} s; allowed: no gaps"
        )
    require(step <= 3600, f"{name}: one value each {step:g} s; allowed: an hour at most, better a minute")
    return step


def _start(times: list[float]) -> float:
    """Times that are small numbers count from the default Monday."""
    return times[0] if times[0] > 10**8 else DEFAULT_START.timestamp() + times[0]


def _time(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise CapacityError(
            f"{where}: time {text!r} is not understood; allowed: ISO 8601 such as 2026-01-05T08:00:00Z, or seconds"
        ) from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise CapacityError(f"{where} is {text!r}; allowed: a number") from error
    require(math.isfinite(value), f"{where} is {text!r}; allowed: a finite number")
    return value


def from_cloudwatch(content: str, *, name: str = "metrics.json") -> Traffic:
    """The Sum of `Invocations` as the AWS CLI prints it. CloudWatch has no value where there was no traffic: that is 0."""
    allowed = "allowed: the output of `aws cloudwatch get-metric-statistics --metric-name Invocations --statistics Sum --period 60 ...`"
    try:
        answer = json.loads(content)
    except ValueError as error:
        raise CapacityError(f"{name} is not JSON; {allowed}") from error
    points = _points(answer)
    require(len(points) >= 2, f"{name} has {len(points)} datapoints of a Sum; {allowed}")
    times = sorted(points)
    step = float(min(np.diff(times)))
    require(step > 0, f"{name}: two datapoints at the same time; {allowed}")
    index = np.rint((np.array(times) - times[0]) / step).astype(int)
    rate = np.zeros(index[-1] + 1)
    rate[index] = [points[time] / step for time in times]
    require(bool((rate >= 0).all()), f"{name}: a negative number of invocations; {allowed}")
    return Traffic(rate=rate, step_seconds=step, start=times[0], name=name)


def _points(answer: Any) -> Mapping[float, float]:
    if not isinstance(answer, dict):
        return {}
    if "Datapoints" in answer:
        return {_time(str(p["Timestamp"]), "Timestamp"): float(p["Sum"]) for p in answer["Datapoints"] if "Sum" in p}
    results = answer.get("MetricDataResults") or [{}]
    pairs = zip(results[0].get("Timestamps", []), results[0].get("Values", []), strict=False)
    return {_time(str(time), "Timestamp"): float(value) for time, value in pairs}
