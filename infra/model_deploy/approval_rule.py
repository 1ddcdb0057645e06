"""Wakes the deploy pipeline when someone approves or rejects a version.

The event only wakes it. The pipeline's Render action asks the registry which version is the newest approved one, so a
duplicate, late or lost event, two approvals in a row, and the rejection of the live version need no further logic.
"""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from constructs import Construct

from infra.dead_letter_queue import DeadLetterQueue
from settings import Project


class ApprovalRule(Construct):
    def __init__(
        self, scope: Construct, construct_id: str, *, project: Project, pipeline: codepipeline.IPipeline, dead_letters: DeadLetterQueue
    ) -> None:
        super().__init__(scope, construct_id)
        rule = events.Rule(
            self,
            "Changed",
            description=f"The approval of a {project.name} version changed",
            event_pattern=events.EventPattern(
                source=["aws.sagemaker"],
                detail_type=["SageMaker Model Package State Change"],
                detail={
                    "ModelPackageGroupName": [project.model_package_group],
                    "ModelApprovalStatus": ["Approved", "Rejected"],
                    # The same event tells of metadata edits, which must not start a deployment. A version that is
                    # registered as approved has no list of updated fields.
                    "$or": [
                        {"UpdatedModelPackageFields": ["ModelApprovalStatus"]},
                        {"UpdatedModelPackageFields": [{"exists": False}]},
                    ],
                },
            ),
            targets=[self._target(pipeline, dead_letters)],
        )
        dead_letters.accept_from(rule)

    @staticmethod
    def _target(pipeline: codepipeline.IPipeline, dead_letters: DeadLetterQueue) -> targets.CodePipeline:
        return targets.CodePipeline(pipeline, dead_letter_queue=dead_letters, retry_attempts=10, max_event_age=cdk.Duration.hours(1))
