"""What starts the deploy pipeline: a version's approval or rejection, a push whose build succeeded, and a deployment that ended.

Events only wake start_deployment/, which asks the registry and CodePipeline what should run, so a duplicate, late or lost event, two
approvals in a row, and the rejection of the live version need no further logic. It alone may start the deploy pipeline: it decides whether
production needs a person's approval, so nothing that a push brings may do it. Next: start_deployment/handler.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.arns import Arns
from infra.event_function import EventFunction
from infra.foundation.foundation_stack import FoundationStack
from infra.foundation.project_buckets import TEMPLATES
from infra.model_deploy.deploy_pipeline import SOURCE_ACTION
from settings import Environment, Project


class DeploymentStart(Construct):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        project: Project,
        foundation: FoundationStack,
        environments: Sequence[Environment],
        dead_letters: sqs.IQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        self._dead_letters = dead_letters
        self._function = self._create_function(project, foundation, environments)
        self._allow(project, foundation, environments)
        self._on_approval(project)
        self._on_success(project)

    def _create_function(self, project: Project, foundation: FoundationStack, environments: Sequence[Environment]) -> EventFunction:
        return EventFunction(
            self,
            "StartDeployment",
            folder=Path(__file__).with_name("start_deployment"),
            function_name=project.start_deployment_function,
            description="Decides which version is deployed from which commit, and starts it",
            environment={
                "MODEL_PACKAGE_GROUP": project.model_package_group,
                "BUILD_PIPELINE_NAME": project.build_pipeline,
                "DEPLOY_PIPELINE_NAME": project.deploy_pipeline,
                "SOURCE_ACTION_NAME": SOURCE_ACTION,
                "ARTIFACT_BUCKET": foundation.artifact_bucket.bucket_name,
                "ENDPOINT_STACKS": ",".join(project.endpoint_stack(environment) for environment in environments),
            },
            dead_letters=self._dead_letters,
            key=foundation.key,
            log_retention_days=project.log_retention_days,
        )

    def _allow(self, project: Project, foundation: FoundationStack, environments: Sequence[Environment]) -> None:
        arns, function = Arns(self, project), self._function
        registry = [arns.model_package_group(), arns.model_packages()]
        function.allow("ReadRegistry", ["sagemaker:ListModelPackages", "sagemaker:DescribeModelPackage"], registry)
        build, deploy = arns.code_pipeline(project.build_pipeline), arns.code_pipeline(project.deploy_pipeline)
        function.allow("WhatWasBuiltAndReleased", ["codepipeline:ListPipelineExecutions"], [build, deploy])
        function.allow("WhatWasReleased", ["codepipeline:GetPipelineExecution"], [deploy])
        function.allow("Start", ["codepipeline:StartPipelineExecution"], [deploy])
        function.allow("KeptTemplates", ["s3:GetObject"], [foundation.artifact_bucket.arn_for_objects(TEMPLATES)])
        foundation.key.grant_decrypt(function)
        stacks = [arns.endpoint_stack(environment) for environment in environments]
        function.allow("DeployedTemplates", ["cloudformation:GetTemplate"], stacks)

    def _on_approval(self, project: Project) -> None:
        pattern = events.EventPattern(
            source=["aws.sagemaker"],
            detail_type=["SageMaker Model Package State Change"],
            detail={
                "ModelPackageGroupName": [project.model_package_group],
                "ModelApprovalStatus": ["Approved", "Rejected"],
                # The same event tells of metadata edits, which must not start a deployment. A version that is
                # registered as approved has no list of updated fields.
                "$or": [
                    {"UpdatedModelPackageFields": ["ModelApprovalStatus"]},
                    {"UpdatedModelPackageFields": [{"exists": False}]},
                ],
            },
        )
        self._rule("Changed", f"The approval of a {project.name} version changed", pattern)

    def _on_success(self, project: Project) -> None:
        """A commit was built and tested, or one went to production, after which a newer one may still have to."""
        pattern = events.EventPattern(
            source=["aws.codepipeline"],
            detail_type=["CodePipeline Pipeline Execution State Change"],
            detail={"pipeline": [project.build_pipeline, project.deploy_pipeline], "state": ["SUCCEEDED"]},
        )
        self._rule("Succeeded", f"A build or a deployment of {project.name} succeeded", pattern)

    def _rule(self, construct_id: str, description: str, pattern: events.EventPattern) -> None:
        target = targets.LambdaFunction(self._function, dead_letter_queue=self._dead_letters, retry_attempts=10)
        events.Rule(self, construct_id, description=description, event_pattern=pattern, targets=[target])
