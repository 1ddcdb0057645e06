"""A CodeBuild project that runs one of the repository's buildspecs as a CodePipeline action.

Every project gets the environment variables that its scripts read (build_scripts/project_environment.py), and logs that expire.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import aws_cdk as cdk
from aws_cdk import aws_codebuild as codebuild
from constructs import Construct

from infra.artifact_role import ArtifactRole
from infra.foundation.foundation_stack import FoundationStack
from infra.permissions import Statement
from infra.retained_log_group import RetainedLogGroup
from settings_schema import Project

IMAGE = codebuild.LinuxBuildImage.STANDARD_8_0


class BuildProject(codebuild.PipelineProject):
    """`name` is the project's and its role's, `buildspec` a path in the repository, `pipeline_names` the CodePipelines that run it.

    `environment` adds to the common variables (`common_environment`). `privileged`: it runs Docker.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        project: Project,
        foundation: FoundationStack,
        pipeline_names: Sequence[str],
        buildspec: str,
        description: str,
        timeout_minutes: int,
        environment: Mapping[str, str] | None = None,
        privileged: bool = False,
    ) -> None:
        log_group = RetainedLogGroup(scope, f"{construct_id}Logs", retention_days=project.log_retention_days, key=foundation.key)
        role = _BuildRole(
            scope,
            f"{construct_id}Role",
            service="codebuild.amazonaws.com",
            description=description,
            buckets=[foundation.artifact_bucket],
            pipeline_names=pipeline_names,
            role_name=name,
        )
        variables = {**common_environment(project, foundation), **(environment or {})}
        super().__init__(
            scope,
            construct_id,
            project_name=name,
            description=description,
            role=role,
            build_spec=codebuild.BuildSpec.from_source_filename(buildspec),
            environment=codebuild.BuildEnvironment(
                build_image=IMAGE, compute_type=codebuild.ComputeType.SMALL, privileged=privileged or None
            ),
            environment_variables={name: codebuild.BuildEnvironmentVariable(value=value) for name, value in variables.items()},
            encryption_key=foundation.key,
            grant_report_group_permissions=False,
            logging=codebuild.LoggingOptions(cloud_watch=codebuild.CloudWatchLoggingOptions(log_group=log_group)),
            timeout=cdk.Duration.minutes(timeout_minutes),
        )
        self.allow, self.allow_all = role.allow, role.allow_all


class _BuildRole(ArtifactRole):
    def narrowed(self, asked: Statement) -> Sequence[Statement]:
        """Leaves out the log group that CodeBuild would make if the project had none."""
        return [] if "logs:CreateLogGroup" in asked["Action"] else super().narrowed(asked)


def common_environment(project: Project, foundation: FoundationStack) -> dict[str, str]:
    """What build_scripts/ and deploy_scripts/ read. CodeBuild itself adds AWS_REGION and CODEBUILD_RESOLVED_SOURCE_VERSION."""
    return {
        "SAGEMAKER_PROJECT_NAME": project.name,
        "SAGEMAKER_PROJECT_ID": project.names.project_id,
        "ARTIFACT_BUCKET": foundation.artifact_bucket.bucket_name,
        "DATA_BUCKET": foundation.data_bucket.bucket_name,
        "KMS_KEY_ARN": foundation.key.key_arn,
        **foundation.network_environment,
    }
