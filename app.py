#!/usr/bin/env python3
"""Entry point of the CDK app: `npx cdk deploy --all`, or `python app.py` to synthesize into cdk.out without the CLI.

Input: settings.py, models/ and the feature flags of cdk.json. No lookups, no AWS calls. Next: infra/foundation/foundation_stack.py.
"""

from __future__ import annotations

import os
from typing import Any

import infra  # noqa: F401 - before aws_cdk, which it tells where to unpack itself
from settings_schema.errors import UNREADABLE, stop
from settings_schema.reading import Settings, read

if __name__ == "__main__":  # a slip is told before the CDK is loaded, which takes seconds
    try:
        SETTINGS = read()
    except UNREADABLE as error:
        stop(error)

import aws_cdk as cdk

from infra.build.build_stack import BuildStack
from infra.environment.environment_stack import EnvironmentStack
from infra.feature_flags import CONTEXT
from infra.fleet.fleet_stack import add_fleets
from infra.foundation.foundation_stack import FoundationStack
from infra.foundation.regional_stack import RegionalStack
from infra.image.image_stack import ImageStack
from infra.model.model_stack import ModelStack
from infra.places import Context, Place, Places
from infra.serving.serving_stage import add_serving_stages


def build_app(settings: Settings, *, account: str | None = None, region: str | None = None, **options: Any) -> cdk.App:
    """The whole app, ready for `synth()`. What neither the settings nor `account` and `region` say, the templates leave open.

    `options` go to `cdk.App`.
    """
    app = cdk.App(context=CONTEXT, analytics_reporting=False, **options)
    names, places = settings.project.names, Places.of_project(settings.project, account, region)
    common: dict[str, Any] = {"context": Context(settings, places)}
    home = places.home.environment

    foundation = FoundationStack(app, names.foundation_stack, env=home, **common)
    regional = [
        RegionalStack(app, names.regional_stack(other), region=other, env=Place(places.home.account, other).environment, **common)
        for other in places.other_regions(settings.environments)
    ]
    build = BuildStack(app, names.build_stack, foundation=foundation, env=home, **common)
    if settings.lean_environments():
        ImageStack(app, names.image_stack, foundation=foundation, env=home, **common).add_stack_dependency(build)  # whose source it builds
    for environment in settings.environments:
        place = places.of(environment)
        given: dict[str, Any] = {"environment": environment, "env": place.environment, **common}
        add_fleets(app, settings, EnvironmentStack(app, environment.names(settings.project).stack, **given), **given)
    for model in settings.models.values():
        stack = ModelStack(app, model.names(settings.project).stack, model=model, foundation=foundation, env=home, **common)
        stack.add_stack_dependency(build)  # which it starts, once it is there
        for other_region in regional:
            stack.add_stack_dependency(other_region)  # whose key the deploy pipeline names
    # `cdk deploy --all` leaves these alone, and builds synthesize them without the rest (infra/serving/__main__.py).
    add_serving_stages(app, settings)
    return app


if __name__ == "__main__":
    build_app(
        SETTINGS,
        account=os.environ.get("CDK_DEFAULT_ACCOUNT"),
        region=os.environ.get("CDK_DEFAULT_REGION"),
        outdir=os.environ.get("CDK_OUTDIR", "cdk.out"),
    ).synth()
