#!/usr/bin/env python3
"""Entry point of the CDK app: `npx cdk deploy --all`, or `python app.py` to synthesize into cdk.out without the CLI.

Input: settings.py and the feature flags of cdk.json. No lookups, no AWS calls. Next: infra/foundation/foundation_stack.py.
"""

from __future__ import annotations

import os
from typing import Any

import infra  # noqa: F401 - before aws_cdk, which it tells where to unpack itself
from settings_rules import UNREADABLE, stop

try:
    from settings import PRODUCTION, PROJECT, STAGING, Environment, Project
except UNREADABLE as error:
    stop(error)

import aws_cdk as cdk

from infra.endpoint.endpoint_stage import add_endpoint_stages
from infra.feature_flags import CONTEXT
from infra.foundation.foundation_stack import FoundationStack
from infra.model_build.model_build_stack import ModelBuildStack
from infra.model_deploy.model_deploy_stack import ModelDeployStack
from infra.monitoring.monitoring_stack import MonitoringStack
from infra.project_tags import add_project_tags


def build_app(
    *,
    project: Project = PROJECT,
    staging: Environment = STAGING,
    production: Environment = PRODUCTION,
    account: str | None = None,
    region: str | None = None,
    **options: Any,
) -> cdk.App:
    """The whole app, ready for `synth()`. Without `account` and `region` the templates fit any; `options` go to `cdk.App`."""
    app = cdk.App(context=CONTEXT, analytics_reporting=False, **options)
    common = {"project": project, "env": cdk.Environment(account=project.account or account, region=project.region or region)}
    environments = (staging, production)
    name = project.name

    foundation = FoundationStack(app, f"{name}-foundation", environments=environments, **common)
    build = ModelBuildStack(app, f"{name}-model-build", foundation=foundation, environments=environments, **common)
    deploy = ModelDeployStack(
        app, f"{name}-model-deploy", foundation=foundation, repository=build.repository, staging=staging, production=production, **common
    )
    MonitoringStack(
        app,
        f"{name}-monitoring",
        foundation=foundation,
        environments=environments,
        dead_letters=[build.dead_letters, deploy.dead_letters],
        **common,
    )
    # `cdk deploy --all` leaves these alone, and builds synthesize them without the rest (infra/endpoint/__main__.py).
    add_endpoint_stages(app, project, environments)
    add_project_tags(app, project)
    return app


if __name__ == "__main__":
    build_app(
        account=os.environ.get("CDK_DEFAULT_ACCOUNT"),
        region=os.environ.get("CDK_DEFAULT_REGION"),
        outdir=os.environ.get("CDK_OUTDIR", "cdk.out"),
    ).synth()
