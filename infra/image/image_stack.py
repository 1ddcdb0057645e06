"""The team's own serving image, in the project's account: its repository, the pipeline that builds it, and who is told what a scan found.

Only where a model says `image=ServingImage.LEAN`. Repositories of other regions: infra/foundation/regional_stack.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
from aws_cdk import aws_kms as kms

from infra.dead_letter_queue import DeadLetterQueue
from infra.failure_alarms import FailureAlarms
from infra.foundation.foundation_stack import FoundationStack
from infra.image.image_pipeline import ImagePipeline
from infra.image.image_repository import ImageRepository
from infra.places import Context
from infra.tags import add_tags

if TYPE_CHECKING:
    from constructs import Construct


class ImageStack(cdk.Stack):
    def __init__(self, scope: Construct, construct_id: str, *, context: Context, foundation: FoundationStack, **options: Any) -> None:
        project = context.project
        super().__init__(scope, construct_id, description=f"{project.name}: the team's own serving image", **options)
        key = kms.Key.from_key_arn(self, "Key", foundation.key.key_arn)
        ImageRepository(self, "Repository", context=context, region=context.places.home.region, key=key)
        dead_letters = DeadLetterQueue(self, "DeadLetters", key=foundation.key)
        image = ImagePipeline(self, "Image", context=context, foundation=foundation, dead_letters=dead_letters)
        alarms = FailureAlarms(self, "Failures", alarm_name=project.names.image_alarm, topic=foundation.alerts)
        alarms.watch_code_pipeline("failed", project.names.image_stack)
        alarms.watch_queue(dead_letters)
        alarms.watch_rule("findings", image.findings, f"A scan of {project.names.image_repository} found something severe; ECR says what")
        add_tags(self, project.names.tags)
