"""One endpoint of an environment that several models share: its instances, its role, its alarms. It begins without any model.

Deployed by `npx cdk deploy --all`, in the environment's account and region. Each model comes with its own stack, by its own pipeline, and
imports the endpoint's name from here: so CloudFormation puts no model on a fleet that is not there, and takes away no fleet that has one.
Sources: `ProductionVariant` (a variant without a model), `ExecutionRoleArn` and ManagedInstanceScaling of SageMaker's service model.
Next: infra/serving/component_stack.py.
"""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from infra.fleet.fleet_alarms import FleetAlarms
from infra.fleet.fleet_role import FleetRole
from infra.fleet.multi_model_stack import MultiModelStack
from infra.places import Context
from infra.retained_log_group import RetainedLogGroup
from infra.serving.imports import ALERTS, ENDPOINT, KEY, SECURITY_GROUP, SUBNETS
from infra.tags import add_tags
from settings_schema import Environment, Fleet, Instances
from settings_schema.names import VARIANT
from settings_schema.reading import Settings
from settings_schema.serving import has_own_disk


class FleetStack(cdk.Stack):
    """An endpoint with instances and without a model: those are put there by their own stacks."""

    def __init__(
        self, scope: Construct, construct_id: str, *, context: Context, fleet: Fleet, environment: Environment, **options: Any
    ) -> None:
        project = context.project
        self.names = fleet.names(project, environment.name)
        super().__init__(
            scope,
            construct_id,
            description=f"{project.name}: fleet {fleet.name} of {environment.name}",
            termination_protection=environment.protected and project.retain_data,
            **options,
        )
        self._of_environment, self._environment = environment.names(project), environment
        self.role = FleetRole(self, "Role", context=context, fleet=fleet, environment=environment)
        key = kms.Key.from_key_arn(self, "Key", self._imported(KEY))
        logs = RetainedLogGroup(self, "Logs", retention_days=project.log_retention_days, key=key, name=self.names.log_group)
        endpoint = sagemaker.CfnEndpoint(
            self,
            "Endpoint",
            endpoint_name=self.names.endpoint,
            endpoint_config_name=self._configuration(fleet.instances[environment.name]).attr_endpoint_config_name,
        )
        endpoint.node.add_dependency(logs)
        FleetAlarms(self, "Alarms", names=self.names, instances=fleet.instances[environment.name], topic_arn=self._imported(ALERTS))
        cdk.CfnOutput(self, ENDPOINT, value=endpoint.attr_endpoint_name, export_name=self.names.export(ENDPOINT))
        add_tags(self, self.names.tags)

    def _imported(self, output: str) -> str:
        return cdk.Fn.import_value(self._of_environment.export(output))

    def _configuration(self, instances: Instances) -> sagemaker.CfnEndpointConfig:
        """Containers are isolated from the network, and in the environment's own if it has one: the fleet says it for all its models."""
        return sagemaker.CfnEndpointConfig(
            self,
            "Configuration",
            execution_role_arn=self.role.role_arn,
            enable_network_isolation=True,
            vpc_config=self._vpc_config(),
            kms_key_id=None if has_own_disk(instances.instance_type) else self._imported(KEY),
            production_variants=[self._variant(instances)],
        )

    def _variant(self, instances: Instances) -> sagemaker.CfnEndpointConfig.ProductionVariantProperty:
        config = sagemaker.CfnEndpointConfig
        return config.ProductionVariantProperty(
            variant_name=VARIANT,
            instance_type=instances.instance_type,
            initial_instance_count=max(1, instances.min_count),
            managed_instance_scaling=config.ManagedInstanceScalingProperty(
                status="ENABLED", min_instance_count=instances.min_count, max_instance_count=instances.max_count
            ),
            routing_config=config.RoutingConfigProperty(routing_strategy=instances.request_routing.value),
        )

    def _vpc_config(self) -> sagemaker.CfnEndpointConfig.VpcConfigProperty | None:
        if not self._environment.in_vpc:
            return None
        subnets = cdk.Fn.split(",", self._imported(SUBNETS))
        return sagemaker.CfnEndpointConfig.VpcConfigProperty(security_group_ids=[self._imported(SECURITY_GROUP)], subnets=subnets)


def add_fleets(app: cdk.App, settings: Settings, of_environment: cdk.Stack, *, environment: Environment, **options: Any) -> None:
    """Those that are in the environment, after its own stack, from which they import."""
    for fleet in settings.fleets.values():
        if environment.name in fleet.instances:
            name, given = fleet.names(settings.project, environment.name).stack, {"environment": environment, **options}
            kind: type[cdk.Stack] = FleetStack if isinstance(fleet, Fleet) else MultiModelStack
            stack = kind(app, name, fleet=fleet, **given)
            stack.add_stack_dependency(of_environment)
