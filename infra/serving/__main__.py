"""`python -m infra.endpoint` synthesizes the endpoint stacks alone into cdk.out: all that builds need, in half the time of app.py.

Input: settings.py and the feature flags of cdk.json. The templates are the bytes that `python app.py` writes, and CDK
validates them by the same rules. Next: build_scripts/kept_templates.py keeps them.
"""

from __future__ import annotations

import os
from typing import Any

from settings_rules import UNREADABLE, stop

try:
    from settings import ENVIRONMENTS, PROJECT
except UNREADABLE as error:
    stop(error)

import aws_cdk as cdk

from infra.endpoint.endpoint_stage import add_endpoint_stages
from infra.feature_flags import CONTEXT


def build_endpoints(**options: Any) -> cdk.App:
    """An app of nothing but the endpoint stages; `options` go to `cdk.App`."""
    app = cdk.App(context=CONTEXT, analytics_reporting=False, **options)
    add_endpoint_stages(app, PROJECT, ENVIRONMENTS)
    return app


if __name__ == "__main__":
    build_endpoints(outdir=os.environ.get("CDK_OUTDIR", "cdk.out")).synth()
