"""What the project's account has in another region, for the environments there: an artifact bucket with its key, and a registry.

The deploy pipelines hand CloudFormation its templates there ("Add a cross-Region action to a pipeline" of the CodePipeline user guide), and
the versions that are deployed there are copied: SageMaker makes a model of an archive and an image of its own region only.
Next: infra/environment/environment_stack.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aws_cdk as cdk

from infra.encryption_key import EncryptionKey
from infra.image.image_repository import ImageRepository
from infra.model.package_group import PackageGroup
from infra.places import Context
from infra.private_bucket import AccessLogs, PrivateBucket, readable_elsewhere
from infra.tags import add_tags

if TYPE_CHECKING:
    from constructs import Construct

KEY_OUTPUT = "KeyArn"


class RegionalStack(cdk.Stack):
    """In the project's account; `region` is not the project's."""

    def __init__(self, scope: Construct, construct_id: str, *, context: Context, region: str, **options: Any) -> None:
        project = context.project
        description = f"{project.name}: what the environments in {region} read"
        super().__init__(scope, construct_id, description=description, termination_protection=project.retain_data, **options)
        key = EncryptionKey(
            self, "Key", project=project, alias=project.names.key_alias, description=f"Artifacts of {project.name} in {region}"
        )
        access_logs = AccessLogs(self, "AccessLogs", project=project)
        name = context.places.artifact_bucket(region)
        bucket = PrivateBucket(self, "Artifacts", project=project, name=name, key=key, access_logs=access_logs)
        readable_elsewhere(key, bucket, context, region)
        for model in context.settings.models.values():
            PackageGroup(self, f"Versions-{model.name}", context=context, model=model, region=region)
        if region in context.places.other_regions(context.settings.lean_environments()):
            ImageRepository(self, "Image", context=context, region=region, key=key)
        cdk.CfnOutput(self, KEY_OUTPUT, value=key.key_arn)
        add_tags(self, project.names.tags)
