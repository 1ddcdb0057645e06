"""The pipeline that rolls one approved version of a model through the gates.

Source -> Render -> Staging[Deploy, Verify, Approve] -> Production[StillApproved, Deploy, Verify]. A version that served
production before returns without a second approval: StagingReturn[Deploy, Verify] runs instead of Staging. Render and
StillApproved also wait until the endpoint that comes next can be updated. Version, commit and whether it returns are decided by
start_deployment/, never by what runs in here: all of that is pushed code.

Deploy is done as a role of the environment, in its region, whether that is another account or not. Sources: "Create a pipeline that uses
resources from another AWS account" and "Add a cross-Region action to a pipeline" of the CodePipeline user guide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import aws_cdk as cdk
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_codepipeline_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.artifact_role import ArtifactRole
from infra.build.code_source import SOURCE_NAMESPACE, checkout
from infra.foundation.foundation_stack import FoundationStack
from infra.foundation.regional_stack import KEY_OUTPUT
from infra.model.deploy_projects import DeployProjects
from infra.places import Context
from settings_schema import Environment, Model

LATEST = "latest-approved"
#: Variables, which start_deployment/handler.py sets.
PACKAGE_VARIABLE, RETURNING_VARIABLE = "ModelPackageArn", "Returning"
PACKAGE = "#{Render.MODEL_PACKAGE_ARN}"
VERSION = "#{Render.MODEL_PACKAGE_VERSION}"
COMMIT = f"#{{{SOURCE_NAMESPACE}.CommitId}}"
APPROVAL_DAYS = 7


class DeployPipeline(Construct):
    """SUPERSEDED: while a version waits in a stage, a newer one takes the place of those queued behind it."""

    def __init__(self, scope: Construct, construct_id: str, *, context: Context, model: Model, foundation: FoundationStack) -> None:
        super().__init__(scope, construct_id)
        self._context = context
        self._names = model.names(context.project)
        self._foundation = foundation
        self._projects = DeployProjects(self, "Projects", context=context, model=model, foundation=foundation)
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
        self._roles: dict[str, iam.IRole] = {}  # of environments, by name
        regional = self._regional_buckets()
        self._role = self._create_role([foundation.artifact_bucket, *regional.values()])
        self.pipeline = self._create_pipeline(regional)
        staging, production = context.settings.staging, context.settings.production
        self.pipeline.add_stage(stage_name="Source", actions=[checkout(self, context.settings, self._role, self._source)])
        self._add_render_stage()
        self._add_staging_stage(staging)
        self._add_staging_return_stage(staging)
        self._add_production_stage(production)

    def _regional_buckets(self) -> dict[str, s3.IBucket]:
        """By region, where CodePipeline puts the artifacts of actions there. It wants the key's ARN, which the other region's stack knows.

        Source: `EncryptionKey.id` of CodePipeline's service model; `Fn::GetStackOutput` reads an output of another region.
        """
        buckets: dict[str, s3.IBucket] = {}
        for region in self._context.places.other_regions(self._context.settings.environments):
            arn = cdk.Fn.get_stack_output(self._context.project.names.regional_stack(region), KEY_OUTPUT, region)
            buckets[region] = s3.Bucket.from_bucket_attributes(
                self,
                f"Artifacts-{region}",
                bucket_name=self._context.places.artifact_bucket(region),
                region=region,
                encryption_key=kms.Key.from_key_arn(self, f"Key-{region}", arn),
            )
        return buckets

    def _create_role(self, buckets: Sequence[s3.IBucket]) -> ArtifactRole:
        return ArtifactRole(
            self,
            "PipelineRole",
            service="codepipeline.amazonaws.com",
            description=f"Runs the actions of the deploy pipeline of {self._names.model}",
            buckets=buckets,
            pipeline_name=self._names.deploy_pipeline,
            role_name=self._names.deploy_pipeline,
        )

    def _create_pipeline(self, regional: Mapping[str, s3.IBucket]) -> codepipeline.Pipeline:
        """The CDK takes either one bucket, or one for each region."""
        own = self._foundation.artifact_bucket
        stores = {self._context.places.home.region: own, **regional}
        return codepipeline.Pipeline(
            self,
            "Pipeline",
            pipeline_name=self._names.deploy_pipeline,
            role=self._role,
            pipeline_type=codepipeline.PipelineType.V2,
            execution_mode=codepipeline.ExecutionMode.SUPERSEDED,
            variables=[self._requested, self._returning],
            artifact_bucket=None if regional else own,
            cross_region_replication_buckets=stores if regional else None,
            use_pipeline_role_for_actions=True,
            restart_execution_on_update=False,
        )

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
        names, place = self._names.at(environment.name), self._context.places.of(environment)
        return actions.CloudFormationCreateUpdateStackAction(
            action_name="Deploy",
            run_order=run_order,
            stack_name=names.stack,
            template_path=self._rendered.at_path(f"{names.stack}.template.json"),
            template_configuration=self._rendered.at_path(f"{environment.name}.parameters.json"),
            role=self._role_of(environment, names.deploy_role),
            deployment_role=self._role_of(environment, names.deployment_role),
            region=place.region if place.region != self._context.places.home.region else None,
            admin_permissions=False,
            # A stack whose first creation failed can only be deleted; a protected one waits for a person.
            replace_on_failure=not environment.protected,
        )

    def _role_of(self, environment: Environment, name: str) -> iam.IRole:
        """Made by the environment's stack, with all that it may do."""
        if name not in self._roles:
            arn = self._context.places.of(environment).role(name)
            self._roles[name] = iam.Role.from_role_arn(self, name, arn, mutable=False)
        return self._roles[name]

    def _verify(self, environment: Environment, *, run_order: int) -> actions.CodeBuildAction:
        return actions.CodeBuildAction(
            action_name="Verify",
            run_order=run_order,
            type=actions.CodeBuildActionType.TEST,
            project=self._projects.verify,
            input=self._source,
            environment_variables=_variables({"STAGE": environment.name, "MODEL_PACKAGE_ARN": PACKAGE}),
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
