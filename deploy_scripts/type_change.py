"""Another instance type under an endpoint that scales: which updates lead there, on how many instances, and what they are told as.

SageMaker refuses another type for a variant that is a scalable target, and CloudFormation takes a target away only after it has updated the
endpoint. So there are two updates of the stack: the template that is there without its scaling, which leaves the endpoint alone; then the
new one, which registers it again. The deploy and the return pipeline have an action for each; where the type stays both deploy the same.
Source: SageMaker guide, "Update endpoints that use auto scaling" (deregister, update, register again). In: what runs, and what is set.
Used by render.py, approve.py, preflight.py, review/facts.py. Decision 153.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from build_scripts.project_environment import ProjectEnvironment
from capacity.template import POLICY, TARGET
from deploy_scripts.environment_place import EnvironmentPlace, Role
from deploy_scripts.live_capacity import Fleet, live_fleet
from settings_schema import Asynchronous, Endpoint, Environment, Model, ServingNames
from settings_schema.rollout import CAPACITY, GIVEN, INSTANCE_COUNT

_PER_INSTANCE = "SageMakerVariantInvocationsPerInstance"


@dataclass(frozen=True)
class TypeChange:
    """`instances`: how many of the new type there are to be; `wanted`: how many today's load needs, which the settings may not allow.

    `first`: template and parameters of the update that takes the scaling away; None where there is none to take.
    """

    live: Fleet
    instance_type: str
    instances: int
    wanted: int
    scales: bool
    first: tuple[dict[str, Any], dict[str, str]] | None = None

    @property
    def parameters(self) -> dict[str, str]:
        """Of the stack's template, where it has them."""
        return {CAPACITY: GIVEN, INSTANCE_COUNT: str(self.instances)}

    def steps(self) -> Iterator[str]:
        """What happens, before it does."""
        now = f"{self.live.instances or 'its'} × {self.live.instance_type}"
        if self.live.scales:
            yield f"its scaling is taken away, without which {now} serve on as many as they are"
        short = f", of which the load of now needs {self.wanted}" if self.wanted > self.instances else ""
        yield f"{self.instances} × {self.instance_type} replace {now}{short}"
        if self.scales:
            yield "it scales again"

    def __str__(self) -> str:
        steps = "; ".join(f"{number}. {step}" for number, step in enumerate(self.steps(), start=1))
        return f"another instance type, {self.live.instance_type} to {self.instance_type}: {steps}"


def type_change(live: Fleet | None, serving: Endpoint | Asynchronous, template: Mapping[str, Any]) -> TypeChange | None:
    """None where the type stays, or nothing scales before or afterwards: then one update does it. `template`: the one that is there."""
    if live is None or live.instance_type == serving.instance_type or not (live.scales or serving.scales):
        return None
    wanted = _needed(live, serving, template)
    return TypeChange(live, serving.instance_type, _allowed(wanted, serving), wanted, serving.scales)


def _needed(live: Fleet, serving: Endpoint | Asynchronous, template: Mapping[str, Any]) -> int:
    """As many as take the load that the live fleet may have now, by the requests that one instance of each type is to get.

    Those are the targets of both target trackings. Where one of them says nothing: as many as run. Never fewer than a new endpoint has.
    """
    scaling = serving.autoscaling if isinstance(serving, Endpoint) else None
    now, after = _invocations_per_instance(template), scaling.target_tracking if scaling else None
    ratio = now / after.invocations_per_instance if now and after else 1.0
    return max(serving.initial_instance_count, math.ceil(round((live.instances or 1) * ratio, 6)))


def _allowed(wanted: int, serving: Endpoint | Asynchronous) -> int:
    scaling = serving.autoscaling if isinstance(serving, Endpoint) else serving.scaling
    return min(max(wanted, scaling.min_capacity), scaling.max_capacity) if scaling else serving.initial_instance_count


def _invocations_per_instance(template: Mapping[str, Any]) -> float | None:
    """Target of a template's target tracking, in requests per minute."""
    for item in template.get("Resources", {}).values():
        tracking = item.get("Properties", {}).get("TargetTrackingScalingPolicyConfiguration") or {}
        if (tracking.get("PredefinedMetricSpecification") or {}).get("PredefinedMetricType") == _PER_INSTANCE:
            return float(tracking["TargetValue"])
    return None


def without_scaling(template: Mapping[str, Any]) -> dict[str, Any]:
    """The template without scalable targets and policies, and without what refers to them, such as the alarm that calls a policy.

    Whatever depends on nothing of it stays as it is, so that CloudFormation touches nothing else.
    """
    resources = dict(template["Resources"])
    gone = {name for name, item in resources.items() if item["Type"] in (TARGET, POLICY)}
    while True:
        kept = {name: item for name, item in resources.items() if name not in gone and not _refers(item, gone)}
        if len(kept) == len(resources):
            return {**template, "Resources": kept}
        gone, resources = gone | (resources.keys() - kept.keys()), kept


def _refers(value: Any, names: set[str]) -> bool:
    """To one of the resources, by `Ref`, `Fn::GetAtt` or `DependsOn`."""
    if isinstance(value, list):
        return any(_refers(item, names) for item in value)
    if not isinstance(value, dict):
        return False
    referred = [value.get("Ref"), value.get("Fn::GetAtt"), value.get("DependsOn")]
    plain = {str(name).partition(".")[0] for item in referred if item for name in (item if isinstance(item, list) else [item])}
    return bool(plain & names) or any(_refers(item, names) for item in value.values())


def deployed(place: EnvironmentPlace, names: ServingNames) -> tuple[dict[str, Any], dict[str, str]]:
    """The template and the parameters that the stack has. botocore parses a template in JSON."""
    cloudformation = place.client("cloudformation")
    body = cloudformation.get_template(StackName=names.stack, TemplateStage="Original")["TemplateBody"]
    (stack,) = cloudformation.describe_stacks(StackName=names.stack)["Stacks"]
    parameters = {item["ParameterKey"]: item["ParameterValue"] for item in stack.get("Parameters", [])}
    return json.loads(body if isinstance(body, str) else json.dumps(body)), parameters


def announced(project: ProjectEnvironment, environments: Iterable[Environment], model: Model) -> Iterator[str]:
    """A line for each environment that another instance type comes to, by the settings of this checkout."""
    for environment in environments:
        names, place = model.names(project.project).at(environment.name), EnvironmentPlace(project, environment, Role.LOOKUP)
        if change := coming(place, names, model.serving[environment.name]):
            yield f"{model.name} in {environment.name} gets {change}"


def coming(place: EnvironmentPlace, names: ServingNames, serving: object) -> TypeChange | None:
    """What the next deployment changes there with these settings."""
    if not isinstance(serving, Endpoint | Asynchronous):
        return None
    live = live_fleet(place, names)
    if live is None or live.instance_type == serving.instance_type:
        return None
    template, parameters = deployed(place, names) if live.scales else ({}, {})
    change = type_change(live, serving, template)
    return replace(change, first=(without_scaling(template), parameters)) if change and live.scales else change
