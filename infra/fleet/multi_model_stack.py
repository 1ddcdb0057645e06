"""One endpoint of an environment whose container holds many small models: instances, container, network, alarms, scaling.

Deployed by `npx cdk deploy --all`. It begins without any model: SageMaker loads what a request names (`TargetModel`) from below the fleet's
prefix of the artifact bucket, where the pipelines put versions (deploy_scripts/offer.py). Each model's stack imports the endpoint's name
from here: so CloudFormation puts no model on a fleet that is not there, and takes away no fleet that has one.
Not isolated from the network: the image fetches its program when it starts. Sources: "Create a Multi-Model Endpoint", "Set Auto Scaling
Policies for Multi-Model Endpoint Deployments" of the SageMaker guide. Next: infra/serving/member_stack.py.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_applicationautoscaling as appscaling
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3_assets as assets
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from infra.fleet.multi_model_alarms import MultiModelAlarms
from infra.fleet.multi_model_role import MultiModelRole
from infra.places import Context, value
from infra.retained_log_group import RetainedLogGroup
from infra.serving.guarded_endpoint import guarded_or_at_once
from infra.serving.imports import ALERTS, ENDPOINT, KEY, SECURITY_GROUP, SUBNETS
from infra.serving.variant_autoscaling import scalable_variant, tracking_policy
from infra.tags import add_tags
from pipelines.fleet import program
from pipelines.xgboost_image import PROGRAM_ENVIRONMENT, REPOSITORY, VERSION, registries
from settings_schema import Environment, MemberInstances, MultiModelFleet
from settings_schema.names import VARIANT
from settings_schema.rollout import ARCHIVES
from settings_schema.serving import has_own_disk

_INVOCATIONS = "SageMakerVariantInvocationsPerInstance"


class MultiModelStack(cdk.Stack):
    """Output `ARCHIVES`: below which the models' archives are."""

    def __init__(
        self, scope: Construct, construct_id: str, *, context: Context, fleet: MultiModelFleet, environment: Environment, **options: Any
    ) -> None:
        project = context.project
        self.names = fleet.names(project, environment.name)
        super().__init__(
            scope,
            construct_id,
            description=f"{project.name}: multi-model fleet {fleet.name} of {environment.name}",
            termination_protection=environment.protected and project.retain_data,
            **options,
        )
        self._of_environment, self._in_vpc = environment.names(project), environment.in_vpc
        self._archives = f"s3://{context.places.artifact_bucket(context.places.registry(environment).region)}/{self.names.archives}"
        instances, program_asset = fleet.instances[environment.name], self._program()
        self.role = MultiModelRole(self, "Role", context=context, fleet=fleet, environment=environment, program=program_asset)
        key = kms.Key.from_key_arn(self, "Key", self._imported(KEY))
        logs = RetainedLogGroup(self, "Logs", retention_days=project.log_retention_days, key=key, name=self.names.log_group)
        alarms = self._alarm(fleet, instances)
        endpoint = self._endpoint(self._model(program_asset), instances, guarded_or_at_once(self, fleet, alarms.rollback))
        endpoint.node.add_dependency(logs)
        if instances.min_count < instances.max_count:
            MemberAutoscaling(self, "Autoscaling", stack=self, instances=instances).node.add_dependency(endpoint)
        cdk.CfnOutput(self, ENDPOINT, value=endpoint.attr_endpoint_name, export_name=self.names.export(ENDPOINT))
        cdk.CfnOutput(self, ARCHIVES, value=value(self._archives))
        add_tags(self, self.names.tags)

    def _imported(self, output: str) -> str:
        return cdk.Fn.import_value(self._of_environment.export(output))

    def _program(self) -> assets.Asset:
        """As the CDK uploads what is deployed with a stack."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "program.tar.gz")
            file.write_bytes(program.packed())
            return assets.Asset(self, "Program", path=str(file))

    def _image(self) -> str:
        """AWS's own, from the account that it has for that in the region."""
        accounts = cdk.CfnMapping(self, "Registries", mapping={region: {"Account": account} for region, account in registries().items()})
        account = accounts.find_in_map(cdk.Aws.REGION, "Account")
        return f"{account}.dkr.ecr.{cdk.Aws.REGION}.{cdk.Aws.URL_SUFFIX}/{REPOSITORY}:{VERSION}"

    def _model(self, program_asset: assets.Asset) -> sagemaker.CfnModel:
        """The program's address is part of it, so that another program makes another model, and with it another fleet of instances."""
        environment = {
            **PROGRAM_ENVIRONMENT,
            "SAGEMAKER_PROGRAM": program.PROGRAM,
            "SAGEMAKER_SUBMIT_DIRECTORY": program_asset.s3_object_url,
            program.OUTPUT: program.CONTAINERS_OWN,
        }
        container = sagemaker.CfnModel.ContainerDefinitionProperty(
            image=self._image(), mode="MultiModel", model_data_url=value(self._archives), environment=environment
        )
        role = self.role.role_arn
        return sagemaker.CfnModel(self, "Model", execution_role_arn=role, primary_container=container, vpc_config=self._vpc_config())

    def _vpc_config(self) -> sagemaker.CfnModel.VpcConfigProperty | None:
        if not self._in_vpc:
            return None
        subnets = cdk.Fn.split(",", self._imported(SUBNETS))
        return sagemaker.CfnModel.VpcConfigProperty(security_group_ids=[self._imported(SECURITY_GROUP)], subnets=subnets)

    def _endpoint(self, model: sagemaker.CfnModel, instances: MemberInstances, deployment: cdk.IResolvable) -> sagemaker.CfnEndpoint:
        """Another program replaces the instances blue/green, as many as there are (`retain_all_variant_properties`)."""
        config = sagemaker.CfnEndpointConfig
        variant = config.ProductionVariantProperty(
            variant_name=VARIANT,
            model_name=model.attr_model_name,
            instance_type=instances.instance_type,
            initial_instance_count=instances.min_count,
            initial_variant_weight=1,
        )
        own_disk = has_own_disk(instances.instance_type)
        made = config(self, "Configuration", kms_key_id=None if own_disk else self._imported(KEY), production_variants=[variant])
        return sagemaker.CfnEndpoint(
            self,
            "Endpoint",
            endpoint_name=self.names.endpoint,
            endpoint_config_name=made.attr_endpoint_config_name,
            retain_all_variant_properties=instances.min_count < instances.max_count,
            deployment_config=deployment,
        )

    def _alarm(self, fleet: MultiModelFleet, instances: MemberInstances) -> MultiModelAlarms:
        dimensions = {"EndpointName": self.names.endpoint, "VariantName": VARIANT}
        given: dict[str, Any] = {"names": self.names, "serving": fleet, "topic_arn": self._imported(ALERTS), "dimensions": dimensions}
        made = MultiModelAlarms(self, "Alarms", **given)
        made.watch_instances(instances.instance_type)
        return made


class MemberAutoscaling(Construct):
    """Instances by the requests to all models that each answers in a minute."""

    def __init__(self, scope: Construct, construct_id: str, *, stack: MultiModelStack, instances: MemberInstances) -> None:
        super().__init__(scope, construct_id)
        target = scalable_variant(self, stack.names, instances.min_count, instances.max_count)
        tracking_policy(
            self,
            "Invocations",
            name=stack.names.scaling_policy("invocations"),
            target=target,
            value=instances.invocations_per_instance,
            cooldowns=instances,
            predefined_metric_specification=appscaling.CfnScalingPolicy.PredefinedMetricSpecificationProperty(
                predefined_metric_type=_INVOCATIONS
            ),
        )
