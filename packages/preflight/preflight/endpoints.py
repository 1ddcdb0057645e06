"""The SageMaker endpoints of the templates: their instances when they idle, at the most, and while a version is rolled out.

Sources: "Blue/Green Deployments" of the SageMaker guide (an update runs two fleets, the old one and the new; also without a
DeploymentConfig) and "Use rolling deployments" (a batch beside the fleet); each up to the highest capacity of any schedule of the variant's
scalable target. Input: resources of templates. Output: `Fleet`s, and `Need`s of them. Next: `quotas.py`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from preflight.assembly import Place, Stack
from preflight.needs import Need, Use

_ENDPOINT, _CONFIG = "AWS::SageMaker::Endpoint", "AWS::SageMaker::EndpointConfig"
_TARGET, _DIMENSION = "AWS::ApplicationAutoScaling::ScalableTarget", "sagemaker:variant:DesiredInstanceCount"


@dataclass(frozen=True, slots=True)
class Fleet:
    """The instances of one variant. `endpoint`: its name, or its logical id where CloudFormation names it.

    `batch`: how many a rolling update has beside the fleet at once; None where an update makes a second fleet.
    """

    stack: str
    endpoint: str
    instance_type: str
    lowest: int
    highest: int
    scales: bool = False
    batch: int | None = None

    @property
    def during_an_update(self) -> int:
        return 2 * self.highest if self.batch is None else self.highest + self.batch

    @property
    def sum(self) -> str:
        """How that number comes about."""
        return f"{self.endpoint} " + (f"2 × {self.highest}" if self.batch is None else f"{self.highest} + {self.batch}")


def fleets_of(stacks: Sequence[Stack], place: Place) -> list[Fleet]:
    """Every variant on instances; serverless ones have none, and what only a deployment knows is left out."""
    targets = [properties for stack in stacks for properties in stack.resources(_TARGET).values()]
    return [fleet for stack in stacks for fleet in _in_stack(stack, targets, place)]


def endpoint_needs(fleets: Sequence[Fleet]) -> list[Need]:
    """One for each instance type, over all endpoints: the quota is the type's, and updates of two endpoints may overlap."""
    needs = []
    for instance_type in dict.fromkeys(fleet.instance_type for fleet in fleets):
        of_type = [fleet for fleet in fleets if fleet.instance_type == instance_type]
        when = "both fleets of an update" if all(fleet.batch is None for fleet in of_type) else "during an update"
        why = f"{when}: {', '.join(fleet.sum for fleet in of_type)}"
        needs.append(Need(Use.ENDPOINT, instance_type, sum(fleet.during_an_update for fleet in of_type), why))
    return needs


def serverless_concurrency(stacks: Sequence[Stack], place: Place) -> dict[str, int]:
    """MaxConcurrency of the templates' serverless variants, by stack and variant."""
    return {
        f"{stack.name} {variant['VariantName']}": int(most)
        for stack in stacks
        for config in stack.resources(_CONFIG).values()
        for variant in config.get("ProductionVariants", [])
        if (most := place.text(variant.get("ServerlessConfig", {}).get("MaxConcurrency"))) is not None
    }


def _in_stack(stack: Stack, targets: Sequence[Mapping[str, Any]], place: Place) -> Iterator[Fleet]:
    names = {logical_id: place.text(given.get("EndpointName")) or logical_id for logical_id, given in stack.resources(_ENDPOINT).items()}
    parameters = {name: str(given["Default"]) for name, given in stack.template.get("Parameters", {}).items() if "Default" in given}
    inside = place.knowing({**parameters, **{f"{logical_id}.EndpointName": name for logical_id, name in names.items()}})
    for logical_id, endpoint in stack.resources(_ENDPOINT).items():
        config = stack.resources(_CONFIG).get(_referred(endpoint.get("EndpointConfigName")), {})
        shadows, come_and_go = _shadows(config.get("ShadowProductionVariants", []))
        passing = [*(shadows if come_and_go else ()), *_tried(config)]
        steady = [variant for variant in config.get("ProductionVariants", []) if "Fn::If" not in variant]
        for variant in [*steady, *(() if come_and_go else shadows), *passing]:
            instance_type, count = inside.text(variant.get("InstanceType")), inside.text(variant.get("InitialInstanceCount", 1))
            if instance_type is None or count is None:
                continue
            bounds = [*_managed(variant), *_scaled(f"endpoint/{names[logical_id]}/variant/{variant['VariantName']}", targets, inside)]
            low, high = (min(bounds), max(bounds)) if bounds else (int(count), int(count))
            batch = 0 if variant in passing else _batch(endpoint.get("DeploymentConfig", {}), high)
            yield Fleet(stack.name, names[logical_id], instance_type, low, high, bool(bounds), batch)


def _tried(config: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Production variants that come and go by a condition: each of the two updates has it in one of its fleets only."""
    conditional = [variant["Fn::If"] for variant in config.get("ProductionVariants", []) if "Fn::If" in variant]
    return [choice for choices in conditional for choice in choices if isinstance(choice, Mapping) and "VariantName" in choice]


def _shadows(value: Any) -> tuple[Sequence[Mapping[str, Any]], bool]:
    """Those that there can be; whether they come and go by a condition: then no update replaces them, and they are there once."""
    if not isinstance(value, Mapping):
        return value, False
    choices = [choice for choice in value.get("Fn::If", []) if isinstance(choice, list)]
    return (choices[0] if choices else []), True


def _referred(value: Any) -> str:
    """Logical id of `Ref` and `Fn::GetAtt`."""
    given = next(iter(value.values()), "") if isinstance(value, Mapping) else ""
    return str(given[0] if isinstance(given, list) else given).partition(".")[0]


def _scaled(resource_id: str, targets: Sequence[Mapping[str, Any]], place: Place) -> Iterator[int]:
    """Every lower and upper bound of a variant's scalable target, those of its schedules too."""
    for target in targets:
        if target.get("ScalableDimension") == _DIMENSION and place.text(target.get("ResourceId")) == resource_id:
            for bounds in (target, *(item.get("ScalableTargetAction", {}) for item in target.get("ScheduledActions", []))):
                yield from (int(bounds[key]) for key in ("MinCapacity", "MaxCapacity") if str(bounds.get(key, "")).isdigit())


def _managed(variant: Mapping[str, Any]) -> Iterator[int]:
    """Bounds that SageMaker keeps itself (ProductionVariantManagedInstanceScaling)."""
    scaling = variant.get("ManagedInstanceScaling", {})
    if scaling.get("Status") == "ENABLED":
        yield from (int(scaling[key]) for key in ("MinInstanceCount", "MaxInstanceCount") if key in scaling)


def _batch(deployment: Mapping[str, Any], instances: int) -> int | None:
    """The largest batch of a rolling update, forth or back, in instances. None if it does not roll, in one of the ways of a condition."""
    if "Fn::If" in deployment:
        either = [_batch(way, instances) for way in deployment["Fn::If"][1:]]
        return max((batch for batch in either if batch), default=None) if all(either) else None
    policy = deployment.get("RollingUpdatePolicy", {})
    sizes = [policy[name] for name in ("MaximumBatchSize", "RollbackMaximumBatchSize") if policy.get(name)]
    return max((_instances(size, instances) for size in sizes), default=None)


def _instances(size: Mapping[str, Any], instances: int) -> int:
    """A CapacitySize of a fleet."""
    return math.ceil(instances * int(size["Value"]) / 100) if size["Type"] == "CAPACITY_PERCENT" else int(size["Value"])


def images_of(stacks: Sequence[Stack]) -> str:
    """What the templates' models and their containers are, as text in which image addresses can be looked for."""
    return json.dumps([stack.resources("AWS::SageMaker::Model") for stack in stacks])
