"""The function that puts a version into production's shadow and takes it out, and what wakes it: a build asks for it, and whatever ends.

Not a build and not an action of the pipeline: those do what a push brings, and this changes production before anyone has let a version in
(decisions 93, 157). Next: change_production/shadow.py.
"""

from __future__ import annotations

from pathlib import Path

from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.environment.shadow_permissions import ShadowPermissions
from infra.event_function import EventFunction
from infra.foundation.foundation_stack import FoundationStack
from infra.model.deploy_pipeline import PRODUCTION_STAGE, SHADOW_ACTION
from infra.places import Context, Place, value
from settings_schema import Model, Shadow

_EVERY_QUARTER_HOUR = "*/15 * * * ? *"


class ShadowChange(Construct):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        context: Context,
        model: Model,
        foundation: FoundationStack,
        dead_letters: sqs.IQueue,
        shadow: Shadow,
    ) -> None:
        super().__init__(scope, construct_id)
        self._context, self._names = context, model.names(context.project)
        self._permissions = ShadowPermissions(context, model)
        self._function = self._create_function(foundation, dead_letters, shadow)
        self._allow()
        self._on_end()
        self._function.wake_at(self, "Regularly", "Looks whether a shadow was left", cron=_EVERY_QUARTER_HOUR, time_zone="Etc/UTC")

    def _create_function(self, foundation: FoundationStack, dead_letters: sqs.IQueue, shadow: Shadow) -> EventFunction:
        production = self._context.settings.production
        names, place = self._names.at(production.name), self._context.places.of(production)
        return EventFunction(
            self,
            "Function",
            folder=Path(__file__).parent,
            package="change_production",
            module="shadow",
            function_name=self._names.change_shadow_function,
            description="Puts a version into production's shadow, and takes it out again",
            environment={
                "MODEL_PACKAGE_GROUP": self._names.model_package_group,
                "STACK_NAME": names.stack,
                "ENDPOINT_NAME": names.endpoint,
                "REGION": value(place.region),
                "ROLE_ARN": value(self._permissions.role),
                "DEPLOY_PIPELINE_NAME": self._names.deploy_pipeline,
                "RETURN_PIPELINE_NAME": self._names.return_pipeline,
                "SHADOW_ACTION_NAME": SHADOW_ACTION,
                "PRODUCTION_STAGE_NAME": PRODUCTION_STAGE,
                "SHADOW_PERCENT": str(shadow.percent),
            },
            dead_letters=dead_letters,
            key=foundation.key,
            log_retention_days=self._context.project.log_retention_days,
        )

    def _allow(self) -> None:
        home, function, group = self._context.places.home, self._function, self._names.model_package_group
        function.allow("ReadVersions", ["sagemaker:DescribeModelPackage"], [home.model_packages(group)])
        for region in self._context.places.other_regions([self._context.settings.production]):
            there = Place(home.account, region)
            function.allow("Copies", ["sagemaker:ListModelPackages", "sagemaker:DescribeModelPackage"], there.registry(group))
        deploy, back = (home.code_pipeline(name) for name in (self._names.deploy_pipeline, self._names.return_pipeline))
        function.allow("WhatCompares", ["codepipeline:GetPipelineState"], [deploy])
        function.allow("WhatReturns", ["codepipeline:ListPipelineExecutions"], [back])
        self._permissions.let_change(function)

    def _on_end(self) -> None:
        self._function.wake_on(
            self,
            "Ended",
            "A deployment or a return ended",
            source=["aws.codepipeline"],
            detail_type=["CodePipeline Pipeline Execution State Change"],
            detail={
                "pipeline": [self._names.deploy_pipeline, self._names.return_pipeline],
                "state": ["SUCCEEDED", "FAILED", "STOPPED"],
            },
        )
