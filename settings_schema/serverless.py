"""A serverless endpoint: no instances; memory, how many requests at once, and how many containers are kept ready for them.

Rules: ProductionVariantServerlessConfig of the SageMaker API reference, and of its guide "Deploy models with Amazon SageMaker Serverless
Inference" (memory sizes, feature exclusions) and "Automatically scale Provisioned Concurrency for a serverless endpoint".
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from settings_schema.rollout import Rollout, Routing
from settings_schema.scaling import Schedule
from settings_schema.serving import OnEndpoint
from settings_schema.times import TimeZone
from settings_schema.value import Value

_NO_STEPS = "deployment guardrails are for real-time and asynchronous endpoints (SageMaker guide, Deployment guardrails)"
EXCLUDED = "which Serverless Inference does not support (SageMaker guide, its feature exclusions)"


class ProvisionedConcurrency(Value):
    """Containers that are ready before a request comes, and cost while they are: as many as `target_utilization` of them are busy.

    `max_capacity` of `min_capacity`, without schedules: always that many.
    """

    min_capacity: int = Field(default=1, ge=1, le=200)
    max_capacity: int = Field(default=1, ge=1, le=200)
    target_utilization: float = Field(default=0.7, gt=0, le=1)
    scale_out_cooldown_seconds: int = Field(default=60, ge=0, le=3600)
    scale_in_cooldown_seconds: int = Field(default=300, ge=0, le=3600)
    schedules: tuple[Schedule, ...] = ()
    time_zone: TimeZone = "Etc/UTC"

    @model_validator(mode="after")
    def _in_order(self) -> ProvisionedConcurrency:
        low, high = self.min_capacity, self.max_capacity
        self.require(low <= high, "min_capacity", low, f"1 to max_capacity ({high})")
        names = [schedule.name for schedule in self.schedules]
        self.require(len(names) == len(set(names)), "schedules", names, "different names")
        return self

    @property
    def highest(self) -> int:
        return max(self.max_capacity, *(schedule.max_capacity for schedule in self.schedules), 1)

    @property
    def scales(self) -> bool:
        return self.min_capacity < self.max_capacity or bool(self.schedules)


class Serverless(OnEndpoint):
    """Containers come with requests and go when idle: the first request after that waits for a cold start.

    It captures no requests, so that nothing is watched there by windows (`Model.watch_in`); what the container says of its answers
    (`live_metrics`) is there. Its model is not isolated from the network. Requests beyond `max_concurrency` get a ThrottlingException.
    """

    uncaptured: ClassVar[str] = "serverless captures no requests"

    memory_mb: Literal[1024, 2048, 3072, 4096, 5120, 6144] = 2048
    max_concurrency: int = Field(default=5, ge=1, le=200)
    provisioned: ProvisionedConcurrency | None = None
    data_capture_percent: int = 0
    rollout: Rollout = Rollout()

    @model_validator(mode="after")
    def _fits_together(self) -> Serverless:
        captured = self.data_capture_percent
        self.require(captured == 0, "data_capture_percent", captured, f"0: it asks for data capture, {EXCLUDED}")
        highest = self.provisioned.highest if self.provisioned else 0
        self.require(highest <= self.max_concurrency, "provisioned", f"up to {highest}", f"up to max_concurrency ({self.max_concurrency})")
        routing = self.rollout.routing
        self.require(routing is Routing.ALL_AT_ONCE, "rollout", routing.value, f"{Routing.ALL_AT_ONCE.value}: {_NO_STEPS}")
        return self

    @property
    def scales(self) -> bool:
        """Whether an update has to keep a capacity: what is provisioned is no property that SageMaker could retain (UpdateEndpoint)."""
        return False
