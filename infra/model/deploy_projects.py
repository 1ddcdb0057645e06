"""The three builds of the deploy pipeline, each with only the permissions of its script in deploy_scripts/.

They run what a push brought, so none of them can write what later decides about a version.
"""

from __future__ import annotations

from constructs import Construct

from infra.arns import Arns
from infra.build_project import BuildProject
from infra.foundation.foundation_stack import FoundationStack
from infra.foundation.project_buckets import TEMPLATES
from infra.ownership import not_another_s
from settings import Environment, Project

TIMEOUT_MINUTES = 20
_RESOURCES = {"EndpointConfig": "endpoint-config", "Model": "model"}
ENDPOINT_WAIT_MINUTES = 30  # deploy_scripts/wait_for_endpoint.py


class DeployProjects(Construct):
    """`render` pins a version, `still_approved` checks it again before production, `verify` calls the endpoint.

    The first two also wait until the endpoint that is deployed next can be updated.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        project: Project,
        foundation: FoundationStack,
        staging: Environment,
        production: Environment,
    ) -> None:
        super().__init__(scope, construct_id)
        self._project = project
        self._foundation = foundation
        self._environments = (staging, production)
        self._production = production
        self._arns = Arns(self, project)
        self.render = self._create_render()
        self.still_approved = self._create_still_approved()
        self.verify = self._create_verify()

    def _create(self, construct_id: str, buildspec: str, description: str, *, waits: bool = False) -> BuildProject:
        return BuildProject(
            self,
            construct_id,
            project=self._project,
            foundation=self._foundation,
            pipeline_name=self._project.deploy_pipeline,
            buildspec=f"deploy_scripts/{buildspec}.buildspec.yml",
            description=description,
            timeout_minutes=TIMEOUT_MINUTES + (ENDPOINT_WAIT_MINUTES if waits else 0),
        )

    def _create_render(self) -> BuildProject:
        build = self._create("Render", "render", "Picks the newest approved version and renders the endpoint templates", waits=True)
        self._allow_versions(build)
        self._allow_describe_served(build, "EndpointConfig")
        kept = self._foundation.artifact_bucket.arn_for_objects(TEMPLATES)
        build.allow("KeptTemplates", ["s3:GetObject"], [kept])  # what the build of the commit kept
        build.allow("Versions", ["s3:GetObject"], [self._foundation.run_objects])  # the archive has to be the one that was evaluated
        return build

    def _create_still_approved(self) -> BuildProject:
        description = "Waits for the production endpoint, and stops a version that was rejected meanwhile"
        build = self._create("StillApproved", "still_approved", description, waits=True)
        self._allow_versions(build)
        build.allow("WaitForEndpoint", ["sagemaker:DescribeEndpoint"], [self._arns.endpoint(self._production)])
        return build

    def _create_verify(self) -> BuildProject:
        build = self._create("Verify", "verify", "Calls the endpoint: schema, latency, golden rows, and that it serves the pinned version")
        self._allow_versions(build)
        self._allow_describe_served(build, "EndpointConfig", "Model")
        build.allow("Invoke", ["sagemaker:InvokeEndpoint"], [self._arns.endpoint(environment) for environment in self._environments])
        stacks = [self._arns.endpoint_stack(environment) for environment in self._environments]
        build.allow("DeployedConfiguration", ["cloudformation:DescribeStackResources"], stacks)
        build.allow("Versions", ["s3:GetObject"], [self._foundation.run_objects])  # golden rows travel with the version's evaluation
        return build

    def _allow_versions(self, build: BuildProject) -> None:
        build.allow("ReadVersions", ["sagemaker:DescribeModelPackage"], [self._arns.model_packages()])

    def _allow_describe_served(self, build: BuildProject, *kinds: str) -> None:
        endpoints = [self._arns.endpoint(environment) for environment in self._environments]
        build.allow("DescribeEndpoints", ["sagemaker:DescribeEndpoint"], endpoints)
        configurations = [self._arns.sagemaker(_RESOURCES[kind], "*") for kind in kinds]  # CloudFormation names them
        build.allow("DescribeServed", [f"sagemaker:Describe{kind}" for kind in kinds], configurations, not_another_s(self._project))
