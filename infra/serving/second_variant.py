"""A place for a second version behind the endpoint: a model and a variant that are there while a parameter of the stack names one.

A deployment leaves the parameters empty, so it ends whatever was there. What fills them is a function of infra/model/change_production/,
which changes nothing else of the stack. Whether an update has changes: aws-cloudformation/cloudformation-coverage-roadmap, issue 2027.
Next: shadow_variant.py, challenger_variant.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from settings_schema import Endpoint

_ARN = r"(arn:aws[a-z-]*:sagemaker:[a-z0-9-]+:\d{12}:model-package/.+/\d+)?"


class SecondVariant(Construct):
    """`make_model` makes a model of a version: construct id, its ARN, its number. `most`: instances that there can be, for preflight.

    Names of its parameters begin with the variant's. They are in the stack's own scope, so that they are plain.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        variant: str,
        condition: str,
        most: int,
        serving: Endpoint,
        make_model: Callable[[str, str, str], sagemaker.CfnModel],
    ) -> None:
        super().__init__(scope, construct_id)
        self._stack, self._variant, self._serving = cdk.Stack.of(self), variant, serving
        package = self._parameter("PackageArn", default="", allowed_pattern=_ARN, description="A second version; empty: none")
        number = self._parameter("Version", default="0", allowed_pattern=r"\d+", description="Its number where it was approved")
        self._instances = self._parameter("Instances", type="Number", default=most, min_value=1, description="Its instances at first")
        there = cdk.Fn.condition_not(cdk.Fn.condition_equals(package, ""))
        self._condition = cdk.CfnCondition(self._stack, condition, expression=there)
        self._model = make_model(f"{variant}Model", package, number)
        self._model.cfn_options.condition = self._condition
        # What only may come to be there is no change of a stack, which keeps its old template then; an output is one.
        cdk.CfnOutput(self._stack, f"{variant}Number", value=number, description="Of the second version; 0: none")

    def _parameter(self, what: str, **definition: Any) -> str:
        return cdk.CfnParameter(self._stack, f"{self._variant}{what}", **definition).value_as_string

    def _described(self, weight: float) -> dict[str, Any]:
        """As CloudFormation writes it: within `Fn::If` the CDK's own classes would keep the names of their members."""
        return {
            "VariantName": self._variant,
            "ModelName": self._model.attr_model_name,
            "InstanceType": self._serving.instance_type,
            "InitialInstanceCount": self._instances,
            "InitialVariantWeight": weight,
            "RoutingConfig": {"RoutingStrategy": self._serving.request_routing.value},
        }

    def _while_there(self, value: Any) -> cdk.IResolvable:
        return cdk.Fn.condition_if(self._condition.logical_id, value, cdk.Aws.NO_VALUE)
