"""The tags by which SageMaker Studio and the cost report group what belongs together: `tags` of the names in settings_schema/names.py."""

from __future__ import annotations

from collections.abc import Mapping

import aws_cdk as cdk
from constructs import Construct


def add_tags(scope: Construct, tags: Mapping[str, str]) -> None:
    """Tags every resource below `scope`. The CDK does not carry tags into a stage, so each stage calls this too."""
    added = cdk.Tags.of(scope)
    for key, value in tags.items():
        added.add(key, value)
