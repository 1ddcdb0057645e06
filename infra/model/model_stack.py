"""From an approved version to production: what starts the deploy pipeline, the pipeline, and who tidies up after it.

Next: infra/model_deploy/deploy_pipeline.py, then infra/endpoint/endpoint_stack.py for what it deploys.
"""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_codecommit as codecommit
from constructs import Construct

from infra.dead_letter_queue import DeadLetterQueue
from infra.foundation.foundation_stack import FoundationStack
from infra.model_deploy.deploy_pipeline import DeployPipeline
from infra.model_deploy.deployment_start import DeploymentStart
from infra.model_deploy.unused_configurations import UnusedConfigurations
from settings import Environment, Project


class ModelDeployStack(cdk.Stack):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        project: Project,
        foundation: FoundationStack,
        repository: codecommit.IRepository,
        staging: Environment,
        production: Environment,
        **options: Any,
    ) -> None:
        description = f"{project.name}: rolls approved versions to staging and production"
        super().__init__(scope, construct_id, description=description, **options)
        self._dead_letters = DeadLetterQueue(self, "DeadLetters", key=foundation.key)
        DeployPipeline(
            self, "Deploy", project=project, foundation=foundation, repository=repository, staging=staging, production=production
        )
        given: dict[str, Any] = {"project": project, "foundation": foundation, "dead_letters": self._dead_letters}
        DeploymentStart(self, "Start", environments=(staging, production), **given)
        UnusedConfigurations(self, "Unused", environments=(staging, production), **given)

    @property
    def dead_letters(self) -> DeadLetterQueue:
        return self._dead_letters
