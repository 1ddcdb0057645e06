"""A number that a team writes is the same value whichever way it is written: 5 is 5.0 where a float is meant, and True is no number."""

from __future__ import annotations

import json
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import pytest

import settings_schema
from pipelines.tabular.specification import specification_json
from settings_schema import (
    Asynchronous,
    Autoscaling,
    BacklogScaling,
    Blend,
    Component,
    CopyScaling,
    Endpoint,
    Gate,
    Member,
    MemberInstances,
    Monitoring,
    MultiModelFleet,
    Numeric,
    Preparation,
    Prices,
    ProvisionedConcurrency,
    Range,
    Serverless,
    SettingsError,
    Split,
    StepScaling,
    TargetTracking,
)
from settings_schema.value import Value
from tests.example_models import model_of
from tests.unit.test_settings import data_set

#: One instance of each class that has a float: whole numbers are put into its fields.
EXAMPLES = {
    "Asynchronous": Asynchronous(),
    "BacklogScaling": BacklogScaling(),
    "Component": Component(fleet="small"),
    "CopyScaling": CopyScaling(),
    "DataSet": data_set(),
    "Endpoint": Endpoint(),
    "Blend": Blend(),
    "Gate": Gate(),
    "Member": Member(fleet="tiny"),
    "MemberInstances": MemberInstances(),
    "Monitoring": Monitoring(),
    "MultiModelFleet": MultiModelFleet(name="tiny", instances={"live": MemberInstances()}),
    "Numeric": Numeric(name="x", minimum=-1e6, maximum=1e6),
    "Preparation": Preparation(),
    "ProvisionedConcurrency": ProvisionedConcurrency(),
    "Prices": Prices(region="us-east-1", as_of="2025-06", source="a page", usd_per_hour={"ml.m5.large": 0.1}),
    "Range": Range(low=-1e6, high=1e6),
    "Serverless": Serverless(),
    "Split": Split(),
    "StepScaling": StepScaling(),
    "TargetTracking": TargetTracking(),
}


def holds_float(hint: Any) -> bool:
    """A number, or None, and not one that may be whole as well."""
    if get_origin(hint) is Annotated:
        return holds_float(get_args(hint)[0])
    if get_origin(hint) in (Union, UnionType):
        return any(map(holds_float, get_args(hint))) and int not in get_args(hint)
    return hint is float


FIELDS = [
    (name, field)
    for name, made in vars(settings_schema).items()
    if isinstance(made, type) and issubclass(made, Value)
    for field, hint in get_type_hints(made, include_extras=True).items()
    if field in made.model_fields and holds_float(hint)
]


def test_the_fields_are_those_of_every_class() -> None:
    """Or the claims below would be about none of them."""
    assert {("DataSet", "threshold"), ("Numeric", "minimum"), ("Preparation", "outlier_factor"), ("Split", "test")} <= set(FIELDS)


@pytest.mark.parametrize(("made", "field"), FIELDS)
def test_a_whole_number_in_a_field_of_floats_is_that_float(made: str, field: str) -> None:
    taken = 0
    for whole in (-3, 0, 1, 2, 5, 60, 10**6):
        try:
            as_float = EXAMPLES[made].but(**{field: float(whole)})
        except SettingsError:
            with pytest.raises(SettingsError, match=rf"{field} is {whole}(\.0)?; allowed"):
                EXAMPLES[made].but(**{field: whole})
            continue
        taken += 1
        assert repr(EXAMPLES[made].but(**{field: whole})) == repr(as_float)
    assert taken or made in ("Split", "Monitoring") or field.endswith("significance")  # whose shares lie between 0 and 1


@pytest.mark.parametrize(("made", "field"), FIELDS)
@pytest.mark.parametrize("truth", [True, False])
def test_a_truth_value_is_no_number(made: str, field: str, truth: bool) -> None:
    with pytest.raises(SettingsError, match=rf"{field} is {truth}; allowed: .*number"):
        EXAMPLES[made].but(**{field: truth})


def test_prices_and_ranges_are_floats_too_but_two_whole_ends_mean_whole_numbers() -> None:
    prices = EXAMPLES["Prices"].but(usd_per_hour={"ml.m5.large": 2})
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
    assert specification_json(model_of(whole)) == specification_json(model_of(point))
    assert json.loads(specification_json(model_of(whole)))["dataset"]["threshold"] == 5
