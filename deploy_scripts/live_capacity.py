"""What runs now under an endpoint: its instance type, how many, and whether they scale.

Used by render.py, type_change.py, fleet_type_change.py, scaling_state.py and review/facts.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from build_scripts.command_line import ProblemError
from build_scripts.missing import found
from deploy_scripts.environment_place import EnvironmentPlace
from deploy_scripts.live_endpoint import describe_endpoint, first_variant
from settings_schema import FleetNames, ServingNames
from settings_schema.names import VARIANT

_TARGET = "AWS::ApplicationAutoScaling::ScalableTarget"


@dataclass(frozen=True)
class Fleet:
    """`instances`: as many as the endpoint wants now, None where it does not say. `scales`: its stack registered it for that."""

    instance_type: str
    instances: int | None = None
    scales: bool = False


def live_fleet(place: EnvironmentPlace, names: ServingNames | FleetNames) -> Fleet | None:
    """None if there is no endpoint, or nothing says any more on what it runs; and for a variant without instances of its own."""
    sagemaker = place.client("sagemaker")
    endpoint = describe_endpoint(sagemaker, names.endpoint)
    variant = first_variant(sagemaker, endpoint) if endpoint else None
    if endpoint is None or variant is None or "InstanceType" not in variant:
        return None
    summaries = [item for item in endpoint.get("ProductionVariants") or [] if item.get("VariantName", VARIANT) == VARIANT] or [{}]
    scales = is_registered(place.client("cloudformation"), names.stack)
    return Fleet(str(variant["InstanceType"]), summaries[0].get("DesiredInstanceCount"), scales)


def refuse_conversion(live: Fleet | None, names: ServingNames, where: str) -> None:
    """Of an endpoint that is to be serverless. Raises ProblemError where it is on instances: "Feature exclusions" of its guide."""
    if live is not None:
        raise ProblemError(
            f"{where} is Serverless, but {names.endpoint} runs on {live.instance_type}, and SageMaker converts no endpoint on instances to "
            "a serverless one; nothing is changed. Keep an Endpoint, or take this one down first, which ends its service until the next "
            f"deployment: `aws cloudformation delete-stack --stack-name {names.stack}` (protected: `aws cloudformation "
            f"update-termination-protection --no-enable-termination-protection --stack-name {names.stack}` before)"
        )


def is_registered(cloudformation: Any, stack: str) -> bool:
    """Whether the stack has a scalable target."""
    answer = found(cloudformation.describe_stack_resources, StackName=stack) or {"StackResources": []}
    return any(item["ResourceType"] == _TARGET for item in answer["StackResources"])
