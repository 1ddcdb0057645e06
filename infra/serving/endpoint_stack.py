"""One real-time endpoint, made from an approved model package: model, configuration, endpoint, alarms, scaling.

Deployed by the deploy pipeline with the parameter `ModelPackageArn`; needs no asset and no IAM capability. What it takes
from the foundation comes by `Fn::ImportValue`. Next: deploy_scripts/ for what renders and verifies it.
"""

from __future__ import annotations

import re
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from infra.endpoint.endpoint_alarms import EndpointAlarms
from infra.endpoint.guarded_endpoint import GuardedEndpoint
from infra.endpoint.variant_autoscaling import VariantAutoscaling
from infra.foundation.exports import export_name
from infra.foundation.project_buckets import CAPTURE_PREFIX
from infra.retained_log_group import RetainedLogGroup
from settings import Environment, Project

#: Names the endpoint that a model or a configuration was made for, because CloudFormation names them (infra/model_deploy/remove_unused).
ENDPOINT_TAG = "made-for-endpoint"
VARIANT = "AllTraffic"  # a new name would deregister and create anew the scalable target

# Instance families with disks of their own encrypt those by hardware, and SageMaker refuses a key for them.
_LOCAL_DISK = re.compile(r"ml\.(\w+dn?|g\d\w*|p[345]\w*|trn\d\w*)\.")


class EndpointStack(cdk.Stack):
    """Model and configuration are unnamed: a new version makes new ones, then the endpoint moves to them.

    CloudFormation keeps the replaced ones. SageMaker may go back to them by itself and stay in service, and CloudFormation, which sees the
    endpoint in service, would delete what still serves. infra/model_deploy/remove_unused deletes them once no endpoint uses them.
    """

    def __init__(self, scope: Construct, construct_id: str, *, project: Project, environment: Environment, **options: Any) -> None:
        super().__init__(
            scope,
            construct_id,
            description=f"{project.name}: the {environment.name} endpoint",
            synthesizer=cdk.BootstraplessSynthesizer(),
            termination_protection=environment.protected and project.retain_data,
            **options,
        )
        self._project = project
        self._environment = environment
        self._name = project.endpoint_name(environment)
        self._package = self._parameter()
        log_group = self._log_group()
        model = self._model()
        configuration = self._configuration(model)
        alarms = EndpointAlarms(
            self, "Alarms", endpoint_name=self._name, variant=VARIANT, environment=environment, topic_arn=self._imported("AlertTopicArn")
        )
        endpoint = GuardedEndpoint(
            self, "Endpoint", name=self._name, configuration=configuration, environment=environment, alarms=alarms.rollback
        )
        endpoint.node.add_dependency(log_group)
        self._scale(endpoint)
        cdk.CfnOutput(self, "EndpointName", value=endpoint.name)
        cdk.CfnOutput(self, "DeployedModelPackageArn", value=self._package.value_as_string)

    @property
    def template_file(self) -> str:
        """Overrides the CDK's name, which drops the hyphens: builds and people find the template by the stack's name."""
        return f"{self.stack_name}.template.json"

    def _parameter(self) -> cdk.CfnParameter:
        return cdk.CfnParameter(
            self,
            "ModelPackageArn",
            description="Approved version in the model registry",
            allowed_pattern=r"arn:aws[a-z-]*:sagemaker:[a-z0-9-]+:\d{12}:model-package/.+/\d+",
            constraint_description="the ARN of one version of a model package group",
        )

    def _imported(self, output: str) -> str:
        return cdk.Fn.import_value(export_name(self._project, output))

    def _log_group(self) -> RetainedLogGroup:
        """Made before SageMaker would make it, without a retention."""
        key = kms.Key.from_key_arn(self, "Key", self._imported("KeyArn"))
        days = self._project.log_retention_days
        return RetainedLogGroup(self, "Logs", retention_days=days, key=key, name=f"/aws/sagemaker/Endpoints/{self._name}")

    def _tags(self) -> list[cdk.CfnTag]:
        return [cdk.CfnTag(key=ENDPOINT_TAG, value=self._name)]

    @staticmethod
    def _kept_when_replaced(resource: cdk.CfnResource) -> None:
        resource.cfn_options.update_replace_policy = cdk.CfnDeletionPolicy.RETAIN
        resource.cfn_options.deletion_policy = cdk.CfnDeletionPolicy.DELETE  # the current one goes with its stack

    def _model(self) -> sagemaker.CfnModel:
        model = sagemaker.CfnModel(
            self,
            "Model",
            tags=self._tags(),
            execution_role_arn=self._imported("InferenceRoleArn"),
            enable_network_isolation=True,  # the container needs nothing but its requests
            primary_container=sagemaker.CfnModel.ContainerDefinitionProperty(model_package_name=self._package.value_as_string),
            vpc_config=self._vpc_config(),
        )
        self._kept_when_replaced(model)
        return model

    def _vpc_config(self) -> sagemaker.CfnModel.VpcConfigProperty | None:
        if not self._project.in_vpc:
            return None
        subnets = cdk.Fn.split(",", self._imported("SubnetIds"))
        return sagemaker.CfnModel.VpcConfigProperty(subnets=subnets, security_group_ids=[self._imported("SecurityGroupId")])

    def _configuration(self, model: sagemaker.CfnModel) -> sagemaker.CfnEndpointConfig:
        own_disk = _LOCAL_DISK.match(self._environment.instance_type)
        configuration = sagemaker.CfnEndpointConfig(
            self,
            "Configuration",
            tags=self._tags(),
            kms_key_id=None if own_disk else self._imported("KeyArn"),
            production_variants=[
                sagemaker.CfnEndpointConfig.ProductionVariantProperty(
                    variant_name=VARIANT,
                    model_name=model.attr_model_name,
                    instance_type=self._environment.instance_type,
                    initial_instance_count=self._environment.initial_instance_count,
                    initial_variant_weight=1,
                    routing_config=sagemaker.CfnEndpointConfig.RoutingConfigProperty(
                        routing_strategy=self._environment.request_routing.value
                    ),
                )
            ],
            data_capture_config=self._data_capture(),
        )
        self._kept_when_replaced(configuration)
        return configuration

    def _data_capture(self) -> sagemaker.CfnEndpointConfig.DataCaptureConfigProperty | None:
        """Requests and answers as JSON lines under `capture/<endpoint>/<variant>/yyyy/mm/dd/hh/`, for monitoring."""
        if self._environment.data_capture_percent == 0:
            return None
        destination = f"s3://{self._imported('DataBucketName')}/{CAPTURE_PREFIX.rstrip('/')}"
        option = sagemaker.CfnEndpointConfig.CaptureOptionProperty
        return sagemaker.CfnEndpointConfig.DataCaptureConfigProperty(
            enable_capture=True,
            initial_sampling_percentage=self._environment.data_capture_percent,
            destination_s3_uri=destination,
            kms_key_id=self._imported("KeyArn"),
            capture_options=[option(capture_mode="Input"), option(capture_mode="Output")],
            capture_content_type_header=sagemaker.CfnEndpointConfig.CaptureContentTypeHeaderProperty(
                csv_content_types=["text/csv"], json_content_types=["application/json"]
            ),
        )

    def _scale(self, endpoint: GuardedEndpoint) -> None:
        if self._environment.autoscaling is None:
            return
        scaling = VariantAutoscaling(
            self, "Autoscaling", endpoint_name=self._name, variant=VARIANT, autoscaling=self._environment.autoscaling
        )
        scaling.node.add_dependency(endpoint)
