"""A model without an endpoint: what is uploaded is scored by transform jobs, and nothing costs by the hour.

A function, whose code is in the template, starts the jobs. What wakes it: a complete upload, a schedule, and a job that failed.
The environment's stack has the roles and the bucket (infra/environment/). Next: start_scoring/handler.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from infra.project_function import RUNTIME
from infra.serving.imports import ALERTS, BUCKET, DEAD_LETTERS, KEY, SCHEDULE_ROLE, SCORING_ROLE
from infra.serving.serving_stack import ServingStack
from settings_schema import Batch, Environment, Model, Project
from settings_schema.serving import has_own_disk

FAILURES = "scoring-failed"
#: Rules that wake the function.
UPLOADED, JOB_FAILED = "uploaded", "job-failed"
_RETRIES = 10


class BatchStack(ServingStack):
    def __init__(
        self, scope: Construct, construct_id: str, *, project: Project, model: Model, environment: Environment, serving: Batch
    ) -> None:
        super().__init__(scope, construct_id, project=project, model=model, environment=environment)
        self._serving = serving
        self._dead_letters = self.imports.of_environment(DEAD_LETTERS)
        self._function = self._create_function()
        self._on_failed_job()
        if serving.on_upload:
            self._on_upload()
        if serving.cron is not None:
            self._on_schedule(serving.cron)
        self._alarm()
        cdk.CfnOutput(self, "ModelName", value=self.model.attr_model_name)
        cdk.CfnOutput(self, "StartScoringFunction", value=self._function.ref)

    def _create_function(self) -> lambda_.CfnFunction:
        code = Path(__file__).with_name("start_scoring").joinpath("handler.py").read_text(encoding="utf-8")
        log_group = self.log_group(self.names.start_scoring_log_group)
        return lambda_.CfnFunction(
            self,
            "StartScoring",
            function_name=self.names.start_scoring_function,
            description=f"Scores what is uploaded for {self.names.of_model.model} and not scored yet",
            runtime=RUNTIME.name,
            handler="index.handler",
            code=lambda_.CfnFunction.CodeProperty(zip_file=code),
            role=self.imports.role(SCORING_ROLE),
            environment=lambda_.CfnFunction.EnvironmentProperty(variables={"SETTINGS": self.to_json_string(self._settings())}),
            dead_letter_config=lambda_.CfnFunction.DeadLetterConfigProperty(target_arn=self._dead_letters),
            logging_config=lambda_.CfnFunction.LoggingConfigProperty(log_group=log_group.log_group_name),
            timeout=300,
            memory_size=256,
        )

    def _settings(self) -> dict[str, Any]:
        serving, key = self._serving, self.imports.of_environment(KEY)
        disk = {} if has_own_disk(serving.instance_type) else {"VolumeKmsKeyId": key}
        return {
            "model": self.model.attr_model_name,
            "package": self.package_arn,
            "version": self.version,
            "bucket": self.imports.of_environment(BUCKET),
            "input": self.names.batch_input,
            "output": self.names.predictions,
            "jobs": self.names.scoring_job_prefix,
            "key": key,
            "resources": {"InstanceType": serving.instance_type, "InstanceCount": serving.instance_count, **disk},
            "tags": self.names.tags,
        }

    def _on_upload(self) -> None:
        marker = {"wildcard": f"{self.names.batch_input}*/_SUCCESS"}  # `*` also matches `/`
        detail = {"bucket": {"name": [self.imports.of_environment(BUCKET)]}, "object": {"key": [marker]}}
        self._rule(
            "Uploaded", UPLOADED, "A complete upload of rows", {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": detail}
        )

    def _on_failed_job(self) -> None:
        """Source: "Monitoring SageMaker AI with Amazon EventBridge" of its guide."""
        detail = {"TransformJobName": [{"prefix": self.names.scoring_job_prefix}], "TransformJobStatus": ["Failed"]}
        kind = "SageMaker Transform Job State Change"
        self._rule(
            "JobFailed", JOB_FAILED, "A transform job failed", {"source": ["aws.sagemaker"], "detail-type": [kind], "detail": detail}
        )

    def _rule(self, construct_id: str, name: str, description: str, pattern: dict[str, Any]) -> None:
        """The name is one of those whose dead letters the environment's queue takes, and that the deployment role may make."""
        rule = events.CfnRule(
            self,
            construct_id,
            name=self.names.rule(name),
            description=description,
            event_pattern=pattern,
            targets=[
                events.CfnRule.TargetProperty(
                    id="StartScoring",
                    arn=self._function.attr_arn,
                    dead_letter_config=events.CfnRule.DeadLetterConfigProperty(arn=self._dead_letters),
                    retry_policy=events.CfnRule.RetryPolicyProperty(maximum_retry_attempts=_RETRIES),
                )
            ],
        )
        lambda_.CfnPermission(
            self,
            f"{construct_id}Invokes",
            action="lambda:InvokeFunction",
            function_name=self._function.ref,
            principal="events.amazonaws.com",
            source_arn=rule.attr_arn,
        )

    def _on_schedule(self, cron: str) -> None:
        """It catches up with what events missed, and scores with a new version what an earlier one has scored."""
        scheduler.CfnSchedule(
            self,
            "Schedule",
            name=self.names.start_scoring_function,
            description=f"Scores what is uploaded for {self.names.of_model.model}",
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            schedule_expression=f"cron({cron})",
            schedule_expression_timezone=self._serving.time_zone,
            target=scheduler.CfnSchedule.TargetProperty(
                arn=self._function.attr_arn,
                role_arn=self.imports.role(SCHEDULE_ROLE),
                input='{"source":"schedule"}',
                dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(arn=self._dead_letters),
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(maximum_retry_attempts=_RETRIES),
            ),
        )

    def _alarm(self) -> None:
        cloudwatch.CfnAlarm(
            self,
            "ScoringFailed",
            alarm_name=self.names.alarm(FAILURES),
            alarm_description="Rows that were uploaded are not scored; the function's log says which and why",
            alarm_actions=[self.imports.of_environment(ALERTS)],
            namespace="AWS/Lambda",
            metric_name="Errors",
            dimensions=[cloudwatch.CfnAlarm.DimensionProperty(name="FunctionName", value=self._function.ref)],
            statistic="Sum",
            period=300,
            threshold=1,
            evaluation_periods=1,
            comparison_operator="GreaterThanOrEqualToThreshold",
            treat_missing_data="notBreaching",
        )
