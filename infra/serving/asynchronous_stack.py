"""An asynchronous endpoint: where its answers go and who is told of them, and instances that follow its queue, down to none.

Sources: SageMaker guide, "Asynchronous inference" and "Autoscale an asynchronous endpoint" (two policies: what tracks the backlog of each
instance has no value where there is none, so a step starts the first). Values: settings_schema/asynchronous.py.
"""

from __future__ import annotations

from typing import Any

from aws_cdk import aws_applicationautoscaling as appscaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from infra.serving.endpoint_alarms import EndpointAlarms
from infra.serving.endpoint_stack import AnyEndpointStack
from infra.serving.imports import ANSWERS_TOPIC, BUCKET, KEY
from infra.serving.variant_autoscaling import first_from_none, scalable_variant, tracking_policy
from settings_schema import Asynchronous, BacklogScaling, Environment, ServingNames
from settings_schema.serving import has_own_disk


class AsynchronousStack(AnyEndpointStack[Asynchronous]):
    """Silence calls nobody: that nothing waits is what it is for."""

    def _watch(self, alarms: EndpointAlarms, environment: Environment) -> None:
        alarms.watch_instances(self._serving.instance_type)
        alarms.watch_queue(self._serving)

    def _runs_on(self) -> dict[str, Any]:
        return {"instance_type": self._serving.instance_type, "initial_instance_count": self._instance_count(self._serving)}

    def _has_own_disk(self) -> bool:
        return has_own_disk(self._serving.instance_type)

    def _more(self) -> dict[str, Any]:
        config, bucket = sagemaker.CfnEndpointConfig, self.imports.of_environment(BUCKET)
        topic, limit = self.imports.role(ANSWERS_TOPIC), self._serving.concurrent_requests_per_instance
        output = config.AsyncInferenceOutputConfigProperty(
            s3_output_path=f"s3://{bucket}/{self.names.answers.rstrip('/')}",
            s3_failure_path=f"s3://{bucket}/{self.names.failures.rstrip('/')}",
            kms_key_id=self.imports.of_environment(KEY),
            notification_config=config.AsyncInferenceNotificationConfigProperty(success_topic=topic, error_topic=topic),
        )
        client = config.AsyncInferenceClientConfigProperty(max_concurrent_invocations_per_instance=limit) if limit else None
        queued = config.AsyncInferenceConfigProperty(output_config=output, client_config=client)
        return {**super()._more(), "async_inference_config": queued}

    def _scale(self) -> Construct | None:
        return BacklogAutoscaling(self, "Autoscaling", names=self.names, scaling=self._serving.scaling)


class BacklogAutoscaling(Construct):
    def __init__(self, scope: Construct, construct_id: str, *, names: ServingNames, scaling: BacklogScaling) -> None:
        super().__init__(scope, construct_id)
        self._of_endpoint = cloudwatch.CfnAlarm.DimensionProperty(name="EndpointName", value=names.endpoint)
        target = scalable_variant(self, names, scaling.min_capacity, scaling.max_capacity)
        self._track(names, scaling, target)
        if scaling.min_capacity == 0:
            first_from_none(
                self,
                names=names,
                target=target,
                cooldown_seconds=scaling.scale_in_cooldown_seconds,
                description="Starts the first instance: a request waits, and none runs",
                metric_name="HasBacklogWithoutCapacity",
                statistic="Maximum",
                dimension=self._of_endpoint,
            )

    def _track(self, names: ServingNames, scaling: BacklogScaling, target: appscaling.CfnScalableTarget) -> None:
        policy = appscaling.CfnScalingPolicy
        tracking_policy(
            self,
            "Backlog",
            name=names.scaling_policy("backlog"),
            target=target,
            value=scaling.backlog_per_instance,
            cooldowns=scaling,
            customized_metric_specification=policy.CustomizedMetricSpecificationProperty(
                namespace="AWS/SageMaker",
                metric_name="ApproximateBacklogSizePerInstance",
                statistic="Average",
                dimensions=[policy.MetricDimensionProperty(name="EndpointName", value=names.endpoint)],
            ),
        )
