"""How the capacity of an endpoint follows its traffic: target tracking, steps, and a schedule."""

from __future__ import annotations

from pydantic import Field, model_validator

from capacity.model import invocations_per_instance
from settings_schema.times import Cron, TimeZone
from settings_schema.value import Value


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
