"""A place for a second version behind the endpoint which answers a share of the requests, and alarms on it alone. Where what serves scales,
so does this one, by the same policies within its share.

What fills it: infra/model/change_production/experiment.py. The watch reads its parameters (pipelines/monitoring/): it counts what both
answered since then.
Sources: "Testing models with production variants" of the SageMaker guide; a variant's share of requests is its weight by the sum of all.
"Update endpoints that use auto scaling": a variant that is a scalable target is not removed. CloudFormation takes resources away only
after it has updated others, so the scaling comes and goes in updates of its own, by a parameter of its own.
"""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from constructs import Construct

from infra.serving.second_variant import SecondVariant
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


class ChallengerVariant(SecondVariant):
    def __init__(self, scope: Construct, construct_id: str, *, serving: Endpoint, experiment: Experiment, **given: Any) -> None:
        kind: dict[str, Any] = {"variant": CHALLENGER_VARIANT, "condition": CONDITION}
        super().__init__(scope, construct_id, serving=serving, most=experiment.instances(serving.most_instances), **kind, **given)
        self._experiment = experiment
        pattern = rf"{NEVER}|\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
        cdk.CfnParameter(self._stack, BEGAN, default=NEVER, allowed_pattern=pattern, description="When it was put there, in UTC")

    def scale(self, beside: Construct, names: ServingNames, autoscaling: Autoscaling) -> None:
        """`beside`: how what serves scales, after which this is made, and before which it is taken away."""
        description = "on: it scales, and cannot leave before it is off"
        wanted = cdk.CfnParameter(self._stack, SCALING, default=OFF, allowed_values=[OFF, ON], description=description)
        both = cdk.Fn.condition_and(self._condition, cdk.Fn.condition_equals(wanted.value_as_string, ON))
        condition = cdk.CfnCondition(self._stack, SCALES, expression=both)
        share = self._experiment.share_of(autoscaling)
        scaling = VariantAutoscaling(beside, "Challenger", names=names, autoscaling=share, variant=CHALLENGER_VARIANT, load=CHALLENGER_LOAD)
        for resource in scaling.node.find_all():
            if isinstance(resource, cdk.CfnResource):
                resource.cfn_options.condition = condition

    def variant(self) -> cdk.IResolvable:
        """Its weight beside the champion's, which is 1 always, so that nothing about the champion changes."""
        share = self._experiment.challenger_percent / 100
        return self._while_there(self._described(round(share / (1 - share), 6)))
