"""A model on a fleet as an inference component: copies of its container, each with memory and cores that are reserved for it.

Rules: "Deploy models for real-time inference", "Scale an endpoint to zero instances" of the SageMaker guide; InferenceComponent* and
InferenceComponentRollingUpdatePolicy of its service model.
"""

from __future__ import annotations

import math
from typing import ClassVar

from pydantic import Field, model_validator

from capacity.sharing import Size
from settings_schema.fleet import OnFleet
from settings_schema.rollout import Rollout, Routing
from settings_schema.value import Value

_ROLLS = "a component is updated in batches of its copies (RollingUpdatePolicy of InferenceComponentDeploymentConfig)"


class CopyScaling(Value):
    """Copies by the invocations that each answers in a minute. With `min_capacity=0` none is there while nobody asks.

    A request that finds none fails, and starts one: that takes as long as an instance and a container need, minutes.
    """

    min_capacity: int = Field(default=1, ge=0)
    max_capacity: int = Field(default=1, ge=1)
    invocations_per_copy: float = Field(default=1200.0, gt=0)  # per minute
    scale_out_cooldown_seconds: int = Field(default=60, ge=0, le=3600)
    scale_in_cooldown_seconds: int = Field(default=300, ge=0, le=3600)

    @model_validator(mode="after")
    def _in_order(self) -> CopyScaling:
        low, high = self.min_capacity, self.max_capacity
        self.require(low <= high, "min_capacity", low, f"0 to max_capacity ({high})")
        return self


class Component(OnFleet):
    """`memory_mb` and `cpu_cores` are reserved for each copy on the fleet's instances, where those of other models have theirs."""

    uncaptured: ClassVar[str] = "a fleet captures no requests, as none names its model"

    memory_mb: int = Field(default=1024, ge=128)
    cpu_cores: float = Field(default=0.5, ge=0.25)
    scaling: CopyScaling = CopyScaling()
    data_capture_percent: int = 0
    rollout: Rollout = Rollout(routing=Routing.ROLLING, step_percent=50)

    @model_validator(mode="after")
    def _fits_together(self) -> Component:
        routing = self.rollout.routing
        captured = self.data_capture_percent
        self.require(captured == 0, "data_capture_percent", captured, f"0: {self.uncaptured}")
        self.require(routing is Routing.ROLLING, "rollout", routing.value, f"{Routing.ROLLING.value}: {_ROLLS}")
        return self

    @property
    def copies(self) -> int:
        """Of a new component: its first request is not to wait for one."""
        return max(1, self.scaling.min_capacity)

    @property
    def size(self) -> Size:
        """What is reserved for each copy."""
        return Size(self.cpu_cores, self.memory_mb)

    @property
    def batch(self) -> int:
        """Copies that a release has beside the others at once; a way back goes in halves (infra/serving/guarded_endpoint.py)."""
        return math.ceil(self.copies * max(self.rollout.step_percent, 50) / 100)

    @property
    def scales(self) -> bool:
        return self.scaling.min_capacity < self.scaling.max_capacity
