"""A number of settings.py is the same value whichever way it is written: 5 is 5.0 where a float is meant, and True is no number."""

from __future__ import annotations

import dataclasses
import json
from types import UnionType
from typing import Any, get_args, get_type_hints

import pytest

import settings
from pipelines.tabular.specification import specification_json
from settings import (
    Autoscaling,
    Environment,
    Gate,
    Numeric,
    Preparation,
    Prices,
    Range,
    SettingsError,
    Split,
    StepScaling,
    TargetTracking,
)
from tests.unit.test_settings import data_set

#: One instance of each class that has a float: whole numbers are put into its fields.
EXAMPLES = {
    "DataSet": data_set(),
    "Environment": Environment(name="x"),
    "Gate": Gate(),
    "Metric": settings.Metric(more_is_better=True),
    "Numeric": Numeric(name="x", minimum=-1e6, maximum=1e6),
    "Preparation": Preparation(),
    "Prices": Prices(region="us-east-1", as_of="2025-06", source="a page", usd_per_hour={"ml.m5.large": 0.1}),
    "Range": Range(low=-1e6, high=1e6),
    "Split": Split(),
    "StepScaling": StepScaling(),
    "TargetTracking": TargetTracking(),
}
#: What the code itself makes: no team writes one.
NOT_WRITTEN_BY_TEAMS = {"Metric"}


def holds_float(hint: Any) -> bool:
    return hint is float or (isinstance(hint, UnionType) and float in get_args(hint) and int not in get_args(hint))


FIELDS = [
    (name, field.name)
    for name, made in vars(settings).items()
    if dataclasses.is_dataclass(made) and isinstance(made, type) and name not in NOT_WRITTEN_BY_TEAMS
    for field in dataclasses.fields(made)
    if holds_float(get_type_hints(made)[field.name])
]


def test_the_fields_are_those_of_every_class() -> None:
    """Or the claims below would be about none of them."""
    assert {("DataSet", "threshold"), ("Numeric", "minimum"), ("Preparation", "outlier_factor"), ("Split", "test")} <= set(FIELDS)


@pytest.mark.parametrize(("made", "field"), FIELDS)
def test_a_whole_number_in_a_field_of_floats_is_that_float(made: str, field: str) -> None:
    taken = 0
    for whole in (-3, 0, 1, 2, 5, 60, 10**6):
        try:
            as_float = dataclasses.replace(EXAMPLES[made], **{field: float(whole)})
        except SettingsError:
            with pytest.raises(SettingsError, match=rf"{field} is {whole}; allowed"):
                dataclasses.replace(EXAMPLES[made], **{field: whole})
            continue
        taken += 1
        assert repr(dataclasses.replace(EXAMPLES[made], **{field: whole})) == repr(as_float)
    assert taken or made == "Split" or field.endswith("significance")


@pytest.mark.parametrize(("made", "field"), FIELDS)
@pytest.mark.parametrize("truth", [True, False])
def test_a_truth_value_is_no_number(made: str, field: str, truth: bool) -> None:
    with pytest.raises(SettingsError, match=rf"{field} is {truth}; allowed: .*number"):
        dataclasses.replace(EXAMPLES[made], **{field: truth})


def test_prices_and_ranges_are_floats_too_but_two_whole_ends_mean_whole_numbers() -> None:
    prices = dataclasses.replace(EXAMPLES["Prices"], usd_per_hour={"ml.m5.large": 2})
    assert repr(prices.usd_per_hour) == "{'ml.m5.large': 2.0}"
    assert repr(Range(low=1, high=2.5)) == repr(Range(low=1.0, high=2.5))
    assert Range(low=1, high=2).is_integer
    assert not Range(low=1.0, high=2).is_integer
    with pytest.raises(SettingsError, match=r"Range.high is True; allowed: a number"):
        Range(low=0, high=True)


def test_a_scaling_that_is_written_in_whole_numbers_is_the_same() -> None:
    assert repr(Autoscaling(min_capacity=1, max_capacity=2, target_tracking=TargetTracking(max_rps_per_instance=40))) == repr(
        Autoscaling(min_capacity=1, max_capacity=2, target_tracking=TargetTracking(max_rps_per_instance=40.0))
    )


def test_the_steps_read_the_same_of_5_as_of_5_0() -> None:
    whole, point = (data_set(threshold=number, numeric=(Numeric(name="x", minimum=number),)) for number in (5, 5.0))
    assert specification_json(whole) == specification_json(point)
    assert json.loads(specification_json(whole))["dataset"]["threshold"] == 5
