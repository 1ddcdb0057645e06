"""A fleet: one endpoint of an environment that several models share, and how a model is one of them.

A fleet is a value of settings.py (`FLEETS`), and a model's file names it. There are two kinds: of a `Fleet` each model is a
`Component(fleet="small", ...)`, a container of its own; of a `MultiModelFleet` each is a `Member(fleet="tiny")`, loaded by one container
when it is asked. Each model is still released, verified, undone and alarmed by itself. Without fleets, which is how the template comes,
nothing of this is deployed.
Rules: "Deploy models for real-time inference", "Scale an endpoint to zero instances", "Multi-model endpoints" and "Set Auto Scaling
Policies for Multi-Model Endpoint Deployments" of the SageMaker guide; InferenceComponent* and ProductionVariantManagedInstanceScaling of
its service model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field, model_validator

from settings_schema.names import FleetNames
from settings_schema.project import Project
from settings_schema.rollout import Rollout, Routing
from settings_schema.serving import InstanceType, OnEndpoint, RequestRouting
from settings_schema.value import Value, name_field

#: Families with accelerators. "Supported algorithms, frameworks, and instances for multi-model endpoints": on those only Triton's container
#: holds many models; all types without one may.
_ACCELERATED = re.compile(r"ml\.(p|g|gr|inf|trn)\d")


class Instances(Value):
    """Of a fleet in one environment. SageMaker itself keeps as many as its models need, within these bounds."""

    instance_type: InstanceType = "ml.m5.large"
    min_count: int = Field(default=1, ge=0, le=100)
    max_count: int = Field(default=2, ge=1, le=100)
    request_routing: RequestRouting = RequestRouting.LEAST_OUTSTANDING_REQUESTS

    @model_validator(mode="after")
    def _in_order(self) -> Instances:
        low, high = self.min_count, self.max_count
        self.require(low <= high, "min_count", low, f"0 to max_count ({high})")
        return self


class MemberInstances(Value):
    """Of a multi-model fleet in one environment: as many as take the requests to all of its models, within these bounds."""

    not_here: ClassVar[Mapping[str, str]] = {"request_routing": "nothing: SageMaker chooses among the instances that have the model loaded"}

    instance_type: InstanceType = "ml.m5.large"
    min_count: int = Field(default=1, ge=1, le=100)
    max_count: int = Field(default=2, ge=1, le=100)
    invocations_per_instance: float = Field(default=1200.0, gt=0)  # per minute
    scale_out_cooldown_seconds: int = Field(default=60, ge=0, le=3600)
    scale_in_cooldown_seconds: int = Field(default=300, ge=0, le=3600)

    @model_validator(mode="after")
    def _in_order(self) -> MemberInstances:
        low, high = self.min_count, self.max_count
        self.require(low <= high, "min_count", low, f"1 to max_count ({high})")
        plain = "a type without GPUs, such as ml.m5.large: on others SageMaker lets only Triton's container hold many models"
        self.require(not _ACCELERATED.match(self.instance_type), "instance_type", self.instance_type, plain)
        return self


class _AnyFleet(Value):
    """`instances`: by the name of the environment; it is only where this says how many."""

    #: Class of the models on it, in a model's file.
    holds: ClassVar[str]

    name: str = name_field(longest=16)
    instances: Mapping[str, Instances] | Mapping[str, MemberInstances]

    @model_validator(mode="after")
    def _fits_together(self) -> _AnyFleet:
        kind = "MemberInstances" if self.holds == "Member" else "Instances"
        self.require(bool(self.instances), "instances", dict(self.instances), f"{kind}(...) by the name of an environment")
        return self

    def names(self, project: Project, environment: str) -> FleetNames:
        return project.names.fleet(self.name, environment)


class Fleet(_AnyFleet):
    """Each of its models is an inference component: containers of its own, with memory and cores that are reserved for them."""

    holds: ClassVar[str] = "Component"

    instances: Mapping[str, Instances]


class MultiModelFleet(_AnyFleet):
    """One container holds its models, for many small ones: it loads what is asked, and unloads what was not when memory is short.

    The limits are of all requests together; each model has its own as well. An update of the fleet is undone where they are exceeded
    within `bake_seconds`.
    """

    holds: ClassVar[str] = "Member"

    instances: Mapping[str, MemberInstances]
    p99_latency_ms: int = Field(default=1000, gt=0)
    server_error_percent: float = Field(default=5.0, gt=0, le=100)
    bake_seconds: int = Field(default=300, ge=0, le=3600)

    @property
    def rollout(self) -> Rollout:
        """Of another program or other instances, for all models at once."""
        return Rollout(routing=Routing.ALL_AT_ONCE, bake_seconds=self.bake_seconds)


class OnFleet(OnEndpoint):
    """A model that shares a fleet of settings.py with others."""

    fleet: str


#: A fleet's name, as a model's file says it -> the fleet.
Fleets = Mapping[str, Fleet | MultiModelFleet]
