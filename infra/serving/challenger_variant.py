"""A place for a second version behind the endpoint, which answers a share of the requests: a model and a variant that are there while the
stack's parameters name one, and alarms on it alone. Where what serves scales, so does this one, by the same policies within its share.

A deployment leaves the parameters empty, so it ends whatever was tried. What fills them is infra/model/change_production/experiment.py,
which changes nothing else of the stack. The watch reads them (pipelines/monitoring/): it counts what both answered since then.
Sources: "Testing models with production variants" of the SageMaker guide; a variant's share of requests is its weight by the sum of all.
"Update endpoints that use auto scaling": a variant that is a scalable target is not removed. CloudFormation takes resources away only
after it has updated others, so the scaling comes and goes in updates of its own, by a parameter of its own.
"""

from __future__ import annotations

from collections.abc import Callable

import aws_cdk as cdk
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from infra.serving.variant_autoscaling import CHALLENGER_LOAD, VariantAutoscaling
from pipelines.monitoring.pipeline import BEGAN, CHALLENGER_VERSION
from settings_schema import Autoscaling, Endpoint, Experiment, ServingNames
from settings_schema.names import CHALLENGER_VARIANT

#: Parameter: ARN of the version beside the one that serves, or empty. Its number and the time are the watch's, too.
PACKAGE, VERSION = "ChallengerPackageArn", CHALLENGER_VERSION
NEVER = "never"
#: How many instances it begins with; and, where what serves scales, whether it scales, too.
INSTANCES, SCALING = "ChallengerInstances", "ChallengerScaling"
OFF, ON = "off", "on"
CONDITION, SCALES = "Challenged", "ChallengerScales"


class ChallengerVariant(Construct):
    """`make_model` makes a model of a version: construct id, its ARN, its number."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        serving: Endpoint,
        experiment: Experiment,
        make_model: Callable[[str, str, str], sagemaker.CfnModel],
    ) -> None:
        super().__init__(scope, construct_id)
        self._serving, self._experiment = serving, experiment
        package, number, self._instances = self._parameters()
        there = cdk.Fn.condition_not(cdk.Fn.condition_equals(package, ""))
        self._condition = cdk.CfnCondition(cdk.Stack.of(self), CONDITION, expression=there)
        self._model = make_model("ChallengerModel", package, number)
        self._model.cfn_options.condition = self._condition

    def scale(self, beside: Construct, names: ServingNames, autoscaling: Autoscaling) -> None:
        """`beside`: how what serves scales, after which this is made, and before which it is taken away."""
        stack = cdk.Stack.of(self)
        description = "on: it scales, and cannot leave before it is off"
        wanted = cdk.CfnParameter(stack, SCALING, default=OFF, allowed_values=[OFF, ON], description=description)
        both = cdk.Fn.condition_and(self._condition, cdk.Fn.condition_equals(wanted.value_as_string, ON))
        condition = cdk.CfnCondition(stack, SCALES, expression=both)
        share = self._experiment.share_of(autoscaling)
        scaling = VariantAutoscaling(beside, "Challenger", names=names, autoscaling=share, variant=CHALLENGER_VARIANT, load=CHALLENGER_LOAD)
        for resource in scaling.node.find_all():
            if isinstance(resource, cdk.CfnResource):
                resource.cfn_options.condition = condition

    def _parameters(self) -> tuple[str, str, str]:
        """In the stack's own scope, so that they have plain names. By default as many instances as there can be, for preflight."""
        stack, version = cdk.Stack.of(self), r"(arn:aws[a-z-]*:sagemaker:[a-z0-9-]+:\d{12}:model-package/.+/\d+)?"
        package = cdk.CfnParameter(
            stack, PACKAGE, default="", description="Version beside the one that serves; empty: none", allowed_pattern=version
        )
        number = cdk.CfnParameter(stack, VERSION, default="0", description="Its number where it was approved", allowed_pattern=r"\d+")
        cdk.CfnParameter(
            stack,
            BEGAN,
            default=NEVER,
            description="When it was put there, in UTC",
            allowed_pattern=rf"{NEVER}|\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
        )
        instances = cdk.CfnParameter(
            stack,
            INSTANCES,
            type="Number",
            default=self._experiment.instances(self._serving.most_instances),
            min_value=1,
            description="Its instances to begin with",
        )
        return package.value_as_string, number.value_as_string, instances.value_as_string

    def variant(self) -> cdk.IResolvable:
        """As CloudFormation writes it: within `Fn::If` the CDK's own classes would keep the names of their members.

        Its weight beside the champion's, which is 1 always, so that nothing about the champion changes.
        """
        share = self._experiment.challenger_percent / 100
        variant = {
            "VariantName": CHALLENGER_VARIANT,
            "ModelName": self._model.attr_model_name,
            "InstanceType": self._serving.instance_type,
            "InitialInstanceCount": self._instances,
            "InitialVariantWeight": round(share / (1 - share), 6),
            "RoutingConfig": {"RoutingStrategy": self._serving.request_routing.value},
        }
        return cdk.Fn.condition_if(self._condition.logical_id, variant, cdk.Aws.NO_VALUE)
