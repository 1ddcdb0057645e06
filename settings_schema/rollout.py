"""How a deployment replaces what an endpoint serves."""

from __future__ import annotations

import math
from enum import StrEnum

from pydantic import Field, model_validator

from settings_schema.value import Value


class Routing(StrEnum):
    ALL_AT_ONCE = "ALL_AT_ONCE"
    CANARY = "CANARY"
    LINEAR = "LINEAR"
    ROLLING = "ROLLING"


class Update(StrEnum):
    """How a deployment replaces what an endpoint serves: watched by alarms that undo it, or all at once with nothing that undoes it.

    The value of the parameter UPDATE of an endpoint's stack (infra/serving/guarded_endpoint.py), which deploy_scripts/render.py gives.
    """

    GUARDED = "guarded"
    AT_ONCE = "at-once"


UPDATE = "Update"

#: Parameters of the stack of an endpoint that scales (infra/serving/guarded_endpoint.py): whether an update leaves as many instances as
#: there are, and otherwise how many there are to be, which another instance type needs. Given by deploy_scripts/render.py.
CAPACITY, INSTANCE_COUNT = "Capacity", "InstanceCount"
KEPT, GIVEN = "kept", "given"
#: Parameter of the stack of an inference component: how many copies it is to have. CloudFormation sets them with each update, so a
#: deployment gives as many as there are.
COPIES = "Copies"


#: Parameter of the stack of a member of a multi-model fleet: the archive that clients are to ask for. Its outputs: what they were told, and
#: the names of the alarms that are watched while that bakes, joined by commas.
TARGET, TOLD, ROLLBACK_ALARMS = "Target", "TargetModel", "RollbackAlarms"
#: Parameters of a stack that the team's own image serves (infra/serving/serving_stack.py), and the container's variable that names the
#: version's package, which a model that is made of an image does not.
SERVING_IMAGE, MODEL_DATA, MODEL_PACKAGE = "ServingImage", "ModelDataUrl", "MODEL_PACKAGE_ARN"
#: Output of a multi-model fleet's stack: below which the archives of its models are.
ARCHIVES = "Archives"


#: An update that is not over by then is undone.
UPDATE_TIMEOUT_SECONDS = 7200


class Rollout(Value):
    """How a new fleet takes over. `step_percent` of it is the canary, the linear step or the batch; SageMaker allows at most 50.

    ALL_AT_ONCE, CANARY and LINEAR make the whole new fleet beside the old one. ROLLING adds a batch and takes as much of the old fleet
    away, so that an update needs only a batch more: for large fleets, and for types of which there are few. When an alarm undoes it, the
    instances that are gone come again, `rollback_step_percent` of the fleet at a time: with 100, SageMaker's own default, all at once.
    Sources: "Blue/Green Deployments", "Use rolling deployments" of the SageMaker guide; TrafficRoutingConfig, RollingUpdatePolicy.
    """

    routing: Routing = Routing.ALL_AT_ONCE
    step_percent: int = Field(default=25, ge=1, le=50)
    bake_seconds: int = Field(default=300, ge=0, le=3600)  # alarms are watched this long after each step
    termination_wait_seconds: int = Field(default=120, ge=0, le=3600)  # the old fleet's, but for ROLLING, where it goes in batches
    rollback_step_percent: int = Field(default=50, ge=5, le=100)

    @property
    def steps(self) -> int:
        """After each of which alarms are watched: at most so many, as a batch is of whole instances."""
        if self.routing in (Routing.LINEAR, Routing.ROLLING):
            return math.ceil(100 / self.step_percent)
        return 2 if self.routing is Routing.CANARY else 1

    @model_validator(mode="after")
    def _as_sagemaker_takes_it(self) -> Rollout:
        least = {Routing.LINEAR: 10, Routing.ROLLING: 5}.get(self.routing, 1)
        self.require(self.step_percent >= least, "step_percent", self.step_percent, f"{least} to 50 with {self.routing} routing")
        rolls = self.routing is Routing.ROLLING
        back = self.rollback_step_percent
        self.require(rolls or back == 50, "rollback_step_percent", back, f"another than 50 only with {Routing.ROLLING} routing")
        waiting = self.steps * self.bake_seconds + (0 if rolls else self.termination_wait_seconds)
        allowed = f"{self.steps} steps that wait less than {UPDATE_TIMEOUT_SECONDS} s together, after which an update is undone"
        self.require(waiting < UPDATE_TIMEOUT_SECONDS, "bake_seconds", self.bake_seconds, allowed)
        return self
