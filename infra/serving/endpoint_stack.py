"""One real-time endpoint: configuration, endpoint, alarms, scaling. Next: deploy_scripts/ for what renders and verifies it."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from infra.private_bucket import CAPTURE_PREFIX
from infra.serving import live_metrics
from infra.serving.endpoint_alarms import EndpointAlarms
from infra.serving.guarded_endpoint import GuardedEndpoint
from infra.serving.imports import ALERTS, BUCKET, KEY
from infra.serving.prediction_alarm import PredictionAlarm
from infra.serving.serving_stack import ServingStack
from infra.serving.shadow_variant import ShadowVariant
from infra.serving.variant_autoscaling import VariantAutoscaling
from settings_schema import Endpoint, Environment, Model, Project
from settings_schema.names import VARIANT
from settings_schema.serving import has_own_disk


class EndpointStack(ServingStack):
    """Model and configuration are unnamed: a new version makes new ones, then the endpoint moves to them."""

    def __init__(
        self, scope: Construct, construct_id: str, *, project: Project, model: Model, environment: Environment, serving: Endpoint
    ) -> None:
        variables = live_metrics.variables(model.names(project).at(environment.name)) if serving.live_metrics else None
        super().__init__(scope, construct_id, project=project, model=model, environment=environment, variables=variables)
        self._serving = serving
        log_group = self.log_group(self.names.log_group)
        topic_arn = self.imports.of_environment(ALERTS)
        alarms = EndpointAlarms(
            self, "Alarms", names=self.names, serving=serving, calls_without_traffic=environment.protected, topic_arn=topic_arn
        )
        rollback = [*alarms.rollback, *self._prediction_alarms(topic_arn)]
        endpoint = GuardedEndpoint(
            self, "Endpoint", name=self.names.endpoint, configuration=self._configuration(), serving=serving, alarms=rollback
        )
        endpoint.node.add_dependency(log_group)
        for alarm in alarms.silence:
            alarm.node.add_dependency(endpoint)
        if serving.autoscaling is not None:
            scaling = VariantAutoscaling(self, "Autoscaling", names=self.names, autoscaling=serving.autoscaling)
            scaling.node.add_dependency(endpoint)
        cdk.CfnOutput(self, "EndpointName", value=endpoint.name)

    def _prediction_alarms(self, topic_arn: str) -> list[PredictionAlarm]:
        """Those that undo an update; the alarm is there without, too."""
        if not self._serving.live_metrics:
            return []
        limit = self._serving.prediction_distance
        alarm = PredictionAlarm(self, "Predictions", names=self.names, version=self.version, limit=limit, topic_arn=topic_arn)
        return [alarm] if self._serving.roll_back_on_predictions else []

    def _configuration(self) -> sagemaker.CfnEndpointConfig:
        serving, key = self._serving, self.imports.of_environment(KEY)
        configuration = sagemaker.CfnEndpointConfig(
            self,
            "Configuration",
            tags=self.made_for(),
            kms_key_id=None if has_own_disk(serving.instance_type) else key,
            production_variants=[
                sagemaker.CfnEndpointConfig.ProductionVariantProperty(
                    variant_name=VARIANT,
                    model_name=self.model.attr_model_name,
                    instance_type=serving.instance_type,
                    initial_instance_count=serving.initial_instance_count,
                    initial_variant_weight=1,
                    routing_config=sagemaker.CfnEndpointConfig.RoutingConfigProperty(routing_strategy=serving.request_routing.value),
                )
            ],
            shadow_production_variants=self._shadow(),
            data_capture_config=self._data_capture(),
        )
        self.keep_when_replaced(configuration)
        return configuration

    def _shadow(self) -> cdk.IResolvable | None:
        if self._serving.shadow is None:
            return None
        return ShadowVariant(self, "Shadow", serving=self._serving, shadow=self._serving.shadow, make_model=self.make_model).variants()

    def _data_capture(self) -> sagemaker.CfnEndpointConfig.DataCaptureConfigProperty | None:
        """Requests and answers as JSON lines under `capture/<endpoint>/<variant>/yyyy/mm/dd/hh/`, for monitoring."""
        if self._serving.data_capture_percent == 0:
            return None
        destination = f"s3://{self.imports.of_environment(BUCKET)}/{CAPTURE_PREFIX.rstrip('/')}"
        option = sagemaker.CfnEndpointConfig.CaptureOptionProperty
        return sagemaker.CfnEndpointConfig.DataCaptureConfigProperty(
            enable_capture=True,
            initial_sampling_percentage=self._serving.data_capture_percent,
            destination_s3_uri=destination,
            kms_key_id=self.imports.of_environment(KEY),
            capture_options=[option(capture_mode="Input"), option(capture_mode="Output")],
            capture_content_type_header=sagemaker.CfnEndpointConfig.CaptureContentTypeHeaderProperty(
                csv_content_types=["text/csv"], json_content_types=["application/json"]
            ),
        )
