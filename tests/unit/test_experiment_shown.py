"""What is said of an experiment: before it begins what it can find, while it lasts how far it is, and at its end what was found."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from deploy_scripts.experiment import abandoned, lines, on_trial, waiting
from deploy_scripts.experiment_power import expected_labels, plan, smallest_difference
from deploy_scripts.review.running import experiment as section
from settings_schema import Autoscaling, Endpoint, Experiment, Prices
from tests.example_models import ABALONE, PRODUCTION, PROJECT

SET = Experiment(challenger_percent=20, labelled_answers=2000)
NAMES = ABALONE.names(PROJECT).at(PRODUCTION.name)
BEGAN = "2026-11-27T11:00:00Z"
FOUND = {
    "began": BEGAN,
    "decided": False,
    "sentence": "812 of 2,000 labelled answers, nothing is decided before",
    "ends": "2026-12-11T11:00:00Z",
    "judged_at": "2026-11-28T04:20:00Z",
    "counted_since": "2026-11-27T11:04:10Z",
    "requests": {"champion": 4010, "challenger": 990},
    "labels": {"champion": 650, "challenger": 162},
    "sample_ratio_p": 0.72,
}


def stack(**parameters: str) -> dict[str, Any]:
    values = {"ModelVersion": "3", "ChallengerVersion": "4", "ExperimentBegan": BEGAN, **parameters}
    return {"Parameters": [{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()]}


class Place:
    """Where production is, with what the watch has written there."""

    bucket = "environment"

    def __init__(self, found: dict[str, Any] | None, *, may_read: bool = True) -> None:
        self._found, self._may_read = found, may_read

    def client(self, service: str) -> Any:
        assert service == "s3"
        return self

    def list_objects_v2(self, **_: object) -> dict[str, Any]:
        return {"Contents": [{}]} if self._found else {}

    def get_object(self, **asked: str) -> dict[str, Any]:
        assert asked["Key"] == "monitoring/abalone/experiments/4.json"
        if not self._may_read:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetObject")
        return {"Body": io.BytesIO(json.dumps(self._found).encode())}


def test_the_smallest_difference_is_that_of_two_means_of_so_many_answers() -> None:
    """A mean absolute error with a standard deviation of 1 an answer: its interval on 400 rows is 2 * 1.96 / 20 wide."""
    measured = {"value": 2.0, "lower": 2.0 - 1.959964 / 20, "upper": 2.0 + 1.959964 / 20}
    assert expected_labels(SET) == (1600, 400)
    expected = (1.959964 + 0.841621) * (1 / 1600 + 1 / 400) ** 0.5
    assert smallest_difference(measured, 400, SET) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("measured", "rows"), [({}, 400), ({"lower": 1.0, "upper": 1.0}, 400), ({"lower": 1.0, "upper": 2.0}, 0)])
def test_nothing_is_made_up_where_the_evaluation_has_no_interval(measured: dict[str, float | None], rows: int) -> None:
    assert smallest_difference(measured, rows, SET) is None


def test_whoever_approves_reads_what_a_yes_begins_and_what_it_costs() -> None:
    prices = Prices(region="us-east-1", as_of="2026-01", source="a page", usd_per_hour={"ml.m5.large": 0.1})
    known = plan(SET, Endpoint(initial_instance_count=6), prices, "rmse", 0.123)
    shown = section({"experiment": known, "production": {"number": 3}})
    assert shown is not None
    text = "\n".join(shown.lines)
    assert "20 % of the requests beside version 3" in text and "2,000 labelled answers, about 400 of them" in text
    assert "a difference in rmse of 0.123 would be found in four of five" in text
    assert "its 2 × ml.m5.large cost 4.80 USD a day" in text
    assert section({"experiment": None}) is None and section({}) is None
    scales = Endpoint(initial_instance_count=2, autoscaling=Autoscaling(min_capacity=2, max_capacity=12))
    shown = section({"experiment": plan(SET, scales, prices, "rmse", 0.123), "production": {"number": 3}})
    assert shown is not None
    assert "its 1 to 3 × ml.m5.large, as many as its own requests need, cost 2.40 USD to 7.20 USD a day" in shown.lines


@pytest.mark.parametrize(("evaluated", "is_warned"), [(0.08, True), (-0.08, True), (0.2, False), (None, False)])
def test_whoever_approves_reads_that_it_is_too_small_for_what_the_evaluation_found(evaluated: float | None, is_warned: bool) -> None:
    known = plan(SET, Endpoint(), Prices(region="us-east-1", as_of="2026-01", source="a page", usd_per_hour={}), "rmse", 0.123)
    rows = [{"name": "rmse", "difference": None if evaluated is None else {"value": evaluated}}]
    shown = section({"experiment": known, "production": {"number": 3}, "quality": {"rows": rows}})
    assert shown is not None
    assert ("the evaluation has a difference of 0.08: this experiment would rather miss that" in "\n".join(shown.lines)) is is_warned


def test_status_says_how_far_it_is_and_for_what_it_waits() -> None:
    (line,) = waiting(on_trial(stack(), Place(FOUND), NAMES), "abalone", SET)  # type: ignore[arg-type]  # as much of a place as is asked
    assert line.what == (
        "experiment of abalone: version 4 beside version 3, with 20 % of the requests: "
        "812 of 2,000 labelled answers, nothing is decided before"
    )
    assert (line.since, line.whom) == ("2026-11-27 11:00", "labelled answers, or its last day")
    decided = {**FOUND, "decided": True, "sentence": "no difference was found"}
    assert waiting(on_trial(stack(), Place(decided), NAMES), "abalone", SET)[0].whom == "an approver"  # type: ignore[arg-type]


def test_without_an_experiment_nothing_waits() -> None:
    assert on_trial(stack(ExperimentBegan="never"), Place(FOUND), NAMES) is None  # type: ignore[arg-type]
    assert on_trial(None, Place(FOUND), NAMES) is None  # type: ignore[arg-type]
    assert waiting(None, "abalone", SET) == []


def test_what_the_watch_said_of_an_earlier_experiment_is_not_shown() -> None:
    trial = on_trial(stack(ExperimentBegan="2026-11-30T11:00:00Z"), Place(FOUND), NAMES)  # type: ignore[arg-type]
    assert trial is not None and trial.sentence == "nothing is counted yet: the watch has not looked since it began"


def test_who_may_not_read_it_is_told_so() -> None:
    trial = on_trial(stack(), Place(FOUND, may_read=False), NAMES)  # type: ignore[arg-type]
    assert trial is not None and "cannot be read with these credentials (GetObject: AccessDenied: no)" in trial.sentence


def test_the_command_shows_the_counts_of_both() -> None:
    trial = on_trial(stack(), Place(FOUND), NAMES)  # type: ignore[arg-type]
    assert trial is not None
    text = "\n".join(lines(trial))
    assert "version 3: 4,010 requests, 650 labelled answers" in text and "version 4: 990 requests, 162 labelled answers" in text
    assert "p = 0.72" in text


def test_a_challenger_whose_setting_is_gone_is_named_with_the_command_that_silences_it() -> None:
    """What ends experiments went with the setting."""
    (line,) = abandoned(on_trial(stack(), Place(None), NAMES), NAMES)  # type: ignore[arg-type]  # what it asks of a place
    assert "version 4 of abalone answers a part of the requests to live, beside version 3, and nothing ends that any more" in line.what
    assert line.command == (
        "aws sagemaker update-endpoint-weights-and-capacities --endpoint-name shop--abalone--live "
        "--desired-weights-and-capacities VariantName=Challenger,DesiredWeight=0"
    )
    assert abandoned(None, NAMES) == []
