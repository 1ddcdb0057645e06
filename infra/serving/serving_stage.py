"""One environment as a CDK stage: `cdk deploy --all` leaves it alone, because the deploy pipeline rolls it out.

Its template is `cdk.out/assembly-<stack>/<stack>.template.json`. It names no account or region, so that whoever
synthesizes it (a person, a build) gets the same bytes, and a difference means that settings or code changed.
"""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from constructs import Construct

from infra.endpoint.endpoint_stack import EndpointStack
from infra.project_tags import add_project_tags
from settings import Environment, Project


class EndpointStage(cdk.Stage):
    def __init__(self, scope: Construct, construct_id: str, *, project: Project, environment: Environment) -> None:
        super().__init__(scope, construct_id)
        EndpointStack(self, "Default", project=project, environment=environment, stack_name=project.endpoint_stack(environment))
        add_project_tags(self, project)


def add_endpoint_stages(app: cdk.App, project: Project, environments: Sequence[Environment]) -> None:
    """Stages of their own: the deploy pipeline rolls these out."""
    for environment in environments:
        EndpointStage(app, project.endpoint_stack(environment), project=project, environment=environment)
