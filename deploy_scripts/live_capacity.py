"""What runs now under an endpoint, and whether the next deployment may change its instance type.

A variant that scales keeps its type: SageMaker fails the update until the scalable target is gone, and CloudFormation removes a target
only after it has updated the endpoint. So such a change takes deployments of its own, which are named before one begins.
Source: SageMaker guide, "Update endpoints that use auto scaling" (deregister, update, register again). In: the live endpoint, its stack
and its template. Used by render.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from build_scripts.command_line import ProblemError
from build_scripts.endpoint_templates import resource
from build_scripts.missing import found
from deploy_scripts.environment_place import EnvironmentPlace
from deploy_scripts.live_endpoint import describe_endpoint, first_variant
from settings_schema import ServingNames

_TARGET = "AWS::ApplicationAutoScaling::ScalableTarget"


@dataclass(frozen=True)
class Fleet:
    """`instances`: as many as the endpoint wants now, None where it does not say. `scales`: its stack registered it for that.

    `instance_type`: empty of a serverless endpoint.
    """

    instance_type: str
    instances: int | None = None
    scales: bool = False


def live_fleet(place: EnvironmentPlace, names: ServingNames) -> Fleet | None:
    """None if there is no endpoint, or nothing says any more on what it runs."""
    sagemaker = place.client("sagemaker")
    endpoint = describe_endpoint(sagemaker, names.endpoint)
    variant = first_variant(sagemaker, endpoint) if endpoint else None
    if endpoint is None or variant is None:
        return None
    answer = found(place.client("cloudformation").describe_stack_resources, StackName=names.stack) or {"StackResources": []}
    scales = any(item["ResourceType"] == _TARGET for item in answer["StackResources"])
    summaries = endpoint.get("ProductionVariants") or [{}]
    return Fleet(str(variant.get("InstanceType", "")), summaries[0].get("DesiredInstanceCount"), scales)


def refuse_conversion(live: Fleet | None, names: ServingNames, where: str) -> None:
    """Of an endpoint that is to be serverless. Raises ProblemError where it is on instances: "Feature exclusions" of its guide."""
    if live is not None and live.instance_type:
        raise ProblemError(
            f"{where} is Serverless, but {names.endpoint} runs on {live.instance_type}, and SageMaker converts no endpoint on instances to "
            "a serverless one; nothing is changed. Keep an Endpoint, or take this one down first, which ends its service until the next "
            f"deployment: `aws cloudformation delete-stack --stack-name {names.stack}` (protected: `aws cloudformation "
            f"update-termination-protection --no-enable-termination-protection --stack-name {names.stack}` before)"
        )


def refuse_other_type(live: Fleet | None, wanted: str, content: dict[str, Any], where: str) -> None:
    """Raises ProblemError with the deployments that lead there. `content`: the template; `where`: the value in models/.

    The instances that run now go on, however many they are: each deployment names its count, so that none falls back to a smaller one.
    """
    if live is None or live.instance_type in ("", wanted):
        return
    retains: Any = resource(content, "AWS::SageMaker::Endpoint").get("RetainAllVariantProperties") in (True, "true")
    if not (live.scales or retains):
        return
    count = f"initial_instance_count={live.instances}" if live.instances else "initial_instance_count as many as run now"
    steps = [f"autoscaling=None, {count}, instance_type={live.instance_type!r}"] if live.scales else []
    steps += [
        f"instance_type={wanted!r}, autoscaling=None, with as many instances as that type needs (`make capacity`)",
        "autoscaling again",
    ]
    numbered = "; ".join(f"{number}. {step}" for number, step in enumerate(steps, start=1))
    raise ProblemError(
        f"{where} changes from {live.instance_type} to {wanted!r} while it scales, which SageMaker refuses and CloudFormation finds out "
        f"half-way; nothing is changed. Deploy in this order, one push each: {numbered}"
    )
