"""ARNs of what SageMaker and others create at run time, for permissions. Resources of our stacks carry their own."""

from __future__ import annotations

import aws_cdk as cdk
from constructs import Construct

from settings import Environment, Project


class Arns:
    """Names as in settings.py, in the account and region of `scope`'s stack."""

    def __init__(self, scope: Construct, project: Project) -> None:
        self._stack = cdk.Stack.of(scope)
        self._project = project

    def sagemaker(self, kind: str, name: str) -> str:
        return self._stack.format_arn(service="sagemaker", resource=kind, resource_name=name)

    def training_pipeline(self) -> list[str]:
        """The SageMaker pipeline that trains, and its executions."""
        return [self.sagemaker("pipeline", f"{self._project.sagemaker_pipeline}{rest}") for rest in ("", "/execution/*")]

    def model_package_group(self) -> str:
        return self.sagemaker("model-package-group", self._project.model_package_group)

    def model_packages(self) -> str:
        """Every version of the group."""
        return self.sagemaker("model-package", f"{self._project.model_package_group}/*")

    def registry(self) -> list[str]:
        """Group and versions: AWS's guide lists the versions by the group, its authorization reference by a version."""
        return [self.model_package_group(), self.model_packages()]

    def endpoint(self, environment: Environment) -> str:
        return self.sagemaker("endpoint", self._project.endpoint_name(environment))

    def hosting_configurations(self) -> list[str]:
        """Models and endpoint configurations: CloudFormation names them, so that each version gets new ones."""
        return [self.sagemaker("model", "*"), self.sagemaker("endpoint-config", "*")]

    def endpoint_stack(self, environment: Environment) -> str:
        name = self._project.endpoint_stack(environment)
        return self._stack.format_arn(service="cloudformation", resource="stack", resource_name=f"{name}/*")

    def code_pipeline(self, name: str) -> str:
        return self._stack.format_arn(service="codepipeline", resource=name)

    def function(self, name: str) -> str:
        return self._stack.format_arn(
            service="lambda", resource="function", resource_name=name, arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME
        )

    def log_group(self, name: str) -> list[str]:
        """The group and its streams."""
        arn = self._stack.format_arn(service="logs", resource="log-group", resource_name=name, arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME)
        return [arn, f"{arn}:*"]

    def alarm(self, name: str) -> str:
        return self._stack.format_arn(
            service="cloudwatch", resource="alarm", resource_name=name, arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME
        )
