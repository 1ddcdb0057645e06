"""Where the project lives in the account: bucket, role and key names.

CodeBuild gives them as environment variables. By hand they are read from the outputs of the foundation stack,
so `python -m build_scripts.upload_data` works with nothing but credentials.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config

from build_scripts.command_line import ProblemError
from build_scripts.missing import found
from settings_schema import ModelNames, Project


class ProjectEnvironment:
    """Looked up when first asked for; the environment wins over the stack's outputs. Raises ProblemError."""

    def __init__(self, project: Project, variables: Mapping[str, str] | None = None) -> None:
        self.project = project
        self.names = project.names
        self._variables = os.environ if variables is None else variables

    @property
    def region(self) -> str:
        """The project's, wherever a terminal is; the terminal's if the project leaves it open."""
        return self.project.region or self.terminal_region

    @property
    def terminal_region(self) -> str:
        region = self._variables.get("AWS_REGION") or self._variables.get("AWS_DEFAULT_REGION") or boto3.Session().region_name
        if not region:
            raise ProblemError("no region is set; export AWS_REGION, or choose a profile with one")
        return region

    @property
    def artifact_bucket(self) -> str:
        return self._find("ARTIFACT_BUCKET", "ArtifactBucketName")

    @property
    def data_bucket(self) -> str:
        return self._find("DATA_BUCKET", "DataBucketName")

    @property
    def key_arn(self) -> str:
        return self._find("KMS_KEY_ARN", "KeyArn")

    def role_arn(self, name: str) -> str:
        """ARN of a role of the project's account, which the key's ARN names."""
        _, partition, _, _, account, *_ = self.key_arn.split(":")
        return f"arn:{partition}:iam::{account}:role/{name}"

    def versions_arn(self, group: str) -> str:
        """What the ARN of every version of a package group begins with: the group is in the project's account and region."""
        _, partition, _, _, account, *_ = self.key_arn.split(":")
        return f"arn:{partition}:sagemaker:{self.region}:{account}:model-package/{group}/"

    @property
    def project_id(self) -> str:
        """Of the tag `sagemaker:project-id`, where Studio gave the project one."""
        return self._variables.get("SAGEMAKER_PROJECT_ID") or self.names.project_id

    def tags(self, names: ModelNames) -> list[dict[str, str]]:
        """For what a script makes of a model, as the stacks tag it."""
        return [{"Key": key, "Value": value} for key, value in {**names.tags, "sagemaker:project-id": self.project_id}.items()]

    @property
    def subnets(self) -> tuple[str, ...]:
        """Of the project's VPC; none without one."""
        return self._network("VPC_SUBNET_IDS", "SubnetIds")

    @property
    def security_group_ids(self) -> tuple[str, ...]:
        return self._network("VPC_SECURITY_GROUP_IDS", "SecurityGroupId")

    @property
    def commit(self) -> str:
        """The commit that CodeBuild builds; "unknown" by hand."""
        return self._variables.get("CODEBUILD_RESOLVED_SOURCE_VERSION") or "unknown"

    def client(self, service: str, config: Config | None = None, **credentials: str) -> Any:
        """`credentials`: as boto3.client takes them, of a role that was assumed; else whoever runs the script. `config` wins over ours."""
        # A local account that has stopped does not come back by waiting: that is said at once.
        attempts = 1 if self._variables.get("AWS_ENDPOINT_URL", "").startswith("http://127.0.0.1:") else 5
        patient = Config(retries={"mode": "standard", "max_attempts": attempts})
        return boto3.client(service, region_name=self.region, config=patient.merge(config) if config else patient, **credentials)

    @cached_property
    def foundation_outputs(self) -> dict[str, str]:
        answer = found(self.client("cloudformation").describe_stacks, StackName=self.names.foundation_stack)
        if answer is None:
            stack = self.names.foundation_stack
            raise ProblemError(
                f"stack {stack} does not exist in {self.region}; deploy it (`npx cdk deploy --all`), or choose another account"
            )
        return {output["OutputKey"]: output["OutputValue"] for output in answer["Stacks"][0].get("Outputs", [])}

    def _find(self, variable: str, output: str) -> str:
        if self._variables.get(variable):
            return str(self._variables[variable])
        if output not in self.foundation_outputs:
            raise ProblemError(f"{variable} is not set, and stack {self.names.foundation_stack} has no output {output}")
        return self.foundation_outputs[output]

    def _network(self, variable: str, output: str) -> tuple[str, ...]:
        """What is deployed decides. Who has the project's places as variables, as a build has, has the network among them or has none.

        Raises ProblemError where settings.py wants a VPC and none is deployed: jobs must not run outside of it meanwhile.
        """
        text = self._variables.get(variable)
        if text is None and not self._variables.get("ARTIFACT_BUCKET"):
            text = self.foundation_outputs.get(output)
        if not text and self.project.in_vpc:
            raise ProblemError(
                f"Project.in_vpc is True in settings.py, but stack {self.names.foundation_stack} has no network; `npx cdk deploy --all`"
            )
        return _list(text)


def _list(text: str | None) -> tuple[str, ...]:
    return tuple(item.strip() for item in (text or "").split(",") if item.strip())
