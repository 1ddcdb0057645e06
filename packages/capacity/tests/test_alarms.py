"""The tables of the CloudWatch user guide on missing data, row by row ("How alarm state is evaluated when data is missing")."""

from __future__ import annotations

import pytest

from capacity.alarms import ALARM, INSUFFICIENT_DATA, OK, state_of
from capacity.model import Alarm, MetricSpecification

RETAINED = "the state before"
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
VALUES = {"0": 0.0, "X": 9.0, "-": None}


def state(points: str, treatment: str, datapoints: int, periods: int = 3) -> str:
    alarm = Alarm(
        name="a",
        metric=MetricSpecification("m"),
        comparison="GreaterThanThreshold",
        threshold=5,
        evaluation_periods=periods,
        datapoints_to_alarm=datapoints,
        treat_missing_data=treatment,
    )
    return state_of(alarm, [VALUES[point] for point in points.split()], RETAINED)


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ("0 - X - X", (OK, OK, OK, OK)),
        ("0 - - - -", (OK, OK, OK, OK)),
        ("- - - - -", (INSUFFICIENT_DATA, RETAINED, ALARM, OK)),
        ("0 X X - X", (ALARM, ALARM, ALARM, ALARM)),
        ("- - - - X", (INSUFFICIENT_DATA, RETAINED, ALARM, OK)),
        ("X - - - -", (ALARM, RETAINED, ALARM, OK)),
    ],
)
def test_three_of_three(points: str, expected: tuple[str, ...]) -> None:
    assert tuple(state(points, treatment, 3) for treatment in TREATMENTS) == expected


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ("0 - X - X", (ALARM, ALARM, ALARM, ALARM)),
        ("0 0 X 0 X", (ALARM, ALARM, ALARM, ALARM)),
        ("0 - X - -", (OK, OK, ALARM, OK)),
        ("- - - - 0", (OK, OK, ALARM, OK)),
        ("- - - - X", (INSUFFICIENT_DATA, RETAINED, ALARM, OK)),
    ],
)
def test_two_of_three(points: str, expected: tuple[str, ...]) -> None:
    assert tuple(state(points, treatment, 2) for treatment in TREATMENTS) == expected


def test_the_figure_of_the_guide_alarms_only_after_three_breaches() -> None:
    """Periods 3 to 5 breach, 9 breaches alone: ALARM at the fifth period, OK again at the sixth."""
    points = ["0", "0", "X", "X", "X", "0", "0", "0", "X"]
    states = [state(" ".join(points[: i + 1]), "missing", 3) for i in range(len(points))]
    assert [i + 1 for i, found in enumerate(states) if found == ALARM] == [5]
