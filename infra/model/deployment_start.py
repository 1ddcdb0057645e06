"""What starts the deploy pipeline: a version's approval or rejection, a push whose build succeeded, and a deployment that ended.

Events only wake start_deployment/, which asks the registry and CodePipeline what should run, so a duplicate, late or lost event, two
approvals in a row, and the rejection of the live version need no further logic. It alone may start the deploy pipeline: it decides whether
production needs a person's approval, so nothing that a push brings may do it. Next: start_deployment/handler.py.
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
from infra.places import Context, value
from infra.private_bucket import TEMPLATES
from settings_schema import Model


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
        self._function = self._create_function(foundation, dead_letters)
        self._allow(foundation)
        for environment in context.settings.environments:
            Verification(context, model, environment).let_compare(self._function)
        self._on_approval()
        self._on_success()

    def _create_function(self, foundation: FoundationStack, dead_letters: sqs.IQueue) -> EventFunction:
        return EventFunction(
            self,
            "StartDeployment",
            folder=Path(__file__).with_name("start_deployment"),
            function_name=self._names.start_deployment_function,
            description="Decides which version is deployed from which commit, and starts it",
            environment={
                "MODEL_PACKAGE_GROUP": self._names.model_package_group,
                "BUILD_PIPELINE_NAME": self._context.project.names.build_pipeline,
                "DEPLOY_PIPELINE_NAME": self._names.deploy_pipeline,
                "SOURCE_ACTION_NAME": SOURCE_ACTION,
                "ARTIFACT_BUCKET": foundation.artifact_bucket.bucket_name,
                "SERVING_STACKS": value(json.dumps(self._stacks())),
            },
            dead_letters=dead_letters,
            key=foundation.key,
            log_retention_days=self._context.project.log_retention_days,
        )

    def _stacks(self) -> list[dict[str, str]]:
        """`role`: to be assumed, where it is another account."""
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
        build, deploy = home.code_pipeline(self._context.project.names.build_pipeline), home.code_pipeline(self._names.deploy_pipeline)
        function.allow("WhatWasBuiltAndReleased", ["codepipeline:ListPipelineExecutions"], [build, deploy])
        function.allow("WhatWasReleased", ["codepipeline:GetPipelineExecution"], [deploy])
        function.allow("Start", ["codepipeline:StartPipelineExecution"], [deploy])
        bucket = foundation.artifact_bucket
        function.allow("KeptTemplates", ["s3:GetObject"], [bucket.arn_for_objects(TEMPLATES)])
        function.allow("WhatWasKept", ["s3:ListBucket"], [bucket.bucket_arn], {"StringLike": {"s3:prefix": TEMPLATES}})
        foundation.key.grant_decrypt(function)

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

    def _on_success(self) -> None:
        """A commit was built and tested, or one went to production, after which a newer one may still have to."""
        self._function.wake_on(
            self,
            "Succeeded",
            "A build or a deployment succeeded",
            source=["aws.codepipeline"],
            detail_type=["CodePipeline Pipeline Execution State Change"],
            detail={"pipeline": [self._context.project.names.build_pipeline, self._names.deploy_pipeline], "state": ["SUCCEEDED"]},
        )
