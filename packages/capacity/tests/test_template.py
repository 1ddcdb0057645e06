"""What is read from a template or from the API, and that wrong ones are refused in one line each."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from capacity.api import configuration_from_api
from capacity.model import LEAST_OUTSTANDING_REQUESTS, RANDOM, CapacityError, StepPolicy, TargetTrackingPolicy
from capacity.template import TARGET, configurations, read

from .endpoint_template import RESOURCE, template


def test_all_three_kinds_are_read() -> None:
    [found] = configurations(template())
    tracking, steps = found.policies
    assert (found.target.resource_id, found.target.min_capacity, found.target.max_capacity) == (RESOURCE, 2, 8)
    assert (found.instance_type, found.initial_instance_count) == ("ml.m5.large", 2)
    assert isinstance(tracking, TargetTrackingPolicy) and (tracking.target_value, tracking.scale_out_cooldown_seconds) == (1200, 60)
    assert tracking.scale_in_cooldown_seconds == 300  # the service's default
    assert isinstance(steps, StepPolicy) and [s.adjustment for s in steps.steps] == [25, 50]
    [alarm] = steps.alarms
    assert (alarm.threshold, alarm.evaluation_periods, alarm.datapoints_to_alarm) == (1800, 2, 2)
    assert alarm.metric.dimensions == (("EndpointName", "mlops-production"),)
    assert found.scheduled_actions[0].time_zone == "Europe/Madrid"


def test_a_target_on_a_condition_counts_where_there_is_no_other() -> None:
    """It scales a variant that comes and goes beside the one that is asked about."""
    two = template()
    (name,) = [key for key, item in two["Resources"].items() if item["Type"] == TARGET]
    only = {**two["Resources"][name], "Condition": "Tried"}
    second = {**only, "Properties": {**only["Properties"], "ResourceId": "endpoint/e/variant/Second"}}
    two["Resources"] = {"Second": second, **two["Resources"]}
    assert [found.target.resource_id for found in configurations(two)] == [RESOURCE]
    two["Resources"][name] = only
    assert len(configurations(two)) == 2


@pytest.mark.parametrize(
    ("config", "routing"),
    [
        (None, RANDOM),
        ({"RoutingStrategy": "RANDOM"}, RANDOM),
        ({"RoutingStrategy": LEAST_OUTSTANDING_REQUESTS}, LEAST_OUTSTANDING_REQUESTS),
    ],
)
def test_the_routing_strategy_is_the_variant_s_and_random_if_it_says_nothing(config: dict[str, str] | None, routing: str) -> None:
    changed = template()
    [variant] = changed["Resources"]["Config"]["Properties"]["ProductionVariants"]
    if config:
        variant["RoutingConfig"] = config
    assert configurations(changed)[0].routing == routing


def test_a_routing_strategy_that_is_not_simulated_is_named() -> None:
    changed = template()
    [variant] = changed["Resources"]["Config"]["Properties"]["ProductionVariants"]
    variant["RoutingConfig"] = {"RoutingStrategy": "PREFIX_AWARE"}
    with pytest.raises(CapacityError, match="'PREFIX_AWARE' is not simulated; allowed: RANDOM, LEAST"):
        configurations(changed)


def test_the_api_gives_the_same_configuration() -> None:
    [expected] = configurations(template())
    resources = template()["Resources"]
    arn = "arn:aws:cloudwatch:us-east-1:111122223333:alarm:Load"
    alarm = {**resources["Load"]["Properties"], "AlarmName": "Load", "AlarmArn": arn}
    alarm["Dimensions"] = [{"Name": "EndpointName", "Value": "mlops-production"}]
    found = configuration_from_api(
        {"ResourceId": RESOURCE, "ScalableDimension": "sagemaker:variant:DesiredInstanceCount", "MinCapacity": 2, "MaxCapacity": 8},
        [resources["Tracking"]["Properties"], {**resources["Steps"]["Properties"], "Alarms": [{"AlarmName": "Load", "AlarmARN": arn}]}],
        [
            {
                **resources["Target"]["Properties"]["ScheduledActions"][0],
                "StartTime": datetime(2026, 1, 1, tzinfo=UTC),
            }
        ],
        [alarm],
    )
    assert found.policies == expected.policies
    assert found.target == expected.target
    assert found.scheduled_actions[0].start == datetime(2026, 1, 1, tzinfo=UTC).timestamp()


def changed(path: str, value: object) -> dict[str, Any]:
    result = copy.deepcopy(template())
    place: Any = result["Resources"]
    *way, last = path.split("/")
    for part in way:
        place = place[int(part)] if isinstance(place, list) else place[part]
    place[int(last) if isinstance(place, list) else last] = value
    return result


STEPS = "Steps/Properties/StepScalingPolicyConfiguration/StepAdjustments"
TRACKED = "Tracking/Properties/TargetTrackingScalingPolicyConfiguration"
ACTIONS = "Target/Properties/ScheduledActions"
MORNING = template()["Resources"]["Target"]["Properties"]["ScheduledActions"][0]


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (f"{TRACKED}/PredefinedMetricSpecification/PredefinedMetricType", "SageMakerVariantMagic", "unknown predefined metric"),
        (f"{TRACKED}/TargetValue", 0, "target value is 0"),
        (f"{STEPS}/1/MetricIntervalLowerBound", 800, "overlap between 800 and 900"),
        (f"{STEPS}/1/MetricIntervalLowerBound", 1000, "gap between 900 and 1000"),
        (f"{STEPS}/1/MetricIntervalUpperBound", 950, "highest bound 950"),
        ("Target/Properties/MinCapacity", 9, "min capacity 9 is above max capacity 8"),
        ("Target/Properties/MinCapacity", 0, "min capacity is 0"),
        (f"{ACTIONS}/0/Timezone", "Europe/Atlantis", "Europe/Atlantis"),
        (f"{ACTIONS}/0/Schedule", "cron(0 7 * MON-FRI *)", "5 cron fields"),
        (f"{ACTIONS}/0/ScalableTargetAction", {"MinCapacity": 9, "MaxCapacity": 8}, "min capacity 9 is above"),
        (f"{ACTIONS}/0/ScalableTargetAction", {"MinCapacity": 9}, "max capacity 8 of the scalable target"),
        (ACTIONS, [MORNING, MORNING], "different names"),
        (
            ACTIONS,
            [MORNING, {**MORNING, "ScheduledActionName": "other", "ScalableTargetAction": {"MinCapacity": 2}}],
            "morning and other contradict: both run at",
        ),
        ("Load/Properties/AlarmActions", [], "has no alarm"),
        ("Load/Properties/ComparisonOperator", "About", "comparison is 'About'"),
    ],
)
def test_a_wrong_configuration_is_one_clear_line(path: str, value: object, said: str) -> None:
    with pytest.raises(CapacityError) as caught:
        configurations(changed(path, value))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_template_without_a_scalable_target_says_where_to_get_one(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text(json.dumps({"Resources": {}}))
    with pytest.raises(CapacityError, match="no scalable target"):
        read(path)
    with pytest.raises(CapacityError, match="cannot be read"):
        read(tmp_path / "missing.json")
    path.write_text("Resources: {}")
    with pytest.raises(CapacityError, match="not JSON"):
        read(path)
