"""The registry of a model's versions in one region; who may make a model of one in another account.

Source of the policy: "Deploy a Model Version from a Different Account" of the SageMaker guide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_sagemaker as sagemaker

from infra.places import Context, Place
from infra.tags import add_tags
from settings_schema import Environment, Model, ServingNames

if TYPE_CHECKING:
    from constructs import Construct


class PackageGroup(sagemaker.CfnModelPackageGroup):
    """`region` None: the project's, where versions are approved."""

    def __init__(self, scope: Construct, construct_id: str, *, context: Context, model: Model, region: str | None = None) -> None:
        names, place = model.names(context.project), Place(context.places.home.account, region or context.places.home.region)
        here = [item for item in context.settings.environments if context.places.of(item).region == place.region]
        statements = [
            statement
            for environment in here
            if context.places.is_elsewhere(environment)
            for statement in _let_in(environment, names.at(environment.name), context)
        ]
        super().__init__(
            scope,
            construct_id,
            model_package_group_name=names.model_package_group,
            model_package_group_description=f"Versions of {model.name}; approving one deploys it",
            model_package_group_policy={"Version": "2012-10-17", "Statement": statements} if statements else None,
        )
        self.apply_removal_policy(cdk.RemovalPolicy.RETAIN if context.project.retain_data else cdk.RemovalPolicy.DESTROY)
        add_tags(self, names.tags)


def _let_in(environment: Environment, names: ServingNames, context: Context) -> list[dict[str, object]]:
    """CloudFormation makes the model as the environment's deployment role; the watch looks at the versions that answered.

    The policy may name no role that is not there yet.
    """
    place, registry = context.places.of(environment), context.places.registry(environment)
    group = names.of_model.model_package_group
    title = "".join(part.title() for part in environment.name.split("-"))
    look, make, find = "sagemaker:DescribeModelPackage", "sagemaker:CreateModel", "sagemaker:ListModelPackages"
    versions, also_group = registry.model_packages(group), registry.registry(group)
    given: dict[str, tuple[str, list[str], str | list[str]]] = {
        "Deploys": (names.deployment_role, [look, make], versions),
        "Watches": (names.monitoring_role, [look], versions),
    }
    if registry != context.places.home:  # copies, of which the watch finds the one that answered by its description
        given["Finds"] = (names.monitoring_role, [find], also_group)
    return [
        {
            "Sid": f"{title}{does}Versions",
            "Effect": "Allow",
            "Principal": {"AWS": place.root()},
            "Action": actions,
            "Resource": resource,
            "Condition": {"ArnEquals": {"aws:PrincipalArn": place.role(role)}},
        }
        for does, (role, actions, resource) in given.items()
    ]
