"""One model in one environment as a CDK stage: `cdk deploy --all` leaves it alone, because the deploy pipeline rolls it out.

Its template is `cdk.out/assembly-<stack>/<stack>.template.json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
from constructs import Construct

from infra.serving.asynchronous_stack import AsynchronousStack
from infra.serving.batch_stack import BatchStack
from infra.serving.component_stack import ComponentStack
from infra.serving.endpoint_stack import EndpointStack
from infra.serving.member_stack import MemberStack
from infra.serving.serverless_stack import ServerlessStack
from infra.tags import add_tags
from settings_schema import Asynchronous, Batch, Component, Endpoint, Environment, Member, Model, Project, Serverless
from settings_schema.reading import Settings

#: How a model serves -> the stack that does it.
STACKS: Mapping[type, type] = {
    Asynchronous: AsynchronousStack,
    Batch: BatchStack,
    Component: ComponentStack,
    Endpoint: EndpointStack,
    Member: MemberStack,
    Serverless: ServerlessStack,
}


class ServingStage(cdk.Stage):
    def __init__(self, scope: Construct, construct_id: str, *, project: Project, model: Model, environment: Environment) -> None:
        super().__init__(scope, construct_id)
        given: dict[str, Any] = {"project": project, "model": model, "environment": environment}
        serving = model.serving[environment.name]
        STACKS[type(serving)](self, "Default", serving=serving, **given)
        add_tags(self, model.names(project).at(environment.name).tags)


def add_serving_stages(app: cdk.App, settings: Settings) -> None:
    """Stages of their own: the deploy pipelines roll these out."""
    for model in settings.models.values():
        for environment in settings.environments:
            stack = model.names(settings.project).at(environment.name).stack
            ServingStage(app, stack, project=settings.project, model=model, environment=environment)
