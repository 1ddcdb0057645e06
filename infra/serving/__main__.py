"""`python -m infra.serving` synthesizes the serving stacks alone into cdk.out: all that builds need, in half the time of app.py.

Input: settings.py, models/ and the feature flags of cdk.json. The templates are the bytes that `python app.py` writes. The CDK's own
validation of them takes three times as long as making them: it is for whoever has changed something, so `cdk synth` and the tests do it,
and CloudFormation refuses what is wrong. Next: build_scripts/kept_templates.py keeps them.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

from settings_schema.errors import UNREADABLE, stop
from settings_schema.reading import Settings, read

if __name__ == "__main__":  # a slip is told before the CDK is loaded, which takes seconds
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    try:
        SETTINGS = read()
    except UNREADABLE as error:
        stop(error)

import aws_cdk as cdk

from infra.feature_flags import CONTEXT
from infra.serving.serving_stage import add_serving_stages


def build_serving(settings: Settings, **options: Any) -> cdk.App:
    """An app of nothing but the serving stages; `options` go to `cdk.App`."""
    app = cdk.App(context=CONTEXT, analytics_reporting=False, builtin_cloud_formation_validation=False, **options)
    add_serving_stages(app, settings)
    return app


if __name__ == "__main__":
    build_serving(SETTINGS, outdir=os.environ.get("CDK_OUTDIR", "cdk.out")).synth()
