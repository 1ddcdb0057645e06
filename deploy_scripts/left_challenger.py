"""A version that an experiment has left beside the one that serves, since its setting is gone, and what took it out: that function with it.

A guarded update has the same variants before and after ("Exclusions" of the SageMaker guide's guardrails). So there are two updates of the
stack, as for another instance type (type_change.py): the template that is there without its challenger, all at once; then the new one. A
return takes one, by a template that says nothing of how, as one with a place for a challenger does (guarded_endpoint.py).
In: what the stack has. Out: template and parameters of the first, or the template. Used by render.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy_scripts.environment_place import EnvironmentPlace
from deploy_scripts.stack_states import describe_stack
from deploy_scripts.type_change import deployed
from settings_schema import ServingNames
from settings_schema.rollout import CAPACITY, KEPT, UPDATE, Update

#: As infra/model/change_production/experiment_plan.py takes one out.
_NOBODY = {"ChallengerPackageArn": "", "ChallengerVersion": "0", "ExperimentBegan": "never", UPDATE: Update.AT_ONCE.value}


def is_left(place: EnvironmentPlace, names: ServingNames) -> bool:
    """Whether one is beside what serves, by the parameters of the stack."""
    stack = describe_stack(place.client("cloudformation"), names.stack) or {}
    there = {item["ParameterKey"]: item["ParameterValue"] for item in stack.get("Parameters", [])}
    return bool(there.get("ChallengerPackageArn"))


def without_challenger(place: EnvironmentPlace, names: ServingNames) -> tuple[dict[str, Any], dict[str, str]] | None:
    """None where none is beside what serves."""
    if not is_left(place, names):
        return None
    template, parameters = deployed(place, names)
    kept = {CAPACITY: KEPT} if CAPACITY in parameters else {}
    return template, {**parameters, **_NOBODY, **kept}


def unguarded(template: Mapping[str, Any]) -> dict[str, Any]:
    """The template, whose endpoint is updated without DeploymentConfig."""
    return {**template, "Resources": {name: _unguarded(item) for name, item in template["Resources"].items()}}


def _unguarded(item: Mapping[str, Any]) -> dict[str, Any]:
    if item["Type"] != "AWS::SageMaker::Endpoint":
        return dict(item)
    return {**item, "Properties": {name: value for name, value in item["Properties"].items() if name != "DeploymentConfig"}}
