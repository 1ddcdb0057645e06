"""All that one model has where it is trained: registry, role, triggers, the ways to production and back, and who watches them.

Nothing here knows another model: one is added and retired alone.
Next: pipeline_role.py, sizing_role.py, retraining.py, deploy_pipeline.py, return_pipeline.py; then
infra/serving/ for what the deploy pipeline deploys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aws_cdk as cdk

from infra.dead_letter_queue import DeadLetterQueue
from infra.failure_alarms import FailureAlarms
from infra.foundation.foundation_stack import FoundationStack
from infra.model.data_version import DataVersion
from infra.model.deploy_pipeline import DeployPipeline
from infra.model.deployment_start import DeploymentStart
from infra.model.experiment_change import ExperimentChange
from infra.model.model_dashboard import ModelDashboard
from infra.model.package_group import PackageGroup
from infra.model.pipeline_role import PipelineRole
from infra.model.retraining import Retraining
from infra.model.return_pipeline import ReturnPipeline
from infra.model.shadow_change import ShadowChange
from infra.model.sizing_role import SizingRole
from infra.places import Context
from infra.tags import add_tags
from settings_schema import Model

if TYPE_CHECKING:
    from constructs import Construct


class ModelStack(cdk.Stack):
    def __init__(
        self, scope: Construct, construct_id: str, *, context: Context, model: Model, foundation: FoundationStack, **options: Any
    ) -> None:
        names = model.names(context.project)
        description = f"{model.name}: registry, retraining and deployment"
        super().__init__(scope, construct_id, description=description, **options)
        given: dict[str, Any] = {"context": context, "model": model, "foundation": foundation}
        PackageGroup(self, "Versions", context=context, model=model)
        PipelineRole(self, "TrainingRole", **given)
        if not model.is_batch_only:
            SizingRole(self, "SizingRole", **given)
        DataVersion(self, "DataVersion", project=context.project, model=model, foundation=foundation)
        dead_letters = DeadLetterQueue(self, "DeadLetters", key=foundation.key)
        Retraining(self, "Retraining", dead_letters=dead_letters, **given)
        deploy = DeployPipeline(self, "Deploy", **given)
        ReturnPipeline(self, "Return", projects=deploy.projects, **given)
        DeploymentStart(self, "Start", dead_letters=dead_letters, **given)
        shadow = model.shadow(context.settings.production.name)
        if shadow is not None:
            ShadowChange(self, "Shadow", dead_letters=dead_letters, shadow=shadow, **given)
        experiment = model.experiment(context.settings.production.name)
        if experiment is not None:
            ExperimentChange(self, "Experiment", dead_letters=dead_letters, experiment=experiment, **given)
        failures = FailureAlarms(self, "Failures", alarm_name=names.alarm, topic=foundation.alerts)
        failures.watch_sagemaker_pipeline("training-failed", names.training_pipeline)
        failures.watch_code_pipeline("deploy-failed", names.deploy_pipeline)
        failures.watch_code_pipeline("return-failed", names.return_pipeline)
        failures.watch_queue(dead_letters)
        ModelDashboard(self, "Dashboard", context=context, model=model, alarms=failures.alarms)
        add_tags(self, names.tags)
