"""`python -m infra.serving` synthesizes the serving stacks alone into cdk.out: all that builds need, in half the time of app.py.

Input: settings.py, models/ and the feature flags of cdk.json. The templates are the bytes that `python app.py` writes, and CDK
validates them by the same rules. Next: build_scripts/kept_templates.py keeps them.
"""

from __future__ import annotations

import os
from typing import Any

import aws_cdk as cdk

from build_scripts.command_line import read_settings
from infra.feature_flags import CONTEXT
from infra.serving.serving_stage import add_serving_stages
from settings_schema.reading import Settings


def build_serving(settings: Settings, **options: Any) -> cdk.App:
    """An app of nothing but the serving stages; `options` go to `cdk.App`."""
    app = cdk.App(context=CONTEXT, analytics_reporting=False, **options)
    add_serving_stages(app, settings)
    return app


if __name__ == "__main__":
    build_serving(read_settings(), outdir=os.environ.get("CDK_OUTDIR", "cdk.out")).synth()
