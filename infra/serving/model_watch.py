"""What watches a model in its environment: the SageMaker pipeline, the schedule that starts it, and who is called if it fails.

The template has the hash of what is special to watching, so that a changed limit goes out with the next push; where the code lies
(`MonitoringCode`) and the image it runs in (`ModelImage`) each deployment says anew (deploy_scripts/render.py): a change of the steps that
train alone deploys nothing. Next: pipelines/monitoring/pipeline.py; roles: infra/environment/monitoring_roles.py.
"""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sagemaker as sagemaker
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from infra.drift_metrics import MONITORING_FAILED
from infra.serving.drift_alarm import DriftAlarm, QualityAlarm
from infra.serving.imports import (
    ALERTS,
    BUCKET,
    DATA_BUCKET,
    DEAD_LETTERS,
    KEY,
    MONITORING_ROLE,
    MONITORING_SCHEDULE_ROLE,
    SECURITY_GROUP,
    SUBNETS,
    Imports,
)
from pipelines.monitoring import pipeline
from pipelines.monitoring.code import own_hash
from settings_schema import Model, Monitoring, ServingNames

_RETRIES = 10


class ModelWatch(Construct):
    """Of a model that is watched (`Model.watch`)."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        names: ServingNames,
        model: Model,
        watch: Monitoring,
        imports: Imports,
        in_vpc: bool,
    ) -> None:
        super().__init__(scope, construct_id)
        self._names, self._imports, self._in_vpc = names, imports, in_vpc
        self._declare_parameters()
        self._pipeline = self._create_pipeline(model, watch)
        self._create_schedule(watch)
        self._alarm()
        DriftAlarm(self, "Drift", names=names)
        QualityAlarm(self, "Quality", names=names)

    def _declare_parameters(self) -> None:
        stack = cdk.Stack.of(self)
        image, code = pipeline.IMAGE, pipeline.CODE
        cdk.CfnParameter(stack, image, description="Image of that version", allowed_pattern=r"[^\s\"]+")
        cdk.CfnParameter(
            stack,
            code,
            description="Where the code of the monitoring is published",
            allowed_pattern=r"s3://[a-z0-9.-]+/code/[0-9a-f]+",
            constraint_description="s3://<artifact bucket of this region>/code/<hash>",
        )

    def _create_pipeline(self, model: Model, watch: Monitoring) -> sagemaker.CfnPipeline:
        experiment = model.experiment(self._names.environment)
        tried: dict[str, Any] = {"experiment": experiment, "data": model.data}
        body = pipeline.definition(self._names, watch, is_batch=model.is_batch_only, in_vpc=self._in_vpc, **tried)
        return sagemaker.CfnPipeline(
            self,
            "Pipeline",
            pipeline_name=self._names.monitoring_pipeline,
            pipeline_description=f"Watches {self._names.endpoint}; monitoring {own_hash(model)}",
            pipeline_definition={"PipelineDefinitionBody": cdk.Fn.sub(body, self._values())},
            role_arn=self._imports.role(MONITORING_ROLE),
        )

    def _values(self) -> dict[str, str]:
        """What only this stack knows. Subnets are one text of the environment's stack and a list in the definition."""
        values = {
            pipeline.ROLE: self._imports.role(MONITORING_ROLE),
            pipeline.BUCKET: self._imports.of_environment(BUCKET),
            pipeline.KEY: self._imports.of_environment(KEY),
            pipeline.ALERTS: self._imports.of_environment(ALERTS),
            pipeline.DATA_BUCKET: self._imports.of_environment(DATA_BUCKET),
        }
        if not self._in_vpc:
            return values
        subnets = cdk.Fn.join('","', cdk.Fn.split(",", self._imports.of_environment(SUBNETS)))
        return {**values, pipeline.SUBNETS: subnets, pipeline.SECURITY_GROUP: self._imports.of_environment(SECURITY_GROUP)}

    def _create_schedule(self, watch: Monitoring) -> None:
        """What could not be started is told by the alarm on the environment's dead letters."""
        pipeline_arn = "arn:${AWS::Partition}:sagemaker:${AWS::Region}:${AWS::AccountId}:pipeline/${Pipeline}"
        scheduler.CfnSchedule(
            self,
            "Schedule",
            name=self._names.monitoring_pipeline,
            description=f"Judges what {self._names.endpoint} answered",
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            schedule_expression=f"cron({watch.cron})",
            schedule_expression_timezone=watch.time_zone,
            target=scheduler.CfnSchedule.TargetProperty(
                arn=cdk.Fn.sub(pipeline_arn, {"Pipeline": self._pipeline.ref}),
                role_arn=self._imports.role(MONITORING_SCHEDULE_ROLE),
                dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(arn=self._imports.of_environment(DEAD_LETTERS)),
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(maximum_retry_attempts=_RETRIES),
            ),
        )

    def _alarm(self) -> None:
        """A watch that does not run is worse than none, for everybody believes in it. The metric: infra/failure_alarms.py."""
        cloudwatch.CfnAlarm(
            self,
            "Failed",
            alarm_name=self._names.alarm(MONITORING_FAILED),
            alarm_description=f"A run of {self._names.monitoring_pipeline} failed: {self._names.endpoint} is not watched",
            alarm_actions=[self._imports.of_environment(ALERTS)],
            namespace="AWS/Sagemaker/ModelBuildingPipeline",
            metric_name="ExecutionFailed",
            dimensions=[cloudwatch.CfnAlarm.DimensionProperty(name="PipelineName", value=self._names.monitoring_pipeline)],
            statistic="Sum",
            period=300,
            threshold=1,
            evaluation_periods=1,
            comparison_operator="GreaterThanOrEqualToThreshold",
            treat_missing_data="notBreaching",
        )
