"""What the engine does around updates, cooldowns, bounds and suspension."""

from __future__ import annotations

from dataclasses import replace

from capacity.engine import ScalingEngine, tracking_alarms
from capacity.model import (
    PREDEFINED_METRICS,
    Assumptions,
    ScalableTarget,
    ScheduledAction,
    TargetTrackingPolicy,
)

INVOCATIONS = PREDEFINED_METRICS["SageMakerVariantInvocationsPerInstance"]
CONCURRENCY = PREDEFINED_METRICS["SageMakerVariantConcurrentRequestsPerModelHighResolution"]
TARGET = ScalableTarget(resource_id="endpoint/e/variant/AllTraffic", min_capacity=1, max_capacity=20)
TRACKING = TargetTrackingPolicy(name="t", metric=INVOCATIONS, target_value=1000)
HIGH, LOW = {INVOCATIONS: [2000.0] * 17}, {INVOCATIONS: [100.0] * 17}


def engine(**changes: object) -> ScalingEngine:
    return ScalingEngine(replace(TARGET, **changes), [TRACKING])  # type: ignore[arg-type]  # field values, checked by the class


def test_alarms_are_3_of_3_above_and_15_of_15_below_90_percent() -> None:
    high, low = tracking_alarms(TRACKING, Assumptions())
    assert (high.threshold, high.datapoints_to_alarm, high.evaluation_periods, high.comparison) == (1000, 3, 3, "GreaterThanThreshold")
    assert (low.threshold, low.datapoints_to_alarm, low.evaluation_periods, low.comparison) == (900, 15, 15, "LessThanThreshold")


def test_high_resolution_alarms_out_every_10_seconds_and_in_by_minutes() -> None:
    high, low = tracking_alarms(replace(TRACKING, metric=CONCURRENCY), Assumptions())
    assert (high.metric.period_seconds, low.metric.period_seconds) == (10, 60)


def test_two_values_above_the_target_are_not_enough() -> None:
    assert engine().step(0, desired=2, datapoints={INVOCATIONS: [900.0, 2000.0, 2000.0]}) == []
    assert engine().step(0, desired=2, datapoints={INVOCATIONS: [2000.0, 2000.0, 2000.0]})[0].new == 4


def test_fourteen_low_values_are_not_enough() -> None:
    assert engine().step(0, desired=10, datapoints={INVOCATIONS: [950.0] + [100.0] * 14}) == []
    assert engine().step(0, desired=10, datapoints={INVOCATIONS: [100.0] * 15})[0].new == 1


def test_nothing_scales_while_updating_and_the_bounds_still_move() -> None:
    action = ScheduledAction(name="night", schedule="at(1970-01-01T00:10:00)", min_capacity=6, max_capacity=9)
    made = ScalingEngine(TARGET, [TRACKING], [action])
    [moved] = made.step(600, desired=4, running=2, updating=True, datapoints=HIGH)
    assert not moved.changes_capacity and made.min_capacity == 6
    [change] = made.step(660, desired=4, datapoints=LOW)
    assert (change.new, change.rule, change.kind) == (6, "night", "scheduled")


def test_a_deployment_in_the_middle_keeps_the_capacity() -> None:
    made = engine()
    assert made.step(0, desired=2, datapoints=HIGH)[0].new == 4
    for now in range(60, 1200, 60):
        assert made.step(now, desired=4, running=4, updating=True, datapoints=LOW) == []


def test_the_cooldown_starts_when_the_endpoint_is_in_service_again() -> None:
    made = engine()
    assert made.step(0, desired=10, datapoints={INVOCATIONS: [450.0] * 15})[0].new == 5
    made.step(500, desired=5, updating=True, datapoints=LOW)
    assert made.step(560, desired=5, datapoints=LOW) == []
    assert made.step(859, desired=5, datapoints=LOW) == []
    assert made.step(861, desired=5, datapoints=LOW)[0].new == 1


def test_a_scheduled_action_does_not_wait_for_a_cooldown() -> None:
    action = ScheduledAction(name="noon", schedule="at(1970-01-01T00:02:00)", min_capacity=8)
    made = ScalingEngine(TARGET, [TRACKING], [action])
    assert made.step(0, desired=2, datapoints=HIGH)[0].new == 4
    assert made.step(120, desired=4, datapoints=HIGH)[0].new == 8


def test_capacity_never_leaves_the_bounds() -> None:
    assert engine(max_capacity=3).step(0, desired=2, datapoints=HIGH)[0].new == 3
    assert engine(min_capacity=5).step(0, desired=10, datapoints=LOW)[0].new == 5


def test_suspended_directions_do_nothing() -> None:
    assert engine(scale_out_suspended=True).step(0, desired=2, datapoints=HIGH) == []
    assert engine(scale_in_suspended=True).step(0, desired=10, datapoints=LOW) == []


def test_zero_traffic_scales_in_to_the_minimum() -> None:
    assert engine().step(0, desired=10, datapoints={INVOCATIONS: [0.0] * 15})[0].new == 1


def test_every_decision_names_its_rule_and_its_cause() -> None:
    [decision] = engine().step(0, desired=2, datapoints=HIGH)
    assert (decision.rule, decision.kind) == ("t", "target tracking")
    assert "InvocationsPerInstance 2000 above 1000" in decision.cause and "2 x 2000 / 1000 = 4" in decision.cause
    assert "\n" not in decision.cause


def test_one_instance_at_a_time_is_an_assumption() -> None:
    careful = ScalingEngine(TARGET, [TRACKING], assumptions=Assumptions(scale_in_one_at_a_time=True))
    assert careful.step(0, desired=10, datapoints=LOW)[0].new == 9
