"""The pipeline a push starts: Source -> Build, where build_scripts/buildspec.yml tests, publishes and starts training.

`push_routing.py` starts it, so the source action has no trigger of its own.
"""

from __future__ import annotations

from aws_cdk import aws_codecommit as codecommit
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_codepipeline_actions as actions
from constructs import Construct

from infra.arns import Arns
from infra.artifact_role import ArtifactRole
from infra.build_project import BuildProject
from infra.foundation.foundation_stack import FoundationStack
from infra.foundation.project_buckets import CODE
from infra.model_build.data_version import TRAINING_PREFIX
from settings import Project

BUILDSPEC = "build_scripts/buildspec.yml"
SOURCE_ACTION = "Repository"


class BuildPipeline(Construct):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        project: Project,
        foundation: FoundationStack,
        repository: codecommit.IRepository,
    ) -> None:
        super().__init__(scope, construct_id)
        self._arns = Arns(self, project)
        build = self._build_project(project, foundation)
        self._allow_publish(build, foundation)
        self._allow_training(build, foundation)
        self._assemble(project, foundation, repository, build)

    def _build_project(self, project: Project, foundation: FoundationStack) -> BuildProject:
        return BuildProject(
            self,
            "Build",
            project=project,
            foundation=foundation,
            pipeline_name=project.build_pipeline,
            buildspec=BUILDSPEC,
            description="Tests the code, publishes it, and starts what changed: training or a deployment",
            timeout_minutes=30,
        )

    def _allow_publish(self, build: BuildProject, foundation: FoundationStack) -> None:
        """Code and templates are written once: who pushes cannot replace what an earlier commit was built and tested with."""
        bucket = foundation.artifact_bucket
        build.allow("ReadPublished", ["s3:GetObject"], [bucket.arn_for_objects(CODE)])
        build.allow("ListPublished", ["s3:ListBucket"], [bucket.bucket_arn], {"StringLike": {"s3:prefix": CODE}})
        build.allow("PublishOnce", ["s3:PutObject"], [bucket.arn_for_objects(CODE)], {"Null": {"s3:if-none-match": "false"}})

    def _allow_training(self, build: BuildProject, foundation: FoundationStack) -> None:
        upsert = [
            "CreatePipeline",
            "UpdatePipeline",
            "DescribePipeline",
            "StartPipelineExecution",
            "ListPipelineExecutions",
            "AddTags",
        ]
        compare = ["DescribePipelineDefinitionForExecution", "ListPipelineExecutionSteps"]
        build.allow("SageMakerPipelines", [f"sagemaker:{action}" for action in upsert + compare], self._arns.training_pipeline())
        below: dict[str, object] = {"StringLike": {"s3:prefix": TRAINING_PREFIX}}
        build.allow("LookForData", ["s3:ListBucket", "s3:ListBucketVersions"], [foundation.data_bucket.bucket_arn], below)
        foundation.pipeline_role.grant_pass_role(build)

    def _assemble(
        self, project: Project, foundation: FoundationStack, repository: codecommit.IRepository, build: BuildProject
    ) -> codepipeline.Pipeline:
        source = codepipeline.Artifact("Source")
        pipeline = codepipeline.Pipeline(
            self,
            "Pipeline",
            pipeline_name=project.build_pipeline,
            pipeline_type=codepipeline.PipelineType.V2,
            execution_mode=codepipeline.ExecutionMode.QUEUED,  # every pushed commit is tested, in order
            artifact_bucket=foundation.artifact_bucket,
            role=ArtifactRole(
                self,
                "PipelineRole",
                service="codepipeline.amazonaws.com",
                description="Runs the actions of the build pipeline",
                bucket=foundation.artifact_bucket,
                pipeline_name=project.build_pipeline,
            ),
            use_pipeline_role_for_actions=True,
            restart_execution_on_update=False,
        )
        checkout = actions.CodeCommitSourceAction(
            action_name=SOURCE_ACTION, repository=repository, branch=project.branch, output=source, trigger=actions.CodeCommitTrigger.NONE
        )
        run = actions.CodeBuildAction(action_name="TestAndTrain", project=build, input=source, variables_namespace="Build")
        pipeline.add_stage(stage_name="Source", actions=[checkout])
        pipeline.add_stage(stage_name="Build", actions=[run])
        return pipeline
