"""Where the project and each environment are, as accounts and regions, and the ARNs of what is there.

Between places everything is known by its name: one account and three are the same templates, and none waits for another's outputs.
Used by everything that permits something. Next: service_role.py.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from settings_schema import Environment, Project
from settings_schema.reading import Settings

_ANY_ACCOUNT, _ANY_REGION = "${AWS::AccountId}", "${AWS::Region}"  # as in Fn::Sub: the deploying stack's own


@functools.cache
def value(text: str) -> str:
    """What a template has for a text with such parts. `Fn::Sub`, because joins of every ARN would make templates five times as long."""
    return cdk.Fn.sub(text) if "${" in text else text


@dataclass(frozen=True)
class Place:
    """An account and a region."""

    account: str
    region: str

    @property
    def environment(self) -> cdk.Environment:
        """For a stack that is deployed here; CloudFormation decides what is not set."""
        return cdk.Environment(account=_known(self.account), region=_known(self.region))

    def arn(self, service: str, resource: str) -> str:
        return value(f"arn:${{AWS::Partition}}:{service}:{self.region}:{self.account}:{resource}")

    def sagemaker(self, kind: str, name: str) -> str:
        return self.arn("sagemaker", f"{kind}/{name}")

    def versions(self, group: str) -> str:
        """What the ARN of every version of a group begins with."""
        return self.sagemaker("model-package", f"{group}/")

    def model_packages(self, group: str) -> str:
        """Every version of a group."""
        return self.sagemaker("model-package", f"{group}/*")

    def registry(self, group: str) -> list[str]:
        """Group and versions: AWS's guide lists the versions by the group, its authorization reference by a version."""
        return [self.sagemaker("model-package-group", group), self.model_packages(group)]

    def hosting_configurations(self) -> list[str]:
        """Models and endpoint configurations: CloudFormation names them, so that each version gets new ones."""
        return [self.sagemaker("model", "*"), self.sagemaker("endpoint-config", "*")]

    def stack(self, name: str) -> str:
        return self.arn("cloudformation", f"stack/{name}/*")

    def code_pipeline(self, name: str) -> str:
        return self.arn("codepipeline", name)

    def function(self, name: str) -> str:
        return self.arn("lambda", f"function:{name}")

    def log_group(self, name: str) -> list[str]:
        """The group and its streams."""
        return [self.arn("logs", f"log-group:{name}"), self.arn("logs", f"log-group:{name}:*")]

    def alarm(self, name: str) -> str:
        return self.arn("cloudwatch", f"alarm:{name}")

    def event_bus(self) -> str:
        return self.arn("events", "event-bus/default")

    def role(self, name: str) -> str:
        return value(self.role_text(name))

    def role_text(self, name: str) -> str:
        """To be part of a longer text. IAM is the same in all regions."""
        return f"arn:${{AWS::Partition}}:iam::{self.account}:role/{name}"

    def root(self) -> str:
        """The account as a principal, which a condition narrows to roles by name."""
        return value(f"arn:${{AWS::Partition}}:iam::{self.account}:root")

    def principals(self, *roles: str) -> iam.PrincipalBase:
        """Roles of this account, by patterns of their names. As a condition, because a principal has to exist when it is named.

        Source: IAM user guide, "AWS JSON policy elements: Principal", and `aws:PrincipalArn`, which is the role's for a session of it.
        """
        condition = {"ArnLike": {"aws:PrincipalArn": [self.role(name) for name in roles]}}
        return iam.ArnPrincipal(self.root()).with_conditions(condition)


def bucket_arn(name: str, objects: str = "") -> str:
    """Of a bucket by its name, or of objects in it by the pattern of their keys."""
    return value(f"arn:${{AWS::Partition}}:s3:::{name}{'/' if objects else ''}{objects}")


def _known(text: str) -> str | None:
    return None if "${" in text else text


@dataclass(frozen=True)
class Places:
    """`home` is the project's own place, where models are trained and versions approved."""

    project: Project
    home: Place

    @classmethod
    def of_project(cls, project: Project, account: str | None = None, region: str | None = None) -> Places:
        """`account` and `region`: whose credentials deploy, for what is not set."""
        return cls(project, Place(project.account or account or _ANY_ACCOUNT, project.region or region or _ANY_REGION))

    def of(self, environment: Environment) -> Place:
        return Place(environment.account or self.home.account, environment.region or self.home.region)

    def registry(self, environment: Environment) -> Place:
        """Where an environment's versions are registered and their archives lie: the project's account, in the environment's region.

        SageMaker makes a model of an archive and an image of its own region only: ContainerDefinition of its service model.
        """
        return Place(self.home.account, self.of(environment).region)

    def is_elsewhere(self, environment: Environment) -> bool:
        return self.of(environment).account != self.home.account

    def other_regions(self, environments: Sequence[Environment]) -> list[str]:
        """Of environments that are not in the project's region."""
        return sorted({self.of(environment).region for environment in environments} - {self.home.region})

    def other_accounts(self, environments: Sequence[Environment], region: str) -> list[Place]:
        """Of environments of a region that are not in the project's account, each once."""
        found = {self.of(environment) for environment in environments if self.is_elsewhere(environment)}
        return sorted((place for place in found if place.region == region), key=lambda place: place.account)

    def artifact_bucket(self, region: str) -> str:
        """Names of buckets; `value` writes them into a template."""
        return self.project.names.artifact_bucket(self.home.account, region)

    def data_bucket(self) -> str:
        return self.project.names.data_bucket(self.home.account, self.home.region)

    def environment_bucket(self, environment: Environment) -> str:
        place = self.of(environment)
        return environment.names(self.project).bucket(place.account, place.region)


@dataclass(frozen=True)
class Context:
    """What every stack is made of: what the team has set, and where it is."""

    settings: Settings
    places: Places

    @property
    def project(self) -> Project:
        return self.settings.project
