"""A model on a fleet: an inference component, whose copies scale by what each is asked, down to none, and are replaced in batches.

The fleet's endpoint, its instances and its network are another stack's (infra/fleet/fleet_stack.py); this one imports the endpoint's name.
Sources: SageMaker guide, "Scale an endpoint to zero instances" (tracking, and a step on NoCapacityInvocationFailures); InferenceComponent*
of its service model. Metrics of one component have the dimension InferenceComponentName. Values: settings_schema/component.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_applicationautoscaling as appscaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from infra.serving.endpoint_alarms import EndpointAlarms
from infra.serving.endpoint_stack import AnyEndpointStack
from infra.serving.guarded_endpoint import guarded_or_at_once
from infra.serving.imports import fleet_endpoint
from infra.serving.variant_autoscaling import first_from_none, scalable_variant, tracking_policy
from settings_schema import Component, CopyScaling, Environment, Model, Project, ServingNames
from settings_schema.names import VARIANT
from settings_schema.rollout import COPIES

_DIMENSION = "sagemaker:inference-component:DesiredCopyCount"
_INVOCATIONS = "SageMakerInferenceComponentInvocationsPerCopy"
OF_COMPONENT = "InferenceComponentName"


class ComponentStack(AnyEndpointStack[Component]):
    """Silence calls nobody where there may be no copy."""

    def __init__(
        self, scope: Construct, construct_id: str, *, project: Project, model: Model, environment: Environment, serving: Component
    ) -> None:
        self._fleet = project.names.fleet(serving.fleet, environment.name)
        super().__init__(scope, construct_id, project=project, model=model, environment=environment, serving=serving)

    def _log_group_name(self) -> str:
        return self.names.component_log_group

    def _dimensions(self) -> Mapping[str, str]:
        return {OF_COMPONENT: self.names.component}

    def _watch(self, alarms: EndpointAlarms, environment: Environment) -> None:
        alarms.watch_copies(may_be_none=self._serving.scaling.min_capacity == 0)
        if environment.protected and self._serving.scaling.min_capacity:
            alarms.watch_silence()

    def _vpc_config(self) -> None:
        """The fleet's, for all that is on it."""
        return

    def _serve(self, rollback: Sequence[cloudwatch.CfnAlarm]) -> Construct:
        copies = cdk.CfnParameter(
            self, COPIES, type="Number", default=self._serving.copies, min_value=1, description="Copies of the component"
        )
        component = sagemaker.CfnInferenceComponent(
            self,
            "Component",
            inference_component_name=self.names.component,
            endpoint_name=fleet_endpoint(self._fleet),
            variant_name=VARIANT,
            specification=self._specification(),
            runtime_config=sagemaker.CfnInferenceComponent.InferenceComponentRuntimeConfigProperty(copy_count=int(copies.value_as_number)),
            deployment_config=guarded_or_at_once(self, self._serving, rollback),
        )
        cdk.CfnOutput(self, "EndpointName", value=fleet_endpoint(self._fleet))
        cdk.CfnOutput(self, OF_COMPONENT, value=self.names.component)
        return component

    def _specification(self) -> Any:
        kinds = sagemaker.CfnInferenceComponent
        return kinds.InferenceComponentSpecificationProperty(
            model_name=self.model.attr_model_name,
            compute_resource_requirements=kinds.InferenceComponentComputeResourceRequirementsProperty(
                min_memory_required_in_mb=self._serving.memory_mb, number_of_cpu_cores_required=self._serving.cpu_cores
            ),
        )

    def _scale(self) -> Construct | None:
        if not self._serving.scales:
            return None
        return CopyAutoscaling(self, "Autoscaling", names=self.names, scaling=self._serving.scaling)


class CopyAutoscaling(Construct):
    def __init__(self, scope: Construct, construct_id: str, *, names: ServingNames, scaling: CopyScaling) -> None:
        super().__init__(scope, construct_id)
        bounds = (scaling.min_capacity, scaling.max_capacity)
        target = scalable_variant(self, names, *bounds, dimension=_DIMENSION, resource_id=f"inference-component/{names.component}")
        predefined = appscaling.CfnScalingPolicy.PredefinedMetricSpecificationProperty(predefined_metric_type=_INVOCATIONS)
        tracking_policy(
            self,
            "Invocations",
            name=names.scaling_policy("invocations"),
            target=target,
            value=scaling.invocations_per_copy,
            cooldowns=scaling,
            predefined_metric_specification=predefined,
        )
        if scaling.min_capacity == 0:
            first_from_none(
                self,
                names=names,
                target=target,
                cooldown_seconds=scaling.scale_in_cooldown_seconds,
                description="Starts the first copy: a request was refused, since there is none",
                metric_name="NoCapacityInvocationFailures",
                statistic="Sum",
                dimension=cloudwatch.CfnAlarm.DimensionProperty(name=OF_COMPONENT, value=names.component),
            )
