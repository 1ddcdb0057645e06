"""Clients for where an environment lives: in the caller's own account as the caller, in another one by a role that is assumed there.

`Role.LOOKUP` and `Role.DEPLOY` are made by `cdk bootstrap --trust <project's account>`: whoever may deploy there may also look and retire
(LookupRole and DeploymentActionRole of the CDK's bootstrap-template.yaml). A model's verify role is the environment stack's, which lets in
the builds of the model's deploy pipeline only. Credentials of the environment's own account (AWS_PROFILE) need none of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError

from build_scripts.command_line import ProblemError, explain
from build_scripts.project_environment import ProjectEnvironment
from preflight.assembly import partition_of
from preflight.bootstrap import DEFAULT_QUALIFIER, bootstrap_command
from settings_schema import Environment, ServingNames

_CDK_JSON = Path(__file__).resolve().parents[1] / "cdk.json"
_QUALIFIER = "@aws-cdk/core:bootstrapQualifier"


class Role(Enum):
    """What a person does in another account."""

    LOOKUP = "lookup-role"
    DEPLOY = "deploy-role"


class EnvironmentPlace:
    """An environment's account and region. Nothing is asked before it is needed. Raises ProblemError where the account is closed.

    `role`: a model's names for what its deploy pipeline does there.
    """

    def __init__(self, project: ProjectEnvironment, environment: Environment, role: Role | ServingNames) -> None:
        self.environment = environment
        self.names = environment.names(project.project)
        self.region = environment.region or project.project.region or project.region
        self._project, self._role = project, role
        self._wanted = environment.account or project.project.account

    @cached_property
    def account(self) -> str:
        return self._wanted or self._caller

    @property
    def bucket(self) -> str:
        return self.names.bucket(self.account, self.region)

    @property
    def where(self) -> tuple[str | None, str]:
        """The same for environments that share an account and a region; None is the caller's account."""
        return (None if self._is_callers else self._wanted), self.region

    def client(self, service: str, config: Config | None = None, region: str | None = None) -> Any:
        """`region`: another one of the same account."""
        region = region or self.region
        if self._is_callers and region == self._project.region:
            return self._project.client(service, config) if config else self._project.client(service)
        return self._project_in(region).client(service, config, **self._credentials)

    def callers_client(self, service: str) -> Any:
        """Of whoever runs the script, in the environment's region: for what its account lets them do by a resource's own policy."""
        return self._project_in(self.region).client(service)

    def _project_in(self, region: str) -> ProjectEnvironment:
        return ProjectEnvironment(self._project.project.but(region=region))

    @property
    def role_arn(self) -> str:
        if isinstance(self._role, ServingNames):
            name = self._role.verify_role
        else:
            name = f"cdk-{qualifier()}-{self._role.value}-{self._wanted}-{self.region}"
        return f"arn:{partition_of(self.region)}:iam::{self._wanted}:role/{name}"

    @property
    def _is_callers(self) -> bool:
        return self._wanted is None or self._wanted == self._caller

    @cached_property
    def _caller(self) -> str:
        return str(self._project.client("sts").get_caller_identity()["Account"])

    @cached_property
    def _credentials(self) -> Mapping[str, str]:
        """As boto3.client takes them; none for the caller's own."""
        if self._is_callers:
            return {}
        try:
            answer = self._project.client("sts").assume_role(RoleArn=self.role_arn, RoleSessionName=self._project.project.name)
        except ClientError as error:
            raise ProblemError(f"{self._closed}: {explain(error)}") from error
        given = answer["Credentials"]
        return {
            "aws_access_key_id": given["AccessKeyId"],
            "aws_secret_access_key": given["SecretAccessKey"],
            "aws_session_token": given["SessionToken"],
        }

    @property
    def _closed(self) -> str:
        opens = f"`npx cdk deploy {self.names.stack}` makes it"
        if isinstance(self._role, Role):
            opens = f"`{bootstrap_command(str(self._wanted), self.region, self._caller, qualifier())}` makes it"
        profile = f"or choose credentials of {self._wanted} (AWS_PROFILE)"
        lives = f"environment {self.environment.name} lives in {self._wanted}"
        return f"{lives}, and {self._caller} may not assume {self.role_arn}; {opens}, {profile}"


def qualifier() -> str:
    """Of the bootstrap that `cdk deploy` works with, as cdk.json has it."""
    context = json.loads(_CDK_JSON.read_text(encoding="utf-8")).get("context", {}) if _CDK_JSON.is_file() else {}
    return str(context.get(_QUALIFIER, DEFAULT_QUALIFIER))
