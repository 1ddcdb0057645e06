"""A CDK app whose code is at GitHub: a connection, and a V2 pipeline that builds what is pushed to `src/` on main."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_codeconnections as codeconnections
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_codepipeline_actions as actions

app = cdk.App()
stack = cdk.Stack(app, "connected", env=cdk.Environment(account="111122223333", region="us-east-1"))
connection = codeconnections.CfnConnection(stack, "Connection", connection_name="github", provider_type="GitHub")
code = codepipeline.Artifact()
source = actions.CodeStarConnectionsSourceAction(
    action_name="Code",
    connection_arn=connection.attr_connection_arn,
    owner="team",
    repo="app",
    branch="main",
    output=code,
    code_build_clone_output=True,
    trigger_on_push=False,
)
project = codebuild.PipelineProject(
    stack,
    "Project",
    build_spec=codebuild.BuildSpec.from_object(
        {"version": "0.2", "phases": {"build": {"commands": ['test "$(git rev-parse HEAD)" = "$CODEBUILD_RESOLVED_SOURCE_VERSION"']}}}
    ),
)
codepipeline.Pipeline(
    stack,
    "Pipeline",
    pipeline_name="connected",
    pipeline_type=codepipeline.PipelineType.V2,
    stages=[
        codepipeline.StageProps(stage_name="Source", actions=[source]),
        codepipeline.StageProps(stage_name="Build", actions=[actions.CodeBuildAction(action_name="Build", project=project, input=code)]),
    ],
    triggers=[
        codepipeline.TriggerProps(
            provider_type=codepipeline.ProviderType.CODE_STAR_SOURCE_CONNECTION,
            git_configuration=codepipeline.GitConfiguration(
                source_action=source,
                push_filter=[codepipeline.GitPushFilter(branches_includes=["main"], file_paths_includes=["src/**"])],
            ),
        )
    ],
)
app.synth()
