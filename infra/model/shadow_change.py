"""The function that puts a version into production's shadow and takes it out, and what wakes it: a build asks for it, and whatever ends.

What such functions have in common: production_change.py. Next: change_production/shadow.py.
"""

from __future__ import annotations

from typing import Any

from constructs import Construct

from infra.environment.shadow_permissions import ShadowPermissions
from infra.model.deploy_pipeline import SHADOW_ACTION
from infra.model.production_change import ProductionChange
from infra.places import Context
from settings_schema import Model, Shadow

_EVERY_QUARTER_HOUR = "*/15 * * * ? *"


class ShadowChange(ProductionChange):
    def __init__(self, scope: Construct, construct_id: str, *, context: Context, model: Model, shadow: Shadow, **given: Any) -> None:
        """`given`: as ProductionChange's."""
        names = model.names(context.project)
        super().__init__(
            scope,
            construct_id,
            context=context,
            model=model,
            module="shadow",
            function_name=names.change_shadow_function,
            description="Puts a version into production's shadow, and takes it out again",
            permissions=ShadowPermissions(context, model),
            variables={"SHADOW_ACTION_NAME": SHADOW_ACTION, "SHADOW_PERCENT": str(shadow.percent)},
            **given,
        )
        deploy = context.places.home.code_pipeline(names.deploy_pipeline)
        self._function.allow("WhatCompares", ["codepipeline:GetPipelineState"], [deploy])
        self._function.wake_at(self, "Regularly", "Looks whether a shadow was left", cron=_EVERY_QUARTER_HOUR, time_zone="Etc/UTC")
