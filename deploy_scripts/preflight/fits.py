"""Instance types that the region has and that a deployment refuses all the same: render.py, or Application Auto Scaling.

A registered version names the types that it may run on; render.py refuses another one. Burstable instances cannot be scaled ("Register a
model" of the SageMaker guide; the CDK's @aws-cdk/aws-sagemaker-alpha refuses them likewise). Input: the pipelines' definitions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from deploy_scripts.preflight.finding import Finding, failed, passed
from deploy_scripts.preflight.needs import Use
from deploy_scripts.preflight.situation import Situation
from settings_schema import Batch, Endpoint

_WHAT = "allowed types"
_BURSTABLE = re.compile(r"ml\.t\d")
_ALLOWED = {
    Use.ENDPOINT: ("SupportedRealtimeInferenceInstanceTypes", "INSTANCE_TYPES"),
    Use.TRANSFORM: ("SupportedTransformInstanceTypes", "TRANSFORM_TYPES"),
}


def check_scaling(situation: Situation) -> Iterator[Finding]:
    for name, endpoint in situation.endpoints.items():
        if endpoint.autoscaling is not None and _BURSTABLE.match(endpoint.instance_type):
            found = f"{name} scales, which Application Auto Scaling refuses for {endpoint.instance_type} (burstable)"
            yield failed(_WHAT, found, "another instance_type in models/, or autoscaling=None for this environment")


def check_version(situation: Situation) -> Iterator[Finding]:
    """The versions that the training will register may run on what the models ask for, wherever they serve."""
    wrong = False
    wanted = {Use.ENDPOINT: Endpoint, Use.TRANSFORM: Batch}
    for use, (member, constant) in _ALLOWED.items():
        allowed = {item for definition in situation.definitions for items in _members(definition, member) for item in items}
        types = {item.instance_type for item in situation.stages.values() if isinstance(item, wanted[use])}
        for instance_type in sorted(types | {need.instance_type for need in situation.needs_of(use)}) if allowed else []:
            if instance_type not in allowed:
                wrong = True
                found = f"a version may not run on {instance_type} for {use.label}, only on {', '.join(sorted(allowed))}"
                yield failed(_WHAT, found, f"add it to {constant} of pipelines/tabular/registration.py, and train")
    if not wrong:
        yield passed(_WHAT, "a registered version may run on those of its endpoints and batch transforms")


def _members(value: Any, name: str) -> Iterator[list[str]]:
    """Every list of this name, however deep."""
    children = value.items() if isinstance(value, Mapping) else [("", item) for item in value] if isinstance(value, list) else []
    for key, child in children:
        if key == name:
            yield child
        else:
            yield from _members(child, name)
