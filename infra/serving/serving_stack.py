"""What a model's stack in an environment is, whichever way it serves: a version, mostly as a SageMaker model, and its watch.

Deployed by the deploy pipeline with the parameters `ModelPackageArn` and `ModelVersion` and those of its watch; needs no asset and no IAM
capability. What it takes from the environment comes by `Fn::ImportValue`. It names no account or region, so that whoever synthesizes it (a
person, a build) gets the same bytes, and a difference means that settings or code changed. Next: endpoint_stack.py, batch_stack.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from infra.retained_log_group import RetainedLogGroup
from infra.serving import live_metrics
from infra.serving.imports import INFERENCE_ROLE, KEY, SECURITY_GROUP, Imports
from infra.serving.model_watch import ModelWatch
from pipelines.monitoring.pipeline import PACKAGE, VERSION
from pipelines.xgboost_image import PROGRAM
from settings_schema import Environment, Model, Project
from settings_schema.rebuilding import NEVER, REBUILT
from settings_schema.rollout import MODEL_DATA, MODEL_PACKAGE, SERVING_IMAGE

#: Tag that says for which stack CloudFormation made and named a model or a configuration (infra/environment/remove_unused).
MADE_FOR = "made-for"


class ServingStack(cdk.Stack):
    """CloudFormation keeps a model that it replaces: SageMaker may have gone back to it, or a job may still use it.

    infra/environment/remove_unused deletes those that nothing uses.
    """

    #: From the network: the container needs nothing but its requests.
    isolated = True

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        project: Project,
        model: Model,
        environment: Environment,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.names = model.names(project).at(environment.name)
        super().__init__(
            scope,
            construct_id,
            stack_name=self.names.stack,
            description=f"{model.name} in {environment.name}",
            synthesizer=cdk.BootstraplessSynthesizer(),
            termination_protection=environment.protected and project.retain_data,
        )
        self.imports = Imports(environment.names(project), self.names)
        self._log_retention_days = project.log_retention_days
        self._in_vpc = environment.in_vpc
        self.package_arn, self.version = self._parameters()
        self._is_lean = model.is_lean(environment.name)
        self._container_variables = {**(variables or {}), **(self._rebuilt() if model.rebuild else {})}
        if watch := model.watch_in(environment.name):
            ModelWatch(self, "Watch", names=self.names, model=model, watch=watch, imports=self.imports, in_vpc=self._in_vpc)
        cdk.CfnOutput(self, "DeployedModelPackageArn", value=self.package_arn)

    @property
    def template_file(self) -> str:
        """Overrides the CDK's name, which drops the hyphens: builds and people find the template by the stack's name."""
        return f"{self.names.stack}.template.json"

    def _parameters(self) -> tuple[str, str]:
        """ARN and number of the version. A copy in another region has the number of the version that it is of: people approved that one."""
        package = cdk.CfnParameter(
            self,
            PACKAGE,
            description="Approved version in the model registry",
            allowed_pattern=r"arn:aws[a-z-]*:sagemaker:[a-z0-9-]+:\d{12}:model-package/.+/\d+",
            constraint_description="the ARN of one version of a model package group",
        )
        number = cdk.CfnParameter(
            self,
            VERSION,
            description="Its number where it was approved",
            allowed_pattern=r"\d+",
            constraint_description="the number at the end of that ARN or, of a copy, of the version that it is a copy of",
        )
        return package.value_as_string, number.value_as_string

    def _rebuilt(self) -> dict[str, str]:
        """Another day makes another model, and with it another configuration and fleet, for which SageMaker looks for the image anew."""
        allowed = rf"{NEVER}|\d{{4}}-\d\d-\d\d"
        day = cdk.CfnParameter(
            self, REBUILT, default=NEVER, allowed_pattern=allowed, description="When it was made anew for its image's sake"
        )
        return {REBUILT.upper(): day.value_as_string}

    @cached_property
    def model(self) -> sagemaker.CfnModel:
        """Of the version; a member of a multi-model fleet has none."""
        return self.make_model("Model", self.package_arn, self.version)

    def make_model(self, construct_id: str, package_arn: str, version: str) -> sagemaker.CfnModel:
        variables = {**self._container_variables, live_metrics.VERSION: version}
        model = sagemaker.CfnModel(
            self,
            construct_id,
            tags=self.made_for(),
            execution_role_arn=self.imports.role(INFERENCE_ROLE),
            enable_network_isolation=self.isolated,
            primary_container=self._lean(package_arn, variables) if self._is_lean else _managed(package_arn, variables),
            vpc_config=self._vpc_config(),
        )
        self.keep_when_replaced(model)
        return model

    def _lean(self, package_arn: str, variables: Mapping[str, str]) -> sagemaker.CfnModel.ContainerDefinitionProperty:
        """A container is of a package or of an image: of the package it has the archive, and says which one that is."""
        image, data = (
            cdk.CfnParameter(self, name, allowed_pattern=pattern, description=description).value_as_string
            for name, pattern, description in (
                (SERVING_IMAGE, r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/.+@sha256:[0-9a-f]{64}", "The image, by its digest"),
                (MODEL_DATA, r"s3://.+\.tar\.gz", "The version's archive"),
            )
        )
        environment = {**PROGRAM, **variables, MODEL_PACKAGE: package_arn}
        return sagemaker.CfnModel.ContainerDefinitionProperty(image=image, model_data_url=data, environment=environment)

    def _vpc_config(self) -> sagemaker.CfnModel.VpcConfigProperty | None:
        if not self._in_vpc:
            return None
        groups = [self.imports.of_environment(SECURITY_GROUP)]
        return sagemaker.CfnModel.VpcConfigProperty(subnets=self.imports.subnets(), security_group_ids=groups)

    def made_for(self) -> list[cdk.CfnTag]:
        return [cdk.CfnTag(key=MADE_FOR, value=self.names.stack)]

    @staticmethod
    def keep_when_replaced(resource: cdk.CfnResource) -> None:
        resource.cfn_options.update_replace_policy = cdk.CfnDeletionPolicy.RETAIN
        resource.cfn_options.deletion_policy = cdk.CfnDeletionPolicy.DELETE  # the current one goes with its stack

    def log_group(self, name: str) -> RetainedLogGroup:
        """Made before a service would make it, without a retention."""
        key = kms.Key.from_key_arn(self, "Key", self.imports.of_environment(KEY))
        return RetainedLogGroup(self, "Logs", retention_days=self._log_retention_days, key=key, name=name)


def _managed(package_arn: str, variables: Mapping[str, str]) -> sagemaker.CfnModel.ContainerDefinitionProperty:
    """The variables join the package's own: SageMaker has taken both since 2023 (aws/sagemaker-python-sdk#3581)."""
    return sagemaker.CfnModel.ContainerDefinitionProperty(model_package_name=package_arn, environment=dict(variables))
