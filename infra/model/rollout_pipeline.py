"""What the two pipelines of a model share that roll a version out: its checkout, and the actions on one environment.

Deploy is done as a role of the environment, in its region, whether that is another account or not. Sources: "Create a pipeline that uses
resources from another AWS account" and "Add a cross-Region action to a pipeline" of the CodePipeline user guide.
Next: deploy_pipeline.py, return_pipeline.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_codepipeline_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.artifact_role import ArtifactRole
from infra.build.code_source import checkout
from infra.foundation.foundation_stack import FoundationStack
from infra.foundation.regional_stack import KEY_OUTPUT
from infra.places import Context
from settings_schema import Asynchronous, Endpoint, Environment, Member, Model
from settings_schema.rebuilding import NEVER, REBUILT

#: Variable that start_deployment/handler.py sets.
PACKAGE_VARIABLE = "ModelPackageArn"
#: The action that updates a stack a second time, where another instance type of what scales needs that; else it has nothing to update.
#: deploy_scripts/render.py is told by its name that there is one, and puts what it deploys below a folder.
SECOND_UPDATE, SECOND_FOLDER = "ChangeType", "second/"
#: States of an execution's event after which something may have to be done. CANCELED: its pipeline was updated meanwhile, which ends it
#: ("Monitoring CodePipeline events", "Edit a pipeline in CodePipeline"). Not SUPERSEDED: a newer one is on its way.
ENDED = ("SUCCEEDED", "FAILED", "STOPPED", "CANCELED")


class RolloutPipeline(Construct):
    """SUPERSEDED: while an execution waits in a stage, a newer one takes the place of those queued behind it.

    `environments`: those that it deploys to.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        context: Context,
        model: Model,
        foundation: FoundationStack,
        pipeline_name: str,
        environments: Sequence[Environment],
        variables: Sequence[codepipeline.Variable],
    ) -> None:
        super().__init__(scope, construct_id)
        self._context = context
        self._model = model
        self._names = model.names(context.project)
        self._foundation = foundation
        self._source = codepipeline.Artifact("Source")
        self._roles: dict[str, iam.IRole] = {}  # of environments, by name
        regional = self._regional_buckets(environments)
        self._role = ArtifactRole(
            self,
            "PipelineRole",
            service="codepipeline.amazonaws.com",
            description=f"Runs the actions of {pipeline_name}",
            buckets=[foundation.artifact_bucket, *regional.values()],
            pipeline_names=[pipeline_name],
            role_name=pipeline_name,
        )
        self.pipeline = self._create_pipeline(pipeline_name, variables, regional)
        self.pipeline.add_stage(stage_name="Source", actions=[checkout(self, context.settings, self._role, self._source)])

    def _regional_buckets(self, environments: Sequence[Environment]) -> dict[str, s3.IBucket]:
        """By region, where CodePipeline puts the artifacts of actions there. It wants the key's ARN, which the other region's stack knows.

        Source: `EncryptionKey.id` of CodePipeline's service model; `Fn::GetStackOutput` reads an output of another region.
        """
        buckets: dict[str, s3.IBucket] = {}
        for region in self._context.places.other_regions(environments):
            arn = cdk.Fn.get_stack_output(self._context.project.names.regional_stack(region), KEY_OUTPUT, region)
            buckets[region] = s3.Bucket.from_bucket_attributes(
                self,
                f"Artifacts-{region}",
                bucket_name=self._context.places.artifact_bucket(region),
                region=region,
                encryption_key=kms.Key.from_key_arn(self, f"Key-{region}", arn),
            )
        return buckets

    def _create_pipeline(
        self, name: str, variables: Sequence[codepipeline.Variable], regional: Mapping[str, s3.IBucket]
    ) -> codepipeline.Pipeline:
        """The CDK takes either one bucket, or one for each region."""
        own = self._foundation.artifact_bucket
        stores = {self._context.places.home.region: own, **regional}
        return codepipeline.Pipeline(
            self,
            "Pipeline",
            pipeline_name=name,
            role=self._role,
            pipeline_type=codepipeline.PipelineType.V2,
            execution_mode=codepipeline.ExecutionMode.SUPERSEDED,
            variables=list(variables),
            artifact_bucket=None if regional else own,
            cross_region_replication_buckets=stores if regional else None,
            use_pipeline_role_for_actions=True,
            restart_execution_on_update=False,
        )

    def _build(
        self,
        name: str,
        project: codebuild.IProject,
        *,
        run_order: int = 1,
        output: codepipeline.Artifact | None = None,
        namespace: str | None = None,
        is_test: bool = False,
        **variables: str,
    ) -> actions.CodeBuildAction:
        """A build of the checkout. `variables`: of its environment."""
        return actions.CodeBuildAction(
            action_name=name,
            run_order=run_order,
            type=actions.CodeBuildActionType.TEST if is_test else actions.CodeBuildActionType.BUILD,
            project=project,
            input=self._source,
            outputs=[output] if output else None,
            variables_namespace=namespace,
            environment_variables={key: codebuild.BuildEnvironmentVariable(value=value) for key, value in variables.items()},
        )

    def _render(self, name: str, project: codebuild.IProject, *, output: codepipeline.Artifact, **given: Any) -> actions.CodeBuildAction:
        return self._build(name, project, output=output, SECOND_UPDATE=SECOND_UPDATE, **given)

    def _offer(
        self, environment: Environment, project: codebuild.IProject | None, package: str, *, run_order: int
    ) -> list[actions.CodeBuildAction]:
        """Where the model is on a multi-model fleet: the version answers there before Deploy tells clients of it."""
        if project is None or not isinstance(self._model.serving[environment.name], Member):
            return []
        given = {"STAGE": environment.name, "MODEL_PACKAGE_ARN": package}
        return [self._build("Offer", project, run_order=run_order, is_test=True, **given)]

    def _deploy(
        self, environment: Environment, rendered: codepipeline.Artifact, *, run_order: int
    ) -> list[actions.CloudFormationCreateUpdateStackAction]:
        """Two updates one after the other, the second of which changes something only where one cannot do it (type_change.py)."""
        first = self._update("Deploy", "", environment, rendered, run_order=run_order)
        if not isinstance(self._model.serving[environment.name], Endpoint | Asynchronous):  # those that run on instances
            return [first]
        return [first, self._update(SECOND_UPDATE, SECOND_FOLDER, environment, rendered, run_order=run_order + 1)]

    def _update(
        self, name: str, folder: str, environment: Environment, rendered: codepipeline.Artifact, *, run_order: int
    ) -> actions.CloudFormationCreateUpdateStackAction:
        names, place = self._names.at(environment.name), self._context.places.of(environment)
        return actions.CloudFormationCreateUpdateStackAction(
            action_name=name,
            run_order=run_order,
            stack_name=names.stack,
            template_path=rendered.at_path(f"{folder}{names.stack}.template.json"),
            template_configuration=rendered.at_path(f"{folder}{environment.name}.parameters.json"),
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

    def _verify(
        self, environment: Environment, project: codebuild.IProject, package: str, *, run_order: int, **more: str
    ) -> actions.CodeBuildAction:
        given = {"STAGE": environment.name, "MODEL_PACKAGE_ARN": package, **more}
        return self._build("Verify", project, run_order=run_order, is_test=True, **given)


def requested(description: str, default: str | None = None) -> codepipeline.Variable:
    """The variable that names the version."""
    return codepipeline.Variable(variable_name=PACKAGE_VARIABLE, default_value=default, description=description)


def anew(description: str) -> codepipeline.Variable:
    """The day that makes another model and fleet of what is the same in all else; start_deployment/ says it."""
    return codepipeline.Variable(variable_name=REBUILT, default_value=NEVER, description=description)
