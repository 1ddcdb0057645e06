"""How a deployment replaces what an endpoint serves."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field, model_validator

from settings_schema.value import Value


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
