"""What starts the deploy pipeline and the return pipeline: a version's approval or rejection, a build, a deployment or a return that ended,
and the clock, because an event may be lost.

Each only wakes start_deployment/, which asks the registry, CodePipeline and production's stack what should run, so a duplicate, late or
lost event, two approvals in a row, and the rejection of the live version need no further logic. It alone may start these pipelines: it
decides whether production needs a person's approval, so nothing that a push brings may do it. Next: start_deployment/handler.py.
"""

from __future__ import annotations

import json
from pathlib import Path

from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.build.code_source import SOURCE_ACTION
from infra.environment.verification import Verification
from infra.event_function import EventFunction
from infra.foundation.foundation_stack import FoundationStack
from infra.model.rollout_pipeline import ENDED
from infra.places import Context, Place, value
from infra.private_bucket import TEMPLATES
from settings_schema import Model
from settings_schema.rebuilding import Rebuild

_EVERY_QUARTER_HOUR = "*/15 * * * ? *"


class DeploymentStart(Construct):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        context: Context,
        model: Model,
        foundation: FoundationStack,
        dead_letters: sqs.IQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        self._context = context
        self._names = model.names(context.project)
        self._told = f"deployments/{model.name}/told.txt"  # in the artifact bucket, where no build and no job may write it
        self._function = self._create_function(foundation, dead_letters)
        self._allow(foundation)
        for environment in context.settings.environments:
            Verification(context, model, environment).let_compare(self._function)
        self._on_approval()
        self._on_end()
        self._function.wake_at(self, "Regularly", "Looks whether an event was lost", cron=_EVERY_QUARTER_HOUR, time_zone="Etc/UTC")
        if model.rebuild is not None:
            self._rebuild(model.rebuild)

    def _create_function(self, foundation: FoundationStack, dead_letters: sqs.IQueue) -> EventFunction:
        return EventFunction(
            self,
            "StartDeployment",
            folder=Path(__file__).parent,
            package="start_deployment",
            function_name=self._names.start_deployment_function,
            description="Decides which version is deployed from which commit, and starts it",
            environment={
                "MODEL": self._names.model,
                "MODEL_PACKAGE_GROUP": self._names.model_package_group,
                "VERSIONS_ARN": self._context.places.home.versions(self._names.model_package_group),
                "BUILD_PIPELINE_NAME": self._context.project.names.build_pipeline,
                "DEPLOY_PIPELINE_NAME": self._names.deploy_pipeline,
                "RETURN_PIPELINE_NAME": self._names.return_pipeline,
                "SOURCE_ACTION_NAME": SOURCE_ACTION,
                "ARTIFACT_BUCKET": foundation.artifact_bucket.bucket_name,
                "TOLD_KEY": self._told,
                "DECISIONS_PREFIX": self._names.decisions,
                "ALERT_TOPIC_ARN": foundation.alerts.topic_arn,
                "SERVING_STACKS": value(json.dumps(self._stacks())),
            },
            dead_letters=dead_letters,
            key=foundation.key,
            log_retention_days=self._context.project.log_retention_days,
        )

    def _stacks(self) -> list[dict[str, str]]:
        """In the order in which a version passes them. `role`: to be assumed, where it is another account."""
        stacks = []
        for environment in self._context.settings.environments:
            names, places = self._names.at(environment.name), self._context.places
            role = places.of(environment).role_text(names.verify_role) if places.is_elsewhere(environment) else ""
            stacks.append({"name": names.stack, "region": places.of(environment).region, "role": role})
        return stacks

    def _allow(self, foundation: FoundationStack) -> None:
        home, function = self._context.places.home, self._function
        registry = home.registry(self._names.model_package_group)
        function.allow("ReadRegistry", ["sagemaker:ListModelPackages", "sagemaker:DescribeModelPackage"], registry)
        for region in self._context.places.other_regions([self._context.settings.production]):  # of which version a copy there is
            copies = Place(home.account, region).model_packages(self._names.model_package_group)
            function.allow("Copies", ["sagemaker:DescribeModelPackage"], [copies])
        build = home.code_pipeline(self._context.project.names.build_pipeline)
        deploy, back = (home.code_pipeline(name) for name in (self._names.deploy_pipeline, self._names.return_pipeline))
        function.allow("WhatWasBuiltAndReleased", ["codepipeline:ListPipelineExecutions"], [build, deploy, back])
        function.allow("WhatWasReleased", ["codepipeline:GetPipelineExecution"], [deploy, back])
        function.allow("WhatIsOnItsWay", ["codepipeline:GetPipelineState"], [deploy])
        function.allow("Start", ["codepipeline:StartPipelineExecution"], [deploy, back])
        function.allow("Close", ["codepipeline:StopPipelineExecution"], [deploy, back])
        bucket = foundation.artifact_bucket
        function.allow("KeptTemplates", ["s3:GetObject"], [bucket.arn_for_objects(TEMPLATES)])
        below: dict[str, object] = {"StringLike": {"s3:prefix": [TEMPLATES, self._told, self._names.decisions]}}
        function.allow("WhatIsThere", ["s3:ListBucket"], [bucket.bucket_arn], below)
        function.allow("WhatWasTold", ["s3:GetObject", "s3:PutObject"], [bucket.arn_for_objects(self._told)])
        function.allow("WhoDecided", ["codepipeline:ListActionExecutions"], [deploy])
        decisions, once = bucket.arn_for_objects(f"{self._names.decisions}*"), {"Null": {"s3:if-none-match": "false"}}
        function.allow("KeepDecisionsOnce", ["s3:PutObject"], [decisions], once)
        function.allow("Tell", ["sns:Publish"], [foundation.alerts.topic_arn])
        foundation.key.grant(function, "kms:Decrypt", "kms:GenerateDataKey")

    def _rebuild(self, rebuild: Rebuild) -> None:
        """Source of the time: "Adding context attributes" of the EventBridge Scheduler user guide."""
        given = {"time": "<aws.scheduler.scheduled-time>", "rebuild_after_days": str(rebuild.older_than_days)}
        what = "Looks whether what serves is to be made anew"
        self._function.wake_at(self, "Rebuild", what, cron=rebuild.cron, time_zone=rebuild.time_zone, **given)

    def _on_approval(self) -> None:
        self._function.wake_on(
            self,
            "Changed",
            "The approval of a version changed",
            source=["aws.sagemaker"],
            detail_type=["SageMaker Model Package State Change"],
            detail={
                "ModelPackageGroupName": [self._names.model_package_group],
                "ModelApprovalStatus": ["Approved", "Rejected"],
                # The same event tells of metadata edits, which must not start a deployment. A version that is
                # registered as approved has no list of updated fields.
                "$or": [
                    {"UpdatedModelPackageFields": ["ModelApprovalStatus"]},
                    {"UpdatedModelPackageFields": [{"exists": False}]},
                ],
            },
        )

    def _on_end(self) -> None:
        """A commit was built and tested; a version went to production, or did not; one may have to come back."""
        pipelines = [self._context.project.names.build_pipeline, self._names.deploy_pipeline, self._names.return_pipeline]
        self._function.wake_on(
            self,
            "Ended",
            "A build, a deployment or a return ended",
            source=["aws.codepipeline"],
            detail_type=["CodePipeline Pipeline Execution State Change"],
            detail={"pipeline": pipelines, "state": list(ENDED)},
        )
