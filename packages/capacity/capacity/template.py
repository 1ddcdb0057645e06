"""Reads the scaling configuration out of a synthesized CloudFormation template, such as `cdk synth` writes.

Input: the template as a dict (`cdk.out/<stack>.template.json`), with values for its parameters if there are any.
Output: one `Configuration` for each scalable target. Next: `engine.py`, `simulate.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from capacity.api import policy_from_api, scheduled_action_from_api
from capacity.checks import check
from capacity.model import RANDOM, Alarm, CapacityError, Configuration, MetricSpecification, Policy, ScalableTarget, require

TARGET, POLICY, ALARM = (
    "AWS::ApplicationAutoScaling::ScalableTarget",
    "AWS::ApplicationAutoScaling::ScalingPolicy",
    "AWS::CloudWatch::Alarm",
)
Resources = Mapping[str, Mapping[str, Any]]


def read(path: Path) -> list[Configuration]:
    """The scalable targets of a template file (JSON). Raises CapacityError with one line."""
    try:
        template = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CapacityError(f"template {path} cannot be read: {error.strerror}; `cdk synth` writes templates to cdk.out") from error
    except ValueError as error:
        raise CapacityError(f"template {path} is not JSON; `cdk synth` writes templates to cdk.out") from error
    require(
        isinstance(template, dict) and isinstance(template.get("Resources"), dict),
        f"template {path} has no Resources; allowed: a CloudFormation template",
    )
    return configurations(template, name=path.name)


def configurations(
    template: Mapping[str, Any], *, name: str = "template", parameters: Mapping[str, str] | None = None
) -> list[Configuration]:
    """One `Configuration` per scalable target. At least one is needed. Those on a condition count where there is no other.

    Such a one scales a variant that is there for a time only, beside the one that is always there.
    """
    resources: Resources = template["Resources"]
    defaults = {key: value.get("Default") for key, value in template.get("Parameters", {}).items()}
    resolver = _Resolver(resources, {**defaults, **(parameters or {})})
    targets = [logical for logical, resource in resources.items() if resource.get("Type") == TARGET]
    steady = [logical for logical in targets if "Condition" not in resources[logical]]
    found = [_configuration(logical, resources, resolver) for logical in steady or targets]
    hint = "allowed: the template of an endpoint that scales"
    require(bool(found), f"{name} has no scalable target ({TARGET}); {hint}")
    return found


class _Resolver:
    """Turns intrinsic functions into text. What only a deployment knows stays as `${LogicalId}`, equal wherever it is used."""

    def __init__(self, resources: Resources, parameters: Mapping[str, Any]) -> None:
        self._resources, self._parameters = resources, parameters

    def text(self, value: Any) -> str:
        if not isinstance(value, dict):
            return str(value)
        if "Ref" in value:
            known = self._parameters.get(value["Ref"])
            return str(known) if known is not None else self._name(value["Ref"])
        if "Fn::GetAtt" in value:
            target = value["Fn::GetAtt"]
            logical, attribute = target.split(".", 1) if isinstance(target, str) else target
            return self._name(logical) if attribute.endswith("Name") else f"${{{logical}.{attribute}}}"
        if "Fn::Join" in value:
            separator, parts = value["Fn::Join"]
            return str(separator).join(self.text(part) for part in parts)
        if "Fn::Sub" in value:
            return str(value["Fn::Sub"])
        return f"${{{json.dumps(value, sort_keys=True)}}}"  # known at deployment only, such as Fn::ImportValue

    def number(self, value: Any, what: str) -> float:
        text = self.text(value)
        try:
            return float(text)
        except ValueError as error:
            raise CapacityError(f"{what} is {text!r}; allowed: a number in the template") from error

    def _name(self, logical: str) -> str:
        properties = self._resources.get(logical, {}).get("Properties", {})
        for key in ("EndpointName", "AlarmName"):
            if isinstance(properties.get(key), str):
                return str(properties[key])
        return f"${{{logical}}}"


def _configuration(logical: str, resources: Resources, resolver: _Resolver) -> Configuration:
    properties = resources[logical]["Properties"]
    suspended = properties.get("SuspendedState", {})
    target = ScalableTarget(
        resource_id=resolver.text(properties["ResourceId"]),
        scalable_dimension=resolver.text(properties["ScalableDimension"]),
        min_capacity=int(resolver.number(properties["MinCapacity"], "MinCapacity")),
        max_capacity=int(resolver.number(properties["MaxCapacity"], "MaxCapacity")),
        scale_in_suspended=bool(suspended.get("DynamicScalingInSuspended")),
        scale_out_suspended=bool(suspended.get("DynamicScalingOutSuspended")),
        scheduled_suspended=bool(suspended.get("ScheduledScalingSuspended")),
    )
    may_be_none = any("AsyncInferenceConfig" in resource.get("Properties", {}) for resource in resources.values())
    low, least = target.min_capacity, 0 if may_be_none else 1  # "Autoscale an asynchronous endpoint" of the SageMaker guide
    require(low >= least, f"scalable target {target.resource_id}: min capacity is {low}; allowed: {least} or more")
    policies = [
        _policy(key, r["Properties"], resources, resolver) for key, r in resources.items() if _is_policy_of(logical, target, r, resolver)
    ]
    actions = [scheduled_action_from_api(action) for action in properties.get("ScheduledActions", [])]
    variant = _variant(resources, target, resolver)
    return check(
        Configuration(
            target=target,
            policies=tuple(policies),
            scheduled_actions=tuple(actions),
            **_of_variant(variant, resolver),
        )
    )


def _is_policy_of(logical: str, target: ScalableTarget, resource: Mapping[str, Any], resolver: _Resolver) -> bool:
    if resource.get("Type") != POLICY:
        return False
    properties = resource["Properties"]
    if "ScalingTargetId" in properties:
        return resolver.text(properties["ScalingTargetId"]) == f"${{{logical}}}"
    return resolver.text(properties.get("ResourceId")) == target.resource_id


def _policy(logical: str, properties: Mapping[str, Any], resources: Resources, resolver: _Resolver) -> Policy:
    """A policy resource has the shape of the API; its alarms are separate resources that name it as their action."""
    alarms = [
        _alarm(key, resource["Properties"], resolver)
        for key, resource in resources.items()
        if resource.get("Type") == ALARM
        and any(
            resolver.text(action).startswith((f"${{{logical}}}", f"${{{logical}."))
            for action in resource["Properties"].get("AlarmActions", [])
        )
    ]
    policy = policy_from_api({"PolicyName": logical, **properties}, alarms)
    needs_alarm = properties.get("PolicyType") == "StepScaling"
    require(
        not needs_alarm or bool(alarms), f"step scaling policy {policy.name} has no alarm in the template that names it in AlarmActions"
    )
    return policy


def _alarm(logical: str, properties: Mapping[str, Any], resolver: _Resolver) -> Alarm:
    name = resolver.text(properties.get("AlarmName", logical))
    source: Mapping[str, Any] = properties
    if "Metrics" in properties:
        statistics = [query["MetricStat"] for query in properties["Metrics"] if "MetricStat" in query]
        single = len(properties["Metrics"]) == 1 and len(statistics) == 1
        require(single, f"alarm {name} uses metric math, which the simulator does not evaluate; allowed: one metric")
        metric = statistics[0]["Metric"]
        source = {**metric, "Statistic": statistics[0]["Stat"], "Period": statistics[0]["Period"]}
    dimensions = tuple(sorted((str(d["Name"]), resolver.text(d["Value"])) for d in source.get("Dimensions", [])))
    periods = int(properties["EvaluationPeriods"])
    return Alarm(
        name=name,
        metric=MetricSpecification(
            name=str(source.get("MetricName")),
            statistic=str(source.get("Statistic") or source.get("ExtendedStatistic") or "Average"),
            period_seconds=int(source.get("Period", 60)),
            namespace=str(source.get("Namespace", "AWS/SageMaker")),
            dimensions=dimensions,
        ),
        comparison=str(properties["ComparisonOperator"]),
        threshold=resolver.number(properties["Threshold"], f"threshold of alarm {name}"),
        evaluation_periods=periods,
        datapoints_to_alarm=int(properties.get("DatapointsToAlarm", periods)),
        treat_missing_data=str(properties.get("TreatMissingData", "missing")),
    )


def _variant(resources: Resources, target: ScalableTarget, resolver: _Resolver) -> Mapping[str, Any]:
    """The production variant that the target names; empty where the template has no endpoint config with it."""
    name = target.resource_id.rsplit("/", 1)[-1]
    for resource in resources.values():
        if resource.get("Type") == "AWS::SageMaker::EndpointConfig":
            for variant in resource["Properties"].get("ProductionVariants", []):
                if resolver.text(variant.get("VariantName")) == name and "InstanceType" in variant:
                    return dict(variant)
    return {}


def _of_variant(variant: Mapping[str, Any], resolver: _Resolver) -> dict[str, Any]:
    """What the variant itself says, as fields of `Configuration`."""
    if not variant:
        return {}
    routing = variant.get("RoutingConfig", {}).get("RoutingStrategy")
    return {
        "instance_type": resolver.text(variant["InstanceType"]),
        "initial_instance_count": int(resolver.number(variant.get("InitialInstanceCount", 1), "InitialInstanceCount")),
        "routing": RANDOM if routing is None else resolver.text(routing),
    }
