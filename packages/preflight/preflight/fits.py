"""Instance types that the region has and that a deployment refuses all the same: SageMaker, or Application Auto Scaling.

A registered version names the types that it may run on. Burstable instances cannot be scaled ("Register a
model" of the SageMaker guide; the CDK's @aws-cdk/aws-sagemaker-alpha refuses them likewise). Input: the pipelines' definitions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from preflight.endpoints import endpoint_needs, fleets_of
from preflight.finding import Finding, failed, passed
from preflight.needs import Use
from preflight.situation import Situation

_WHAT = "allowed types"
_BURSTABLE = re.compile(r"ml\.t\d")
#: Members of an InferenceSpecification (botocore's model of CreateModelPackage).
_ALLOWED = {Use.ENDPOINT: "SupportedRealtimeInferenceInstanceTypes", Use.TRANSFORM: "SupportedTransformInstanceTypes"}


def check_scaling(situation: Situation) -> Iterator[Finding]:
    for fleet in situation.fleets:
        if fleet.scales and _BURSTABLE.match(fleet.instance_type):
            found = f"{fleet.endpoint} scales, which Application Auto Scaling refuses for {fleet.instance_type} (burstable)"
            yield failed(_WHAT, found, situation.app.words.unscaled)


def check_version(situation: Situation) -> Iterator[Finding]:
    """The versions that a pipeline will register may run on what the app asks for, wherever they serve."""
    wrong, registers = False, False
    jobs = [need for needs in situation.app.jobs.values() for need in needs]
    everywhere = [*endpoint_needs(fleets_of(situation.everywhere, situation.place)), *jobs, *situation.job_needs]
    for use, member in _ALLOWED.items():
        allowed = {item for definition in situation.definitions for items in _members(definition, member) for item in items}
        registers |= bool(allowed)
        for instance_type in sorted({need.instance_type for need in everywhere if need.use is use}) if allowed else []:
            if instance_type not in allowed:
                wrong = True
                found = f"a version may not run on {instance_type} for {use.label}, only on {', '.join(sorted(allowed))}"
                yield failed(_WHAT, found, f"add it to {situation.app.words.allowed_types.get(use, member)}, and train")
    if registers and not wrong:
        yield passed(_WHAT, "a registered version may run on those of its endpoints and batch transforms")


def _members(value: Any, name: str) -> Iterator[list[str]]:
    """Every list of this name, however deep."""
    children = value.items() if isinstance(value, Mapping) else [("", item) for item in value] if isinstance(value, list) else []
    for key, child in children:
        if key == name:
            yield child
        else:
            yield from _members(child, name)
