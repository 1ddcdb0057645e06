"""An asynchronous endpoint: requests lie in S3 and wait in a queue, answers go to S3, and instances follow the queue, down to none.

Rules: AsyncInferenceConfig of the SageMaker API reference, and of its guide "Asynchronous inference" and "Autoscale an asynchronous
endpoint".
"""

from __future__ import annotations

from pydantic import Field, model_validator

from settings_schema.rollout import Rollout, Routing
from settings_schema.serving import InstanceType, OnEndpoint
from settings_schema.value import Value


class BacklogScaling(Value):
    """Instances by what waits or is being answered: `backlog_per_instance` for each. With `min_capacity=0` none runs while nothing waits.

    The first request then starts one, which takes minutes.
    """

    min_capacity: int = Field(default=0, ge=0)
    max_capacity: int = Field(default=2, ge=1)
    backlog_per_instance: float = Field(default=5.0, gt=0)
    scale_out_cooldown_seconds: int = Field(default=60, ge=0, le=3600)
    scale_in_cooldown_seconds: int = Field(default=300, ge=0, le=3600)

    @model_validator(mode="after")
    def _in_order(self) -> BacklogScaling:
        low, high = self.min_capacity, self.max_capacity
        self.require(low <= high, "min_capacity", low, f"0 to max_capacity ({high})")
        return self


class Asynchronous(OnEndpoint):
    """Requests of up to 1 GB and an hour, put below `requests/<endpoint>/` of the environment's bucket and invoked by their address.

    Answers are written below `answers/<endpoint>/`, what failed below `failures/<endpoint>/`, and a topic of the endpoint's own tells of
    both (output AnswersTopicArn of the environment's stack). `max_wait_seconds`: a request that has waited longer calls a person.
    """

    instance_type: InstanceType = "ml.m5.large"
    concurrent_requests_per_instance: int | None = Field(default=None, ge=1, le=1000)  # None: SageMaker chooses
    scaling: BacklogScaling = BacklogScaling()
    max_wait_seconds: int = Field(default=3600, ge=60, le=21_600)  # a request expires after six hours
    data_capture_percent: int = Field(default=100, ge=0, le=100)
    p99_latency_ms: int = Field(default=60_000, gt=0)  # of the model, without the wait
    rollout: Rollout = Rollout()

    @model_validator(mode="after")
    def _fits_together(self) -> Asynchronous:
        lowest, routing = self.scaling.min_capacity, self.rollout.routing
        enough = routing is Routing.ALL_AT_ONCE or lowest >= 2
        self.require(enough, "scaling", f"down to {lowest}", f"at least 2 with {routing} routing")
        return self

    @property
    def initial_instance_count(self) -> int:
        return max(1, self.scaling.min_capacity)

    @property
    def scales(self) -> bool:
        return True
