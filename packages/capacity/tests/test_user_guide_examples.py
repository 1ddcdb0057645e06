"""Every worked example of the Application Auto Scaling user guide, with the numbers that it prints.

Pages: step-scaling-policy-overview, create-step-scaling-policy-cli, target-tracking-scaling-policy-overview,
application-auto-scaling-scheduled-scaling, examples-scheduled-actions, scheduled-scaling-using-cron-expressions,
get-started-exercise.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from capacity.engine import ScalingEngine
from capacity.model import Alarm, MetricSpecification, ScalableTarget, ScheduledAction, StepAdjustment, StepPolicy, TargetTrackingPolicy
from capacity.rules import step_adjustment, step_capacity, tracking_capacity, whole_change
from capacity.schedule import parse

CPU = MetricSpecification("CPUUtilization", "Average", 60)
INFINITY = float("inf")


def policy(kind: str, *steps: tuple[float, float, int], smallest: int = 0, cooldown: int = 300) -> StepPolicy:
    adjustments = tuple(StepAdjustment(change, low, high) for low, high, change in steps)
    return StepPolicy(name="p", adjustment_type=kind, steps=adjustments, min_adjustment_magnitude=smallest, cooldown_seconds=cooldown)


SCALE_OUT = policy("PercentChangeInCapacity", (0, 10, 0), (10, 20, 10), (20, INFINITY, 30))
SCALE_IN = policy("PercentChangeInCapacity", (-10, 0, 0), (-20, -10, -10), (-INFINITY, -20, -30))


@pytest.mark.parametrize(
    ("rule", "capacity", "metric", "expected"),
    [(SCALE_OUT, 10, 60, 11), (SCALE_OUT, 11, 70, 14), (SCALE_IN, 14, 40, 13), (SCALE_IN, 13, 30, 10)],
)
def test_step_example_goes_10_11_14_13_10(rule: StepPolicy, capacity: int, metric: float, expected: int) -> None:
    assert step_capacity(rule, capacity, metric, threshold=50) == expected


@pytest.mark.parametrize("metric", [41, 50, 59.9])
def test_step_example_stays_between_40_and_60(metric: float) -> None:
    assert step_capacity(SCALE_OUT, 10, metric, 50) == 10
    assert step_capacity(SCALE_IN, 10, metric, 50) == 10


@pytest.mark.parametrize(("change", "whole"), [(12.7, 12), (0.67, 1), (-0.58, -1), (-6.67, -6), (0.0, 0), (1.0, 1), (-1.0, -1)])
def test_percentages_round_as_the_guide_says(change: float, whole: int) -> None:
    assert whole_change(change) == whole


def test_change_in_capacity_adds_5_to_3() -> None:
    assert step_capacity(policy("ChangeInCapacity", (0, INFINITY, 5)), 3, 60, 50) == 8


def test_exact_capacity_changes_3_to_5() -> None:
    assert step_capacity(policy("ExactCapacity", (0, INFINITY, 5)), 3, 60, 50) == 5


def test_ten_percent_of_10_adds_1() -> None:
    assert step_capacity(policy("PercentChangeInCapacity", (0, INFINITY, 10)), 10, 60, 50) == 11


def test_25_percent_of_4_with_a_magnitude_of_2_adds_2() -> None:
    assert step_capacity(policy("PercentChangeInCapacity", (0, INFINITY, 25), smallest=2), 4, 60, 50) == 6


@pytest.mark.parametrize(("metric", "change"), [(70, 1), (84.9, 1), (85, 2), (94.9, 2), (95, 3), (150, 3), (69.9, None)])
def test_cli_example_adds_1_from_70_2_from_85_3_from_95(metric: float, change: int | None) -> None:
    example = policy("ChangeInCapacity", (0, 15, 1), (15, 25, 2), (25, INFINITY, 3))
    assert step_adjustment(example, metric, threshold=70) == change


def test_bounds_below_the_threshold_are_exclusive_below_and_inclusive_above() -> None:
    assert step_adjustment(SCALE_IN, 30, 50) == -30
    assert step_adjustment(SCALE_IN, 30.1, 50) == -10
    assert step_adjustment(SCALE_IN, 40, 50) == -10


def step_engine(cooldown: int = 300) -> ScalingEngine:
    rule = policy("ChangeInCapacity", (0, 10, 2), (10, INFINITY, 3), cooldown=cooldown)
    return ScalingEngine(ScalableTarget(resource_id="r", min_capacity=1, max_capacity=100), [rule])


def test_plus_3_during_the_cooldown_of_plus_2_adds_1() -> None:
    engine = step_engine()
    [first] = engine.step(0, desired=10, breaches={"p": (55, 50)})
    [second] = engine.step(60, desired=first.new, breaches={"p": (65, 50)})
    assert (first.new, second.new) == (12, 13)


def test_the_same_step_during_the_cooldown_adds_nothing_and_after_it_adds_2() -> None:
    engine = step_engine()
    assert engine.step(0, desired=10, breaches={"p": (55, 50)})[0].new == 12
    assert engine.step(60, desired=12, breaches={"p": (55, 50)}) == []
    assert engine.step(361, desired=12, breaches={"p": (55, 50)})[0].new == 14


def alarmed(direction: str, threshold: float) -> Alarm:
    return Alarm(name=direction, metric=CPU, comparison=direction, threshold=threshold, evaluation_periods=1, datapoints_to_alarm=1)


def test_a_scale_out_during_a_scale_in_cooldown_happens_at_once_and_ends_it() -> None:
    engine = ScalingEngine(
        ScalableTarget(resource_id="r", min_capacity=1, max_capacity=100),
        [
            StepPolicy(
                name="in",
                adjustment_type="ChangeInCapacity",
                steps=(StepAdjustment(-1, -INFINITY, 0),),
                alarms=(alarmed("LessThanThreshold", 20),),
            ),
            StepPolicy(
                name="out",
                adjustment_type="ChangeInCapacity",
                steps=(StepAdjustment(4, 0, INFINITY),),
                alarms=(alarmed("GreaterThanThreshold", 80),),
            ),
        ],
    )
    assert engine.step(0, desired=10, datapoints={CPU: [10]})[0].new == 9
    assert engine.step(60, desired=9, datapoints={CPU: [10]}) == []  # its cooldown blocks a further scale-in
    assert engine.step(120, desired=9, datapoints={CPU: [90]})[0].new == 13
    assert engine.step(180, desired=13, datapoints={CPU: [10]})[0].new == 12  # 180 s after the first: the cooldown has stopped


def test_target_tracking_scales_in_proportion_rounding_up() -> None:
    """ "acts conservatively by rounding up or down": 3 x 65 / 50 = 3.9."""
    assert tracking_capacity(3, 65, 50) == 4
    assert tracking_capacity(3, 50, 50) == 3
    assert tracking_capacity(10, 30, 50) == 6


def tracking(name: str, metric: MetricSpecification, *, disable_scale_in: bool = False) -> TargetTrackingPolicy:
    return TargetTrackingPolicy(name=name, metric=metric, target_value=50, disable_scale_in=disable_scale_in)


OTHER = MetricSpecification("Other", "Average", 60)
TARGET = ScalableTarget(resource_id="r", min_capacity=1, max_capacity=100)


def test_any_policy_scales_out_and_the_largest_wins() -> None:
    engine = ScalingEngine(TARGET, [tracking("a", CPU), tracking("b", OTHER)])
    [decision] = engine.step(0, desired=4, datapoints={CPU: [60] * 15, OTHER: [80] * 15})
    assert (decision.rule, decision.new) == ("b", 7)
    assert engine.step(0, desired=4, datapoints={CPU: [60] * 15, OTHER: [10] * 15})[0].rule == "a"


def test_scale_in_needs_all_policies_and_takes_the_largest_capacity() -> None:
    both = [tracking("a", CPU), tracking("b", OTHER)]
    assert ScalingEngine(TARGET, both).step(0, desired=10, datapoints={CPU: [10] * 15, OTHER: [47] * 15}) == []
    [decision] = ScalingEngine(TARGET, both).step(0, desired=10, datapoints={CPU: [10] * 15, OTHER: [20] * 15})
    assert (decision.rule, decision.new) == ("b", 4)


def test_a_policy_with_scale_in_disabled_has_no_say_in_scale_in() -> None:
    engine = ScalingEngine(TARGET, [tracking("a", CPU), tracking("b", OTHER, disable_scale_in=True)])
    [decision] = engine.step(0, desired=10, datapoints={CPU: [25] * 15, OTHER: [47] * 15})
    assert (decision.rule, decision.new) == ("a", 5)


def test_step_scale_in_is_not_blocked_by_target_tracking_that_is_not_ready() -> None:
    steps = StepPolicy(
        name="s", adjustment_type="ChangeInCapacity", steps=(StepAdjustment(-2, -INFINITY, 0),), alarms=(alarmed("LessThanThreshold", 20),)
    )
    engine = ScalingEngine(TARGET, [tracking("a", OTHER), steps])
    [decision] = engine.step(0, desired=10, datapoints={CPU: [10], OTHER: [48] * 15})
    assert (decision.rule, decision.new) == ("s", 8)


def test_insufficient_data_does_not_scale_in() -> None:
    assert ScalingEngine(TARGET, [tracking("a", CPU)]).step(0, desired=10, datapoints={CPU: [None] * 17}) == []


# ------------------------------------------------------------------ scheduled actions


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def scheduled(start: str, *actions: ScheduledAction, low: int = 5, high: int = 10) -> ScalingEngine:
    return ScalingEngine(ScalableTarget(resource_id="r", min_capacity=low, max_capacity=high), (), actions, start=at(start))


def test_tutorial_sets_15_then_10() -> None:
    engine = scheduled(
        "2019-05-20T17:00:00",
        ScheduledAction(name="my-first-scheduled-action", schedule="at(2019-05-20T17:05:00)", min_capacity=15, max_capacity=20),
        ScheduledAction(name="my-second-scheduled-action", schedule="at(2019-05-20T17:10:00)", min_capacity=5, max_capacity=10),
    )
    assert engine.step(at("2019-05-20T17:04:59"), desired=5) == []
    [first] = engine.step(at("2019-05-20T17:05:00"), desired=5)
    assert (first.new, first.cause, first.rule) == (15, "minimum capacity was set to 15", "my-first-scheduled-action")
    [second] = engine.step(at("2019-05-20T17:10:00"), desired=15)
    assert (second.new, second.cause) == (10, "maximum capacity was set to 10")


def test_capacity_within_new_bounds_stays_but_the_bounds_move() -> None:
    engine = scheduled(
        "2021-01-01T00:00:00", ScheduledAction(name="a", schedule="at(2021-01-01T01:00:00)", min_capacity=2, max_capacity=20)
    )
    [decision] = engine.step(at("2021-01-01T01:00:00"), desired=7)
    assert not decision.changes_capacity
    assert (engine.min_capacity, engine.max_capacity) == (2, 20)


def test_only_a_minimum_leaves_the_maximum() -> None:
    engine = scheduled("2021-03-31T00:00:00", ScheduledAction(name="scale-out", schedule="at(2021-03-31T22:00:00)", min_capacity=8))
    assert engine.step(at("2021-03-31T22:00:00"), desired=5)[0].new == 8
    assert engine.max_capacity == 10


def fires(text: str, zone: str, start: str, end: str) -> list[str]:
    begin, until = datetime.fromisoformat(start).replace(tzinfo=UTC), datetime.fromisoformat(end).replace(tzinfo=UTC)
    return [f"{t:%Y-%m-%d %H:%M}" for t in parse(text, zone).between(begin, until)]


def test_rate_of_5_hours_from_its_start_to_its_end() -> None:
    schedule = parse("rate(5 hours)", start=datetime(2021, 1, 30, 12, tzinfo=UTC), end=datetime(2021, 1, 31, 22, tzinfo=UTC))
    times = schedule.between(datetime(2021, 1, 30, tzinfo=UTC), datetime(2021, 2, 2, tzinfo=UTC))
    found = [f"{t:%Y-%m-%d %H:%M}" for t in times]
    assert found == ["2021-01-30 12:00", "2021-01-30 17:00", "2021-01-30 22:00", *[f"2021-01-31 {h:02d}:00" for h in (3, 8, 13, 18)]]


def test_one_time_action_in_new_york_is_22_utc_in_winter() -> None:
    assert fires("at(2021-01-31T17:00:00)", "America/New_York", "2021-01-01T00:00:00", "2021-03-01T00:00:00") == ["2021-01-31 22:00"]


def test_recurring_action_in_gmt_plus_9_is_3_utc_the_next_day() -> None:
    """Etc/GMT+9 is nine hours behind UTC: Monday to Friday 18:00 there is Tuesday to Saturday 03:00 UTC."""
    found = fires("cron(0 18 ? * MON-FRI *)", "Etc/GMT+9", "2021-02-01T00:00:00", "2021-02-08T00:00:00")
    assert found == [f"2021-02-{day:02d} 03:00" for day in (2, 3, 4, 5, 6)]


@pytest.mark.parametrize(
    ("fields", "first", "count"),
    [
        ("0 10 * * ? *", "2021-02-01 10:00", 28),
        ("15 12 * * ? *", "2021-02-01 12:15", 28),
        ("0 18 ? * MON-FRI *", "2021-02-01 18:00", 20),
        ("0 8 1 * ? *", "2021-02-01 08:00", 1),
        ("0/15 * * * ? *", "2021-02-01 00:00", 28 * 96),
        ("0/10 * ? * MON-FRI *", "2021-02-01 00:00", 20 * 144),
        ("0/5 8-17 ? * MON-FRI *", "2021-02-01 08:00", 20 * 120),
        ("30 6 ? * MON *", "2021-02-01 06:30", 4),
        ("30 6 * * 2 *", "2021-02-01 06:30", 4),
    ],
)
def test_cron_table(fields: str, first: str, count: int) -> None:
    found = fires(f"cron({fields})", "UTC", "2021-02-01T00:00:00", "2021-03-01T00:00:00")
    assert (found[0], len(found)) == (first, count)


def test_seven_fields_begin_with_seconds() -> None:
    assert parse("cron(30 15 0 1 2 ? *)").next_after(datetime(2021, 1, 1, tzinfo=UTC)) == datetime(2021, 2, 1, 0, 15, 30, tzinfo=UTC)


def test_a_recurring_action_also_runs_at_its_start_time() -> None:
    start = datetime(2021, 2, 1, 9, 30, tzinfo=UTC)
    times = parse("cron(0 10 * * ? *)", start=start, fires_at_start=True).between(start - timedelta(days=1), start + timedelta(days=1))
    assert [f"{t:%d %H:%M}" for t in times] == ["01 09:30", "01 10:00"]
