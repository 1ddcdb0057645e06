"""One model in one environment as a CDK stage: `cdk deploy --all` leaves it alone, because the deploy pipeline rolls it out.

Its template is `cdk.out/assembly-<stack>/<stack>.template.json`.
"""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from constructs import Construct

from infra.serving.batch_stack import BatchStack
from infra.serving.endpoint_stack import EndpointStack
from infra.tags import add_tags
from settings_schema import Environment, Model, Project
from settings_schema.reading import Settings
from settings_schema.serving import Batch


class ServingStage(cdk.Stage):
    def __init__(self, scope: Construct, construct_id: str, *, project: Project, model: Model, environment: Environment) -> None:
        super().__init__(scope, construct_id)
        given: dict[str, Any] = {"project": project, "model": model, "environment": environment}
        serving = model.serving[environment.name]
        if isinstance(serving, Batch):
            BatchStack(self, "Default", serving=serving, **given)
        else:
            EndpointStack(self, "Default", serving=serving, **given)
        add_tags(self, model.names(project).at(environment.name).tags)


def add_serving_stages(app: cdk.App, settings: Settings) -> None:
    """Stages of their own: the deploy pipelines roll these out."""
    for model in settings.models.values():
        for environment in settings.environments:
            stack = model.names(settings.project).at(environment.name).stack
            ServingStage(app, stack, project=settings.project, model=model, environment=environment)
