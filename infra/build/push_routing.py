"""What a push starts: nothing when only documentation changed, else the build pipeline.

CodeCommit's event does not say which files changed, so a rule wakes the function route_push/, which asks CodeCommit.
"""

from __future__ import annotations

from pathlib import Path

from aws_cdk import aws_codecommit as codecommit
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.build.code_source import DOCUMENTATION, SOURCE_ACTION
from infra.event_function import EventFunction
from infra.foundation.foundation_stack import FoundationStack
from infra.places import Context


class PushRouting(Construct):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        context: Context,
        foundation: FoundationStack,
        repository: codecommit.IRepository,
        dead_letters: sqs.IQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        project = context.project
        build = project.names.build_pipeline
        function = EventFunction(
            self,
            "RoutePush",
            folder=Path(__file__).with_name("route_push"),
            function_name=project.names.route_push_function,
            description="Starts the build of a push, unless only documentation changed",
            environment={
                "BUILD_PIPELINE_NAME": build,
                "SOURCE_ACTION_NAME": SOURCE_ACTION,
                "DOCUMENTATION_PATTERNS": ",".join(DOCUMENTATION),
            },
            dead_letters=dead_letters,
            key=foundation.key,
            log_retention_days=project.log_retention_days,
        )
        function.allow("ChangedPaths", ["codecommit:GetDifferences"], [repository.repository_arn])
        function.allow("StartBuild", ["codepipeline:StartPipelineExecution"], [context.places.home.code_pipeline(build)])
        function.wake_on(
            self,
            "Pushed",
            f"A push to {project.branch}",
            source=["aws.codecommit"],
            detail_type=["CodeCommit Repository State Change"],
            resources=[repository.repository_arn],
            detail={
                "event": ["referenceCreated", "referenceUpdated"],
                "referenceType": ["branch"],
                "referenceName": [project.branch],
            },
        )
