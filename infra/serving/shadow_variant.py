"""A place for a version in the endpoint's shadow, which gets copies of requests.

What fills it: infra/model/change_production/shadow.py. Sources: "Shadow variants" of the SageMaker guide; `ShadowProductionVariants` of its
service model: one, beside one variant in production. The ratio of the two weights is the share of requests that are copied.
"""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from constructs import Construct

from infra.serving.second_variant import SecondVariant
from settings_schema import Endpoint, Shadow
from settings_schema.names import SHADOW_VARIANT

#: Parameters: ARN of the version in the shadow, or empty; its number; how many instances it gets.
PACKAGE, VERSION, INSTANCES = "ShadowPackageArn", "ShadowVersion", "ShadowInstances"


class ShadowVariant(SecondVariant):
    """It does not scale: decision 168."""

    def __init__(self, scope: Construct, construct_id: str, *, serving: Endpoint, shadow: Shadow, **given: Any) -> None:
        most = serving.autoscaling.max_capacity if serving.autoscaling else serving.initial_instance_count
        kind: dict[str, Any] = {"variant": SHADOW_VARIANT, "condition": "Shadowed", "most": most}
        super().__init__(scope, construct_id, serving=serving, **kind, **given)
        self._shadow = shadow

    def variants(self) -> cdk.IResolvable:
        return self._while_there([self._described(self._shadow.percent / 100)])
