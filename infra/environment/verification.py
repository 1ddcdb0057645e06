"""What the builds of a model's pipelines may do where the model serves: look at it, and ask it as its users do.

In the project's account it is granted to each build; in another one to a role there, which the builds assume. Scripts: deploy_scripts/.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from infra.encryption_key import FOR_AWS_RESOURCES, by_alias
from infra.ownership import makes_as_ours, not_another_s
from infra.permissions import Permission
from infra.places import Context, Place, bucket_arn
from infra.service_role import Grantee
from infra.serving.endpoint_alarms import ROLLBACK
from infra.serving.member_alarms import OF_ANY_VERSION as OF_ANY_MEMBER
from infra.serving.prediction_alarm import OF_ANY_VERSION
from settings_schema import Asynchronous, Endpoint, Environment, Member, Model, ServingNames
from settings_schema.fleet import OnFleet
from settings_schema.serving import OnEndpoint

#: Folder below the batch input and the predictions, or the requests: deploy_scripts/verification_job.py, queued_requests.py.
FOLDER = "verification"


class Verification:
    """Permissions on one model in one environment. Their names end with the environment's, because one role may have several of these."""

    def __init__(self, context: Context, model: Model, environment: Environment) -> None:
        self._place: Place = context.places.of(environment)
        self._bucket = context.places.environment_bucket(environment)
        self._alias = environment.names(context.project).key_alias
        self._names: ServingNames = model.names(context.project).at(environment.name)
        serving = model.serving[environment.name]
        self._has_endpoint = isinstance(serving, OnEndpoint)
        self._may_change_type = isinstance(serving, Endpoint | Asynchronous)
        self._fleet = self._names.fleet(serving.fleet) if isinstance(serving, OnFleet) else None
        self._is_member = isinstance(serving, Member)
        self._is_queued = isinstance(serving, Asynchronous)
        self._is_last = environment == context.settings.production
        self._shadow = model.shadow(environment.name) is not None
        self._role = self._place.role(self._names.verify_role) if context.places.is_elsewhere(environment) else None
        self._title = "".join(part.title() for part in environment.name.split("-"))

    def let_look(self, builds: Grantee) -> None:
        """At whether stack and endpoint can be updated, what serves on which instances and how that scales, and whether an alarm would
        undo the update.
        """
        template = [self._template()] if self._may_change_type else []
        self._grant(builds, [*self._look(), *self._shared(), *self._deployed(), *template, *self._alarms()])

    def let_compare(self, builds: Grantee) -> None:
        """Which template is deployed, with one that was built; and of production which version."""
        self._grant(builds, [self._template(), *([self._stack()] if self._is_last else [])])

    def let_ask(self, builds: Grantee) -> None:
        """What was deployed, and what it answers."""
        # The page says which updates another instance type takes, by the template that is there.
        template = [self._template()] if self._is_last and self._may_change_type else []
        self._grant(builds, [*self._ask(), *template])

    def let_offer(self, builds: Grantee) -> None:
        """A version's archive to the multi-model fleet, once it has answered there; which one clients are told of now."""
        self._grant(builds, [*self._look(), *self._shared(), *self._invoke()])

    def let_watch_shadow(self, builds: Grantee) -> None:
        """How a version in the shadow does beside the one that serves: what both answered, how often and how fast."""
        self._grant(builds, [*self._look(), *self._captured()])

    def builds(self) -> list[str]:
        """Roles of the project's account that are let in, where this is another one: those that have something to do here."""
        of_model = self._names.of_model
        steps = ("render", "verify", *(["shadow"] if self._shadow else []), *(["offer"] if self._is_member else []))
        return [*(of_model.deploy_project(step) for step in steps), of_model.start_deployment_function]

    def all(self) -> list[Permission]:
        """What the role may that is assumed from the project's account."""
        return [self._template(), *self._alarms(), *self._shared(), *self._ask(), *(self._captured() if self._shadow else [])]

    def _grant(self, builds: Grantee, permissions: Sequence[Permission]) -> None:
        if self._role is None:
            builds.allow_all(permissions)
        elif permissions:
            builds.allow(f"Enter{self._title}", ["sts:AssumeRole"], [self._role])

    def _stack(self) -> Permission:
        return self._permission("Stack", ["cloudformation:DescribeStacks"], [self._place.stack(self._names.stack)])

    def _template(self) -> Permission:
        return self._permission("Template", ["cloudformation:GetTemplate"], [self._place.stack(self._names.stack)])

    def _look(self) -> list[Permission]:
        if not self._has_endpoint:
            return [self._stack()]
        if self._fleet is not None:
            if self._is_member:
                return [self._stack()]
            describe = self._permission("Component", ["sagemaker:DescribeInferenceComponent"], [self._component()])
            return [self._stack(), describe, self._describe("Model", "model")]
        endpoint = self._permission("Endpoint", ["sagemaker:DescribeEndpoint"], [self._place.sagemaker("endpoint", self._names.endpoint)])
        return [self._stack(), endpoint, self._describe("EndpointConfig", "endpoint-config"), self._describe("Model", "model")]

    def _shared(self) -> list[Permission]:
        """The endpoint of the fleet, which has to be there before anything is deployed onto it."""
        if self._fleet is None:
            return []
        return [self._permission("Fleet", ["sagemaker:DescribeEndpoint"], [self._place.sagemaker("endpoint", self._fleet.endpoint)])]

    def _deployed(self) -> list[Permission]:
        """Which configuration the stack has given its endpoint, and whether it made that scale."""
        if not self._has_endpoint or self._fleet is not None:
            return []
        return [self._permission("Deployed", ["cloudformation:DescribeStackResources"], [self._place.stack(self._names.stack)])]

    def _component(self) -> str:
        return self._place.sagemaker("inference-component", self._names.component)

    def _alarms(self) -> list[Permission]:
        """Those that undo an update and are there before it (infra/serving/endpoint_stack.py)."""
        if self._is_member:
            return []
        alarms = [self._place.alarm(self._names.alarm(what)) for what in ROLLBACK]
        return [self._permission("Alarms", ["cloudwatch:DescribeAlarms"], alarms)] if self._has_endpoint else []

    def _ask(self) -> list[Permission]:
        if self._has_endpoint:
            baked = [self._baked()] if self._is_member and self._is_last else []
            traffic = self._traffic() if self._is_last and self._fleet is None else []
            return [*self._look(), *self._deployed(), *self._invoke(), *baked, *traffic]
        return [*self._look(), self._describe("Model", "model"), *self._score()]

    def _baked(self) -> Permission:
        """Alarms on the version that clients were told of (infra/serving/member_alarms.py)."""
        alarms = [self._place.alarm(self._names.alarm(what)) for what in (*OF_ANY_MEMBER, OF_ANY_VERSION)]
        return self._permission("Alarms", ["cloudwatch:DescribeAlarms"], alarms)

    def _captured(self) -> list[Permission]:
        """Metrics take no resource."""
        below: dict[str, object] = {"StringLike": {"s3:prefix": f"{self._names.capture}*"}}
        return [
            self._permission("Metrics", ["cloudwatch:GetMetricData"], ["*"]),
            self._permission("FindCaptured", ["s3:ListBucket"], [bucket_arn(self._bucket)], below),
            self._permission("Captured", ["s3:GetObject"], [bucket_arn(self._bucket, f"{self._names.capture}*")]),
            by_alias(f"KeyOfCaptured{self._title}", self._place, self._alias, ["kms:Decrypt"]),
        ]

    def _invoke(self) -> list[Permission]:
        if self._fleet is not None and self._is_member:
            own: dict[str, object] = {"StringLike": {"sagemaker:TargetModel": f"{self._names.model}/*"}}
            fleet = self._place.sagemaker("endpoint", self._fleet.endpoint)
            return [self._permission("Invoke", ["sagemaker:InvokeEndpoint"], [fleet], own)]
        if self._fleet is not None:
            asked = [self._place.sagemaker("endpoint", self._fleet.endpoint), self._component()]
            return [self._permission("Invoke", ["sagemaker:InvokeEndpoint"], asked)]
        endpoint = self._place.sagemaker("endpoint", self._names.endpoint)
        if not self._is_queued:
            return [self._permission("Invoke", ["sagemaker:InvokeEndpoint"], [endpoint])]
        names = self._names
        answers = [bucket_arn(self._bucket, f"{prefix}*") for prefix in (names.answers, names.failures)]
        below: dict[str, object] = {"StringLike": {"s3:prefix": [f"{prefix}*" for prefix in (names.answers, names.failures)]}}
        return [
            self._permission("Invoke", ["sagemaker:InvokeEndpointAsync"], [endpoint]),
            self._permission("Requests", ["s3:PutObject"], [bucket_arn(self._bucket, f"{names.requests}{FOLDER}/*")]),
            self._permission("Answers", ["s3:GetObject"], answers),
            self._permission("FindAnswers", ["s3:ListBucket"], [bucket_arn(self._bucket)], below),  # or one that is not there is denied
            by_alias(f"Key{self._title}", self._place, self._alias, ["kms:Decrypt", "kms:GenerateDataKey"]),
        ]

    def _traffic(self) -> list[Permission]:
        """Of a day, by which the approver's page says what one costs; a fleet costs the same whatever is asked."""
        return [self._permission("Traffic", ["cloudwatch:GetMetricStatistics"], ["*"])]  # takes no resource

    def _score(self) -> list[Permission]:
        """A transform job of the deployed model, its rows and its answers."""
        jobs = [self._place.sagemaker("transform-job", f"{self._names.endpoint}--*")]
        rows, answers = (bucket_arn(self._bucket, f"{prefix}{FOLDER}/*") for prefix in (self._names.batch_input, self._names.predictions))
        create = ["sagemaker:CreateTransformJob", "sagemaker:AddTags"]
        use = by_alias(f"Key{self._title}", self._place, self._alias, ["kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey"])
        volumes = by_alias(f"Volumes{self._title}", self._place, self._alias, ["kms:CreateGrant"])
        return [
            self._permission("Score", create, jobs, makes_as_ours(self._names)),
            self._permission("Follow", ["sagemaker:DescribeTransformJob"], jobs),
            self._permission("Rows", ["s3:PutObject"], [rows]),
            self._permission("Answers", ["s3:GetObject"], [answers]),
            use,
            volumes._replace(conditions={**(volumes.conditions or {}), **FOR_AWS_RESOURCES}),
        ]

    def _describe(self, kind: str, resource: str) -> Permission:
        """CloudFormation names these, so that each version gets new ones."""
        resources = [self._place.sagemaker(resource, "*")]
        return self._permission(f"Served{kind}", [f"sagemaker:Describe{kind}"], resources, not_another_s(self._names))

    def _permission(
        self, sid: str, actions: Sequence[str], resources: Sequence[str], conditions: Mapping[str, object] | None = None
    ) -> Permission:
        return Permission(f"{sid}{self._title}", actions, resources, conditions)
