"""Endpoints that several models share: a stack for each fleet and environment, which begins without any model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from settings_schema import Fleet, FleetKind, Instances
from settings_schema.reading import Settings
from tests.example_models import PRODUCTION, STAGING
from tests.infra.cases import TWO
from tests.infra.conftest import Synthesized, resources_of
from tests.infra.grants import Templates

SMALL = Fleet(
    name="small",
    kind=FleetKind.COMPONENTS,
    instances={STAGING.name: Instances(min_count=0), PRODUCTION.name: Instances(instance_type="ml.m5d.large", max_count=3)},
)
FLEETS = replace(TWO, fleets={SMALL.name: SMALL})


@pytest.fixture(scope="module")
def templates(synthesized: Callable[[Settings], Synthesized]) -> Templates:
    return synthesized(FLEETS)[1]


def the(kind: str, templates: Templates, stack: str) -> Any:
    (found,) = resources_of(templates, f"AWS::SageMaker::{kind}", stack=stack).values()
    return found


def test_a_fleet_is_an_endpoint_without_a_model_in_each_environment_that_it_names(templates):
    live = the("EndpointConfig", templates, "shop--fleet--small--live")
    (variant,) = live["ProductionVariants"]
    assert variant["InstanceType"] == "ml.m5d.large"
    assert variant["ManagedInstanceScaling"] == {"Status": "ENABLED", "MinInstanceCount": 1, "MaxInstanceCount": 3}
    assert "ModelName" not in variant
    assert "ExecutionRoleArn" in live
    assert the("Endpoint", templates, "shop--fleet--small--live")["EndpointName"] == "shop--fleet--small--live"


def test_a_fleet_may_go_down_to_no_instance_and_begins_with_one(templates):
    (variant,) = the("EndpointConfig", templates, "shop--fleet--small--try")["ProductionVariants"]
    assert (variant["InitialInstanceCount"], variant["ManagedInstanceScaling"]["MinInstanceCount"]) == (1, 0)
