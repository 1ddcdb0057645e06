"""What one model needs of an environment before its stack can be deployed there: all of its roles.

The deploy pipeline may make no role, so these are here; their ARNs are exported, which keeps them as long as the model's stack needs them.
"""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra.dead_letter_queue import DeadLetterQueue
from infra.environment.deploy_role import DeployRole
from infra.environment.deployment_role import (
    BatchDeploymentRole,
    ComponentDeploymentRole,
    EndpointDeploymentRole,
    MemberDeploymentRole,
)
from infra.environment.experiment_permissions import ExperimentPermissions
from infra.environment.inference_role import InferenceRole
from infra.environment.monitoring_roles import MonitoringRole, MonitoringScheduleRole
from infra.environment.scoring_roles import ScheduleRole, ScoringRole
from infra.environment.shadow_permissions import ShadowPermissions
from infra.environment.verification import Verification
from infra.places import Context
from infra.service_role import NamedRole
from infra.serving.imports import (
    ANSWERS_TOPIC,
    INFERENCE_ROLE,
    MONITORING_ROLE,
    MONITORING_SCHEDULE_ROLE,
    SCHEDULE_ROLE,
    SCORING_ROLE,
    role_export,
)
from infra.tags import add_tags
from settings_schema import Asynchronous, Batch, Component, Environment, Member, Model


class ServedModel(Construct):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        context: Context,
        model: Model,
        environment: Environment,
        key: kms.IKey,
        alerts: sns.ITopic,
        dead_letters: DeadLetterQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        self._names = model.names(context.project).at(environment.name)
        given: dict[str, Any] = {"context": context, "model": model, "environment": environment}
        inference = InferenceRole(self, "InferenceRole", key=key, **given)
        self._export(INFERENCE_ROLE, inference.role_arn)
        if isinstance(model.serving[environment.name], Asynchronous):
            self._export(ANSWERS_TOPIC, self._answers_topic(inference, key).topic_arn)
        DeployRole(self, "DeployRole", **given)
        # Also of a model that is not watched: so watching can begin and end with a push.
        self._export(MONITORING_ROLE, MonitoringRole(self, "MonitoringRole", key=key, alerts=alerts, **given).role_arn)
        self._export(
            MONITORING_SCHEDULE_ROLE, MonitoringScheduleRole(self, "MonitoringScheduleRole", dead_letters=dead_letters, **given).role_arn
        )
        serving = model.serving[environment.name]
        if isinstance(serving, Batch):
            BatchDeploymentRole(self, "DeploymentRole", key=key, **given)
            self._export(SCORING_ROLE, ScoringRole(self, "ScoringRole", key=key, dead_letters=dead_letters, **given).role_arn)
            self._export(SCHEDULE_ROLE, ScheduleRole(self, "ScheduleRole", dead_letters=dead_letters, **given).role_arn)
        elif isinstance(serving, Component):
            ComponentDeploymentRole(self, "DeploymentRole", key=key, **given)
        elif isinstance(serving, Member):
            MemberDeploymentRole(self, "DeploymentRole", key=key, **given)
        else:
            EndpointDeploymentRole(self, "DeploymentRole", key=key, **given)
        if context.places.is_elsewhere(environment):
            self._let_builds_in(context, Verification(context, model, environment))
            if model.shadow(environment.name) is not None:
                self._let_shadow_in(context, ShadowPermissions(context, model))
            if model.experiment(environment.name) is not None:
                self._let_experiment_in(context, ExperimentPermissions(context, model))
        add_tags(self, self._names.tags)

    def _answers_topic(self, inference: InferenceRole, key: kms.IKey) -> sns.Topic:
        """Tells whoever subscribes what was answered and what failed: AsyncInferenceNotificationConfig. SageMaker speaks as the role."""
        topic = sns.Topic(self, "Answers", master_key=key, enforce_ssl=True)
        inference.allow("Tell", ["sns:Publish"], [topic.topic_arn])
        return topic

    def _export(self, output: str, arn: str) -> None:
        cdk.CfnOutput(self, output, value=arn, export_name=role_export(self._names, output))

    def _let_builds_in(self, context: Context, verification: Verification) -> None:
        role = NamedRole(
            self,
            "VerifyRole",
            assumed_by=context.places.home.principals(*verification.builds()),
            description=f"Looks at {self._names.model} here, and asks it, for the builds of its deploy pipeline",
            role_name=self._names.verify_role,
        )
        role.allow_all(verification.all())

    def _let_shadow_in(self, context: Context, permissions: ShadowPermissions) -> None:
        role = NamedRole(
            self,
            "ShadowRole",
            assumed_by=context.places.home.principals(self._names.of_model.change_shadow_function),
            description=f"Puts versions of {self._names.model} into the shadow here, and takes them out",
            role_name=self._names.shadow_role,
        )
        role.allow_all(permissions.all())

    def _let_experiment_in(self, context: Context, permissions: ExperimentPermissions) -> None:
        role = NamedRole(
            self,
            "ExperimentRole",
            assumed_by=context.places.home.principals(self._names.of_model.change_experiment_function),
            description=f"Begins experiments with versions of {self._names.model} here, and ends them",
            role_name=self._names.experiment_role,
        )
        role.allow_all(permissions.all())
