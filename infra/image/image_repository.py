"""Where the team's own serving image lies in a region: a repository of ECR in the project's account, as SageMaker takes an image of its own
region only (ContainerDefinition of its service model).

Scanned when it is pushed; a tag means one image for ever; encrypted with the place's key. Environments in other accounts pull from here:
the roles that a model runs as, and SageMaker itself for those accounts, without which CreateModel refuses another account's image: "does
not grant ecr:GetDownloadUrlForLayer, ... permission to sagemaker.amazonaws.com service principal" (aws/deep-learning-containers#5657).
Sources: "CreateModel API: Execution Role Permissions" and "Troubleshoot Amazon ECR Permissions for Inference Pipelines" of the SageMaker
guide, "Private repository policy examples" of the ECR user guide.
"""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra.places import Context, Place
from settings_schema import Component

#: What a pull is.
PULL = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
#: One a month, and one for each fix of the base: what serves is at most a year old (Rebuild.older_than_days), and is pulled when it scales.
IMAGES_KEPT = 60


class ImageRepository(ecr.Repository):
    """`region` is the stack's."""

    def __init__(self, scope: Construct, construct_id: str, *, context: Context, region: str, key: kms.IKey) -> None:
        kept = context.project.retain_data
        super().__init__(
            scope,
            construct_id,
            repository_name=context.project.names.image_repository,
            image_scan_on_push=True,
            image_tag_mutability=ecr.TagMutability.IMMUTABLE,
            encryption_key=key,
            lifecycle_rules=[ecr.LifecycleRule(description="The newest", max_image_count=IMAGES_KEPT)],
            removal_policy=cdk.RemovalPolicy.RETAIN if kept else cdk.RemovalPolicy.DESTROY,
            empty_on_delete=not kept,
        )
        roles = _pulling_roles(context, region)
        others = context.places.other_accounts(context.settings.lean_environments(), region)
        for place in others:
            self.add_to_resource_policy(
                iam.PolicyStatement(actions=list(PULL), principals=[place.principals(*roles[place.account])])  # of this repository
            )
        if others:
            self._let_in_sagemaker([place.account for place in others])

    def _let_in_sagemaker(self, accounts: list[str]) -> None:
        """If it says for whom it asks, for these accounts only. No page says whether it does when it looks at an image, and the image holds
        what everybody can get: packages of the lock, and no model.
        """
        theirs = {"StringEqualsIfExists": {"aws:SourceAccount": accounts}}
        self.add_to_resource_policy(
            iam.PolicyStatement(actions=list(PULL), principals=[iam.ServicePrincipal("sagemaker.amazonaws.com")], conditions=theirs)
        )


def _pulling_roles(context: Context, region: str) -> dict[str, list[str]]:
    """By account: the roles of the models that the image serves in a region, and of the fleets that they are on (fleet_role.py)."""
    found: dict[str, list[str]] = {}
    for environment in context.settings.lean_environments():
        place = context.places.of(environment)
        if place.region == region:
            models = [model for model in context.settings.models.values() if model.is_lean(environment.name)]
            fleets = {serving.fleet for model in models if isinstance(serving := model.serving[environment.name], Component)}
            roles = [model.names(context.project).at(environment.name).inference_role for model in models]
            roles += [context.project.names.fleet(fleet, environment.name).role("fleet") for fleet in sorted(fleets)]
            found.setdefault(place.account, []).extend(roles)
    return found


def repository_arn(context: Context, registry: Place) -> str:
    """By its name, for who is deployed apart. `registry`: the project's account, in some region."""
    return registry.arn("ecr", f"repository/{context.project.names.image_repository}")
