"""What a push starts: nothing when only documentation changed, else the build pipeline.

CodeCommit's event does not say which files changed, so a rule wakes the function route_push/, which asks CodeCommit.
"""

from __future__ import annotations

from pathlib import Path

from aws_cdk import aws_codecommit as codecommit
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.arns import Arns
from infra.event_function import EventFunction
from infra.foundation.foundation_stack import FoundationStack
from infra.model_build.build_pipeline import SOURCE_ACTION
from settings import Project

DOCUMENTATION = ("*.md", "docs/*", "LICENSE", "CHANGELOG*")


class PushRouting(Construct):
    """`DOCUMENTATION` are shell patterns of paths; `*` also matches `/`."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        project: Project,
        foundation: FoundationStack,
        repository: codecommit.IRepository,
        dead_letters: sqs.IQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        function = self._function(project, foundation, dead_letters)
        function.allow("ChangedPaths", ["codecommit:GetDifferences"], [repository.repository_arn])
        build = Arns(self, project).code_pipeline(project.build_pipeline)
        function.allow("StartBuild", ["codepipeline:StartPipelineExecution"], [build])
        self._route(project, repository, function, dead_letters)

    def _function(self, project: Project, foundation: FoundationStack, dead_letters: sqs.IQueue) -> EventFunction:
        return EventFunction(
            self,
            "RoutePush",
            folder=Path(__file__).with_name("route_push"),
            description="Starts the build of a push, unless only documentation changed",
            environment={
                "BUILD_PIPELINE_NAME": project.build_pipeline,
                "SOURCE_ACTION_NAME": SOURCE_ACTION,
                "DOCUMENTATION_PATTERNS": ",".join(DOCUMENTATION),
            },
            dead_letters=dead_letters,
            key=foundation.key,
            log_retention_days=project.log_retention_days,
        )

    def _route(self, project: Project, repository: codecommit.IRepository, function: EventFunction, dead_letters: sqs.IQueue) -> None:
        events.Rule(
            self,
            "Pushed",
            description=f"A push to {project.branch} of {project.name}",
            event_pattern=events.EventPattern(
                source=["aws.codecommit"],
                detail_type=["CodeCommit Repository State Change"],
                resources=[repository.repository_arn],
                detail={
                    "event": ["referenceCreated", "referenceUpdated"],
                    "referenceType": ["branch"],
                    "referenceName": [project.branch],
                },
            ),
            targets=[targets.LambdaFunction(function, dead_letter_queue=dead_letters, retry_attempts=10)],
        )
