"""How an environment serves a model: a real-time endpoint, or batch only, which costs nothing by the hour."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from capacity.model import invocations_per_instance
from settings_schema.times import Cron, TimeZone
from settings_schema.value import Value

InstanceType = Annotated[str, Field(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$", description="a SageMaker type such as ml.m5.large")]

_OWN_DISK = re.compile(r"ml\.(\w+dn?|g\d\w*|p[345]\w*|trn\d\w*)\.")


def has_own_disk(instance_type: str) -> bool:
    """Instance families with disks of their own encrypt those by hardware, and SageMaker refuses a key for them (CreateEndpointConfig)."""
    return bool(_OWN_DISK.match(instance_type))


class Routing(StrEnum):
    ALL_AT_ONCE = "ALL_AT_ONCE"
    CANARY = "CANARY"
    LINEAR = "LINEAR"


class Update(StrEnum):
    """How a deployment replaces what an endpoint serves: watched by alarms that undo it, or all at once with nothing that undoes it.

    The value of the parameter UPDATE of an endpoint's stack (infra/serving/guarded_endpoint.py), which deploy_scripts/render.py gives.
    """

    GUARDED = "guarded"
    AT_ONCE = "at-once"


UPDATE = "Update"


class RequestRouting(StrEnum):
    """How an endpoint chooses the instance for a request: RoutingStrategy of SageMaker's ProductionVariantRoutingConfig."""

    RANDOM = "RANDOM"
    LEAST_OUTSTANDING_REQUESTS = "LEAST_OUTSTANDING_REQUESTS"


class Rollout(Value):
    """How traffic moves to a new fleet. `step_percent` is the canary or the linear step; SageMaker allows at most 50."""

    routing: Routing = Routing.ALL_AT_ONCE
    step_percent: int = Field(default=25, ge=1, le=50)
    bake_seconds: int = Field(default=300, ge=0, le=3600)  # alarms are watched this long after each step
    termination_wait_seconds: int = Field(default=120, ge=0, le=3600)

    @model_validator(mode="after")
    def _linear_in_ten_steps(self) -> Rollout:
        self.require(self.routing is not Routing.LINEAR or self.step_percent >= 10, "step_percent", self.step_percent, "10 to 50")
        return self


class TargetTracking(Value):
    """Keeps invocations per instance and minute at max RPS x safety x 60, the sizing formula of the SageMaker guide.

    `max_rps_per_instance` comes from `deploy_scripts/load_test.py`.
    """

    max_rps_per_instance: float = Field(default=40.0, gt=0)
    safety: float = Field(default=0.5, gt=0, le=1)
    scale_out_cooldown_seconds: int = Field(default=60, ge=0, le=3600)
    scale_in_cooldown_seconds: int = Field(default=300, ge=0, le=3600)
    concurrent_requests_per_model: float | None = None  # also track concurrency at 10 s resolution

    @property
    def invocations_per_instance(self) -> float:
        return invocations_per_instance(self.max_rps_per_instance, self.safety)


class Step(Value):
    """Adds `change_percent` of the instances while the metric is at least `at_least_percent_of_threshold` of the alarm's."""

    at_least_percent_of_threshold: int
    change_percent: int


class StepScaling(Value):
    """Reacts to invocations per instance above an alarm threshold, more steeply the further above it is."""

    invocations_per_instance: float = Field(default=1800.0, gt=0)  # alarm threshold, per minute
    steps: tuple[Step, ...] = (
        Step(at_least_percent_of_threshold=100, change_percent=25),
        Step(at_least_percent_of_threshold=150, change_percent=50),
        Step(at_least_percent_of_threshold=200, change_percent=100),
    )
    cooldown_seconds: int = Field(default=120, ge=0, le=3600)
    evaluation_periods: int = Field(default=2, ge=1, le=10)

    @model_validator(mode="after")
    def _one_after_the_other(self) -> StepScaling:
        bounds = [step.at_least_percent_of_threshold for step in self.steps]
        allowed = "bounds that start at 100 and rise, so that steps neither overlap nor leave a gap"
        self.require(bounds[:1] == [100] and bounds == sorted(set(bounds)), "steps", bounds, allowed)
        changes = [step.change_percent for step in self.steps]
        self.require(all(change > 0 for change in changes), "steps", changes, "changes of more than 0 %")
        return self


class Schedule(Value):
    """Capacity bounds from a cron time on, in `Autoscaling.time_zone`: `minute hour day-of-month month day-of-week year`.

    A push that changes `Autoscaling.min_capacity` or `.max_capacity` puts those in force at once, until the next schedule's time.
    """

    name: str
    cron: Cron
    min_capacity: int
    max_capacity: int

    @model_validator(mode="after")
    def _in_order(self) -> Schedule:
        self.require(
            1 <= self.min_capacity <= self.max_capacity, "min_capacity", self.min_capacity, f"1 to max_capacity ({self.max_capacity})"
        )
        return self


class Autoscaling(Value):
    """All three kinds of scaling on one variant; leave one out with None or ()."""

    min_capacity: int
    max_capacity: int
    target_tracking: TargetTracking | None = TargetTracking()
    step_scaling: StepScaling | None = StepScaling()
    schedules: tuple[Schedule, ...] = ()
    time_zone: TimeZone = "Etc/UTC"

    @model_validator(mode="after")
    def _in_order(self) -> Autoscaling:
        # A plain variant cannot scale to zero.
        self.require(
            1 <= self.min_capacity <= self.max_capacity, "min_capacity", self.min_capacity, f"1 to max_capacity ({self.max_capacity})"
        )
        names = [schedule.name for schedule in self.schedules]
        self.require(len(names) == len(set(names)), "schedules", names, "different names")
        return self


class Endpoint(Value):
    """A real-time endpoint: its instances, how a version is rolled out, how it scales, and when it alarms."""

    instance_type: InstanceType = "ml.m5.large"
    initial_instance_count: int = 1
    # A busy instance gets no further request while another is free: shorter waits at the same utilisation than with RANDOM,
    # which is SageMaker's own default.
    request_routing: RequestRouting = RequestRouting.LEAST_OUTSTANDING_REQUESTS
    data_capture_percent: int = Field(default=100, ge=0, le=100)
    rollout: Rollout = Rollout()
    autoscaling: Autoscaling | None = None
    p99_latency_ms: int = Field(default=500, gt=0)
    server_error_percent: float = Field(default=1.0, gt=0, le=100)
    # The container says every ten seconds what it answers, of which CloudWatch makes a dozen metrics a version (docs/operations.md).
    live_metrics: bool = True
    # How far predictions may be from those on the validation rows, in standard deviations. Beyond 4 is one of 30,000 blocks of a hundred
    # requests that are like those rows, and two blocks in a row have to be. An alarm calls a person, or undoes the rollout as well.
    prediction_distance: float = Field(default=4.0, gt=0)
    roll_back_on_predictions: bool = False

    @model_validator(mode="after")
    def _fits_together(self) -> Endpoint:
        low, high = (self.autoscaling.min_capacity, self.autoscaling.max_capacity) if self.autoscaling else (1, 100)
        count = self.initial_instance_count
        self.require(low <= count <= high, "initial_instance_count", count, f"{low} to {high}")
        gradual = self.rollout.routing is not Routing.ALL_AT_ONCE
        self.require(not gradual or count >= 2, "initial_instance_count", count, f"at least 2 with {self.rollout.routing} routing")
        lowest = self._lowest_capacity()
        self.require(not gradual or lowest >= 2, "autoscaling", f"down to {lowest}", f"at least 2 with {self.rollout.routing} routing")
        speaks = self.live_metrics or not self.roll_back_on_predictions
        self.require(speaks, "roll_back_on_predictions", True, "False without live_metrics, which it goes by")
        return self

    def _lowest_capacity(self) -> int:
        """Instances at night: a canary or a step is at most half of them (SageMaker's TrafficRoutingConfig)."""
        if self.autoscaling is None:
            return self.initial_instance_count
        return min(self.autoscaling.min_capacity, *(schedule.min_capacity for schedule in self.autoscaling.schedules), 100)


class Batch(Value):
    """No endpoint: what lies under `batch/<model>/<folder>/` of the environment's bucket is scored into `predictions/<model>/<folder>/`.

    A folder is complete when its `_SUCCESS` is there. `cron`: scores what is not scored yet by the version that is deployed, also what
    an event missed; None does not. `on_upload`: at once, too.
    """

    cron: Cron | None = "0 4 ? * * *"
    time_zone: TimeZone = "Etc/UTC"
    on_upload: bool = True
    instance_type: InstanceType = "ml.m5.large"
    instance_count: int = Field(default=1, ge=1, le=20)
