"""The pipeline that rolls one approved version through the gates.

Source -> Render -> Staging[Deploy, Verify, Approve] -> Production[StillApproved, Deploy, Verify]. A version that served
production before returns without a second approval: StagingReturn[Deploy, Verify] runs instead of Staging. Render and
StillApproved also wait until the endpoint that comes next can be updated. Version, commit and whether it returns are decided by
start_deployment/, never by what runs in here: all of that is pushed code.
"""

from __future__ import annotations

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_codecommit as codecommit
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_codepipeline_actions as actions
from constructs import Construct

from infra.foundation.foundation_stack import FoundationStack
from infra.model_deploy.deploy_pipeline_role import DeployPipelineRole
from infra.model_deploy.deploy_projects import DeployProjects
from infra.model_deploy.endpoint_deployment_role import EndpointDeploymentRole
from settings import Environment, Project

LATEST = "latest-approved"
#: Variables, which start_deployment/handler.py sets.
PACKAGE_VARIABLE, RETURNING_VARIABLE = "ModelPackageArn", "Returning"
PACKAGE = "#{Render.MODEL_PACKAGE_ARN}"
VERSION = "#{Render.MODEL_PACKAGE_VERSION}"
SOURCE_ACTION, SOURCE_NAMESPACE = "Repository", "Source"
COMMIT = f"#{{{SOURCE_NAMESPACE}.CommitId}}"
APPROVAL_DAYS = 7


class DeployPipeline(Construct):
    """SUPERSEDED: while a version waits in a stage, a newer one takes the place of those queued behind it."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        project: Project,
        foundation: FoundationStack,
        repository: codecommit.IRepository,
        staging: Environment,
        production: Environment,
    ) -> None:
        super().__init__(scope, construct_id)
        environments = (staging, production)
        self._project = project
        self._foundation = foundation
        self._projects = DeployProjects(self, "Projects", project=project, foundation=foundation, staging=staging, production=production)
        self._role = EndpointDeploymentRole(self, "CloudFormation", project=project, foundation=foundation, environments=environments)
        self._source = codepipeline.Artifact("Source")
        self._rendered = codepipeline.Artifact("Rendered")
        self._requested = codepipeline.Variable(
            variable_name=PACKAGE_VARIABLE,
            default_value=LATEST,
            description="ARN of one approved version to deploy; by default the newest approved one",
        )
        self._returning = codepipeline.Variable(
            variable_name=RETURNING_VARIABLE,
            default_value="false",
            description="true only for a version that served production before: then nobody is asked to approve it again",
        )
        self.pipeline = self._create_pipeline()
        self._add_source_stage(repository)
        self._add_render_stage()
        self._add_staging_stage(staging)
        self._add_staging_return_stage(staging)
        self._add_production_stage(production)

    def _create_pipeline(self) -> codepipeline.Pipeline:
        return codepipeline.Pipeline(
            self,
            "Pipeline",
            pipeline_name=self._project.deploy_pipeline,
            role=DeployPipelineRole(
                self,
                "PipelineRole",
                project=self._project,
                bucket=self._foundation.artifact_bucket,
            ),
            pipeline_type=codepipeline.PipelineType.V2,
            execution_mode=codepipeline.ExecutionMode.SUPERSEDED,
            variables=[self._requested, self._returning],
            artifact_bucket=self._foundation.artifact_bucket,
            use_pipeline_role_for_actions=True,
            restart_execution_on_update=False,
        )

    def _add_source_stage(self, repository: codecommit.IRepository) -> None:
        checkout = actions.CodeCommitSourceAction(
            action_name=SOURCE_ACTION,
            variables_namespace=SOURCE_NAMESPACE,
            repository=repository,
            branch=self._project.branch,
            output=self._source,
            trigger=actions.CodeCommitTrigger.NONE,
        )
        self.pipeline.add_stage(stage_name="Source", actions=[checkout])

    def _add_render_stage(self) -> None:
        render = actions.CodeBuildAction(
            action_name="Render",
            project=self._projects.render,
            input=self._source,
            outputs=[self._rendered],
            variables_namespace="Render",
            environment_variables=_variables(
                {"REQUESTED_PACKAGE": self._requested.reference(), "EXECUTION_ID": codepipeline.GlobalVariables.EXECUTION_ID}
            ),
        )
        self.pipeline.add_stage(stage_name="Render", actions=[render])

    def _add_staging_stage(self, staging: Environment) -> None:
        """The approval is in the same stage, so that its lock keeps a newer version off what is under review.

        No rollback on failure: it would run the whole stage again and ask for another approval.
        """
        approve = actions.ManualApprovalAction(
            action_name="Approve",
            run_order=3,
            notification_topic=self._foundation.alerts,
            additional_information=f"Version {VERSION}, deployed by commit {COMMIT}, passed verification on staging. "
            f"Roll {PACKAGE} to production?",
            timeout=cdk.Duration.days(APPROVAL_DAYS),
        )
        self.pipeline.add_stage(
            stage_name="Staging",
            before_entry=_skip_unless(self._returning.reference(), "NE", "true"),
            actions=[self._deploy(staging, run_order=1), self._verify(staging, run_order=2), approve],
        )

    def _add_staging_return_stage(self, staging: Environment) -> None:
        self.pipeline.add_stage(
            stage_name="StagingReturn",
            before_entry=_skip_unless(self._returning.reference(), "EQ", "true"),
            actions=[self._deploy(staging, run_order=1), self._verify(staging, run_order=2)],
        )

    def _add_production_stage(self, production: Environment) -> None:
        still_approved = actions.CodeBuildAction(
            action_name="StillApproved",
            run_order=1,
            project=self._projects.still_approved,
            input=self._source,
            environment_variables=_variables({"MODEL_PACKAGE_ARN": PACKAGE}),
        )
        self.pipeline.add_stage(
            stage_name="Production",
            actions=[still_approved, self._deploy(production, run_order=2), self._verify(production, run_order=3)],
            on_failure=codepipeline.FailureConditions(result=codepipeline.Result.ROLLBACK),
        )

    def _deploy(self, environment: Environment, *, run_order: int) -> actions.CloudFormationCreateUpdateStackAction:
        stack_name = self._project.endpoint_stack(environment)
        return actions.CloudFormationCreateUpdateStackAction(
            action_name="Deploy",
            run_order=run_order,
            stack_name=stack_name,
            template_path=self._rendered.at_path(f"{stack_name}.template.json"),
            template_configuration=self._rendered.at_path(f"{environment.name}.parameters.json"),
            deployment_role=self._role,
            admin_permissions=False,
            # A stack whose first creation failed can only be deleted; a protected one waits for a person.
            replace_on_failure=not environment.protected,
        )

    def _verify(self, environment: Environment, *, run_order: int) -> actions.CodeBuildAction:
        values = {"STAGE": environment.name, "ENDPOINT_NAME": self._project.endpoint_name(environment), "MODEL_PACKAGE_ARN": PACKAGE}
        return actions.CodeBuildAction(
            action_name="Verify",
            run_order=run_order,
            type=actions.CodeBuildActionType.TEST,
            project=self._projects.verify,
            input=self._source,
            environment_variables=_variables(values),
        )


def _variables(values: Mapping[str, str]) -> dict[str, codebuild.BuildEnvironmentVariable]:
    return {name: codebuild.BuildEnvironmentVariable(value=value) for name, value in values.items()}


def _skip_unless(variable: str, operator: str, value: str) -> codepipeline.Conditions:
    """Enters the stage if the variable compares so, else goes on with the next stage."""
    check = codepipeline.Rule(
        name="Returning",
        provider="VariableCheck",
        version="1",
        configuration={"Variable": variable, "Operator": operator, "Value": value},
    )
    return codepipeline.Conditions(conditions=[codepipeline.Condition(rules=[check], result=codepipeline.Result.SKIP)])
