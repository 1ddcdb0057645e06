"""A serverless endpoint: memory and concurrency instead of instances, and what is provisioned scaled by how much of it is busy.

Sources: SageMaker guide, "Deploy models with Amazon SageMaker Serverless Inference" (one worker in the container; what is excluded) and
"Automatically scale Provisioned Concurrency for a serverless endpoint". Values: settings_schema/serverless.py.
"""

from __future__ import annotations

from typing import Any

from aws_cdk import aws_applicationautoscaling as appscaling
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from infra.serving.endpoint_alarms import EndpointAlarms
from infra.serving.endpoint_stack import AnyEndpointStack
from infra.serving.variant_autoscaling import scalable_variant, tracking_policy
from settings_schema import Environment, ProvisionedConcurrency, Serverless, ServingNames

_DIMENSION = "sagemaker:variant:DesiredProvisionedConcurrency"
_UTILIZATION = "SageMakerVariantProvisionedConcurrencyUtilization"


class ServerlessStack(AnyEndpointStack[Serverless]):
    """Silence calls nobody: idle times are what it is for."""

    isolated = False  # a serverless endpoint takes no model under network isolation; its role reads its own archive, and nothing else

    def _variables(self) -> dict[str, str]:
        return {"SAGEMAKER_MODEL_SERVER_WORKERS": "1"}

    def _watch(self, alarms: EndpointAlarms, environment: Environment) -> None:
        alarms.watch_memory()
        alarms.watch_concurrency()

    def _runs_on(self) -> dict[str, Any]:
        serving = self._serving
        configuration = sagemaker.CfnEndpointConfig.ServerlessConfigProperty(
            memory_size_in_mb=serving.memory_mb,
            max_concurrency=serving.max_concurrency,
            provisioned_concurrency=serving.provisioned.min_capacity if serving.provisioned else None,
        )
        return {"serverless_config": configuration}

    def _more(self) -> dict[str, Any]:
        return {}

    def _scale(self) -> Construct | None:
        provisioned = self._serving.provisioned
        if provisioned is None or not provisioned.scales:
            return None
        return ProvisionedScaling(self, "Autoscaling", names=self.names, provisioned=provisioned)


class ProvisionedScaling(Construct):
    def __init__(self, scope: Construct, construct_id: str, *, names: ServingNames, provisioned: ProvisionedConcurrency) -> None:
        super().__init__(scope, construct_id)
        target = scalable_variant(
            self, names, provisioned.min_capacity, provisioned.max_capacity, provisioned.schedules, provisioned.time_zone, _DIMENSION
        )
        tracking_policy(
            self,
            "Utilization",
            name=names.scaling_policy("utilization"),
            target=target,
            value=provisioned.target_utilization,
            cooldowns=provisioned,
            predefined_metric_specification=appscaling.CfnScalingPolicy.PredefinedMetricSpecificationProperty(
                predefined_metric_type=_UTILIZATION
            ),
        )
