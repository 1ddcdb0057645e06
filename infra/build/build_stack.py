"""What turns a push into trained versions, for all models: repository, push routing and the build.

Next: infra/build/build_pipeline.py, then infra/model/model_stack.py for what one model has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
from aws_cdk import aws_codecommit as codecommit

from infra.build.build_pipeline import BuildPipeline
from infra.build.push_routing import PushRouting
from infra.dead_letter_queue import DeadLetterQueue
from infra.failure_alarms import FailureAlarms
from infra.foundation.foundation_stack import FoundationStack
from infra.places import Context
from infra.tags import add_tags
from settings_schema import CodeCommit

if TYPE_CHECKING:
    from constructs import Construct


class BuildStack(cdk.Stack):
    def __init__(self, scope: Construct, construct_id: str, *, context: Context, foundation: FoundationStack, **options: Any) -> None:
        project = context.project
        super().__init__(scope, construct_id, description=f"{project.name}: repository and build", **options)
        self._context = context
        self._foundation = foundation
        self._alarms = FailureAlarms(self, "Failures", alarm_name=project.names.alarm, topic=foundation.alerts)
        BuildPipeline(self, "Pipeline", context=context, foundation=foundation)
        self._alarms.watch_code_pipeline("failed", project.names.build_pipeline)
        if isinstance(context.settings.source, CodeCommit):
            self._route_pushes(self._create_repository())
        add_tags(self, project.names.tags)

    def _create_repository(self) -> codecommit.Repository:
        """Empty: the first push brings the code, and starts the first build."""
        project = self._context.project
        repository = codecommit.Repository(
            self, "Repository", repository_name=project.names.repository, description=f"Models of {project.name} and their infrastructure"
        )
        repository.apply_removal_policy(cdk.RemovalPolicy.RETAIN if project.retain_data else cdk.RemovalPolicy.DESTROY)
        cdk.CfnOutput(self, "RepositoryName", value=repository.repository_name)
        cdk.CfnOutput(self, "RepositoryCloneUrl", value=f"codecommit::{self.region}://{repository.repository_name}")
        cdk.CfnOutput(self, "RepositoryCloneUrlHttp", value=repository.repository_clone_url_http)
        return repository

    def _route_pushes(self, repository: codecommit.IRepository) -> None:
        dead_letters = DeadLetterQueue(self, "DeadLetters", key=self._foundation.key)
        PushRouting(
            self, "PushRouting", context=self._context, foundation=self._foundation, repository=repository, dead_letters=dead_letters
        )
        self._alarms.watch_queue(dead_letters)
