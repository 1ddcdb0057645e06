"""A place for a version in the endpoint's shadow: a model and a variant that are there while the stack's parameters name one.

A deployment leaves them empty, so it ends whatever was in the shadow. change_production/shadow.py of infra/model/ fills them, and
changes nothing else. Sources: "Shadow variants" of the SageMaker guide; `ShadowProductionVariants` of its service model: one, beside one
variant in production. The ratio of the two weights is the share of requests that are copied.
"""

from __future__ import annotations

from collections.abc import Callable

import aws_cdk as cdk
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from settings_schema import Endpoint, Shadow
from settings_schema.names import SHADOW_VARIANT

#: Parameters: ARN of the version in the shadow, or empty; its number; how many instances it gets.
PACKAGE, VERSION, INSTANCES = "ShadowPackageArn", "ShadowVersion", "ShadowInstances"
_CONDITION = "Shadowed"


class ShadowVariant(Construct):
    """`make_model` makes a model of a version: construct id, its ARN, its number."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        serving: Endpoint,
        shadow: Shadow,
        make_model: Callable[[str, str, str], sagemaker.CfnModel],
    ) -> None:
        super().__init__(scope, construct_id)
        self._serving, self._shadow = serving, shadow
        package, number, self._instances = self._parameters()
        there = cdk.Fn.condition_not(cdk.Fn.condition_equals(package, ""))
        self._condition = cdk.CfnCondition(cdk.Stack.of(self), _CONDITION, expression=there)
        self._model = make_model("ShadowModel", package, number)
        self._model.cfn_options.condition = self._condition

    def _parameters(self) -> tuple[str, str, str]:
        """In the stack's own scope, so that they have plain names. By default as many instances as there can be, for preflight."""
        stack, most = cdk.Stack.of(self), self._serving.autoscaling
        package = cdk.CfnParameter(
            stack,
            PACKAGE,
            default="",
            description="Version in the shadow of what serves; empty: none",
            allowed_pattern=r"(arn:aws[a-z-]*:sagemaker:[a-z0-9-]+:\d{12}:model-package/.+/\d+)?",
        )
        number = cdk.CfnParameter(stack, VERSION, default="0", description="Its number where it was approved", allowed_pattern=r"\d+")
        instances = cdk.CfnParameter(
            stack,
            INSTANCES,
            type="Number",
            default=most.max_capacity if most else self._serving.initial_instance_count,
            min_value=1,
            description="Its instances",
        )
        return package.value_as_string, number.value_as_string, instances.value_as_string

    def variants(self) -> cdk.IResolvable:
        """As CloudFormation writes it: within `Fn::If` the CDK's own classes would keep the names of their members."""
        variant = {
            "VariantName": SHADOW_VARIANT,
            "ModelName": self._model.attr_model_name,
            "InstanceType": self._serving.instance_type,
            "InitialInstanceCount": self._instances,
            "InitialVariantWeight": self._shadow.percent / 100,
            "RoutingConfig": {"RoutingStrategy": self._serving.request_routing.value},
        }
        return cdk.Fn.condition_if(self._condition.logical_id, [variant], cdk.Aws.NO_VALUE)
