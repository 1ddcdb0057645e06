"""A function that changes parameters of production's stack, and nothing else of it: into its shadow, or beside it in an experiment.

Not a build and not an action of the pipeline: those do what a push brings, and this changes production before anyone has let a version in
(decisions 93, 157, 162). Here is what each of them knows, may read and is woken by. Next: shadow_change.py, experiment_change.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.environment.experiment_permissions import ExperimentPermissions
from infra.environment.shadow_permissions import ShadowPermissions
from infra.event_function import EventFunction
from infra.foundation.foundation_stack import FoundationStack
from infra.model.deploy_pipeline import PRODUCTION_STAGE
from infra.model.rollout_pipeline import ENDED
from infra.places import Context, Place, value
from settings_schema import Model


class ProductionChange(Construct):
    """`module`: of change_production/. `permissions`: what it may do where production is. `variables`: of its own."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        context: Context,
        model: Model,
        foundation: FoundationStack,
        dead_letters: sqs.IQueue,
        module: str,
        function_name: str,
        description: str,
        permissions: ShadowPermissions | ExperimentPermissions,
        variables: Mapping[str, str],
    ) -> None:
        super().__init__(scope, construct_id)
        self._context, self._names = context, model.names(context.project)
        self._pipelines = [self._names.deploy_pipeline, self._names.return_pipeline]
        self._function = EventFunction(
            self,
            "Function",
            folder=Path(__file__).parent,
            package="change_production",
            module=module,
            function_name=function_name,
            description=description,
            environment={**self._variables(permissions.role), **variables},
            dead_letters=dead_letters,
            key=foundation.key,
            log_retention_days=context.project.log_retention_days,
        )
        self._let_look()
        permissions.let_change(self._function)
        self._wake_on_end()

    def _variables(self, role: str) -> dict[str, str]:
        production = self._context.settings.production
        there = self._names.at(production.name)
        return {
            "MODEL_PACKAGE_GROUP": self._names.model_package_group,
            "STACK_NAME": there.stack,
            "ENDPOINT_NAME": there.endpoint,
            "REGION": value(self._context.places.of(production).region),
            "ROLE_ARN": value(role),
            "DEPLOY_PIPELINE_NAME": self._names.deploy_pipeline,
            "RETURN_PIPELINE_NAME": self._names.return_pipeline,
            "PRODUCTION_STAGE_NAME": PRODUCTION_STAGE,
        }

    def _let_look(self) -> None:
        """At versions, at their copies in production's region, and at the way back."""
        home, function, group = self._context.places.home, self._function, self._names.model_package_group
        function.allow("ReadVersions", ["sagemaker:DescribeModelPackage"], [home.model_packages(group)])
        for region in self._context.places.other_regions([self._context.settings.production]):
            there = Place(home.account, region)
            function.allow("Copies", ["sagemaker:ListModelPackages", "sagemaker:DescribeModelPackage"], there.registry(group))
        function.allow("WhatReturns", ["codepipeline:ListPipelineExecutions"], [home.code_pipeline(self._names.return_pipeline)])

    def _wake_on_end(self) -> None:
        self._function.wake_on(
            self,
            "Ended",
            "A deployment or a return ended",
            source=["aws.codepipeline"],
            detail_type=["CodePipeline Pipeline Execution State Change"],
            detail={"pipeline": self._pipelines, "state": list(ENDED)},
        )
