"""A fleet: one endpoint of an environment that several models share, and how a model is one of them.

A fleet is a value of settings.py (`FLEETS`), and a model's file names it: `Component(fleet="small", ...)`. Each model is still released,
verified, undone and alarmed by itself. Without fleets, which is how the template comes, nothing of this is deployed.
Rules: "Deploy models for real-time inference" and "Scale an endpoint to zero instances" of the SageMaker guide, InferenceComponent* and
ProductionVariantManagedInstanceScaling of its service model.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, model_validator

from settings_schema.names import FleetNames
from settings_schema.project import Project
from settings_schema.serving import InstanceType, OnEndpoint, RequestRouting
from settings_schema.value import Value, name_field


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


class Fleet(Value):
    """`instances`: by the name of the environment; it is only where this says how many."""

    name: str = name_field(longest=16)
    instances: Mapping[str, Instances]

    @model_validator(mode="after")
    def _fits_together(self) -> Fleet:
        self.require(bool(self.instances), "instances", dict(self.instances), "Instances(...) by the name of an environment")
        return self

    def names(self, project: Project, environment: str) -> FleetNames:
        return project.names.fleet(self.name, environment)


class OnFleet(OnEndpoint):
    """A model that shares a fleet of settings.py with others."""

    fleet: str


#: A fleet's name, as a model's file says it -> the fleet.
Fleets = Mapping[str, Fleet]
