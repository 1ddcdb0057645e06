"""Traffic is read exactly or refused with the row that is wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest

from capacity import traffic
from capacity.daily import windows
from capacity.model import CapacityError
from capacity.shapes import SHAPES

GOOD = "time,requests_per_second\n2026-01-05T08:00:00Z,10\n2026-01-05T08:01:00Z,20\n2026-01-05T08:02:00Z,30\n"


def test_rates_and_counts_are_told_apart() -> None:
    rates = traffic.from_csv(GOOD)
    counts = traffic.from_csv(GOOD.replace("requests_per_second", "invocations"))
    assert rates.rate.tolist() == [10, 20, 30]
    assert counts.rate.tolist() == pytest.approx([10 / 60, 20 / 60, 30 / 60])
    assert rates.step_seconds == 60 and rates.requests == 3600


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        ("a,b\n1,2\n", "header is 'a,b'"),
        (GOOD.replace(",20", ",-20"), "row 3: requests_per_second is -20"),
        (GOOD.replace(",20", ",many"), "row 3: requests_per_second is 'many'"),
        (GOOD.replace(",20", ",nan"), "row 3: requests_per_second is 'nan'"),
        (GOOD.replace("08:02", "08:03"), "row 4: 120 s after the one before, not 60 s"),
        (GOOD.replace("08:01", "07:59"), "row 3: time is not after"),
        (GOOD.replace("08:01", "08:00"), "row 3: time is not after"),
        (GOOD.replace("2026-01-05T08:01:00Z", "noon"), "row 3: time 'noon'"),
        (GOOD.replace(",20", ""), "row 3: 1 cells"),
        ("\n".join(GOOD.splitlines()[:2]), "2 or more"),
    ],
)
def test_a_wrong_csv_names_its_row(content: str, said: str) -> None:
    with pytest.raises(CapacityError) as caught:
        traffic.from_csv(content, name="day.csv")
    assert said in str(caught.value) and str(caught.value).startswith("day.csv")
    assert "\n" not in str(caught.value)


def test_cloudwatch_minutes_without_a_value_are_zero() -> None:
    points = [{"Timestamp": f"2026-01-05T08:0{m}:00Z", "Sum": 60.0 * m} for m in (3, 1, 2, 5)]
    found = traffic.from_cloudwatch(json.dumps({"Label": "Invocations", "Datapoints": points}))
    assert found.rate.tolist() == [1, 2, 3, 0, 5]
    data = {"MetricDataResults": [{"Timestamps": [p["Timestamp"] for p in points], "Values": [p["Sum"] for p in points]}]}
    assert traffic.from_cloudwatch(json.dumps(data)).rate.tolist() == [1, 2, 3, 0, 5]


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_every_shape_stays_between_base_and_peak(name: str) -> None:
    made = traffic.from_shape(f"{name}:peak=100")
    assert made.rate.min() >= 0 and 60 < made.rate.max() <= 100.0001


@pytest.mark.parametrize(
    ("text", "said"),
    [("tidal", "unknown"), ("ramp:pike=3", "'pike'"), ("ramp:peak=x", "peak"), ("ramp:days=0", "days"), ("missing.csv", "cannot be read")],
)
def test_a_wrong_shape_is_refused(text: str, said: str) -> None:
    with pytest.raises(CapacityError, match=said):
        traffic.read(text)


def test_a_variation_repeats_with_its_seed_and_differs_from_others() -> None:
    day = traffic.from_shape("diurnal")
    np.testing.assert_array_equal(day.varied(1).rate, day.varied(1).rate)
    assert not np.allclose(day.varied(1).rate, day.varied(2).rate)
    assert (day.varied(1).rate >= 0).all()


def test_scheduled_minimums_cover_the_usual_need_and_start_before_it() -> None:
    found = windows(traffic.from_shape("diurnal:peak=300,base=20,days=3"), 100.0, "UTC", lead_seconds=240, max_capacity=20)
    assert 2 <= len(found) <= 3
    assert max(window.min_capacity for window in found) == 3
    assert all(window.cron.split()[0] == "55" for window in found)


def test_flat_traffic_needs_no_schedule() -> None:
    assert windows(traffic.from_shape("constant"), 30.0, "UTC", lead_seconds=240, max_capacity=20) == ()


def test_working_days_and_weekends_are_told_apart() -> None:
    found = windows(traffic.from_shape("weekly:peak=300,base=20,weekend=0"), 100.0, "Europe/Madrid", lead_seconds=240, max_capacity=20)
    assert any("MON-FRI" in window.cron for window in found)
