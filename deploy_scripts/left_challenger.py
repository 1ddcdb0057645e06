"""A version beside the one that serves, which a deployment has to take out: a return ends its experiment, or what took it out else has
gone with its setting.

A guarded update has the same variants before and after ("Exclusions" of the SageMaker guide's guardrails). So there are two updates of the
stack, as for another instance type (type_change.py): the template that is there without its challenger, all at once; then the new one. A
return takes one, by a template that says nothing of how, as one with a place for a challenger does (guarded_endpoint.py).
One that scales is not removed at all ("Update endpoints that use auto scaling"): the first update takes its scaling away and nothing else,
and the second one takes it out with what is new, of either, by that template.
In: what the stack has. Out: template and parameters of the first, or the template. Used by render.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deploy_scripts.environment_place import EnvironmentPlace
from deploy_scripts.stack_states import describe_stack
from deploy_scripts.type_change import deployed
from settings_schema import ServingNames
from settings_schema.rollout import CAPACITY, KEPT, UPDATE, Update

#: As infra/model/change_production/experiment_plan.py takes one out.
_NOBODY = {"ChallengerPackageArn": "", "ChallengerVersion": "0", "ExperimentBegan": "never", UPDATE: Update.AT_ONCE.value}
_UNSCALED = {"ChallengerScaling": "off"}


@dataclass(frozen=True)
class Left:
    """`scales`: it has to stop that before it can be taken out."""

    scales: bool

    def goes_unguarded(self, *, leaving: bool) -> bool:
        """Whether it goes in the update that brings what is new."""
        return leaving or self.scales

    def first_update(self, place: EnvironmentPlace, names: ServingNames, *, leaving: bool) -> tuple[dict[str, Any], dict[str, str]] | None:
        """None where one update does all. `leaving`: it is a return."""
        if leaving and not self.scales:
            return None
        template, parameters = deployed(place, names)
        kept = {CAPACITY: KEPT} if CAPACITY in parameters else {}
        return template, {**parameters, **(_UNSCALED if self.scales else _NOBODY), **kept}

    def __str__(self) -> str:
        left = "the version leaves that an experiment has left beside the one that serves"
        return "the version in an experiment no longer scales" if self.scales else left


def left_challenger(place: EnvironmentPlace, names: ServingNames) -> Left | None:
    """By the parameters of the stack; None where none is beside what serves."""
    stack = describe_stack(place.client("cloudformation"), names.stack) or {}
    there = {item["ParameterKey"]: item["ParameterValue"] for item in stack.get("Parameters", [])}
    if not there.get("ChallengerPackageArn"):
        return None
    return Left(scales=there.get("ChallengerScaling") == "on")


def unguarded(template: Mapping[str, Any]) -> dict[str, Any]:
    """The template, whose endpoint is updated without DeploymentConfig."""
    return {**template, "Resources": {name: _unguarded(item) for name, item in template["Resources"].items()}}


def _unguarded(item: Mapping[str, Any]) -> dict[str, Any]:
    if item["Type"] != "AWS::SageMaker::Endpoint":
        return dict(item)
    return {**item, "Properties": {name: value for name, value in item["Properties"].items() if name != "DeploymentConfig"}}
