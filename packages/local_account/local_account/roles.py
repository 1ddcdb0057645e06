"""A role as an AWS service uses it: assumed for one build, job, execution or delivery, and asked for everything that is done in its name.

The service must be able to assume it each time; a refusal is STS's. Input: the role's ARN and who assumes it, for which resource.
Output: credentials, clients, and the question whether the role may do what the account does without a request of its own.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from local_account.authorization.credentials import Credentials
from local_account.authorization.evaluation import Decision
from local_account.context import Context
from local_account.errors import ServiceError


@dataclass(frozen=True)
class Role:
    """`service` as in trust policies (`codebuild.amazonaws.com`); `source_arn` is what it works on. Uses raise ServiceError.

    `region` is where it works, if not in that of the context.
    """

    context: Context
    arn: str
    service: str
    session_name: str
    source_arn: str = ""
    region: str = ""

    @property
    def credentials(self) -> Credentials:
        return self.context.keyring.assume(self.arn, self.service, self.session_name, self.source_arn)

    @property
    def may_be_assumed(self) -> bool:
        """Whether the role is there and trusts the service."""
        return self.context.keyring.trusts(self.arn, self.service, self.source_arn)

    def client(self, service: str, *, answers_within_seconds: int | None = None) -> Any:
        """A boto3 client of this role."""
        return self.context.client_with(self.credentials, service, answers_within_seconds, region=self.region)

    def require(self, service: str, operation: str, parameters: Mapping[str, Any]) -> None:
        """Raises ServiceError for what the role may not do. `parameters` are those of the API."""
        self.place.authorizer.require_of(self.credentials, service, operation, parameters)

    @property
    def place(self) -> Context:
        """Where its requests are answered: in the account that it is of, which need not be that of whoever assumes it."""
        return self.context.places.at(self.arn.split(":")[4], self.region or self.context.settings.region)

    def asks(self, permissions: Sequence[str], resource: str, keys: Mapping[str, Any]) -> Decision:
        """What the policies say of permissions that mean one thing and are no operation of an API (`Authorizer.decision`)."""
        return self.context.authorizer.decision(self.credentials, permissions, resource, keys)


def sagemaker_role(context: Context, arn: str, source_arn: str) -> Role:
    """The execution role of a job, model or pipeline. SageMaker names its sessions after itself."""
    return Role(context, arn, "sagemaker.amazonaws.com", "SageMaker", source_arn)


def require_sagemaker_role(context: Context, arn: str, source_arn: str) -> Role:
    """The execution role of something that is about to be made. Raises ServiceError, as SageMaker's operations do, if it cannot be assumed.

    SageMaker developer guide, "How to use SageMaker AI execution roles"; the words are the service's answer.
    """
    role = sagemaker_role(context, arn, source_arn)
    if not role.may_be_assumed:
        said = "Please ensure that the role exists and allows principal 'sagemaker.amazonaws.com' to assume the role."
        raise ServiceError("ValidationException", f"Could not assume role {arn}. {said}")
    return role


def build_role(context: Context, project: Mapping[str, Any], build_id: str) -> Role:
    """A project's service role; it may be named without its ARN (API reference, CreateProject, serviceRole).

    The trust policy may name the project: CodeBuild user guide, "Cross-service confused deputy prevention".
    """
    arn = context.existing.role_arn(str(project["serviceRole"]))
    session_name = f"AWSCodeBuild-{build_id.partition(':')[2]}"
    return Role(context, arn, "codebuild.amazonaws.com", session_name, context.arn("codebuild", f"project/{project['name']}"))


@dataclass(frozen=True)
class AssumedThrough(Role):
    """A role that another role assumes, as CodePipeline's role does for an action that has a role of its own."""

    through: Role | None = None

    @functools.cached_property
    def credentials(self) -> Credentials:
        assert self.through is not None  # noqa: S101 - what makes one of these says through whom
        try:
            answer = self.through.client("sts").assume_role(RoleArn=self.arn, RoleSessionName=self.session_name)["Credentials"]
        except ClientError as error:
            raise ServiceError(error.response["Error"]["Code"], error.response["Error"]["Message"], 403) from error
        return Credentials(answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"])


def pipeline_role(context: Context, declaration: Mapping[str, Any], execution_id: str, action_role_arn: str = "", region: str = "") -> Role:
    """In whose name CodePipeline works: the pipeline's service role, or an action's own, which the service role assumes; in its region.

    Source: CodePipeline user guide, "CodePipeline service role policy" and "Pipeline structure reference", roleArn of an action.
    """
    arn = context.arn("codepipeline", declaration["name"])
    service_role = Role(context, declaration["roleArn"], "codepipeline.amazonaws.com", execution_id, arn, region)
    if not action_role_arn or action_role_arn == declaration["roleArn"]:
        return service_role
    return AssumedThrough(context, action_role_arn, "codepipeline.amazonaws.com", execution_id, arn, region, service_role)
