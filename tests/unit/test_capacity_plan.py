"""`make capacity`: what is set reaches the simulator, and its answer can be pasted back."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

import settings_schema
from capacity.__main__ import parser
from capacity.candidates import JUMP, Candidate, InstanceOption
from capacity.daily import Window
from capacity.service import given
from deploy_scripts.capacity_plan import known
from deploy_scripts.settings_block import settings_block

OPTION = InstanceOption(instance_type="ml.c5.large", usd_per_hour=0.1, service=given(20, p99_ms=60, workers=2))
NAMES: dict[str, Any] = {
    name: getattr(settings_schema, name) for name in ("Autoscaling", "TargetTracking", "StepScaling", "Step", "Schedule", "RequestRouting")
}
PRICES = settings_schema.Prices(
    region="eu-west-1", as_of="2026-01", source="a list", usd_per_hour={"ml.c5.large": 0.102, "ml.m5.large": 0.115}
)


def told(endpoint: settings_schema.Endpoint) -> argparse.Namespace:
    return parser().parse_args(known(Path("trees.template.json"), endpoint, PRICES))


def test_the_simulator_is_told_what_the_settings_say() -> None:
    tracking = settings_schema.TargetTracking(max_rps_per_instance=70.0)
    scaling = settings_schema.Autoscaling(
        min_capacity=2, max_capacity=4, target_tracking=tracking, step_scaling=None, time_zone="Europe/Madrid"
    )
    endpoint = settings_schema.Endpoint(instance_type="ml.c5.large", initial_instance_count=2, p99_latency_ms=120, autoscaling=scaling)
    asked = told(endpoint)
    assert asked.template == Path("trees.template.json")
    assert (asked.slo_p99_ms, asked.max_rps_per_instance, asked.instance_type) == (120.0, 70.0, "ml.c5.large")
    assert asked.price == ["ml.c5.large=0.102", "ml.m5.large=0.115"]
    assert (asked.time_zone, asked.prices_source) == ("Europe/Madrid", "a list, noted 2026-01")


def test_an_environment_that_does_not_scale_is_simulated_too() -> None:
    assert told(settings_schema.Endpoint(autoscaling=None)).max_rps_per_instance > 0


@pytest.mark.parametrize(
    "candidate",
    [
        Candidate(option=OPTION, min_capacity=2, max_capacity=6, safety=0.7, routing="RANDOM"),
        Candidate(option=OPTION, min_capacity=2, max_capacity=6, safety=None, step_margin=1.4, steps=JUMP),
        Candidate(
            option=OPTION,
            min_capacity=1,
            max_capacity=6,
            safety=0.5,
            step_margin=1.15,
            schedule=(
                Window(name="morning", cron="0 7 ? * MON-FRI *", min_capacity=3),
                Window(name="night", cron="0 20 ? * MON-FRI *", min_capacity=1),
            ),
        ),
    ],
)
def test_the_block_is_valid_settings_with_the_values_of_the_candidate(candidate: Candidate) -> None:
    values = eval(f"dict({settings_block(candidate)})", NAMES)  # noqa: S307  # the block is code of this project, made here
    made = settings_schema.Endpoint(**values)
    scaling = made.autoscaling
    assert scaling is not None
    assert (made.instance_type, made.request_routing.name) == ("ml.c5.large", candidate.routing)
    assert (scaling.min_capacity, scaling.max_capacity) == (candidate.min_capacity, candidate.max_capacity)
    assert (scaling.target_tracking is None) == (candidate.safety is None)
    if scaling.target_tracking:
        assert scaling.target_tracking.invocations_per_instance == pytest.approx(candidate.target_value, rel=1e-3)
    if scaling.step_scaling:
        assert scaling.step_scaling.invocations_per_instance == candidate.step_threshold
    assert [schedule.name for schedule in scaling.schedules] == [window.name for window in candidate.schedule]
