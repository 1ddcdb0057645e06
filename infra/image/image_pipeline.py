"""The pipeline that builds the team's own serving image: Source -> Build, where build_scripts/lean_image.buildspec.yml builds and pushes.

It starts every morning, after every build of a push that has passed its tests, and when a scan of the image has found something severe, for
which the base may have a fix by now. The script decides whether there is anything to build:
what the image is made of has changed, its base has another digest, or the month is another. ECR tells of new images of a registry of one's
own only ("Amazon ECR events and EventBridge" of its user guide), and the base is in the public one, so its digest is asked for.
"""

from __future__ import annotations

from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_codepipeline_actions as actions
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from constructs import Construct

from infra.artifact_role import ArtifactRole
from infra.build.code_source import checkout
from infra.build_project import BuildProject
from infra.dead_letter_queue import DeadLetterQueue
from infra.foundation.foundation_stack import FoundationStack
from infra.image.image_repository import PULL, repository_arn
from infra.places import Context, Place
from infra.service_role import ServiceRole

BUILDSPEC = "build_scripts/lean_image.buildspec.yml"
#: What a push is, besides looking: "Amazon ECR private repository policies" and "Pushing a Docker image" of the ECR user guide.
_DELIVERIES = 10
_PUSH = ("ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage")


class ImagePipeline(Construct):
    """`findings`: the rule of what a scan found."""

    def __init__(
        self, scope: Construct, construct_id: str, *, context: Context, foundation: FoundationStack, dead_letters: DeadLetterQueue
    ) -> None:
        super().__init__(scope, construct_id)
        self._context, self._foundation, self._name = context, foundation, context.project.names.image_stack
        self._start(self._assemble(self._build()), dead_letters)

    def _regions(self) -> list[str]:
        """In which there is a repository, the project's own first."""
        places = self._context.places
        return [places.home.region, *places.other_regions(self._context.settings.lean_environments())]

    def _build(self) -> BuildProject:
        build = BuildProject(
            self,
            "Build",
            name=self._name,
            project=self._context.project,
            foundation=self._foundation,
            pipeline_names=[self._name],
            buildspec=BUILDSPEC,
            description="Builds the team's own serving image where there is something new in it, and pushes it",
            timeout_minutes=30,
            privileged=True,
        )
        home = self._context.places.home
        repositories = [repository_arn(self._context, Place(home.account, region)) for region in self._regions()]
        build.allow("Push", ["ecr:DescribeImages", *PULL, *_PUSH], repositories)
        build.allow("RegistryToken", ["ecr:GetAuthorizationToken"], ["*"])
        return build

    def _assemble(self, build: codebuild.IProject) -> codepipeline.Pipeline:
        role = ArtifactRole(
            self,
            "PipelineRole",
            service="codepipeline.amazonaws.com",
            description="Runs the actions of the pipeline of the serving image",
            buckets=[self._foundation.artifact_bucket],
            pipeline_names=[self._name],
        )
        source = codepipeline.Artifact("Source")
        pipeline = codepipeline.Pipeline(
            self,
            "Pipeline",
            pipeline_name=self._name,
            pipeline_type=codepipeline.PipelineType.V2,
            execution_mode=codepipeline.ExecutionMode.QUEUED,  # two at once would push one tag
            artifact_bucket=self._foundation.artifact_bucket,
            role=role,
            use_pipeline_role_for_actions=True,
            restart_execution_on_update=False,
        )
        pipeline.add_stage(stage_name="Source", actions=[checkout(self, self._context.settings, role, source)])
        pipeline.add_stage(stage_name="Build", actions=[actions.CodeBuildAction(action_name="Image", project=build, input=source)])
        return pipeline

    def _start(self, pipeline: codepipeline.Pipeline, dead_letters: DeadLetterQueue) -> None:
        role = ServiceRole(
            self, "StartRole", service="events.amazonaws.com", description="Starts the pipeline of the serving image", own_account_only=True
        )
        role.allow("Start", ["codepipeline:StartPipelineExecution"], [pipeline.pipeline_arn])
        target = targets.CodePipeline(pipeline, event_role=role, dead_letter_queue=dead_letters, retry_attempts=_DELIVERIES)
        morning = events.Schedule.expression("cron(0 5 * * ? *)")
        rules = [
            events.Rule(self, "EveryMorning", description="Has the base of the serving image a fix?", schedule=morning, targets=[target])
        ]
        built = events.EventPattern(
            source=["aws.codepipeline"],
            detail_type=["CodePipeline Pipeline Execution State Change"],
            detail={"pipeline": [self._context.project.names.build_pipeline], "state": ["SUCCEEDED"]},
        )
        said = "A push may have changed the serving image"
        rules.append(events.Rule(self, "AfterBuild", description=said, event_pattern=built, targets=[target]))
        said = "A scan of the serving image found something severe: has its base a fix?"
        self.findings = events.Rule(self, "Findings", description=said, event_pattern=self._severe(), targets=[target])
        for rule in (*rules, self.findings):
            dead_letters.take_from(rule.rule_arn)  # which the CDK's target leaves out

    def _severe(self) -> events.EventPattern:
        """Source: "Amazon ECR events and EventBridge" of the ECR user guide, "ECR Image Scan"."""
        some = [{"numeric": [">", 0]}]
        return events.EventPattern(
            source=["aws.ecr"],
            detail_type=["ECR Image Scan"],
            detail={
                "repository-name": [self._context.project.names.image_repository],
                "$or": [{"finding-severity-counts": {severity: some}} for severity in ("CRITICAL", "HIGH")],
            },
        )
