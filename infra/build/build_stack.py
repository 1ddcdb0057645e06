"""From a push to a trained, registered version: repository, build pipeline, push routing and retraining triggers.

Next: infra/model_build/build_pipeline.py, then infra/model_deploy/model_deploy_stack.py for what approval starts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_codecommit as codecommit
from constructs import Construct

from infra.dead_letter_queue import DeadLetterQueue
from infra.foundation.foundation_stack import FoundationStack
from infra.model_build.build_pipeline import BuildPipeline
from infra.model_build.data_version import DataVersion
from infra.model_build.push_routing import PushRouting
from infra.model_build.retraining import Retraining
from settings import Environment, Project


class ModelBuildStack(cdk.Stack):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        project: Project,
        foundation: FoundationStack,
        environments: Sequence[Environment],
        **options: Any,
    ) -> None:
        description = f"{project.name}: repository, build and retraining"
        super().__init__(scope, construct_id, description=description, **options)
        self._repository = self._create_repository(project)
        self._dead_letters = DeadLetterQueue(self, "DeadLetters", key=foundation.key)
        BuildPipeline(self, "Pipeline", project=project, foundation=foundation, repository=self._repository)
        PushRouting(
            self, "PushRouting", project=project, foundation=foundation, repository=self._repository, dead_letters=self._dead_letters
        )
        DataVersion(self, "DataVersion", project=project, foundation=foundation)
        Retraining(self, "Retraining", project=project, foundation=foundation, environments=environments, dead_letters=self._dead_letters)
        self._show_clone_urls()

    @property
    def repository(self) -> codecommit.IRepository:
        return self._repository

    @property
    def dead_letters(self) -> DeadLetterQueue:
        return self._dead_letters

    def _create_repository(self, project: Project) -> codecommit.Repository:
        """Empty: the first push brings the code, and starts the first build."""
        repository = codecommit.Repository(
            self, "Repository", repository_name=project.name, description=f"Code of the {project.name} model and its infrastructure"
        )
        repository.apply_removal_policy(cdk.RemovalPolicy.RETAIN if project.retain_data else cdk.RemovalPolicy.DESTROY)
        return repository

    def _show_clone_urls(self) -> None:
        cdk.CfnOutput(self, "RepositoryName", value=self._repository.repository_name)
        cdk.CfnOutput(self, "RepositoryCloneUrl", value=f"codecommit::{self.region}://{self._repository.repository_name}")
        cdk.CfnOutput(self, "RepositoryCloneUrlHttp", value=self._repository.repository_clone_url_http)
