"""What a scaling configuration is: target, policies, alarms, scheduled actions, and the assumptions about what AWS does not document.

Inputs: values from `template.py` (CloudFormation), `api.py` (Describe* answers) or code. Next in the journey: `engine.py`.
Every class refuses values that Application Auto Scaling would refuse, with one line that says what is allowed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

USER_GUIDE = "https://docs.aws.amazon.com/autoscaling/application/userguide"


class CapacityError(ValueError):
    """Something given to the capacity tools is not allowed. The message is one line: what, what is allowed, where."""


def require(condition: bool, message: str) -> None:
    if not condition:
        raise CapacityError(message)


def invocations_per_instance(max_rps: float, safety: float) -> float:
    """A minute's, for SageMakerVariantInvocationsPerInstance: max RPS x safety x 60, the sizing formula of the SageMaker guide."""
    return max_rps * safety * 60


#: RoutingStrategy of ProductionVariantRoutingConfig, as far as it is simulated. RANDOM is what SageMaker does untold.
RANDOM, LEAST_OUTSTANDING_REQUESTS = "RANDOM", "LEAST_OUTSTANDING_REQUESTS"
ROUTING_STRATEGIES = (RANDOM, LEAST_OUTSTANDING_REQUESTS)


@dataclass(frozen=True, slots=True)
class MetricSpecification:
    """A CloudWatch metric as an alarm reads it: one value for each period."""

    name: str
    statistic: str = "Average"  # Sum | Average | Minimum | Maximum | SampleCount | pNN
    period_seconds: int = 60
    namespace: str = "AWS/SageMaker"
    dimensions: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        ok = self.period_seconds in (10, 20, 30) or (self.period_seconds >= 60 and self.period_seconds % 60 == 0)
        require(ok, f"metric {self.name}: period is {self.period_seconds} s; allowed: 10, 20, 30 or a multiple of 60")


#: Predefined metrics of plain variants and the statistic and period that Application Auto Scaling's own alarms use.
#: Source: PredefinedScalingMetricType in the API reference; SageMaker guide, "Define a scaling policy" (the metric
#: InvocationsPerInstance is a sum per minute; ConcurrentRequestsPerModel is emitted every 10 s).
PREDEFINED_METRICS: Mapping[str, MetricSpecification] = MappingProxyType(
    {
        "SageMakerVariantInvocationsPerInstance": MetricSpecification("InvocationsPerInstance", "Sum", 60),
        "SageMakerVariantConcurrentRequestsPerModelHighResolution": MetricSpecification("ConcurrentRequestsPerModel", "Maximum", 10),
        "SageMakerInferenceComponentInvocationsPerCopy": MetricSpecification("InvocationsPerCopy", "Sum", 60),
        "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution": MetricSpecification(
            "ConcurrentRequestsPerCopy", "Maximum", 10
        ),
        "SageMakerVariantProvisionedConcurrencyUtilization": MetricSpecification("ServerlessProvisionedConcurrencyUtilization"),
    }
)

COMPARISONS = ("GreaterThanOrEqualToThreshold", "GreaterThanThreshold", "LessThanThreshold", "LessThanOrEqualToThreshold")
MISSING_DATA = ("missing", "ignore", "breaching", "notBreaching")


@dataclass(frozen=True, kw_only=True, slots=True)
class Alarm:
    """A CloudWatch alarm: M (`datapoints_to_alarm`) of the last N (`evaluation_periods`) values beyond `threshold`."""

    name: str
    metric: MetricSpecification
    comparison: str
    threshold: float
    evaluation_periods: int
    datapoints_to_alarm: int
    treat_missing_data: str = "missing"

    def __post_init__(self) -> None:
        where = f"alarm {self.name}"
        require(self.comparison in COMPARISONS, f"{where}: comparison is {self.comparison!r}; allowed: {', '.join(COMPARISONS)}")
        require(
            self.treat_missing_data in MISSING_DATA,
            f"{where}: missing data is {self.treat_missing_data!r}; allowed: {', '.join(MISSING_DATA)}",
        )
        in_range = 1 <= self.datapoints_to_alarm <= self.evaluation_periods
        require(
            in_range,
            f"{where}: {self.datapoints_to_alarm} of {self.evaluation_periods} datapoints; allowed: 1 to the number of evaluation periods",
        )
        require(math.isfinite(self.threshold), f"{where}: threshold is {self.threshold}; allowed: a finite number")


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetTrackingPolicy:
    """Keeps `metric` at or below `target_value`. Cooldowns default to 300 s (TargetTrackingScalingPolicyConfiguration)."""

    name: str
    metric: MetricSpecification
    target_value: float
    scale_out_cooldown_seconds: int = 300
    scale_in_cooldown_seconds: int = 300
    disable_scale_in: bool = False

    def __post_init__(self) -> None:
        positive = math.isfinite(self.target_value) and self.target_value > 0
        require(positive, f"policy {self.name}: target value is {self.target_value}; allowed: more than 0")
        for cooldown in (self.scale_out_cooldown_seconds, self.scale_in_cooldown_seconds):
            require(cooldown >= 0, f"policy {self.name}: cooldown is {cooldown} s; allowed: 0 or more")


@dataclass(frozen=True, slots=True)
class StepAdjustment:
    """`adjustment` applies while metric - threshold is between the bounds; infinite bounds stand for null."""

    adjustment: int
    lower: float = -math.inf
    upper: float = math.inf


ADJUSTMENT_TYPES = ("ChangeInCapacity", "PercentChangeInCapacity", "ExactCapacity")


@dataclass(frozen=True, kw_only=True, slots=True)
class StepPolicy:
    """Changes capacity by how far the alarm's metric is beyond its threshold (user guide, step-scaling-policy-overview).

    `alarms` are evaluated by the engine; leave it empty when the alarm is evaluated elsewhere and pass `breaches`.
    """

    name: str
    adjustment_type: str
    steps: tuple[StepAdjustment, ...]
    cooldown_seconds: int = 300
    min_adjustment_magnitude: int = 0
    aggregation: str = "Average"  # Average | Minimum | Maximum
    alarms: tuple[Alarm, ...] = ()

    def __post_init__(self) -> None:
        where = f"policy {self.name}"
        require(
            self.adjustment_type in ADJUSTMENT_TYPES,
            f"{where}: adjustment type is {self.adjustment_type!r}; allowed: {', '.join(ADJUSTMENT_TYPES)}",
        )
        require(
            self.aggregation in ("Average", "Minimum", "Maximum"),
            f"{where}: aggregation is {self.aggregation!r}; allowed: Average, Minimum, Maximum",
        )
        require(self.cooldown_seconds >= 0, f"{where}: cooldown is {self.cooldown_seconds} s; allowed: 0 or more")
        require(bool(self.steps), f"{where}: no step adjustments; allowed: 1 to 20")
        exact_negative = self.adjustment_type == "ExactCapacity" and any(step.adjustment < 0 for step in self.steps)
        require(not exact_negative, f"{where}: a negative exact capacity; allowed: 0 or more")
        _check_steps(where, self.steps)


def _check_steps(where: str, steps: tuple[StepAdjustment, ...]) -> None:
    """Neither overlap nor gap; a negative bound needs an open end below, a positive one an open end above.

    Source: user guide, step-scaling-policy-overview, "When you specify the step adjustments ... note the following".
    """
    ordered = sorted(steps, key=lambda step: step.lower)
    for step in ordered:
        both_open = math.isinf(step.lower) and math.isinf(step.upper)
        require(not both_open, f"{where}: a step is open on both sides; allowed: at most one open bound per step")
        require(step.lower < step.upper, f"{where}: step from {step.lower:g} to {step.upper:g}; allowed: lower bound below upper bound")
    for left, right in itertools.pairwise(ordered):
        require(left.upper <= right.lower, f"{where}: steps overlap between {right.lower:g} and {left.upper:g}; allowed: steps that touch")
        require(left.upper >= right.lower, f"{where}: gap between {left.upper:g} and {right.lower:g}; allowed: steps that touch")
    first, last = ordered[0], ordered[-1]
    require(first.lower >= 0 or math.isinf(first.lower), f"{where}: lowest bound {first.lower:g}; allowed: 0 or more, or open below")
    require(last.upper <= 0 or math.isinf(last.upper), f"{where}: highest bound {last.upper:g}; allowed: 0 or less, or open above")


Policy = TargetTrackingPolicy | StepPolicy


@dataclass(frozen=True, kw_only=True, slots=True)
class ScheduledAction:
    """Sets the capacity bounds when `schedule` fires. `start` and `end` are Unix times in seconds, or None."""

    name: str
    schedule: str  # cron(...), rate(...) or at(...)
    time_zone: str = "UTC"
    min_capacity: int | None = None
    max_capacity: int | None = None
    start: float | None = None
    end: float | None = None

    def __post_init__(self) -> None:
        where = f"scheduled action {self.name}"
        require(
            self.min_capacity is not None or self.max_capacity is not None, f"{where}: neither min nor max capacity; allowed: one or both"
        )
        if self.min_capacity is not None and self.max_capacity is not None:
            require(
                self.min_capacity <= self.max_capacity,
                f"{where}: min capacity {self.min_capacity} is above max capacity {self.max_capacity}",
            )
        ordered = self.start is None or self.end is None or self.start < self.end
        require(ordered, f"{where}: start is not before end; allowed: start earlier than end")


@dataclass(frozen=True, kw_only=True, slots=True)
class ScalableTarget:
    """What is scaled of a variant: its instances, or what is provisioned of a serverless one. An asynchronous one may have none."""

    resource_id: str
    min_capacity: int
    max_capacity: int
    scalable_dimension: str = "sagemaker:variant:DesiredInstanceCount"
    scale_in_suspended: bool = False
    scale_out_suspended: bool = False
    scheduled_suspended: bool = False

    def __post_init__(self) -> None:
        where = f"scalable target {self.resource_id}"
        require(
            self.min_capacity <= self.max_capacity, f"{where}: min capacity {self.min_capacity} is above max capacity {self.max_capacity}"
        )
        require(self.min_capacity >= 0, f"{where}: min capacity is {self.min_capacity}; allowed: 0 or more")


@dataclass(frozen=True, kw_only=True, slots=True)
class Configuration:
    """All that scales one variant, and what the template says about the variant itself."""

    target: ScalableTarget
    policies: tuple[Policy, ...] = ()
    scheduled_actions: tuple[ScheduledAction, ...] = ()
    instance_type: str | None = None
    initial_instance_count: int | None = None
    routing: str = RANDOM

    def __post_init__(self) -> None:
        known = self.routing in ROUTING_STRATEGIES
        require(known, f"routing strategy {self.routing!r} is not simulated; allowed: {', '.join(ROUTING_STRATEGIES)}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Assumptions:
    """What AWS does not document, each with a default and its reason. Change one with `--assume name=value`."""

    provisioning_seconds: float = 240.0
    """Scale-out request to first traffic on the new instances. Reason: public measurements on SageMaker range from
    150 s (CPU, XGBoost image) to 260 s (GPU); the middle-to-slow end, so that plans err on the safe side."""

    scale_in_seconds: float = 60.0
    """How long a scale-in keeps the endpoint Updating. Reason: instances drain and detach; about a minute."""

    metric_delay_seconds: float = 60.0
    """A one-minute value is visible to alarms this long after its minute ends. Reason: CloudWatch receives SageMaker's
    values at one-minute frequency and alarms evaluate once a minute, so one more minute passes in the worst case."""

    high_resolution_delay_seconds: float = 10.0
    """The same for 10-second values: one more evaluation interval."""

    alarm_action_seconds: float = 10.0
    """Alarm state change to the start of the scaling activity. Reason: an asynchronous call, seconds in practice."""

    serialised_updates: bool = True
    """No scaling while the endpoint is Updating. Reason: UpdateEndpointWeightsAndCapacities is refused unless InService."""

    scale_out_datapoints: int = 3
    """Values above target before target tracking adds capacity. Reason: the alarms that the service creates are 3 of 3."""

    scale_in_datapoints: int = 15
    """One-minute values below the low threshold before it removes capacity: its alarms are 15 of 15."""

    low_threshold_fraction: float = 0.9
    """Low alarm threshold as a share of the target. Reason: the alarms that the service creates sit at 90 %
    (user guide: "usually more than 10% lower")."""

    scale_in_one_at_a_time: bool = False
    """False: target tracking removes in proportion to the metric; True: one instance per activity. Reason for False:
    the riskier of the two for latency, and the arithmetic that is documented for scale-out."""

    least_outstanding_is_exact: bool = True
    """LEAST_OUTSTANDING_REQUESTS knows the requests in flight on every instance. False: it does no better than RANDOM.
    Reason: AWS documents that it considers the capacity of the instances, not how fresh its counts are; the truth is between."""

    evaluation_range_extra: int = 2
    """Periods beyond N that an alarm looks back for values when some are missing. Reason: the CloudWatch guide shows
    5 retrieved for N = 3 and does not document the number in general."""

    client_timeout_seconds: float = 60.0
    """Requests that would wait longer are lost. Reason: InvokeEndpoint gives the model 60 seconds."""
