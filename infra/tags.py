"""The tags by which SageMaker Studio and the cost report group what belongs to the project: settings.Project.tags."""

from __future__ import annotations

import aws_cdk as cdk
from constructs import Construct

from settings import Project


def add_project_tags(scope: Construct, project: Project) -> None:
    """Tags every resource below `scope`. The CDK does not carry tags into a stage, so each stage calls this too."""
    for tag in project.tags():
        cdk.Tags.of(scope).add(tag["Key"], tag["Value"])
