"""Target-tracking, step and scheduled scaling of one endpoint variant, together.

The largest capacity that any policy asks for wins; scheduled actions move the bounds within which they act. Semantics and
sources: capacity/. SageMaker scales through its service-linked role, so nothing here needs IAM.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from aws_cdk import aws_applicationautoscaling as appscaling
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from settings_schema import Autoscaling, FleetNames, Schedule, ServingNames, StepScaling, TargetTracking
from settings_schema.names import VARIANT

_INVOCATIONS = "SageMakerVariantInvocationsPerInstance"
#: End the names of the alarms that scale: in steps, and from none. Two kinds may not call different resources alike: a stack that goes
#: from one to the other makes what is new first, and CloudFormation finds the name taken.
LOAD, FIRST = "load", "first"
#: Likewise, of the version beside the one that serves (challenger_variant.py).
CHALLENGER_LOAD = "challenger-load"
_CONCURRENCY = "SageMakerVariantConcurrentRequestsPerModelHighResolution"


class Cooldowns(Protocol):
    """What says how long a policy waits after it has acted."""

    @property
    def scale_out_cooldown_seconds(self) -> int: ...

    @property
    def scale_in_cooldown_seconds(self) -> int: ...


def scalable_variant(
    scope: Construct,
    names: ServingNames | FleetNames,
    lowest: int,
    highest: int,
    schedules: Sequence[Schedule] = (),
    time_zone: str = "Etc/UTC",
    dimension: str = "sagemaker:variant:DesiredInstanceCount",
    resource_id: str = "",
    variant: str = VARIANT,
) -> appscaling.CfnScalableTarget:
    return appscaling.CfnScalableTarget(
        scope,
        "Target",
        service_namespace="sagemaker",
        scalable_dimension=dimension,
        resource_id=resource_id or f"endpoint/{names.endpoint}/variant/{variant}",
        min_capacity=lowest,
        max_capacity=highest,
        scheduled_actions=[_scheduled_action(schedule, time_zone) for schedule in schedules] or None,
    )


def _scheduled_action(schedule: Schedule, time_zone: str) -> appscaling.CfnScalableTarget.ScheduledActionProperty:
    return appscaling.CfnScalableTarget.ScheduledActionProperty(
        scheduled_action_name=schedule.name,
        schedule=f"cron({schedule.cron})",
        timezone=time_zone,
        scalable_target_action=appscaling.CfnScalableTarget.ScalableTargetActionProperty(
            min_capacity=schedule.min_capacity, max_capacity=schedule.max_capacity
        ),
    )


def tracking_policy(
    scope: Construct,
    construct_id: str,
    *,
    name: str,
    target: appscaling.CfnScalableTarget,
    value: float,
    cooldowns: Cooldowns,
    **metric: Any,
) -> None:
    """`metric`: its predefined or customized specification."""
    appscaling.CfnScalingPolicy(
        scope,
        construct_id,
        policy_name=name,
        policy_type="TargetTrackingScaling",
        scaling_target_id=target.ref,
        target_tracking_scaling_policy_configuration=appscaling.CfnScalingPolicy.TargetTrackingScalingPolicyConfigurationProperty(
            target_value=value,
            scale_out_cooldown=cooldowns.scale_out_cooldown_seconds,
            scale_in_cooldown=cooldowns.scale_in_cooldown_seconds,
            **metric,
        ),
    )


def first_from_none(
    scope: Construct,
    *,
    names: ServingNames,
    target: appscaling.CfnScalableTarget,
    cooldown_seconds: int,
    description: str,
    metric_name: str,
    statistic: str,
    dimension: cloudwatch.CfnAlarm.DimensionProperty,
) -> None:
    """What tracks a metric of each instance or copy has no value without one, so an alarm on `metric_name` starts the first.

    `cooldown_seconds`: one takes minutes to start, in which one is asked for.
    """
    policy = appscaling.CfnScalingPolicy(
        scope,
        "FromZero",
        policy_name=names.scaling_policy("from-zero"),
        policy_type="StepScaling",
        scaling_target_id=target.ref,
        step_scaling_policy_configuration=appscaling.CfnScalingPolicy.StepScalingPolicyConfigurationProperty(
            adjustment_type="ChangeInCapacity",
            metric_aggregation_type="Maximum",
            cooldown=cooldown_seconds,
            step_adjustments=[appscaling.CfnScalingPolicy.StepAdjustmentProperty(metric_interval_lower_bound=0, scaling_adjustment=1)],
        ),
    )
    cloudwatch.CfnAlarm(
        scope,
        "Waiting",
        alarm_name=names.alarm(FIRST),
        alarm_description=description,
        alarm_actions=[policy.ref],
        namespace="AWS/SageMaker",
        metric_name=metric_name,
        statistic=statistic,
        dimensions=[dimension],
        period=60,
        evaluation_periods=1,
        threshold=1,
        comparison_operator="GreaterThanOrEqualToThreshold",
        treat_missing_data="notBreaching",
    )


class VariantAutoscaling(Construct):
    """`load`: end of the name of the alarm that scales in steps. The names of policies are their variant's."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        names: ServingNames,
        autoscaling: Autoscaling,
        variant: str = VARIANT,
        load: str = LOAD,
    ) -> None:
        super().__init__(scope, construct_id)
        self._names, self._variant, self._load = names, variant, load
        low, high = autoscaling.min_capacity, autoscaling.max_capacity
        self._target = scalable_variant(self, names, low, high, autoscaling.schedules, autoscaling.time_zone, variant=variant)
        if autoscaling.target_tracking is not None:
            self._track(autoscaling.target_tracking)
        if autoscaling.step_scaling is not None:
            self._step(autoscaling.step_scaling)

    def _track(self, tracking: TargetTracking) -> None:
        self._tracking_policy("Invocations", _INVOCATIONS, tracking.invocations_per_instance, tracking)
        if tracking.concurrent_requests_per_model is not None:
            self._tracking_policy("Concurrency", _CONCURRENCY, tracking.concurrent_requests_per_model, tracking)

    def _tracking_policy(self, name: str, metric: str, value: float, tracking: TargetTracking) -> None:
        predefined = appscaling.CfnScalingPolicy.PredefinedMetricSpecificationProperty(predefined_metric_type=metric)
        given: dict[str, Any] = {"target": self._target, "value": value, "cooldowns": tracking}
        policy_name = self._names.scaling_policy(name.lower())
        tracking_policy(self, name, name=policy_name, predefined_metric_specification=predefined, **given)

    def _step(self, scaling: StepScaling) -> None:
        policy = appscaling.CfnScalingPolicy(
            self,
            "Steps",
            policy_name=self._names.scaling_policy("steps"),
            policy_type="StepScaling",
            scaling_target_id=self._target.ref,
            step_scaling_policy_configuration=appscaling.CfnScalingPolicy.StepScalingPolicyConfigurationProperty(
                adjustment_type="PercentChangeInCapacity",
                min_adjustment_magnitude=1,  # a percentage of a small fleet is less than one instance
                metric_aggregation_type="Average",
                cooldown=scaling.cooldown_seconds,
                step_adjustments=self._adjustments(scaling),
            ),
        )
        self._alarm(scaling, policy.ref)

    @staticmethod
    def _adjustments(scaling: StepScaling) -> list[appscaling.CfnScalingPolicy.StepAdjustmentProperty]:
        """Interval bounds are distances from the alarm's threshold, in the metric's unit; the last one is open."""
        lower = [scaling.invocations_per_instance * (step.at_least_percent_of_threshold - 100) / 100 for step in scaling.steps]
        upper = [*lower[1:], None]
        return [
            appscaling.CfnScalingPolicy.StepAdjustmentProperty(
                metric_interval_lower_bound=low, metric_interval_upper_bound=high, scaling_adjustment=step.change_percent
            )
            for step, low, high in zip(scaling.steps, lower, upper, strict=True)
        ]

    def _alarm(self, scaling: StepScaling, policy_arn: str) -> None:
        dimension = cloudwatch.CfnAlarm.DimensionProperty
        cloudwatch.CfnAlarm(
            self,
            "Load",
            alarm_name=self._names.alarm(self._load),
            alarm_description="Scales out in steps: requests per instance and minute",
            alarm_actions=[policy_arn],
            namespace="AWS/SageMaker",
            metric_name="InvocationsPerInstance",
            statistic="Sum",
            dimensions=[
                dimension(name="EndpointName", value=self._names.endpoint),
                dimension(name="VariantName", value=self._variant),
            ],
            period=60,
            evaluation_periods=scaling.evaluation_periods,
            threshold=scaling.invocations_per_instance,
            comparison_operator="GreaterThanOrEqualToThreshold",
            treat_missing_data="notBreaching",
        )
