"""What all endpoints are: configuration, endpoint, alarms, scaling; and the real-time one. Other kinds: serverless_stack.py,
asynchronous_stack.py, component_stack.py (on a fleet). Next: deploy_scripts/ for what renders and verifies it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Generic, TypeVar

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from infra.private_bucket import CAPTURE_PREFIX
from infra.serving import live_metrics
from infra.serving.challenger_variant import ChallengerVariant
from infra.serving.endpoint_alarms import EndpointAlarms
from infra.serving.guarded_endpoint import GuardedEndpoint
from infra.serving.imports import ALERTS, BUCKET, KEY
from infra.serving.prediction_alarm import PredictionAlarm
from infra.serving.serving_stack import ServingStack
from infra.serving.shadow_variant import ShadowVariant
from infra.serving.variant_autoscaling import VariantAutoscaling
from settings_schema import Asynchronous, Component, Endpoint, Environment, Model, Project, Serverless
from settings_schema.names import VARIANT
from settings_schema.rollout import CAPACITY, GIVEN, INSTANCE_COUNT
from settings_schema.serving import has_own_disk

_Kind = TypeVar("_Kind", Endpoint, Serverless, Asynchronous, Component)


class AnyEndpointStack(ServingStack, Generic[_Kind]):
    """Model and configuration are unnamed: a new version makes new ones, then the endpoint moves to them.

    A kind says what its variant runs on, what else its configuration has, which alarms it has and how it scales.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, project: Project, model: Model, environment: Environment, serving: _Kind
    ) -> None:
        speaks = live_metrics.variables(model.names(project).at(environment.name)) if serving.live_metrics else {}
        variables = {**speaks, **self._variables()}
        super().__init__(scope, construct_id, project=project, model=model, environment=environment, variables=variables)
        self._serving: _Kind = serving
        log_group = self.log_group(self._log_group_name())
        topic_arn: str = self.imports.of_environment(ALERTS)
        given: dict[str, Any] = {"names": self.names, "serving": serving, "topic_arn": topic_arn, "dimensions": self._dimensions()}
        alarms: EndpointAlarms = EndpointAlarms(self, "Alarms", **given)
        self._watch(alarms, environment)
        rollback = [*alarms.rollback, *self._prediction_alarms(topic_arn)]
        served = self._serve(rollback)
        served.node.add_dependency(log_group)
        for alarm in alarms.silence:
            alarm.node.add_dependency(served)
        scaling = self._scale()
        if scaling is not None:
            scaling.node.add_dependency(served)

    def _log_group_name(self) -> str:
        return self.names.log_group

    def _dimensions(self) -> Mapping[str, str]:
        """Of SageMaker's metrics of what serves."""
        return {"EndpointName": self.names.endpoint, "VariantName": VARIANT}

    def _serve(self, rollback: Sequence[cloudwatch.CfnAlarm]) -> Construct:
        """An endpoint of its own, whose updates the alarms undo."""
        name, configuration = self.names.endpoint, self._configuration()
        endpoint = GuardedEndpoint(self, "Endpoint", name=name, configuration=configuration, serving=self._serving, alarms=rollback)
        cdk.CfnOutput(self, "EndpointName", value=endpoint.name)
        return endpoint

    def _variables(self) -> dict[str, str]:
        """Of the container, beside those that every one has."""
        return {}

    def _watch(self, alarms: EndpointAlarms, environment: Environment) -> None:
        """Alarms on what only this kind has. Each kind says these three; the CDK's metaclass allows no abstract methods of Python's."""
        raise NotImplementedError

    def _runs_on(self) -> dict[str, Any]:
        """Properties of the production variant."""
        raise NotImplementedError

    def _beside(self) -> list[cdk.IResolvable]:
        """Further variants."""
        return []

    def _has_own_disk(self) -> bool:
        return False

    def _more(self) -> dict[str, Any]:
        """Properties of the configuration."""
        return {"data_capture_config": self._data_capture()}

    def _scale(self) -> Construct | None:
        """None where nothing scales."""
        raise NotImplementedError

    def _prediction_alarms(self, topic_arn: str) -> list[PredictionAlarm]:
        """Those that undo an update; the alarm is there without, too."""
        if not self._serving.live_metrics:
            return []
        limit = self._serving.prediction_distance
        alarm = PredictionAlarm(self, "Predictions", names=self.names, version=self.version, limit=limit, topic_arn=topic_arn)
        return [alarm] if self._serving.roll_back_on_predictions else []

    def _configuration(self) -> sagemaker.CfnEndpointConfig:
        key = self.imports.of_environment(KEY)
        configuration = sagemaker.CfnEndpointConfig(
            self,
            "Configuration",
            tags=self.made_for(),
            kms_key_id=None if self._has_own_disk() else key,
            production_variants=[
                sagemaker.CfnEndpointConfig.ProductionVariantProperty(
                    variant_name=VARIANT, model_name=self.model.attr_model_name, initial_variant_weight=1, **self._runs_on()
                ),
                *self._beside(),
            ],
            **self._more(),
        )
        self.keep_when_replaced(configuration)
        return configuration

    def _instance_count(self, serving: Endpoint | Asynchronous) -> int:
        """Of a new endpoint, and of another instance type, for which the deployment says it; an update retains it otherwise."""
        count = serving.initial_instance_count
        if not serving.scales:
            return count
        parameter = cdk.CfnParameter(
            self, INSTANCE_COUNT, type="Number", default=count, min_value=1, description=f"Counts where {CAPACITY} is {GIVEN}"
        )
        return int(parameter.value_as_number)

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
                csv_content_types=["text/csv"], json_content_types=["application/json", "application/jsonlines"]
            ),
        )


class EndpointStack(AnyEndpointStack[Endpoint]):
    """Answers at once, on instances that are always there."""

    def _watch(self, alarms: EndpointAlarms, environment: Environment) -> None:
        alarms.watch_instances(self._serving.instance_type)
        if environment.protected:
            alarms.watch_silence()
        if self._serving.experiment is not None:
            alarms.watch_challenger(self._serving)

    def _runs_on(self) -> dict[str, Any]:
        serving = self._serving
        return {
            "instance_type": serving.instance_type,
            "initial_instance_count": self._instance_count(serving),
            "routing_config": sagemaker.CfnEndpointConfig.RoutingConfigProperty(routing_strategy=serving.request_routing.value),
        }

    def _has_own_disk(self) -> bool:
        return has_own_disk(self._serving.instance_type)

    @cached_property
    def _challenger(self) -> ChallengerVariant | None:
        """The place for one."""
        serving = self._serving
        if serving.experiment is None:
            return None
        given: dict[str, Any] = {"experiment": serving.experiment, "make_model": self.make_model}
        return ChallengerVariant(self, "Challenger", serving=serving, **given)

    def _beside(self) -> list[cdk.IResolvable]:
        return [self._challenger.variant()] if self._challenger else []

    def _more(self) -> dict[str, Any]:
        return {**super()._more(), "shadow_production_variants": self._shadow()}

    def _shadow(self) -> cdk.IResolvable | None:
        if self._serving.shadow is None:
            return None
        return ShadowVariant(self, "Shadow", serving=self._serving, shadow=self._serving.shadow, make_model=self.make_model).variants()

    def _scale(self) -> Construct | None:
        if self._serving.autoscaling is None:
            return None
        scaling = VariantAutoscaling(self, "Autoscaling", names=self.names, autoscaling=self._serving.autoscaling)
        if self._challenger:
            self._challenger.scale(scaling, self.names, self._serving.autoscaling)
        return scaling
