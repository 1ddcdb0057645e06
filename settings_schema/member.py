"""A model on a multi-model fleet: its version is an archive that the fleet's container loads when a request names it (`TargetModel`).

A release changes no endpoint: it puts the version's archive there under a name that is new, asks it, and then tells clients the name
(infra/serving/member_stack.py). What all models share - instances, container, network, log - is the fleet's.
Rules: "Multi-model endpoints" of the SageMaker guide; "Model Monitor currently supports only endpoints that host a single model" there;
"Per-model metrics aren't supported" ("CloudWatch Metrics for Multi-Model Endpoint Deployments").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field, model_validator

from settings_schema.fleet import OnFleet
from settings_schema.serving import ServingImage

_SHARED = "nothing: the instances are the fleet's, in settings.py"


class Member(OnFleet):
    """`bake_seconds`: so long are the alarms of a new version watched once clients are told of it; the pipelines go back if one is on.

    `memory_mb`: what its process takes when it is loaded, for the price of the fleet; SageMaker reserves nothing.
    """

    uncaptured: ClassVar[str] = "a fleet captures no requests, as none names its model"
    not_here: ClassVar[Mapping[str, str]] = {
        "shadow": "only in an Endpoint(...): the models of a multi-model endpoint are no variants",
        "experiment": "only in an Endpoint(...): the models of a multi-model endpoint are no variants",
        "scaling": _SHARED,
        "autoscaling": _SHARED,
        "instance_type": _SHARED,
        "rollout": "bake_seconds: clients are told of a version all at once, and its alarms are watched for so long",
    }

    memory_mb: int = Field(default=256, ge=16)
    bake_seconds: int = Field(default=300, ge=0, le=900)
    data_capture_percent: int = 0

    @model_validator(mode="after")
    def _fits_together(self) -> Member:
        captured = self.data_capture_percent
        self.require(captured == 0, "data_capture_percent", captured, f"0: {self.uncaptured}")
        shared = f"{ServingImage.MANAGED}: the fleet's one container loads its models by that image's multi-model server"
        self.require(self.image is ServingImage.MANAGED, "image", self.image.value, shared)
        alarmed = "True: SageMaker has no metrics of one model here, so its alarms go by what its process says"
        self.require(self.live_metrics, "live_metrics", self.live_metrics, alarmed)
        return self
