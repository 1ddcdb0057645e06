"""The pipeline a push starts: Source -> Build, where build_scripts/buildspec.yml tests, publishes and starts what changed.

One for all models. For a repository of our own `push_routing.py` starts it, for a connection's its own trigger.
"""

from __future__ import annotations

from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_codepipeline_actions as actions
from constructs import Construct

from infra.artifact_role import ArtifactRole
from infra.build.code_source import checkout, push_trigger
from infra.build_project import BuildProject
from infra.foundation.foundation_stack import FoundationStack
from infra.places import Context
from infra.private_bucket import CODE
from infra.service_role import passed_to
from settings_schema import CodeConnection

BUILDSPEC = "build_scripts/buildspec.yml"
TRAINING_DATA = "training/*"


class BuildPipeline(Construct):
    def __init__(self, scope: Construct, construct_id: str, *, context: Context, foundation: FoundationStack) -> None:
        super().__init__(scope, construct_id)
        self._context = context
        self._foundation = foundation
        build = self._build_project()
        self._allow_publish(build)
        self._allow_training(build)
        self._assemble(build)

    def _build_project(self) -> BuildProject:
        names = self._context.project.names
        return BuildProject(
            self,
            "Build",
            name=names.build_pipeline,
            project=self._context.project,
            foundation=self._foundation,
            pipeline_names=[names.build_pipeline],
            buildspec=BUILDSPEC,
            description="Tests the code, publishes it, and starts what changed: training or a deployment",
            timeout_minutes=30,
        )

    def _allow_publish(self, build: BuildProject) -> None:
        """Code and templates are written once: who pushes cannot replace what an earlier commit was built and tested with."""
        bucket = self._foundation.artifact_bucket
        build.allow("ReadPublished", ["s3:GetObject"], [bucket.arn_for_objects(CODE)])
        build.allow("ListPublished", ["s3:ListBucket"], [bucket.bucket_arn], {"StringLike": {"s3:prefix": CODE}})
        build.allow("PublishOnce", ["s3:PutObject"], [bucket.arn_for_objects(CODE)], {"Null": {"s3:if-none-match": "false"}})

    def _allow_training(self, build: BuildProject) -> None:
        """Of every model of the project, also of one that comes later: the build of its first push finds its stack by this."""
        home, prefix = self._context.places.home, self._context.project.names.prefix
        upsert = ["CreatePipeline", "UpdatePipeline", "DescribePipeline", "StartPipelineExecution", "ListPipelineExecutions", "AddTags"]
        compare = ["DescribePipelineDefinitionForExecution", "ListPipelineExecutionSteps"]
        pipelines = [home.sagemaker("pipeline", f"{prefix}*--training{rest}") for rest in ("", "/execution/*")]
        build.allow("TrainingPipelines", [f"sagemaker:{action}" for action in upsert + compare], pipelines)
        build.allow("ModelsThatAreThere", ["cloudformation:DescribeStacks"], [home.stack(f"{prefix}*")])
        below: dict[str, object] = {"StringLike": {"s3:prefix": TRAINING_DATA}}
        build.allow("LookForData", ["s3:ListBucket", "s3:ListBucketVersions"], [self._foundation.data_bucket.bucket_arn], below)
        build.allow("PassRoles", ["iam:PassRole"], [home.role(f"{prefix}*--training")], passed_to("sagemaker.amazonaws.com"))

    def _assemble(self, build: BuildProject) -> None:
        settings, names = self._context.settings, self._context.project.names
        role = ArtifactRole(
            self,
            "PipelineRole",
            service="codepipeline.amazonaws.com",
            description="Runs the actions of the build pipeline",
            buckets=[self._foundation.artifact_bucket],
            pipeline_names=[names.build_pipeline],
        )
        source = codepipeline.Artifact("Source")
        repository = checkout(self, settings, role, source)
        pushed_by = codepipeline.Variable(variable_name="PushedBy", default_value="unknown", description="ARN of who pushed the commit")
        pipeline = codepipeline.Pipeline(
            self,
            "Pipeline",
            pipeline_name=names.build_pipeline,
            pipeline_type=codepipeline.PipelineType.V2,
            execution_mode=codepipeline.ExecutionMode.QUEUED,  # every pushed commit is tested, in order
            artifact_bucket=self._foundation.artifact_bucket,
            role=role,
            use_pipeline_role_for_actions=True,
            restart_execution_on_update=False,
            variables=[pushed_by],
        )
        run = actions.CodeBuildAction(action_name="TestAndTrain", project=build, input=source, variables_namespace="Build")
        pipeline.add_stage(stage_name="Source", actions=[repository])
        pipeline.add_stage(stage_name="Build", actions=[run])
        if isinstance(settings.source, CodeConnection):
            trigger = push_trigger(repository, settings.project.branch)
            pipeline.add_trigger(provider_type=trigger.provider_type, git_configuration=trigger.git_configuration)
