"""The builds of a model's deploy pipeline and of its return pipeline, each with only the permissions of its scripts in deploy_scripts/.

They run what a push brought, so neither can write what later decides about a version.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from constructs import Construct

from infra.build_project import BuildProject
from infra.encryption_key import by_alias
from infra.environment.verification import Verification
from infra.foundation.foundation_stack import FoundationStack
from infra.image.image_repository import repository_arn
from infra.places import Context, Place, bucket_arn
from infra.private_bucket import CODE, TEMPLATES, run_objects
from settings_schema import Asynchronous, Environment, Member, Model, Shadow

TIMEOUT_MINUTES = 20
ENDPOINT_WAIT_MINUTES = 30  # deploy_scripts/wait_for_endpoint.py, and queued_requests.py until an instance has started


class DeployProjects(Construct):
    """`render` pins an approved version and waits until what is deployed next can be updated; `verify` asks what was deployed.

    `shadow`, where the model has one, compares a version in production's shadow with the one that serves. `offer`, where it is on a
    multi-model fleet, puts a version there and asks it before clients are told of it.
    """

    def __init__(self, scope: Construct, construct_id: str, *, context: Context, model: Model, foundation: FoundationStack) -> None:
        super().__init__(scope, construct_id)
        self._context = context
        self._model = model
        self._names = model.names(context.project)
        self._foundation = foundation
        self.render = self._create_render()
        self.verify = self._create_verify()
        wanted = model.shadow(context.settings.production.name)
        self.shadow = self._create_shadow(wanted) if wanted is not None else None
        members = [item for item in context.settings.environments if isinstance(model.serving[item.name], Member)]
        self.offer = self._create_offer(members) if members else None

    def _create(self, construct_id: str, step: str, description: str, *, wait_minutes: int = 0) -> BuildProject:
        return BuildProject(
            self,
            construct_id,
            name=self._names.deploy_project(step),
            project=self._context.project,
            foundation=self._foundation,
            pipeline_names=[self._names.deploy_pipeline, self._names.return_pipeline],
            buildspec=f"deploy_scripts/{step}.buildspec.yml",
            description=description,
            timeout_minutes=TIMEOUT_MINUTES + wait_minutes,
            environment={"MODEL": self._model.name},
        )

    def _create_render(self) -> BuildProject:
        description = "Chooses the version and pins it with the templates of its commit"
        build = self._create("Render", "render", description, wait_minutes=ENDPOINT_WAIT_MINUTES)
        self._allow_versions(build)
        for environment in self._context.settings.environments:
            Verification(self._context, self._model, environment).let_look(build)
        kept = self._foundation.artifact_bucket.arn_for_objects(TEMPLATES)
        build.allow("KeptTemplates", ["s3:GetObject"], [kept])  # what the build of the commit kept
        build.allow(
            "Versions", ["s3:GetObject"], [self._runs(self._context.places.home)]
        )  # the archive has to be the one that was evaluated
        lean = [item for item in self._context.settings.environments if self._model.is_lean(item.name)]
        images = [repository_arn(self._context, self._context.places.registry(item)) for item in lean]
        if images:
            build.allow("Images", ["ecr:DescribeImages"], sorted(set(images)))
        elsewhere = self._context.places.other_regions(self._context.settings.environments)
        if elsewhere:
            below: dict[str, object] = {"StringLike": {"s3:prefix": f"pipelines/{self._names.training_pipeline}/*"}}
            build.allow("FindEvidence", ["s3:ListBucket"], [self._foundation.artifact_bucket.bucket_arn], below)
        for region in elsewhere:
            self._allow_copy(build, Place(self._context.places.home.account, region))
        return build

    def _create_verify(self) -> BuildProject:
        said = "Asks what was deployed: schema, latency, golden rows, and that it is the pinned version"
        waits = any(isinstance(item, Asynchronous) for item in self._model.serving.values())
        baking = max((item.bake_seconds for item in self._model.serving.values() if isinstance(item, Member)), default=0)
        build = self._create("Verify", "verify", said, wait_minutes=ENDPOINT_WAIT_MINUTES if waits else math.ceil(baking / 60))
        self._allow_versions(build)
        for environment in self._context.settings.environments:
            Verification(self._context, self._model, environment).let_ask(build)
        build.allow("Versions", ["s3:GetObject"], [self._runs(self._context.places.home)])  # golden rows travel with the evaluation
        for region in self._context.places.other_regions(self._context.settings.environments):
            registry = Place(self._context.places.home.account, region).registry(self._names.model_package_group)
            asked = ["sagemaker:ListModelPackages", "sagemaker:DescribeModelPackage"]
            build.allow(f"Copies{''.join(part.title() for part in region.split('-'))}", asked, registry)
        self._allow_page(build)
        return build

    def _create_shadow(self, shadow: Shadow) -> BuildProject:
        """It changes nothing itself, but asks the function that may (shadow_change.py)."""
        home, production = self._context.places.home, self._context.settings.production
        description = "Compares a version in production's shadow with the one that serves"
        build = self._create("Shadow", "shadow", description, wait_minutes=shadow.minutes + 2 * ENDPOINT_WAIT_MINUTES)
        self._allow_versions(build)
        Verification(self._context, self._model, production).let_watch_shadow(build)
        build.allow("ChangeShadow", ["lambda:InvokeFunction"], [home.function(self._names.change_shadow_function)])
        build.allow("Versions", ["s3:GetObject"], [self._runs(home)])  # what each takes and answers
        self._allow_to_keep_page(build)
        for region in self._context.places.other_regions([production]):
            copies = Place(home.account, region).model_packages(self._names.model_package_group)
            build.allow("Copies", ["sagemaker:DescribeModelPackage"], [copies])
        return build

    def _create_offer(self, environments: Sequence[Environment]) -> BuildProject:
        """It alone writes where the fleets' containers read: of each name once, as what is loaded is not loaded again."""
        build = self._create("Offer", "offer", "Puts a version where a multi-model fleet finds it, and asks it there")
        self._allow_versions(build)
        build.allow("Versions", ["s3:GetObject"], [self._runs(self._context.places.home)])
        for environment in environments:
            Verification(self._context, self._model, environment).let_offer(build)
            self._allow_archives(build, environment)
        return build

    def _allow_archives(self, build: BuildProject, environment: Environment) -> None:
        """Of this model, below the prefix of its fleet, in the region where that is."""
        serving, title = self._model.serving[environment.name], "".join(part.title() for part in environment.name.split("-"))
        assert isinstance(serving, Member)  # noqa: S101 - who calls this has asked
        registry, names = self._context.places.registry(environment), self._names.at(environment.name)
        bucket, own = self._context.places.artifact_bucket(registry.region), f"{names.fleet(serving.fleet).archives}{self._model.name}/*"
        once: dict[str, object] = {"Null": {"s3:if-none-match": "false"}}
        build.allow(f"Offer{title}", ["s3:PutObject"], [bucket_arn(bucket, own)], once)
        build.allow(f"Offered{title}", ["s3:GetObject", "s3:DeleteObject"], [bucket_arn(bucket, own)])
        build.allow(f"FindOffered{title}", ["s3:ListBucket"], [bucket_arn(bucket)], {"StringLike": {"s3:prefix": own}})
        if registry.region != self._context.places.home.region:
            alias = self._context.project.names.key_alias
            build.allow_all([by_alias(f"Key{title}", registry, alias, ["kms:Decrypt", "kms:GenerateDataKey"])])

    def _allow_page(self, build: BuildProject) -> None:
        """The approver's page: what it is made of besides the versions, and where it is kept (deploy_scripts/review/publishing.py)."""
        self._allow_to_keep_page(build)
        serving = self._names.at(self._context.settings.production.name)
        build.allow("WhatTheWatchSays", ["s3:GetObject"], [self._foundation.data_bucket.arn_for_objects(serving.feedback)])
        said: dict[str, object] = {"StringLike": {"s3:prefix": serving.feedback}}
        build.allow("FindWhatTheWatchSays", ["s3:ListBucket"], [self._foundation.data_bucket.bucket_arn], said)
        pages: dict[str, object] = {"StringLike": {"s3:prefix": f"{self._names.reviews}*"}}
        build.allow("FindPage", ["s3:ListBucket"], [self._foundation.artifact_bucket.bucket_arn], pages)
        built = self._context.places.home.code_pipeline(self._context.project.names.build_pipeline)
        build.allow("WhatWasBuilt", ["codepipeline:ListPipelineExecutions"], [built])

    def _allow_to_keep_page(self, build: BuildProject) -> None:
        pages = self._foundation.artifact_bucket.arn_for_objects(f"{self._names.reviews}*")
        build.allow("ApproversPage", ["s3:GetObject", "s3:PutObject"], [pages])

    def _allow_versions(self, build: BuildProject) -> None:
        packages = self._context.places.home.model_packages(self._names.model_package_group)
        build.allow("ReadVersions", ["sagemaker:DescribeModelPackage"], [packages])

    def _allow_copy(self, build: BuildProject, there: Place) -> None:
        """Of a version into a region where an environment is: infra/foundation/regional_stack.py. Nothing there decides about one.

        With the code that watches it, which is written once, as at home (infra/build/build_pipeline.py).
        """
        title, group = "".join(part.title() for part in there.region.split("-")), self._names.model_package_group
        build.allow(f"CopyArchive{title}", ["s3:PutObject"], [self._runs(there)])
        bucket, once = self._context.places.artifact_bucket(there.region), {"Null": {"s3:if-none-match": "false"}}
        build.allow(f"CodeThere{title}", ["s3:GetObject"], [bucket_arn(bucket, CODE)])
        build.allow(f"ListCode{title}", ["s3:ListBucket"], [bucket_arn(bucket)], {"StringLike": {"s3:prefix": CODE}})
        build.allow(f"PublishOnce{title}", ["s3:PutObject"], [bucket_arn(bucket, CODE)], once)
        actions = [f"sagemaker:{action}" for action in ("CreateModelPackage", "DescribeModelPackage", "ListModelPackages")]
        build.allow(f"CopyVersion{title}", actions, there.registry(group))
        alias = self._context.project.names.key_alias
        build.allow_all([by_alias(f"Key{title}", there, alias, ["kms:Decrypt", "kms:GenerateDataKey"])])

    def _runs(self, place: Place) -> str:
        return run_objects(self._context.places.artifact_bucket(place.region), self._names.training_pipeline)
