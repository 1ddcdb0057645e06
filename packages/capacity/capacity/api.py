"""Reads scaling configurations from the shapes of the Application Auto Scaling and CloudWatch APIs.

Inputs: items of `describe_scalable_targets`, `describe_scaling_policies`, `describe_scheduled_actions` and
`cloudwatch.describe_alarms`, as boto3 answers them; a template's resources have the same shapes. Output: `model.py`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from capacity.checks import check
from capacity.model import (
    PREDEFINED_METRICS,
    Alarm,
    CapacityError,
    Configuration,
    MetricSpecification,
    Policy,
    ScalableTarget,
    ScheduledAction,
    StepAdjustment,
    StepPolicy,
    TargetTrackingPolicy,
    require,
)
from capacity.schedule import time_zone


def configuration_from_api(
    target: Mapping[str, Any],
    policies: Sequence[Mapping[str, Any]],
    actions: Sequence[Mapping[str, Any]],
    alarms: Sequence[Mapping[str, Any]] = (),
) -> Configuration:
    """All Describe* answers of one scalable target. Step alarms that are not among `alarms` are left to the caller."""
    by_arn = {alarm["AlarmArn"]: alarm_from_api(alarm) for alarm in alarms}
    return check(
        Configuration(
            target=target_from_api(target),
            policies=tuple(
                policy_from_api(p, [by_arn[a["AlarmARN"]] for a in p.get("Alarms", []) if a["AlarmARN"] in by_arn]) for p in policies
            ),
            scheduled_actions=tuple(scheduled_action_from_api(action) for action in actions),
        )
    )


def target_from_api(item: Mapping[str, Any]) -> ScalableTarget:
    """An item of `ScalableTargets`."""
    suspended = item.get("SuspendedState", {})
    return ScalableTarget(
        resource_id=item["ResourceId"],
        scalable_dimension=item["ScalableDimension"],
        min_capacity=int(item["MinCapacity"]),
        max_capacity=int(item["MaxCapacity"]),
        scale_in_suspended=bool(suspended.get("DynamicScalingInSuspended")),
        scale_out_suspended=bool(suspended.get("DynamicScalingOutSuspended")),
        scheduled_suspended=bool(suspended.get("ScheduledScalingSuspended")),
    )


def alarm_from_api(item: Mapping[str, Any]) -> Alarm:
    """An item of `MetricAlarms` on a single metric."""
    require("MetricName" in item, f"alarm {item.get('AlarmName')} uses metric math, which is not evaluated here; allowed: one metric")
    periods = int(item["EvaluationPeriods"])
    return Alarm(
        name=item["AlarmName"],
        metric=MetricSpecification(
            name=item["MetricName"],
            statistic=item.get("Statistic") or item.get("ExtendedStatistic") or "Average",
            period_seconds=int(item["Period"]),
            namespace=item.get("Namespace", "AWS/SageMaker"),
            dimensions=_dimensions(item),
        ),
        comparison=item["ComparisonOperator"],
        threshold=float(item["Threshold"]),
        evaluation_periods=periods,
        datapoints_to_alarm=int(item.get("DatapointsToAlarm") or periods),
        treat_missing_data=item.get("TreatMissingData") or "missing",
    )


def policy_from_api(item: Mapping[str, Any], alarms: Sequence[Alarm] = ()) -> Policy:
    """An item of `ScalingPolicies`. `alarms` are those of a step policy; target tracking makes its own."""
    name, kind = str(item.get("PolicyName")), item.get("PolicyType", "StepScaling")
    if kind == "TargetTrackingScaling":
        return _target_tracking(name, item.get("TargetTrackingScalingPolicyConfiguration", {}))
    if kind == "StepScaling":
        return _step_scaling(name, item.get("StepScalingPolicyConfiguration", {}), alarms)
    raise CapacityError(f"policy {name}: type is {kind!r}; allowed: TargetTrackingScaling or StepScaling")


def _target_tracking(name: str, configuration: Mapping[str, Any]) -> TargetTrackingPolicy:
    require("TargetValue" in configuration, f"policy {name}: no target value; allowed: more than 0")
    return TargetTrackingPolicy(
        name=name,
        metric=_tracked_metric(name, configuration),
        target_value=float(configuration["TargetValue"]),
        scale_out_cooldown_seconds=int(configuration.get("ScaleOutCooldown", 300)),
        scale_in_cooldown_seconds=int(configuration.get("ScaleInCooldown", 300)),
        disable_scale_in=str(configuration.get("DisableScaleIn", False)).lower() == "true",
    )


def _tracked_metric(name: str, configuration: Mapping[str, Any]) -> MetricSpecification:
    if "PredefinedMetricSpecification" in configuration:
        predefined = configuration["PredefinedMetricSpecification"].get("PredefinedMetricType")
        require(
            predefined in PREDEFINED_METRICS,
            f"policy {name}: unknown predefined metric {predefined!r}; allowed: {', '.join(PREDEFINED_METRICS)}",
        )
        return PREDEFINED_METRICS[predefined]
    custom = configuration.get("CustomizedMetricSpecification", {})
    require("MetricName" in custom, f"policy {name}: no metric; allowed: a predefined metric, or a customized one without metric math")
    return MetricSpecification(
        name=custom["MetricName"],
        statistic=custom.get("Statistic", "Average"),
        period_seconds=int(custom.get("Period", 60)),
        namespace=custom.get("Namespace", "AWS/SageMaker"),
        dimensions=_dimensions(custom),
    )


def _step_scaling(name: str, configuration: Mapping[str, Any], alarms: Sequence[Alarm]) -> StepPolicy:
    steps = [
        StepAdjustment(
            int(step["ScalingAdjustment"]),
            float(step.get("MetricIntervalLowerBound", -math.inf)),
            float(step.get("MetricIntervalUpperBound", math.inf)),
        )
        for step in configuration.get("StepAdjustments", [])
    ]
    return StepPolicy(
        name=name,
        adjustment_type=str(configuration.get("AdjustmentType")),
        steps=tuple(steps),
        cooldown_seconds=int(configuration.get("Cooldown", 300)),
        min_adjustment_magnitude=int(configuration.get("MinAdjustmentMagnitude", 0)),
        aggregation=configuration.get("MetricAggregationType", "Average"),
        alarms=tuple(alarms),
    )


def scheduled_action_from_api(item: Mapping[str, Any]) -> ScheduledAction:
    """An item of `ScheduledActions`, or of a template's ScalableTarget."""
    bounds = item.get("ScalableTargetAction", {})
    zone = item.get("Timezone") or "UTC"
    time_zone(zone)  # refuses a zone that does not exist
    return ScheduledAction(
        name=str(item.get("ScheduledActionName")),
        schedule=str(item.get("Schedule")),
        time_zone=zone,
        min_capacity=None if bounds.get("MinCapacity") is None else int(bounds["MinCapacity"]),
        max_capacity=None if bounds.get("MaxCapacity") is None else int(bounds["MaxCapacity"]),
        start=_unix_time(item.get("StartTime")),
        end=_unix_time(item.get("EndTime")),
    )


def _unix_time(value: datetime | float | str | None) -> float | None:
    """boto3 answers datetimes, templates hold ISO text; both mean UTC where no zone is given."""
    if value is None or isinstance(value, (int, float)):
        return value
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _dimensions(item: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((str(d["Name"]), str(d["Value"])) for d in item.get("Dimensions", [])))
