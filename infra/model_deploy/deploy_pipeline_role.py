"""Role of the deploy pipeline. Its permissions come from the CDK's actions, some of which are too wide and one too narrow."""

from __future__ import annotations

from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.artifact_role import ArtifactRole
from settings import Project


class DeployPipelineRole(ArtifactRole):
    def __init__(self, scope: Construct, construct_id: str, *, project: Project, bucket: s3.IBucket) -> None:
        super().__init__(
            scope,
            construct_id,
            service="codepipeline.amazonaws.com",
            description="Runs the actions of the deploy pipeline",
            bucket=bucket,
            pipeline_name=project.deploy_pipeline,
        )
        self.allow("ValidateTemplate", ["cloudformation:ValidateTemplate"], ["*"])  # takes no resource, and the CDK grants it on the stack

    def add_to_principal_policy(self, statement: iam.PolicyStatement) -> iam.AddToPrincipalPolicyResult:
        """Narrows what the CDK's CloudFormation action adds, a role that could be passed to any service, and adds what it leaves out."""
        if "iam:PassRole" in statement.actions:
            statement.add_conditions({"StringEquals": {"iam:PassedToService": "cloudformation.amazonaws.com"}})
        if "cloudformation:CreateStack" in statement.actions:  # the endpoint stacks have tags, which the CDK's action does not think of
            statement.add_actions("cloudformation:TagResource", "cloudformation:UntagResource")
        return super().add_to_principal_policy(statement)
